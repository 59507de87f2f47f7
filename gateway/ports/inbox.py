"""Messages in, and what they meet here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from typing import NamedTuple, Protocol

from gateway.ports.facts import CheckRow, FactRow
from gateway.ports.legs import LegRow
from gateway.ports.outbox import MessageRow, ReceiptRow


class InboxRow(NamedTuple):
    """The memory of one inbound message. `state` applied|held|stale|refused|quarantined."""

    partner: str
    mid: str
    jws_sha256: bytes
    ref_no: str | None
    seq: int | None
    state: str
    code: str | None
    at: datetime


class Arrival(NamedTuple):
    """A proven message at the door: who it is, the nonce of the attempt, and the leg it says it is about."""

    partner: str
    mid: str
    nonce: str
    at: datetime
    ref_no: str | None


class HeldRow(NamedTuple):
    """A message of a leg that waits for an earlier one: its number, and which it is."""

    ref_no: str
    seq: int
    partner: str
    mid: str


class Met(NamedTuple):
    """What arriving messages meet: which nonces are new, which ids are known, their legs and what hangs on those.

    `at`: what time it was for the store when they came.
    `seen` by (partner, mid), with our receipt; `held` in the partner's order; `checks` by day; `records` by case, JSON
    bytes.
    """

    at: datetime
    fresh: Set[tuple[str, str]]
    seen: Mapping[tuple[str, str], tuple[InboxRow, ReceiptRow | None]]
    legs: Mapping[str, LegRow]
    held: Sequence[HeldRow]
    checks: Sequence[CheckRow]
    records: Mapping[str, bytes]


class Inbox(Protocol):
    """Messages in."""

    def meet(self, arrivals: Sequence[Arrival]) -> Met:
        """Use up their nonces, and find what they meet here; legs and checks are locked until the unit ends."""
        ...

    def held_messages(self, held: Sequence[HeldRow]) -> Sequence[MessageRow]:
        """What held messages say, in no order; one whose content has ended with its case is left out."""
        ...

    def forget_nonces(self, before: datetime) -> int:
        """Forget nonces that are too old to be replayed; returns how many."""
        ...

    def settle(self, partner: str, mid: str, state: str, code: str | None) -> None: ...

    def refuse_held(self, code: str) -> Sequence[tuple[str | None, str, str, str]]:
        """Refuse with this code what is held on legs whose consent was withdrawn; case, leg, partner and id of each."""
        ...

    def refuse_destroyed(self, code: str) -> int:
        """Refuse with this code what is held and has lost its content with its case; returns how many messages."""
        ...

    def missing(self, kind: str, before: datetime, limit: int) -> Sequence[tuple[str | None, str, str, str]]:
        """Case, leg, partner and id of what is held since before this moment and has no open work of this kind."""
        ...

    def end_missing(self, kind: str, at: datetime) -> int:
        """End the work of this kind whose message is not held any more; returns how much."""
        ...

    def keep(
        self,
        heard: Sequence[tuple[InboxRow, MessageRow]] = (),
        *,
        legs: Sequence[LegRow] = (),
        facts: Sequence[FactRow] = (),
        checks: Sequence[CheckRow] = (),
    ) -> Mapping[tuple[str, str], int]:
        """Remember messages and write what they change; returns their inbox seqs by (partner, mid).

        Raises Interfered when one of them is there already, or when somebody was faster with a leg.
        """
        ...

    def receipt(self, partner: str, mid: str) -> ReceiptRow | None:
        """Our receipt for a message of a partner; None for what is no id."""
        ...
