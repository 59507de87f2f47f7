"""A6, the coordinators' entries: `RHB_JC_<date>_<number>.ndjson`, one JSON object a line.

1. A line is at most 256 KiB (E-LEN), UTF-8 (E-ENC) and strict JSON (E-LEN: its frame is broken). A file that begins
   with a byte order mark is refused whole (E-LEN): which case its first entry is about could not be told otherwise.
2. A resident registration number anywhere is cut out with the field around it; the entry is kept without it, and
   `held_rrn` says where it stood, so that nothing about this person leaves until the coordinator hands over again.
3. What is left keeps to `schemas/comwel/a6/1.0.0.json`, which fixes keys and shapes (E-CODE). Values inside are judged
   field by field when the record is made (`gateway.cases.entry`): one wrong code must not cost a consent.

A bad line is put aside alone, with resident numbers struck out, also those that only its escapes spell. The hash of an
entry is that of what is kept.
It refuses to read a line twice as long as the limit into memory, and to keep what it cut out.
"""

from __future__ import annotations

import hashlib
import re
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from adapters.comwel import acknowledgement, files
from adapters.comwel.layout import day_of
from gateway.cases import rrn
from gateway.documents import strict_json
from gateway.documents.schemas import Schemas
from gateway.errors import DuplicateFile, ImpossibleDate, Place, Refused, WrongLength, WrongOrder
from gateway.ports import EntryRecord, FileHead, HandoverFile, Problem

WAY = "A6"
NAME = re.compile(r"RHB_JC_([0-9]{8})_([0-9]{5})\.ndjson")
SCHEMA = "urn:comwel:schema:a6:1.0.0"
LONGEST_LINE = 262_144
_MARKED = "it begins with a byte order mark: save the file without byte order mark"
_CASE_NO = re.compile(r"[0-9]{14}")
_ESCAPES = re.compile(r"(?:\\u[0-9a-fA-F]{4})+|\\[bfnrt/]")
_HIDDEN = 32  # registration numbers cut out of one entry before it is put aside as a whole


class A6Entries:
    """Implements `gateway.ports.HandoverReader` for the coordinators' entries."""

    way = WAY

    def __init__(self, schemas: Path) -> None:
        self._schemas = Schemas.load(schemas / "comwel" / "a6")
        self._acknowledge = acknowledgement.Acknowledgements.load(schemas)

    def ready(self, directory: Path) -> Sequence[Path]:
        """Files by date and number; they are renamed into place, so there is no `.done`."""
        return files.complete(directory, NAME, marked=False)

    def head(self, path: Path) -> FileHead:
        """What the file name says. Raises `ImpossibleDate` or `WrongOrder`."""
        named = NAME.fullmatch(path.name)
        if not named:
            raise WrongOrder("date and number are not in the file name", place=Place(file=path.name))
        day, number = named.groups()
        if (base := day_of(day)) is None:
            raise ImpossibleDate(place=Place(path.name, field="baseDt"))
        return FileHead(path.name, WAY, base, int(number), None, None, "D", files.digest(path))

    def named(self, path: Path) -> FileHead | None:
        """Nothing: the head is the name."""
        return None

    def judge(self, head: FileHead, taken_in: Sequence[HandoverFile]) -> str | None:
        """Entries replace each other case by case, and the newest speaks: files come in any order. Twice is E-DUP."""
        if any((f.base_date, f.file_seq) == (head.base_date, head.file_seq) for f in taken_in):
            raise DuplicateFile(place=Place(head.name, field="fileSeq"))
        return None

    def records(self, path: Path) -> Iterator[EntryRecord | Problem]:
        """All entries in order. Raises `WrongLength` for a byte order mark and for a line beyond all limits."""
        number = 0
        for line in files.lines(path, 2 * LONGEST_LINE):
            content = line.rstrip(b"\r\n")
            if content:
                number += 1
                if number == 1 and content.startswith(BOM_UTF8):
                    raise WrongLength(_MARKED, place=Place(path.name, number))
                yield self.entry(content, number, path.name)

    def entry(self, line: bytes, number: int, file: str) -> EntryRecord | Problem:
        """One line."""
        try:
            entry = _parse(line)  # 1
            held = _cut_out_rrn(entry)  # 2
            self._schemas.require(SCHEMA, entry)  # 3
        except _NotText:
            return _problem(line, number, "E-ENC", None, None)
        except WrongLength as refusal:
            return _problem(line, number, refusal.code, None, None)
        except Refused as refusal:
            return _problem(line, number, "E-CODE", refusal.place.field, entry)
        sha256 = hashlib.sha256(strict_json.dumps(entry)).hexdigest()
        entry["provenance"] = [{"adapter": WAY, "file": file, "record": number, "sha256": sha256}]
        return EntryRecord(number, entry["caseNo"], entry["caseVersion"], entry, sha256, held)

    def tidy(self, directory: Path) -> None:
        """Nothing: a file without marks is put away in one go."""

    def put_away(self, path: Path, *, good: bool) -> None:
        """See `adapters.comwel.files.put_away`."""
        files.put_away(path, files.DONE if good else files.ERR)

    def acknowledge(
        self,
        directory: Path,
        head: FileHead,
        refused: str | None,
        problems: Sequence[Problem],
        total: int,
        *,
        beside: bool = False,
    ) -> Path:
        """Write `RHB_JCACK_<date>_<number>.dat`."""
        return self._acknowledge.write(directory, head, refused, problems, total, beside=beside)


