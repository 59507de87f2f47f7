"""A row counts what it is about: where nothing happens, nothing is hit, however much is sent and answered."""

from __future__ import annotations

from tests.faults import lines
from tests.faults.books import Books
from tests.faults.ground import Ground
from tests.faults.matrix import ROWS
from tests.faults.sender import Habits

BY_THEMSELVES = {"14": "answer", "15": "delivered", "16": "answer", "31": "delivered"}
"""Rows whose rounds fail by themselves where nothing happens: their hits are messages."""
BUSY = {"10", "13"}
"""On a busy machine attempts are cut off by themselves."""


def test_a_calm_round_hits_no_row(ground: Ground) -> None:
    out, _ = lines.outbound(ground, "calm")
    coming, _ = lines.inbound(ground, "calm", Habits(again=0, fetch=0))
    hit = {row.number: row.counted for row in ROWS if (out.hits + coming.hits)[row.counted]}
    assert {number: counted for number, counted in hit.items() if number not in BUSY} == BY_THEMSELVES


def test_who_was_not_heard_was_not_refused() -> None:
    attempt = {"what": "forged", "kind": "flipped", "mid": "1"}
    heard = lines.counted(Books(theirs={"KEIS": [{**attempt, "status": 0}, {**attempt, "status": 401}]}))
    assert (heard["forged"], heard["beside"]) == (1, 1)
