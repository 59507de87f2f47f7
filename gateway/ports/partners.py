"""Ways of reaching partners."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from gateway.sealing.heads import Fields


class Outgoing(NamedTuple):
    """A message ready for one attempt; `headers` are those signed for this attempt (RFC 9421)."""

    mid: str
    url: str
    content_type: str
    body: bytes
    jws: str
    headers: Mapping[str, str]


class Answer(NamedTuple):
    """What came back, in neutral words. `phase` before|attempt|after; `result` ok|duplicate|permanent|retry.

    `sent`: some of the request may have left us; `head`: what is kept of the answer's (`gateway.sealing.heads`).
    """

    phase: str
    status: int | None
    receipt_jws: str | None
    result: str | None
    retry_after: float | None
    detail: str
    sent: bool = True
    head: Fields = ()


class Said(NamedTuple):
    """What a partner said when it was asked: `phase` before|attempt|after; `body` None unless all of it came."""

    phase: str
    status: int | None
    body: bytes | None
    detail: str


class PartnerChannel(Protocol):
    """A way of reaching one partner. Never raises for anything a partner can do."""

    def send(self, message: Outgoing) -> Answer: ...

    def ask(self, message: Outgoing, most: int) -> Said:
        """Bring a statement, and take the statement it is answered with, of `most` bytes."""
        ...

    def close(self) -> None: ...