class _NotText(Exception):
    """A line is not UTF-8."""


def _parse(line: bytes) -> dict[str, Any]:
    if len(line) > LONGEST_LINE:
        raise WrongLength(f"an entry is longer than {LONGEST_LINE} bytes")
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        raise _NotText from None
    try:
        entry = strict_json.loads(line, max_bytes=LONGEST_LINE, max_depth=8)
    except Refused as refusal:
        raise WrongLength(refusal.detail) from None
    if not isinstance(entry, dict):
        raise WrongLength("an entry is not an object")
    return entry


def _cut_out_rrn(entry: dict[str, Any]) -> str | None:
    """Remove every value that holds a registration number; the pointer to the first, or None."""
    first = None
    for _ in range(_HIDDEN):
        pointer = rrn.find_anywhere(entry)
        if pointer is None:
            return first
        first = first if first is not None else (pointer or "/")
        _remove(entry, [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]])
    entry.clear()  # more than anybody writes by mistake
    return first


def _remove(entry: dict[str, Any], path: list[str]) -> None:
    """Remove what a JSON pointer names; the root, or an object whose own names hold a number, is emptied."""
    holder: Any = entry
    for part in path[:-1]:
        holder = holder[int(part)] if isinstance(holder, list) else holder[part]
    if not path:
        entry.clear()
    elif isinstance(holder, list):
        del holder[int(path[-1])]
    else:
        del holder[path[-1]]


def _problem(line: bytes, number: int, reason: str, field: str | None, entry: dict[str, Any] | None) -> Problem:
    raw = _masked(line[:LONGEST_LINE])
    case_no = str((entry or {}).get("caseNo", ""))
    return Problem(
        record_no=number,
        case_no=case_no if _CASE_NO.fullmatch(case_no) else None,
        reason=reason,
        field=field,
        raw=raw,
        sha256=hashlib.sha256(raw).hexdigest(),
    )


def _masked(line: bytes) -> bytes:
    """A line without resident numbers; one that holds a number only as JSON reads it is kept as it reads."""
    raw = rrn.mask(line, "utf-8")
    read = _ESCAPES.sub(_as_read, raw.decode("utf-8", "surrogateescape"))
    return rrn.mask(read.encode("utf-8", "surrogateescape"), "utf-8") if rrn.find(read) else raw


def _as_read(escapes: re.Match[str]) -> str:
    written = escapes.group()
    return bytes.fromhex(written.replace("\\u", "")).decode("utf-16-be", "replace") if written[1] == "u" else " "
