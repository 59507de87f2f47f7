"""Two books of the same messages, held against each other: the sender's and the receiver's.

    the sender says   the receiver says          becomes
    nothing           anything                   not-sent      he has what nobody sent
    anything          another digest             other-bytes
    delivered         nothing                    not-there     there is a receipt, and he does not know the message
    rejected          nothing                    not-there
    delivered         rejected                   other-state
    rejected          accepted                   other-state
    given-up          accepted, rejected         other-state   he has what the sender believes lost
    waiting           anything                   nothing, while it is young: it is still on its way; then not-across
    given-up          nothing                    nothing: both know that it did not come across

Rules: pure, and told by the table; each message gives one difference at most. The sender's book must have been read
before the receiver's, or what came in between would look like a difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from gateway.sealing.lists import Entry, State


class What(StrEnum):
    """In what two books differ about a message."""

    NOT_SENT = "not-sent"
    NOT_THERE = "not-there"
    NOT_ACROSS = "not-across"
    OTHER_BYTES = "other-bytes"
    OTHER_STATE = "other-state"


class Book(NamedTuple):
    """What one side says it has sent and taken in, by message id."""

    sent: Mapping[str, Entry]
    taken: Mapping[str, Entry]


class Difference(NamedTuple):
    """One message on which the books differ; `direction` as we see it."""

    mid: str
    direction: str
    what: What


_AGREE = {
    (State.DELIVERED, State.ACCEPTED),
    (State.REJECTED, State.REJECTED),
    (State.GIVEN_UP, None),
}


def compare(ours: Book, theirs: Book, *, young: bool) -> Iterator[Difference]:
    """How our books of a period differ from theirs; `young`: it ended so lately that messages may be on their way."""
    yield from (Difference(mid, "out", what) for mid, what in _differ(ours.sent, theirs.taken, young=young))
    yield from (Difference(mid, "in", what) for mid, what in _differ(theirs.sent, ours.taken, young=young))


def waiting(ours: Book, theirs: Book) -> int:
    """How many messages are still on their way, one way or the other."""
    return sum(entry.state is State.WAITING for book in (ours, theirs) for entry in book.sent.values())


def _differ(sent: Mapping[str, Entry], taken: Mapping[str, Entry], *, young: bool) -> Iterator[tuple[str, What]]:
    for mid in sorted(sent.keys() | taken.keys()):
        if what := _judge(sent.get(mid), taken.get(mid), young=young):
            yield mid, what


def _judge(sent: Entry | None, taken: Entry | None, *, young: bool) -> What | None:
    if sent is None:
        return What.NOT_SENT
    if taken is not None and sent.mjws_s256 != taken.mjws_s256:
        return What.OTHER_BYTES
    if sent.state is State.WAITING:
        return None if young else What.NOT_ACROSS
    if (sent.state, taken and taken.state) in _AGREE:
        return None
    return What.NOT_THERE if taken is None else What.OTHER_STATE
