"""The audit event: one act of one verb, done or refused.

Rules: every unit of work keeps exactly one event per act; an event names who acted, for which purpose, on which case,
leg or message, and what came of it (access record of the Safety Measures Notice 제2026-9호 §2-3; R-12, R-14).
It refuses to carry personal data: ids of the gateway and codes only, which `__post_init__` enforces by shape.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from operator import attrgetter

import orjson

from gateway.errors import NoOfficer

GATEWAY = "gateway"
REQUESTS = "requests"
"""Counted in an act that stands for many requests, each of which was refused before its sender was believed."""
OFFICER = re.compile(r"[a-z][a-z0-9]*(?:[.-][a-z0-9]+)*", re.ASCII)
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:|/+-]{0,119}\Z")
LONGEST_ID = 60
_RRN_SHAPE = re.compile(r"(?<![0-9])[0-9]{6}-?[0-9]{7}(?![0-9])")
_NAMES = {
    "act": "act", "actor": "actor", "purpose": "purpose", "verdict": "verdict", "code": "code", "case_no": "caseNo",
    "ref_no": "refNo", "partner": "partner", "mid": "mid", "subject": "subject",
}  # fmt: skip
_JSON_NAMES, _values = tuple(_NAMES.values()), attrgetter(*_NAMES)


class Verdict(StrEnum):
    """What came of an act."""

    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One act.

    `act` is a stable verb such as `referral.prepared`; `actor` a system or officer id; `purpose` a purpose code;
    `counts` whole numbers for acts on many rows (a file, a batch). Text that is not a short code is refused.
    """

    act: str
    actor: str
    purpose: str
    verdict: Verdict = Verdict.DONE
    code: str | None = None
    case_no: str | None = None
    ref_no: str | None = None
    partner: str | None = None
    mid: str | None = None
    subject: str | None = None  # what was acted on when it is neither case, leg nor message: a file name, a map pin
    counts: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in zip(_NAMES, _values(self), strict=True):
            if value is not None and not is_code(value):
                raise ValueError(f"audit event field {name!r} must be a short code")

    def refused(self, code: str) -> AuditEvent:
        """The same act, refused for `code`."""
        return replace(self, verdict=Verdict.REFUSED, code=code)

    def statement(self, at: datetime) -> bytes:
        """The event as the exact bytes that its leaf commits to: RFC 8785, as `schemas/comwel/audit-event` names it."""
        named = zip(_JSON_NAMES, _values(self), strict=True)
        said = {name: value for name, value in named if value is not None}
        if self.counts:
            said["counts"] = [{"number": number, "of": of} for of, number in sorted(self.counts.items())]
        said["at"] = moment(at)
        return orjson.dumps(said, option=orjson.OPT_SORT_KEYS)


def actor(by: str | None = None) -> str:
    """Who acts: the officer of this id, or nobody but the gateway itself.

    Raises NoOfficer for what could be a person's name, and for an officer who calls himself like the gateway.
    """
    if by is None:
        return GATEWAY
    if not OFFICER.fullmatch(by) or len(by) > LONGEST_ID or by == GATEWAY:
        raise NoOfficer
    return by


@lru_cache(maxsize=4096)
def is_code(value: str) -> bool:
    """Whether an act may hold this word.

    Remembered: of the words in an act few are new, and acts on one case or message come close together.
    """
    return bool(_CODE.match(value)) and not _RRN_SHAPE.search(value)


@lru_cache(maxsize=64)
def moment(at: datetime) -> str:
    """An instant as leaves and events write it: UTC, to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
