"""What a check of the log found, in words an auditor understands, and the checks that need nothing but leaves in order.

Rules: a check has one name and one sentence that says what it proves and what it cannot see (the table in README.md is
made from it). A finding names the log, the place and the check, never a person.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from gateway.exchange_log.leaf import CLOSED, OPENED, Leaf

TOLERANCE = timedelta(seconds=60)
"""Longer than a transaction may take: leaves of different streams overtake each other by less."""
PROMISE = timedelta(seconds=60)
"""So soon a committed leaf is in a published checkpoint; receipts promise it."""


_BORDERS = frozenset({OPENED, CLOSED})
"""A log is opened or closed before what waits for a place in it: acts from before the sequencer came back."""


class Check(StrEnum):
    """What is checked."""

    SIGNATURE = "signature"
    ROOT = "root"
    TILE = "tile"
    LEAF = "leaf"
    SEQUENCE = "sequence"
    CLOCK = "clock"
    EVENT = "event"
    BODY = "body"
    UNLOGGED = "unlogged"
    PROMISE = "promise"
    COSIGNATURE = "cosignature"
    STAMP = "stamp"
    OUTSIDE = "outside"


class Explained(NamedTuple):
    """What a check proves, and what it cannot see."""

    proves: str
    cannot: str


CHECKS = {
    Check.SIGNATURE: Explained(
        "every checkpoint was signed by the key of the log, and the newest is of all its leaves",
        "who held the key: whoever stole it signs as well as we do",
    ),
    Check.ROOT: Explained(
        "all leaves together give exactly the root that was signed, for every checkpoint",
        "a log that was rebuilt and signed anew with the stolen key, unless an older checkpoint is kept elsewhere",
    ),
    Check.TILE: Explained(
        "the hashes in the database and in the published files are those of the leaves, none is missing, cut or added",
        "as above: leaves, tiles and checkpoints that were all replaced together",
    ),
    Check.LEAF: Explained(
        "every leaf is canonical, of the closed list, and stands at the next place",
        "whether what it says is true",
    ),
    Check.SEQUENCE: Explained(
        "no leaf of a stream is missing or out of order: numbers count 1, 2, 3",
        "an act that never took a number: only the other side's receipts and counters show it",
    ),
    Check.CLOCK: Explained(
        "time goes forward: in a stream always, in the log by no more than 60 s backwards; no leaf is dated later "
        "than a witness saw it",
        "a clock that is wrong and steady, as long as no witness, whose clock is its own, cosigns",
    ),
    Check.EVENT: Explained(
        "every act that auditors read is, to the letter, the one its leaf names and commits to",
        "acts of cases whose key was destroyed: their leaves stand and say nothing any more",
    ),
    Check.BODY: Explained(
        "every message that is kept has exactly the bytes that its leaf commits to",
        "messages of cases that were destroyed whole, which is an act of its own (`records.destroyed`)",
    ),
    Check.UNLOGGED: Explained(
        "every act that auditors read has a leaf",
        "an act that left neither row nor leaf, and one that is said to be older than the log",
    ),
    Check.PROMISE: Explained(
        "no leaf waits longer than 60 s for its place, and every leaf that a receipt of ours promises stands in the "
        "log, as it was promised",
        "receipts that were taken away too: the partners hold theirs",
    ),
    Check.COSIGNATURE: Explained(
        "every cosignature that is kept was made by the key of its witness, over exactly this checkpoint",
        "whether that witness looks before it signs, and whose it is: ask several, in different hands",
    ),
    Check.STAMP: Explained(
        "where `GATEWAY_STAMPS_ROOT` names whom to believe: every time stamp that is kept leads there, is over exactly "
        "this checkpoint, and of the time that is kept beside it",
        "a stamp that was taken away, and whether the clock of the authority is right",
    ),
    Check.OUTSIDE: Explained(
        "the log continues what was seen of it outside: published files, kept checkpoints, what witnesses have shown; "
        "a year that is over ends as the first leaf of the next one quotes it",
        "what nobody outside has kept, or what witnesses who are away do not show",
    ),
}


class Finding(NamedTuple):
    """One thing that does not add up."""

    check: Check
    log: str
    entry: int | None
    sentence: str

    def __str__(self) -> str:
        place = self.log if self.entry is None else f"{self.log}, entry {self.entry}"
        return f"{self.check} ({place}): {self.sentence}"


class Streams:
    """Looks at the leaves of all logs in order: numbers without gaps, and time that goes forward."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, datetime]] = {}
        self._latest: datetime | None = None

    def take(self, log: str, index: int, leaf: Leaf) -> Iterator[Finding]:
        """Judge the next leaf."""
        before, at = self._last.get(leaf.stream, (0, leaf.at))
        if leaf.seq != before + 1:
            yield Finding(Check.SEQUENCE, log, index, _counted(leaf.stream, before, leaf.seq))
        if leaf.at < at or (self._latest and leaf.at < self._latest - TOLERANCE):
            yield Finding(Check.CLOCK, log, index, "it says it happened before something that stands above it")
        self._last[leaf.stream] = (leaf.seq, leaf.at)
        if leaf.act not in _BORDERS:
            self._latest = max(self._latest or leaf.at, leaf.at)

    @property
    def latest(self) -> datetime | None:
        """The latest time that any leaf so far says."""
        return self._latest


def seen(log: str, size: int, latest: datetime | None, at: datetime) -> Iterator[Finding]:
    """A witness has seen `size` leaves at this time, and the latest of them says so."""
    if latest and latest > at + TOLERANCE:
        yield Finding(Check.CLOCK, log, size - 1, "up to here something says it happened after a witness saw it")


def _counted(stream: str, before: int, found: int) -> str:
    if found > before + 1:
        return f"stream {stream}: {found - before - 1} missing between {before} and {found}"
    return f"stream {stream}: {found} comes after {before}"
