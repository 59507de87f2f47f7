"""Whether a case should be referred at all, permission aside: death, the claim, the priority, the worker's wish.

Pure. It refuses to weigh: the first criterion that holds decides, and says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Decision(NamedTuple):
    """A decision that explains itself: the criterion that decided, and what it saw."""

    verdict: bool
    criterion: str
    inputs: Mapping[str, Any]


def may_refer(record: Mapping[str, Any], *, partner: str, result: str | None) -> Decision:
    """Whether a case should be referred to `partner` (id) at all, permission aside. `result` is its allotment's.

    The first criterion that holds decides: deceased, claim-rejected, case-closed, not-priority, no-service-requested;
    else `priority-with-service`.
    """
    stage = record.get("caseStage")
    codes = [code for s in record.get("services", ()) if s["partner"] == partner for code in s["codes"]]
    no = (
        ("deceased", "deceasedDate" in record, {"deceased": True}),
        ("claim-rejected", stage == "REJECTED", {"caseStage": stage}),
        ("case-closed", stage == "CLOSED", {"caseStage": stage}),
        ("not-priority", result != "PRIORITY", {"result": result}),
        ("no-service-requested", not codes, {"partner": partner}),
    )
    for criterion, holds, inputs in no:
        if holds:
            return Decision(False, criterion, inputs)
    return Decision(True, "priority-with-service", {"partner": partner, "services": tuple(codes)})
