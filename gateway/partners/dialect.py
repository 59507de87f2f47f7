"""A partner's dialect of answers: where its JSON says what happened, and what its codes mean for delivery.

Rules: paths and codes come from the profile; a trailing `x` in a code stands for any digit; a code in no list is read
as RETRY, because trying again is harmless (every message carries its idempotency key) and losing one is not.
It refuses to judge transport and receipts: HTTP status and signature come first and are judged elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Meaning(StrEnum):
    """What a result code means for the delivery of a message."""

    OK = "ok"  # taken
    DUPLICATE = "duplicate"  # taken before
    PERMANENT = "permanent"  # refused, and will be again
    RETRY = "retry"  # try again


@dataclass(frozen=True, slots=True)
class Dialect:
    """`receipt` and `result` are dotted paths into the body; `receipt` None: only in the response header."""

    receipt: str | None
    result: str
    codes: tuple[tuple[re.Pattern[str], Meaning], ...]

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Dialect:
        """The `response` part of a profile."""
        codes = tuple((_pattern(code), meaning) for meaning in Meaning for code in raw[meaning.value])
        return cls(raw.get("receipt"), raw["result"], codes)

    def meaning(self, body: object) -> Meaning:
        """What the result code in a parsed JSON body means; RETRY when there is none or nobody knows it."""
        code = at(body, self.result)
        if not isinstance(code, str):
            return Meaning.RETRY
        return next((meaning for pattern, meaning in self.codes if pattern.fullmatch(code)), Meaning.RETRY)

    def receipt_in(self, body: object) -> str | None:
        """The compact JWS of the receipt in a parsed JSON body, unverified; None when it is not there."""
        found = at(body, self.receipt) if self.receipt else None
        return found if isinstance(found, str) else None


def at(body: object, path: str) -> object:
    """What stands at a dotted path of a JSON value (numbers index lists); None when nothing does."""
    for step in path.split("."):
        if isinstance(body, Mapping):
            body = body.get(step)
        elif isinstance(body, list) and step.isdecimal() and int(step) < len(body):
            body = body[int(step)]
        else:
            return None
    return body


def _pattern(code: str) -> re.Pattern[str]:
    digits = len(code) - len(code.rstrip("x"))
    # a word such as "prefix" ends in x too: only digits before it make it a pattern
    if digits and code[:-digits].isdecimal():
        return re.compile(re.escape(code[:-digits]) + rf"[0-9]{{{digits}}}")
    return re.compile(re.escape(code))
