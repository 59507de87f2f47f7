"""Whole nights, the sample and invented ones: exactly the labelled records are put aside, for the labelled reason."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.comwel import synthetic
from adapters.comwel.a1_batch import A1Batch
from adapters.comwel.a6_entries import A6Entries
from adapters.comwel.synthetic_edges import EDGES
from gateway.cases import facts as screening_facts
from gateway.cases import record as case_record
from gateway.cases import rrn
from gateway.documents import strict_json
from gateway.documents.schemas import Schemas
from gateway.errors import SequenceGap
from gateway.ports import EntryRecord, FactsRecord, HandoverFile, Problem

ROOT = Path(__file__).resolve().parents[4]
SCHEMAS = ROOT / "schemas"
SAMPLE = ROOT / "tests" / "acceptance" / "nights" / "sample"
BASE = date(2026, 11, 23)


@pytest.fixture(scope="module")
def schemas() -> Schemas:
    return Schemas.load(SCHEMAS / "comwel")


def _gate(record: dict[str, Any]) -> str:
    """The priority rule, said a second time over the record."""
    facts = screening_facts.read(record, BASE)
    if facts.deceased:
        return "EXCLUDED"
    long = facts.care_months is not None and facts.care_months >= 6
    if long and facts.original_job in ("N", "U"):
        return "CANDIDATE" if facts.original_job == "N" else "REVIEW"
    return "STATUTORY" if long or facts.expected_grade else "GENERAL"


def _verdict(
    facts: FactsRecord | Problem, entry: EntryRecord | None, schemas: Schemas
) -> tuple[str, str | None, str | None]:
    """What reading and merging alone can tell: record, reason (E-RRN, E-NOENTRY, E-LB, withdrawn or none), gate."""
    if isinstance(facts, Problem):
        return "quarantined", facts.reason, None
    record = case_record.merge(facts.facts, entry.entry if entry else None)
    schemas.require("urn:comwel:schema:case:1.0.0", record)
    assert rrn.find_anywhere(record) is None
    today = facts.facts["asOf"]
    usable = [c for c in record.get("consent", ()) if "withdrawnAt" not in c and c["until"] >= today]
    reasons = (
        ("E-RRN", entry is not None and entry.held_rrn is not None),
        ("E-NOENTRY", entry is None),
        ("E-CONSENT", not usable),
        ("E-LB", "approvalDate" not in record),
    )
    reason = next((code for code, holds in reasons if holds), None)
    return ("no-referral" if reason else "ok"), reason, _gate(record)


def _disagreements(folder: Path, batch: A1Batch, schemas: Schemas) -> tuple[list[Any], Counter[str]]:
    labels = strict_json.loads((folder / "expected.json").read_bytes())["cases"]
    reader = A6Entries(SCHEMAS)
    (nightly,), (entered,) = batch.ready(folder), reader.ready(folder)
    entries = {e.case_no: e for e in reader.records(entered) if isinstance(e, EntryRecord)}
    wrong, gates = [], Counter[str]()
    for found in batch.records(nightly):
        label = labels[found.case_no]
        got = _verdict(found, entries.get(found.case_no or ""), schemas)
        gates[got[2] or "none"] += 1
        if label["record"] is not None and got != (label["record"], label["reason"], label["screening"]):
            wrong.append((found.case_no, label, got))
    return wrong, gates


def test_every_case_of_the_sample_night_gets_its_verdict(batch: A1Batch, schemas: Schemas) -> None:
    wrong, gates = _disagreements(SAMPLE, batch, schemas)
    assert wrong == []
    assert gates == {"STATUTORY": 108, "GENERAL": 99, "CANDIDATE": 69, "none": 12, "REVIEW": 9, "EXCLUDED": 3}


def test_quarantined_records_of_the_sample_are_kept_without_resident_numbers(batch: A1Batch) -> None:
    problems = [r for r in batch.records(batch.ready(SAMPLE)[0]) if isinstance(r, Problem)]
    assert Counter(p.reason for p in problems) == {"E-CODE": 5, "E-ENC": 3, "E-RRN": 2, "E-DATE": 2}
    for problem in problems:
        assert len(problem.raw) == 642
        assert b"880101-1234567" not in problem.raw


@pytest.mark.parametrize(("seed", "base"), [(1, BASE), (7, date(2027, 3, 1)), (9, date(2028, 2, 29))])
def test_an_invented_night_agrees_with_its_own_labels(
    tmp_path: Path, batch: A1Batch, schemas: Schemas, seed: int, base: date
) -> None:
    night = synthetic.write_night(tmp_path, 150, seed, base)
    assert {c.edge for c in night.cases if c.edge} == {e.name for e in EDGES}
    wrong, gates = _disagreements(tmp_path, batch, schemas)
    assert wrong == []
    assert gates["CANDIDATE"] > len(night.cases) // 4


def test_a_night_for_a_small_table_still_works(tmp_path: Path, batch: A1Batch, schemas: Schemas) -> None:
    synthetic.write_night(tmp_path, 6, 3, BASE)
    assert _disagreements(tmp_path, batch, schemas)[0] == []


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        night = synthetic.write_night(tmp_path / name / "1", 80, 5, BASE)
        synthetic.write(tmp_path / name / "2", synthetic.follow_up(night, BASE, 2))
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert len(files) == 10
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert synthetic.file_bytes(synthetic.plan_night(80, 5, BASE)) != synthetic.file_bytes(
        synthetic.plan_night(80, 6, BASE)
    )


def test_the_night_after_brings_every_kind_of_change(tmp_path: Path, batch: A1Batch, schemas: Schemas) -> None:
    night = synthetic.write_night(tmp_path / "1", 200, 11, BASE)
    after = synthetic.write(tmp_path / "2", synthetic.follow_up(night, date(2026, 11, 24)))
    assert {c.edge for c in after.cases} == {
        "care-plan-changed", "consent-withdrawn", "deleted", "merged", "cancelled", "duplicate", "corrected",
    }  # fmt: skip
    assert _disagreements(tmp_path / "2", batch, schemas)[0] == []
    found = [r for r in batch.records(batch.ready(tmp_path / "2")[0]) if isinstance(r, FactsRecord)]
    assert {r.change for r in found} == set("IUDMX")
    assert all(r.old_case_no in night.labels for r in found if r.change == "M")
    first = {r.case_no: r.sha256 for r in batch.records(batch.ready(tmp_path / "1")[0]) if isinstance(r, FactsRecord)}
    again = {c.case_no for c in after.cases if c.edge == "duplicate"}
    assert all(first[r.case_no] == r.sha256 for r in found if r.case_no in again)
    second = batch.head(batch.ready(tmp_path / "2")[0])
    assert batch.judge(second, []) is None  # a gateway may begin in the middle of the numbering
    skipped = HandoverFile(
        "f", "A1", "x", BASE, 7, "D", "0" * 64, "accepted", None, 1, 0, datetime(2026, 11, 23, tzinfo=UTC)
    )
    with pytest.raises(SequenceGap):
        batch.judge(second, [skipped])


def test_a_large_night_stays_below_the_limit_for_bad_records() -> None:
    night = synthetic.plan_night(6000, 2, BASE)
    assert sum(c.record == "quarantined" for c in night.cases) <= 60
