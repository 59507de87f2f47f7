"""What a new statement changes of a worker's consents, so that each change can be put on record by itself.

Rules: consents are told apart by their numbers, and looked at as they were handed over, readable or not. A change has
one name, the first that fits: it is gone from the record, it was withdrawn, its time is over, it is new, it says
something else (recipients, items, period, form). COMWEL's own record of consent (yn Y or N with a period) is one more,
without a number; the first that is heard changes nothing.
Refuses to say what a change means: whether a message may leave is asked of `gateway.cases.permission` when it leaves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from enum import StrEnum
from typing import Any

Consent = Mapping[str, Any]


class Change(StrEnum):
    """What became of one consent."""

    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    GRANTED = "granted"
    REMOVED = "removed"
    CHANGED = "changed"


def changes(before: Iterable[Consent], after: Iterable[Consent], day: date) -> list[Change]:
    """Every consent that is another than before, in the order of their numbers; `day` is the Korean calendar day."""
    old, new = ({str(one.get("no")): one for one in some if isinstance(one, Mapping)} for some in (before, after))
    return [
        _became(old.get(number), new.get(number), day)
        for number in sorted(old.keys() | new.keys())
        if old.get(number) != new.get(number)
    ]


def of_comwel(before: Consent | None, after: Consent | None, day: date) -> list[Change]:
    """The same of COMWEL's own record, of which there is one or none."""
    if before is None or before == after:
        return []
    return [_became(_as_consent(before), after and _as_consent(after), day)]


def _became(old: Consent | None, new: Consent | None, day: date) -> Change:
    if new is None:
        return Change.REMOVED
    if new.get("withdrawnAt") and not (old or {}).get("withdrawnAt"):
        return Change.WITHDRAWN
    if _is_over(new.get("until"), day):
        return Change.EXPIRED
    given_again = old is not None and old.get("withdrawnAt") and not new.get("withdrawnAt")
    return Change.GRANTED if old is None or given_again else Change.CHANGED


def _is_over(until: object, day: date) -> bool:
    try:
        return date.fromisoformat(str(until)) < day
    except ValueError:
        return False


def _as_consent(comwel: Consent) -> Consent:
    """COMWEL's N is a withdrawal on no known day."""
    return {**comwel, "withdrawnAt": "unknown"} if comwel.get("yn") == "N" else comwel
