"""kill -9 at every named point: nothing lost, doubled, disordered, unproven, stuck, and no unexpected 5xx.

A few hits a point here; `make faults` does the same with two hundred.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from gateway import failpoint
from tests.faults import rounds
from tests.faults.actors import WIRE
from tests.faults.ground import Ground
from tests.faults.rotations import KEY
from tests.faults.rounds import IN, OUT, Aim, Result, until_hit

HITS = 3


def assert_nothing_is_wrong(found: Result, points: Iterable[str]) -> None:
    assert found.findings.numbers == (0, 0, 0, 0, 0, 0), str(found.findings)
    assert min(found.hits[point] for point in points) >= HITS
    assert found.kills == found.hits.total()  # nobody died of anything else, and nobody died unseen


def plain(prefix: str) -> dict[str, Aim]:
    """Points of the way out that need nothing of the partners, by the beginning of their names."""
    return {p: aim for p, aim in OUT.items() if aim == Aim(aim.probability) and p.startswith(prefix)}


def test_every_point_is_aimed_at() -> None:
    log = {point for point in failpoint.POINTS if point.startswith("log.")}  # test_log_crashes.py
    assert {*OUT, *IN, *KEY} == {*failpoint.POINTS, *WIRE} - log


def test_who_refers_may_die_anywhere(ground: Ground) -> None:
    points = plain("refer.")
    found = until_hit(lambda missing: rounds.referring(ground, points, missing, "referring"), points, HITS)
    assert_nothing_is_wrong(found, points)


def test_who_delivers_may_die_anywhere(ground: Ground) -> None:
    points = {p: aim for p, aim in plain("").items() if not p.startswith("refer.")}
    found = until_hit(lambda missing: rounds.outbound(ground, points, missing, "delivering"), points, HITS)
    assert_nothing_is_wrong(found, points)


@pytest.mark.parametrize("point", ["delivery.retried", "delivery.buried", "line.turned"])
def test_who_writes_down_a_failure_may_die_before_it_counts(ground: Ground, point: str) -> None:
    found = until_hit(lambda missing: rounds.outbound(ground, {point: OUT[point]}, missing, point), [point], HITS)
    assert_nothing_is_wrong(found, [point])


def test_who_takes_in_what_partners_tell_may_die_anywhere(ground: Ground) -> None:
    found = until_hit(lambda missing: rounds.inbound(ground, IN, missing, "receiving"), IN, HITS)
    assert_nothing_is_wrong(found, IN)
