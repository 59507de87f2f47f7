"""Acts as they were kept, and what the exchange log proves of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from gateway.exchange_log.audit import AuditEvent


class ActsAsked(NamedTuple):
    """Which acts: of a case, with a partner, from `since` to before `until` (aware), about a message, of these kinds.

    What is None does not matter.
    """

    case_no: str | None = None
    partner: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    mid: str | None = None
    acts: Sequence[str] | None = None


class KeptEvent(NamedTuple):
    """An act as it was kept: its number in the order of acts, when, and its id in the log.

    `id` None: it was written before there was a log.
    """

    number: int
    at: datetime
    event: AuditEvent
    id: str | None = None


class ReadsRow(NamedTuple):
    """How often somebody read in a period, for one purpose: counts alone.

    `cases`: how many different ones acts are about, and how many more those say that are about many; `off_hours`: at
    night and on weekends in Korea; `wholesale`: acts exported, in bundles too, of no single case or message.
    """

    actor: str
    purpose: str
    act: str
    reads: int
    cases: int
    off_hours: int
    wholesale: int


class Stretch(NamedTuple):
    """What the exchange log holds of one stream in a period.

    `gaps`: (last number before, next number after) of numbers that no leaf has. `acts_gone`: how many leaves have no
    act any more; `messages_gone`: messages that leaves speak of and that are not kept. `checkpoint`: the newest head.
    """

    leaves: int
    first: int | None
    last: int | None
    gaps: tuple[tuple[int, int], ...]
    acts_gone: int
    messages_gone: tuple[str, ...]
    checkpoint: str


Stretches = Callable[[str, datetime, datetime], Stretch]
"""Reads one stream of the exchange log: (stream, since, until)."""


class ProvenAct(NamedTuple):
    """An act in a log: its leaf and the proof of its place, as text (C2SP tlog-proof).

    `statement` is what the leaf commits to, `key` opens the commitments of this leaf and of no other; both are None
    when the key of its case was destroyed.
    """

    id: str
    log: str
    entry: int
    leaf: bytes
    proof: str
    statement: bytes | None
    key: bytes | None


class LogSeen(NamedTuple):
    """A log as strangers see it, and the proof that it has only grown since it held the first of some acts.

    `name`: the folder of the log; `vkey`: its key; `policy`: which witnesses to believe, and how many are enough.
    `checkpoint`: the head that the proofs of all the acts lead to; `earlier`: the first that held any of them. Both
    come with their cosignatures. `consistency`: the hashes that prove that `checkpoint` continues `earlier`.
    `stamped`: the first checkpoint with all the acts that was time stamped, and its stamp (RFC 3161).
    """

    name: str
    vkey: str
    policy: str
    checkpoint: str
    earlier: str
    consistency: Sequence[bytes]
    stamped: tuple[str, bytes] | None = None


class Evidence(NamedTuple):
    """Acts in the order of the logs, and the logs they stand in, oldest first, all seen at one moment."""

    acts: Sequence[ProvenAct]
    logs: Sequence[LogSeen]


class Prover(Protocol):
    """The exchange log, as far as evidence needs it."""

    def evidence(self, ids: Sequence[str]) -> Evidence:
        """Those of these acts that have their place in a log."""
        ...

    def sign(self, log: str, text: str) -> str:
        """A text as a note, signed with the key of a log."""
        ...
