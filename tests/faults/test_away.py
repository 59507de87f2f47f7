"""A partner that is away for hours is left alone, and not overrun when it comes back."""

from __future__ import annotations

from tests.faults.away import AT_ONCE, PROBES_APART_S, away, under_way
from tests.faults.ground import Ground
from tests.faults.place import PARTNERS

HOURS = 1.0


def test_a_partner_that_was_away_is_probed_now_and_then_and_gets_its_messages_in_order_and_few_at_once(
    ground: Ground,
) -> None:
    found, both, passed = away(ground, HOURS)
    assert found.findings.numbers == (0, 0, 0, 0, 0, 0), str(found.findings)
    assert found.kills == 0
    assert found.hits["delivered"] == found.messages > 100
    assert min(seconds for seconds, _ in passed.steps) > PROBES_APART_S - 5  # some of it passed by itself
    assert all(tried == dict.fromkeys(PARTNERS, 1) for _, tried in passed.steps)
    assert 1 < max(under_way(both, passed.back).values()) <= AT_ONCE
