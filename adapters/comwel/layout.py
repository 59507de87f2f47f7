"""Fixed-width layouts as data: where each field of a record stands, in bytes.

A layout file is JSON: `record_bytes`, and per record kind (H, C, T, …) its fields with 1-based `offset`, `length`,
`type` (X text, left, space-padded; 9 number, right, zero-padded) and `meaning`. Optional per field: `cut` (text may be
cut on a character boundary), `absent` (what an absent number is written as: "spaces"; zeros otherwise).
Bytes are sliced before anything is decoded: a Hangul syllable is two bytes, and decoded text would shift every field.

It refuses layouts whose fields overlap or leave their record, and values that do not fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple, Self

from adapters.comwel import cp949
from gateway.documents import strict_json
from gateway.errors import DataFileInvalid, Place, WrongLength

CRLF = b"\r\n"


def day_of(text: str) -> date | None:
    """The day that YYYYMMDD means; None for what is none."""
    if len(text) != 8 or not (text.isascii() and text.isdigit()):
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


class Field(NamedTuple):
    """One field: `start`:`end` are byte positions from 0; `kind` is X or 9."""

    name: str
    start: int
    end: int
    kind: str
    cut: bool
    absent: bytes

    @property
    def width(self) -> int:
        return self.end - self.start

    @property
    def place(self) -> slice:
        return slice(self.start, self.end)


class Layout:
    """All record kinds of one file. Build with `load`; immutable afterwards."""

    def __init__(self, record_bytes: int, kinds: Mapping[str, tuple[Field, ...]]) -> None:
        self.record_bytes = record_bytes
        self.kinds = dict(kinds)
        self._named = {kind: {f.name: f for f in fields} for kind, fields in kinds.items()}

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read and check a layout file. Raises `DataFileInvalid`."""
        document = strict_json.loads(path.read_bytes())
        size = document["record_bytes"]
        kinds = {name: _fields(rows) for name, rows in document.items() if len(name) == 1 and isinstance(rows, list)}
        for kind, fields in kinds.items():
            for before, after in zip((None, *fields), fields, strict=False):
                if after.start < (before.end if before else 0) or after.end > size:
                    raise DataFileInvalid(f"field {after.name} of {kind} overlaps", place=Place(file=path.name))
        return cls(size, kinds)

    def field(self, kind: str, name: str) -> Field:
        """One field of one record kind."""
        return self._named[kind][name]

    def texts(self, kind: str, record: bytes) -> dict[str, str]:
        """Every field of a record as text without padding; bytes that are no CP949 become ''. Raises nothing."""
        return {f.name: cp949.decode(record[f.place]) or "" for f in self.kinds[kind]}

    def records(self, data: bytes) -> list[bytes]:
        """The records of a whole file, a first and a last one at least. Raises `WrongLength`."""
        size = self.record_bytes + len(CRLF)
        found = [data[at : at + size] for at in range(0, len(data), size)]
        if len(found) < 2 or any(len(r) != size or not r.endswith(CRLF) for r in found):
            raise WrongLength("the file is not whole records")
        return found

    def pack(self, kind: str, values: Mapping[str, Any]) -> bytes:
        """One record with its CRLF. Values are text, int, date or absent. Raises `WrongLength`, `Undecodable`."""
        record = bytearray(b" " * self.record_bytes)
        for field in self.kinds[kind]:
            record[field.place] = _packed(field, values.get(field.name))
        unknown = values.keys() - self._named[kind].keys()
        if unknown:
            raise WrongLength("a name is in no field of the layout", place=Place(field=min(unknown)))
        return bytes(record) + CRLF


def _fields(rows: list[dict[str, Any]]) -> tuple[Field, ...]:
    return tuple(
        Field(
            name=row["field"],
            start=row["offset"] - 1,
            end=row["offset"] - 1 + row["length"],
            kind=row["type"],
            cut=bool(row.get("cut")),
            absent=b" " if row["type"] == "X" or row.get("absent") == "spaces" else b"0",
        )
        for row in rows
    )


def _packed(field: Field, value: Any) -> bytes:
    if value is None:
        return field.absent * field.width
    raw = cp949.encode(f"{value:%Y%m%d}" if isinstance(value, date) else str(value))
    if field.cut:
        raw = cp949.fit(raw, field.width)
    if len(raw) > field.width:
        raise WrongLength(f"longer than {field.width} bytes", place=Place(field=field.name))
    if field.kind == "X":
        return raw.ljust(field.width)
    if not raw.isdigit():
        raise WrongLength("not a number", place=Place(field=field.name))
    return raw.rjust(field.width, b"0")
