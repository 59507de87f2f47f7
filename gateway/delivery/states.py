"""The states of a delivery, as a table of moves. A delivery is one message on its way to one partner.

Rules: every finish of a lease is fenced by the store, so that an owner who lost his lease finishes nothing. `delivered`
is final. From `blocked` and `dead` only a person leads on, with the same message id and the same bytes.

This module refuses moves that are not in the table, and to count time or attempts: `judge` and `schedule` do.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from gateway.delivery.judge import Kind
from gateway.errors import IllegalMove


class State(StrEnum):
    """Where a delivery stands."""

    READY = "ready"  # waits for its time and for its turn within the case
    LEASED = "leased"  # one worker tries it, until the lease runs out
    DELIVERED = "delivered"  # the partner's signed receipt is verified and stored
    BLOCKED = "blocked"  # the partner refused it with a signed receipt; a person decides
    DEAD = "dead"  # given up, by the horizon, by three crashes or by a person


class Act(StrEnum):
    """What happens to a delivery."""

    CLAIM = "claim"  # a worker takes the lease
    DELIVER = "deliver"  # the receipt is in
    RETRY = "retry"  # the attempt failed for a technical reason; there is a next time
    EXPIRE = "expire"  # the lease ran out without a result
    BLOCK = "block"  # a signed rejection is in
    GIVE_UP = "give-up"  # no next time: the horizon has passed, or a person says so
    POISON = "poison"  # the third attempt in a row that ended without a result
    REPLAY = "replay"  # a person sends it again: same id, same bytes, two pairs of eyes


class Move(NamedTuple):
    """One row: what follows `now` when `act` happens."""

    now: State
    act: Act
    then: State


MOVES = (
    #    now            act          then
    Move(State.READY, Act.CLAIM, State.LEASED),
    Move(State.READY, Act.GIVE_UP, State.DEAD),
    Move(State.LEASED, Act.DELIVER, State.DELIVERED),
    Move(State.LEASED, Act.RETRY, State.READY),
    Move(State.LEASED, Act.EXPIRE, State.READY),
    Move(State.LEASED, Act.BLOCK, State.BLOCKED),
    Move(State.LEASED, Act.GIVE_UP, State.DEAD),
    Move(State.LEASED, Act.POISON, State.DEAD),
    Move(State.BLOCKED, Act.REPLAY, State.READY),
    Move(State.BLOCKED, Act.GIVE_UP, State.DEAD),
    Move(State.DEAD, Act.REPLAY, State.READY),
)
_THEN = {(move.now, move.act): move.then for move in MOVES}

ACT_OF = {
    Kind.DELIVERED: Act.DELIVER,
    Kind.RETRY: Act.RETRY,
    Kind.BLOCKED: Act.BLOCK,
    Kind.SUSPEND: Act.RETRY,  # the message waits until the partner is taken up again
}
"""The act that follows from a judgement while there is a next time."""


def advance(now: State, act: Act) -> State:
    """Return the state that follows `now` when `act` happens. Raises IllegalMove."""
    try:
        return _THEN[now, act]
    except KeyError:
        raise IllegalMove(f"a delivery that is {now} cannot {act}") from None


def available_acts(now: State) -> tuple[Act, ...]:
    """Return what can happen to a delivery that is `now`, in the order of the table."""
    return tuple(move.act for move in MOVES if move.now is now)
