"""What does not add up after a demo is told in sentences, with the place and the remedy of what was rejected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.cli import demo
from gateway.cli.reckoning import compare, labels
from gateway.cli.report import Report
from gateway.config import Settings
from gateway.errors import FileUnusable, TotalsMismatch
from gateway.journey.admit import Taken

CASE = "20260001000001"


def _night(folder: Path, content: Any) -> Path:
    (folder / "expected.json").write_bytes(content if isinstance(content, bytes) else orjson.dumps(content))
    return folder


def test_a_verdict_that_was_not_met_is_told_in_words(tmp_path: Path) -> None:
    night = _night(
        tmp_path,
        {"cases": {CASE: {"edge": "bad-brn", "record": "quarantined", "reason": "E-CODE", "screening": None}}},
    )
    row: dict[str, Any] = {"caseNo": CASE, "record": "ok", "reason": None, "screening": "GENERAL", "legs": []}
    report = Report(tmp_path, night, intake=[Taken("RHB_CASE_20261123_00001.dat", "accepted")], cases=[row])
    assert compare(report) == [
        f"case {CASE}: expected record quarantined, reason E-CODE, screening none; "
        "got record ok, reason none, screening GENERAL"
    ]
    assert report.verdicts == "0 of 1 expected verdicts are met"


def test_a_file_that_was_rejected_is_told_with_its_remedy(tmp_path: Path) -> None:
    refusal = TotalsMismatch("wageSum")
    taken = Taken("RHB_CASE_20261123_00001.dat", "rejected", refusal.code, said=str(refusal))
    assert compare(Report(tmp_path, tmp_path, intake=[taken])) == [f"{taken.name} was rejected: {refusal}"]
    taken.answer = tmp_path / "to-comwel" / "RHB_ACK_20261123_00001.dat"
    [said] = compare(Report(tmp_path, tmp_path, intake=[taken]))
    assert said.endswith(f"; its acknowledgement is {taken.answer}")


def test_a_rejected_file_is_told_once_and_not_again_by_each_verdict_that_rests_on_it(tmp_path: Path) -> None:
    named, other = [f"2026000100{n:04}" for n in range(30)], "20260001009999"
    want = {"record": "ok", "reason": None, "screening": "GENERAL"}
    night = _night(tmp_path, {"cases": dict.fromkeys([*named, other], want)})
    taken = Taken("RHB_CASE_20261123_00001.dat", "rejected", TotalsMismatch.code)
    lines = [b"C%07dI%s001\xb0 \r\n" % (number, case.encode()) for number, case in enumerate(named, 1)]
    (night / taken.name).write_bytes(b"".join(lines))
    report = Report(tmp_path, night, intake=[taken])
    assert compare(report) == [
        f"{taken.name} was rejected: E-TOTALS",
        f"case {other}: expected record ok, reason none, screening GENERAL; got no such case",
    ]
    assert report.verdicts == "0 of 31 expected verdicts are met; 30 rest on a file that was rejected"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", [], {}, {"cases": []}, {"cases": {CASE: {"record": "ok"}}}])
def test_expected_verdicts_that_cannot_be_read_end_a_demo_before_it_begins(content: Any, tmp_path: Path) -> None:
    night = _night(tmp_path, content)
    (night / "RHB_CASE_20261123_00001.dat").touch()
    with pytest.raises(FileUnusable, match=r"GW-FILE \[expected.json\]"):
        demo.run(Settings(home=tmp_path / "home", database_url=None), cases=1, night=night, seed=1, quiet=True)
    assert not (tmp_path / "home").exists()


def test_a_night_needs_no_expected_verdicts(tmp_path: Path) -> None:
    assert labels(tmp_path) is None
