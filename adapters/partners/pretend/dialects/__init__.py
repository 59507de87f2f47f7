"""Dialects: what each pretend partner reads, answers and reports, in its own words.

One neutral meaning, three wires. A dialect is a row of functions: `read` takes a referral document that has passed the
partner's own schema, `reply` makes the HTTP answer of a verdict, `write` makes the outcome body of a story event. A
dialect refuses to decide anything: what happens is the story's, whether a message is good is the door's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from adapters.partners.pretend.scripts import Kind
from adapters.partners.pretend.story import Event


class Purpose(StrEnum):
    """What COMWEL wants with a message."""

    NEW = "new"
    UPDATE = "update"
    CANCEL = "cancel"
    WITHDRAW = "withdraw"  # the worker withdrew the consent: stop and destroy


class Referral(NamedTuple):
    """What a pretend partner keeps of a referral: numbers only, nothing that could name a person."""

    purpose: Purpose
    ref_no: str
    person_id: str
    legal_basis: str
    consent_no: str


class Verdict(StrEnum):
    """How the door judged an attempt."""

    OK = "ok"
    DUPLICATE = "duplicate"  # came before, byte for byte; the first receipt is given again
    BAD_FORMAT = "bad-format"
    WRONG_PERSON = "wrong-person"
    UNKNOWN_REFERRAL = "unknown-referral"
    REUSED_ID = "reused-id"  # came before with other bytes
    NOT_PROVEN = "not-proven"  # signature, digest, freshness, sender or receiver; no receipt is given
    BUSY = "busy"


class Reply(NamedTuple):
    """An HTTP answer in a dialect."""

    status: int
    content_type: str
    body: bytes


class Sheet(NamedTuple):
    """What every report repeats about its case. `filler_no` is the partner's own number (FILL)."""

    ref_no: str
    person_id: str
    filler_no: str
    legal_basis: str
    consent_no: str


Reader = Callable[[Mapping[str, Any]], Referral]
Replier = Callable[[Verdict, str | None, str], Reply]
Writer = Callable[[Event, Sheet, int, str, datetime], dict[str, Any]]
"""(event, sheet, seq, message id, business time in Korea) → outcome body"""


class Dialect(NamedTuple):
    """One partner's way of speaking. `prefix` begins its pairwise person ids."""

    id: str
    name: str
    prefix: str
    content_type: str
    speaks: frozenset[Kind]
    read: Reader
    reply: Replier
    write: Writer
