"""Findings: streams without gaps, time that goes forward, and a page that says what no check can see."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from gateway.exchange_log.findings import CHECKS, Check, Streams
from gateway.exchange_log.leaf import CLOSED, HEARTBEAT, LOG, OPENED
from tests.unit.exchange_log.test_leaf import PLAIN

PAGE = (Path(__file__).resolve().parents[3] / "gateway/exchange_log/README.md").read_text("utf-8")
Told = list[tuple[str, int, float]]


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ([("KEIS", 1, 0), ("KEAD", 1, 1), ("KEIS", 2, 2)], []),
        ([("KEIS", 2, 0)], ["sequence"]),
        ([("KEIS", 1, 0), ("KEIS", 3, 1)], ["sequence"]),
        ([("KEIS", 1, 0), ("KEIS", 1, 1)], ["sequence"]),
        ([("KEIS", 1, 1), ("KEIS", 2, 0)], ["clock"]),
        ([("KEIS", 1, 59), ("KEAD", 1, 0)], []),
        ([("KEIS", 1, 61), ("KEAD", 1, 0)], ["clock"]),
        ([("KEIS", 1, 0), ("KEIS", 2, 0)], []),
    ],
)
def test_numbers_count_one_by_one_and_time_goes_forward(told: Told, found: list[str]) -> None:
    streams = Streams()
    findings = [
        finding.check.value
        for index, (stream, seq, at) in enumerate(told)
        for finding in streams.take(
            "2026", index, PLAIN._replace(stream=stream, seq=seq, at=PLAIN.at + timedelta(0, at))
        )
    ]
    assert findings == found


@pytest.mark.parametrize(("act", "found"), [(OPENED, []), (CLOSED, []), (HEARTBEAT, ["clock"])])
def test_acts_that_waited_for_the_sequencer_stand_behind_the_border_of_their_log(act: str, found: list[str]) -> None:
    streams = Streams()
    first = PLAIN._replace(act=act, stream=LOG, seq=1, at=PLAIN.at + timedelta(hours=2))
    assert list(streams.take("2026", 0, first)) == []
    assert [finding.check.value for finding in streams.take("2026", 1, PLAIN._replace(seq=1))] == found


def test_a_finding_says_how_many_are_missing() -> None:
    [finding] = Streams().take("2026", 7, PLAIN._replace(seq=4))
    assert str(finding) == "sequence (2026, entry 7): stream KEAD: 3 missing between 0 and 4"


@pytest.mark.parametrize("check", Check)
def test_the_page_says_what_each_check_proves_and_what_it_cannot_see(check: Check) -> None:
    said = CHECKS[check]
    assert f"| `{check.value}` | {said.proves} | {said.cannot} |" in PAGE
