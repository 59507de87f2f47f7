"""Invented nights for demonstrations and tests: the nightly file, the coordinators' entries, and the right verdicts.

`plan_night` invents, `write` puts `RHB_CASE_*.dat/.sum/.done`, `RHB_JC_*.ndjson` and `expected.json` into a folder;
`follow_up` invents the night after: changed care plans, deletions, merges, cancellations, withdrawals, duplicates and
corrected records. The same arguments give the same bytes. Edge cases are rows of `synthetic_edges.EDGES`, each with
the verdict a gateway must reach; the number of records to be put aside stays well below the limit for the whole file.

It refuses to use anything real.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import date
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import orjson

from adapters.comwel import files
from adapters.comwel.layout import Layout
from adapters.comwel.synthetic_cases import Invented, business_number, invent, months_later
from adapters.comwel.synthetic_edges import EDGES, Edge, consent, withdrawn_at
from gateway import wholefile

_LAYOUT = Path(__file__).resolve().parents[2] / "schemas" / "comwel" / "a1" / "layout.json"
_MODULUS = 10**15
_LEAST_LIMIT, _SHARE = 50, 100  # of records that may be put aside before the whole file is rejected


class Night(NamedTuple):
    """A planned night. `previous` is the number of the last good file; `labels` are verdicts once it is taken in."""

    base: date
    file_seq: int
    previous: int
    mode: str
    cases: tuple[Invented, ...]
    labels: dict[str, dict[str, Any]]


def plan_night(cases: int, seed: int, base: date, file_seq: int = 1, previous: int = 0) -> Night:
    """Invent a first night of `cases` cases; every edge case occurs when there is room for it."""
    rng = Random(f"night {seed} {base} {cases}")
    edges = _spread(cases, rng)
    invented = tuple(_invent(n, seed, base, rng, edges[n - 1]) for n in range(1, cases + 1))
    return Night(base, file_seq, previous, "D", invented, {c.case_no: c.label() for c in invented})


def _spread(cases: int, rng: Random) -> list[Edge | None]:
    """Which case is which edge: about one in six, those to be put aside at most four fifths of the file's limit."""
    wanted = list(EDGES) * max(1, cases // 300)
    wanted = wanted if len(wanted) <= cases // 3 else rng.sample(wanted, cases // 3)
    room = max(_LEAST_LIMIT, cases // _SHARE) * 4 // 5
    aside = [e for e in wanted if e.record == "quarantined"][:room]
    chosen: list[Edge | None] = [*aside, *(e for e in wanted if e.record != "quarantined")]
    chosen += [None] * (cases - len(chosen))
    rng.shuffle(chosen)
    return chosen


def _invent(n: int, seed: int, base: date, rng: Random, edge: Edge | None) -> Invented:
    case = invent(n, seed, base, rng)
    if edge:
        case.edge, case.record, case.reason = edge.name, edge.record, edge.reason
        edge.make(case, rng, base)
    return case


# ── the night after ──────────────────────────────────────────────────────────────────────────────────────────────────
def follow_up(night: Night, base: date, file_seq: int = 1) -> Night:
    """Invent what the night after `night` brings. Labels hold for the cases it touches, once both nights are in.

    A label with record None says only which change happened: deleted, merged and cancelled cases are not judged.
    """
    rng = Random(f"follow-up {base} {len(night.cases)}")
    plain = [deepcopy(c) for c in night.cases if c.edge is None and c.entry]
    faulty = [deepcopy(c) for c in night.cases if c.edge in ("impossible-date", "bad-brn", "unknown-code")]
    rng.shuffle(plain)
    share = max(1, len(plain) // 20)
    groups = {name: [plain.pop() for _ in range(min(share, len(plain) // 2))] for name in _CHANGES}
    changed = [_CHANGES[name](case, rng, base) for name, cases in groups.items() for case in cases]
    changed += [_corrected(case, rng) for case in faulty]
    for case in changed:
        if case.values["chgTp"] == "M" and plain:
            case.values["oldWonbuNo"] = plain.pop().case_no
    return Night(base, file_seq, night.file_seq, "D", tuple(changed), {c.case_no: c.label() for c in changed})


def _longer_care(case: Invented, rng: Random, base: date) -> Invented:
    """A changed care plan: care will take long, and the old job is out of reach."""
    case.edge = "care-plan-changed"
    case.values.update(chgTp="U", yoyEdExpDt=months_later(case.values["yoyStDt"], 15), yoyEdDt=None)
    case.values.update(jhGrdCd=0, jhDcsnDt=None, wonjikPosCd="N")
    return case


def _withdrawal(case: Invented, rng: Random, base: date) -> Invented:
    case.edge, case.record, case.reason = "consent-withdrawn", "no-referral", "E-CONSENT"
    case.values["chgTp"] = "U"
    consent(withdrawnAt=withdrawn_at)(case, rng, base)
    return case


def _as(change: str, edge: str) -> Callable[[Invented, Random, date], Invented]:
    def make(case: Invented, rng: Random, base: date) -> Invented:
        case.edge, case.record = edge, None
        case.values["chgTp"] = change
        return case

    return make


def _duplicate(case: Invented, rng: Random, base: date) -> Invented:
    case.edge = "duplicate"
    return case


def _corrected(case: Invented, rng: Random) -> Invented:
    case.edge, case.record, case.reason = "corrected", "ok", None
    case.raw.clear()
    case.values.update(wonjikPosCd="N", saeopjaDrno=business_number(rng))
    return case


_CHANGES: dict[str, Callable[[Invented, Random, date], Invented]] = {
    "care-plan": _longer_care,
    "withdrawal": _withdrawal,
    "deletion": _as("D", "deleted"),
    "merge": _as("M", "merged"),
    "cancellation": _as("X", "cancelled"),
    "duplicate": _duplicate,
}


# ── bytes ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def write_night(directory: Path, cases: int, seed: int, base_date: date, file_seq: int = 1, previous: int = 0) -> Night:
    """Invent a first night and write it into `directory`."""
    return write(directory, plan_night(cases, seed, base_date, file_seq, previous))


def write(directory: Path, night: Night) -> Night:
    """Write a planned night: entries and labels first, the nightly file with its `.done` last."""
    stem = f"{night.base:%Y%m%d}_{night.file_seq:05d}"
    entries = [orjson.dumps(c.entry) for c in night.cases if c.entry]
    labels = {"base": night.base.isoformat(), "cases": night.labels}
    wholefile.write(directory / "expected.json", orjson.dumps(labels, option=orjson.OPT_INDENT_2))
    wholefile.write(directory / f"RHB_JC_{stem}.ndjson", b"".join(line + b"\n" for line in entries))
    files.deliver(directory / f"RHB_CASE_{stem}.dat", file_bytes(night), len(night.cases))
    return night


def file_bytes(night: Night) -> bytes:
    """The bytes of the nightly file."""
    lay = Layout.load(_LAYOUT)
    head = {
        "recTp": "H",
        "ifId": "RHB-CASE-01",
        "sndOrg": "B490001",
        "rcvOrg": "GATEWAY",
        "fileSeq": night.file_seq,
        "baseDt": night.base,
        "creDtm": f"{night.base:%Y%m%d}050000",
        "mode": night.mode,
        "orgFileSeq": 0,
        "prvFileSeq": night.previous,
        "layVer": "0100",
        "charset": "CP949",
    }
    changes = [c.values["chgTp"] for c in night.cases]
    tail = {
        "recTp": "T",
        "totCnt": len(changes),
        "insCnt": changes.count("I"),
        "updCnt": changes.count("U"),
        "delCnt": sum(changes.count(change) for change in "DMX"),
        "wageSum": sum(c.values["pyImgm"] for c in night.cases),
        "hashTot": sum(int(c.case_no) for c in night.cases) % _MODULUS,
        "eof": "EOF",
    }
    records = (_record(case, seq, lay) for seq, case in enumerate(night.cases, start=1))
    return b"".join([lay.pack("H", head), *records, lay.pack("T", tail)])


def _record(case: Invented, seq: int, layout: Layout) -> bytes:
    record = bytearray(layout.pack("C", {**case.values, "seq": seq}))
    for name, data in case.raw.items():
        place = layout.field("C", name)
        record[place.place] = data.ljust(place.width)
    del record[layout.record_bytes - case.cut : layout.record_bytes]
    return bytes(record)
