"""COMWEL's return-to-work register, written back as `RHB_RTW_<date>_<number>.dat` with `.sum` and `.done`.

Fixed width, CP949, layout `schemas/comwel/rtw/layout.json`: H, one U record for each update, T. A row holds the names
of `schemas/comwel/rtw-row/1.0.0.json`, which are those of the layout. An absent date is 00000000, an absent number
blank (a wage of nothing is not an unknown wage). T counts the rows and those that returned, and sums the case numbers
and the update numbers, so that COMWEL can check the file as the gateway checks COMWEL's.

The same rows give the same bytes: no clock, no random name, no order but the given one. Nothing is cut: a value that
does not fit, or cannot be written in CP949, refuses the whole file. It refuses to judge what a row means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from adapters.comwel import files
from adapters.comwel.layout import Layout
from gateway.errors import FolderUnusable, Place, TotalsMismatch, WrongLength

_MODULUS = 10**15
_RETURNED = "1"
_NUMBERS = ("wonbuVer", "updNo", "wkHr100", "wageAmt")
_NO_DAY = "00000000"


class RtwFiles:
    """Implements `gateway.ports.RtwRegister` with files."""

    def __init__(self, schemas: Path) -> None:
        self._layout = Layout.load(schemas / "comwel" / "rtw" / "layout.json")

    def check(self, row: Mapping[str, Any]) -> None:
        """Raises `WrongLength` or `Undecodable`, naming the field, when `build` would."""
        self._packed(1, row)

    def write(self, directory: Path, file_date: date, file_seq: int, rows: Sequence[Mapping[str, Any]]) -> str:
        """Write one file atomically; returns its SHA-256, hex. Raises FolderUnusable, and what `build` raises."""
        path = directory / f"RHB_RTW_{file_date:%Y%m%d}_{file_seq:05d}.dat"
        data = self.build(file_date, file_seq, rows)
        try:
            return files.deliver(path, data, len(rows))
        except OSError:
            raise FolderUnusable(place=Place(path.name)) from None

    def build(self, file_date: date, file_seq: int, rows: Sequence[Mapping[str, Any]]) -> bytes:
        """The bytes of one file; a pure function. Raises `WrongLength` or `Undecodable`, naming the field."""
        head = {
            "recTp": "H",
            "ifId": "RHB-RTW-01",
            "sndOrg": "GATEWAY",
            "rcvOrg": "B490001",
            "fileSeq": file_seq,
            "baseDt": file_date,
            "layVer": "0100",
            "charset": "CP949",
        }
        body = (self._packed(seq, row) for seq, row in enumerate(rows, start=1))
        tail = {"recTp": "T", **_totals(rows), "eof": "EOF"}
        return b"".join([self._layout.pack("H", head), *body, self._layout.pack("T", tail)])

    def _packed(self, seq: int, row: Mapping[str, Any]) -> bytes:
        return self._layout.pack("U", {"recTp": "U", "seq": seq, **row})

    def read(self, data: bytes) -> list[dict[str, Any]]:
        """The rows of a file, as they were given to `build`. Raises `WrongLength` or `TotalsMismatch`."""
        records = self._layout.records(data)
        kinds = b"".join(r[:1] for r in records)
        if kinds != b"H" + b"U" * (len(records) - 2) + b"T":
            raise WrongLength("the file is not H, U…, T")
        rows = [_row(self._layout.texts("U", r)) for r in records[1:-1]]
        tail = self._layout.texts("T", records[-1])
        if any(int(tail[name]) != value for name, value in _totals(rows).items()):
            raise TotalsMismatch("the register file")
        return rows


def _totals(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    return {
        "totCnt": len(rows),
        "rtnCnt": sum(row["rtwSttsCd"] == _RETURNED for row in rows),
        "updSum": sum(row["updNo"] for row in rows) % _MODULUS,
        "hashTot": sum(int(row["wonbuNo"]) for row in rows) % _MODULUS,
    }


def _row(fields: Mapping[str, str]) -> dict[str, Any]:
    kept = {n: v for n, v in fields.items() if v and v != _NO_DAY and n not in ("recTp", "seq")}
    return {name: int(value) if name in _NUMBERS else value for name, value in kept.items()}
