"""The frame of the nightly file (A1): is the file as a whole what it claims to be?

Checked in this order, in one pass, with at most one line in memory:
1. complete: `.done` is there;
2. envelope: H first, then C records, T last and nothing after it; H and T of exactly 640 bytes and CRLF;
3. head: interface, sender, receiver, mode, layout version, code page; its date and number are those of the file name;
4. `.sum`: SHA-256, size and record count;
5. control totals of T: records, I, U, D+M+X, sum of wages, sum of case numbers mod 10^15.

A record whose frame is broken cannot be added up; the totals then must lie within what it could have contributed, so
that one broken record does not cost the whole night. It refuses to judge a record's content: that is `a1_record`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from adapters.comwel import files
from adapters.comwel.layout import CRLF, Layout, day_of
from gateway.errors import ImpossibleDate, Place, TotalsMismatch, UnknownCode, WrongLength, WrongOrder
from gateway.ports import FileHead

WAY = "A1"
NAME = re.compile(r"RHB_CASE_([0-9]{8})_([0-9]{5})\.dat")
LONGEST_LINE = 4096
_MODULUS = 10**15
_LARGEST_WAGE = 10**9 - 1
_LARGEST_CASE_NO = 10**14 - 1
_HEAD = {  # field of H -> values this reader knows
    "ifId": ("RHB-CASE-01",),
    "sndOrg": ("B490001",),
    "rcvOrg": ("GATEWAY",),
    "mode": ("F", "D", "R"),
    "layVer": ("0100",),
    "charset": ("CP949",),
}
_CHANGES = {b"I": "insCnt", b"U": "updCnt", b"D": "delCnt", b"M": "delCnt", b"X": "delCnt"}


class Totals:
    """Running control totals, and how much of them is not known because a record's frame is broken."""

    def __init__(self, layout: Layout) -> None:
        self._change = layout.field("C", "chgTp").place
        self._case = layout.field("C", "wonbuNo").place
        self._wage = layout.field("C", "pyImgm").place
        self.sums = {"totCnt": 0, "insCnt": 0, "updCnt": 0, "delCnt": 0, "wageSum": 0, "hashTot": 0}
        self.slack = dict.fromkeys(self.sums, 0)

    def add(self, record: bytes, *, framed: bool) -> None:
        """Count one C record; `framed`: its length is right, so its fields stand where they should."""
        self.sums["totCnt"] += 1
        change = _CHANGES.get(record[self._change])
        if framed and change:
            self.sums[change] += 1
        else:
            for name in ("insCnt", "updCnt", "delCnt"):
                self.slack[name] += 1
        self._number("wageSum", record[self._wage], _LARGEST_WAGE, framed)
        self._number("hashTot", record[self._case], _LARGEST_CASE_NO, framed)

    def _number(self, name: str, raw: bytes, largest: int, framed: bool) -> None:
        if framed and raw.isdigit():
            self.sums[name] += int(raw)
        else:
            self.slack[name] += largest

    def check(self, claimed: dict[str, str]) -> None:
        """Raise `TotalsMismatch` naming every total of T that is not what the records add up to."""
        wrong = [name for name in self.sums if not self._agrees(name, claimed[name])]
        if wrong:
            raise TotalsMismatch(", ".join(wrong), place=Place(record=self.sums["totCnt"] + 2, field=wrong[0]))

    def _agrees(self, name: str, claimed: str) -> bool:
        if not (claimed.isascii() and claimed.isdigit()):
            return False
        return (int(claimed) - self.sums[name]) % _MODULUS <= self.slack[name]


class Envelope(NamedTuple):
    """A file whose frame holds: its head, and how many C records it has."""

    head: FileHead
    records: int


def read_head(path: Path, layout: Layout) -> FileHead:
    """The head of a complete file. Raises a `HandoverRefused` when it is not what this reader knows."""
    _require_done(path)
    first = next(lines(path, layout), b"")
    _require_frame(first, b"H", layout, 1)
    return _head(path, layout.texts("H", first), files.digest(path))


