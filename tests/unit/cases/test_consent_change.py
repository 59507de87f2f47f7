"""What became of each consent: one name a change, and nothing for what stayed as it was."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from gateway.cases.consent_change import Change, changes, of_comwel

TODAY = date(2026, 11, 23)


def consent(no: str = "C1", **values: Any) -> dict[str, Any]:
    return {"no": no, "recipients": ["KEIS"], "from": "2026-01-01", "until": "2027-01-01", **values}


GIVEN, WITHDRAWN = consent(), consent(withdrawnAt="2026-11-20T10:00:00+09:00")
CASES = {
    "nothing, and nothing": ([], [], []),
    "the same": ([GIVEN], [consent()], []),
    "a new one": ([], [GIVEN], [Change.GRANTED]),
    "one more": ([GIVEN], [consent("C2"), GIVEN], [Change.GRANTED]),
    "a withdrawal": ([GIVEN], [WITHDRAWN], [Change.WITHDRAWN]),
    "one that comes withdrawn": ([], [WITHDRAWN], [Change.WITHDRAWN]),
    "a withdrawal taken back": ([WITHDRAWN], [GIVEN], [Change.GRANTED]),
    "a withdrawal at another moment": ([WITHDRAWN], [{**WITHDRAWN, "withdrawnAt": "2026-11-21"}], [Change.CHANGED]),
    "another recipient": ([GIVEN], [consent(recipients=["KEIS", "KEAD"])], [Change.CHANGED]),
    "a longer period": ([GIVEN], [consent(until="2027-12-31")], [Change.CHANGED]),
    "its last day": ([GIVEN], [consent(until="2026-11-23")], [Change.CHANGED]),
    "a period that is over": ([GIVEN], [consent(until="2026-11-22")], [Change.EXPIRED]),
    "one that comes too late": ([], [consent(until="2026-11-22")], [Change.EXPIRED]),
    "a period that cannot be read": ([GIVEN], [consent(until="2026-02-30")], [Change.CHANGED]),
    "no consent at all": ([GIVEN], ["consent", None, consent(until=20271231)], [Change.CHANGED]),
    "one that is gone": ([GIVEN, consent("C2")], [GIVEN], [Change.REMOVED]),
    "several, by their numbers": ([GIVEN, consent("C3")], [consent("C2"), WITHDRAWN],
                                  [Change.WITHDRAWN, Change.GRANTED, Change.REMOVED]),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after", "became"), CASES.values(), ids=CASES)
def test_every_consent_that_changed_has_one_name_for_it(before: Any, after: Any, became: list[Change]) -> None:
    assert changes(before, after, TODAY) == became


YES, NO = {"yn": "Y", "from": "2026-01-01"}, {"yn": "N"}
COMWEL = {
    "the first that is heard of": (None, NO, []),
    "the same": (YES, dict(YES), []),
    "no more": (YES, NO, [Change.WITHDRAWN]),
    "yes again": (NO, YES, [Change.GRANTED]),
    "another period": (YES, {**YES, "until": "2027-01-01"}, [Change.CHANGED]),
    "a period that is over": (YES, {**YES, "until": "2026-11-22"}, [Change.EXPIRED]),
    "nothing any more": (YES, None, [Change.REMOVED]),
}


@pytest.mark.parametrize(("before", "after", "became"), COMWEL.values(), ids=COMWEL)
def test_comwels_own_record_is_one_more(before: Any, after: Any, became: list[Change]) -> None:
    assert of_comwel(before, after, TODAY) == became