def named(path: Path) -> FileHead | None:
    """What the name alone says of a file; None when its date is none."""
    found = NAME.fullmatch(path.name)
    base = day_of(found[1]) if found else None
    if found is None or base is None:
        return None
    return FileHead(path.name, WAY, base, int(found[2]), None, None, "D", files.digest(path))


def check(path: Path, layout: Layout) -> Envelope:
    """Check the whole frame. Raises `WrongLength`, `WrongOrder`, `UnknownCode`, `ImpossibleDate`, `TotalsMismatch`."""
    _require_done(path)  # 1
    seen, size, number, last = hashlib.sha256(), 0, 0, b""
    head_line = b""
    totals = Totals(layout)
    for number, line in enumerate(lines(path, layout), start=1):  # 2
        seen.update(line)
        size += len(line)
        kind = line[:1]
        if number == 1:
            _require_frame(line, b"H", layout, 1)
            head_line = line
        elif last == b"T" or kind not in (b"C", b"T"):
            raise WrongOrder("records are not H, C…, T", place=Place(path.name, number))
        elif kind == b"C":
            totals.add(line, framed=framed(line, layout))
        else:
            _require_frame(line, b"T", layout, number)
            tail = layout.texts("T", line)
        last = kind
    if number == 0 or last != b"T" or tail["eof"] != "EOF":
        raise WrongLength("the last record is not T with EOF", place=Place(path.name, number))
    head = _head(path, layout.texts("H", head_line), seen.hexdigest())  # 3
    count = totals.sums["totCnt"]
    if files.claimed(path) != files.Sum(head.sha256, size, count):  # 4
        raise TotalsMismatch("the .sum file names another content", place=Place(file=path.name))
    totals.check(tail)  # 5
    return Envelope(head, count)


def _require_done(path: Path) -> None:
    if not path.with_suffix(".done").exists():
        raise WrongLength("the file is not complete: .done is missing", place=Place(file=path.name))


def lines(path: Path, layout: Layout) -> Iterator[bytes]:
    """The records of a file with their CRLF, as they are."""
    return files.frames(path, layout.record_bytes + len(CRLF), LONGEST_LINE)


def framed(line: bytes, layout: Layout) -> bool:
    """Whether a line is exactly one record and its CRLF."""
    return len(line) == layout.record_bytes + len(CRLF) and line.endswith(CRLF)


def _require_frame(line: bytes, kind: bytes, layout: Layout, number: int) -> None:
    if line[:1] != kind or not framed(line, layout):
        raise WrongLength(
            f"{kind.decode()} is not {layout.record_bytes} bytes and CRLF", place=Place(record=number, field="recTp")
        )


def _head(path: Path, fields: dict[str, str], sha256: str) -> FileHead:
    for name, known in _HEAD.items():
        if fields[name] not in known:
            raise UnknownCode("the head names what this reader does not know", place=Place(path.name, 1, name))
    for name in ("fileSeq", "orgFileSeq", "prvFileSeq"):
        if not (fields[name].isascii() and fields[name].isdigit()):
            raise WrongLength("not a number", place=Place(path.name, 1, name))
    named = NAME.fullmatch(path.name)
    if not named or named.groups() != (fields["baseDt"], fields["fileSeq"]):
        raise WrongOrder("date and number are not those of the file name", place=Place(path.name, 1, "fileSeq"))
    if (base := day_of(fields["baseDt"])) is None:
        raise ImpossibleDate(place=Place(path.name, 1, "baseDt"))
    return FileHead(
        name=path.name,
        way=WAY,
        base_date=base,
        file_seq=int(fields["fileSeq"]),
        previous_seq=int(fields["prvFileSeq"]),
        original_seq=int(fields["orgFileSeq"]) or None,
        mode=fields["mode"],
        sha256=sha256,
    )
