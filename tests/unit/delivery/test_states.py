"""The states of a delivery: the table, cell by cell."""

from __future__ import annotations

from itertools import product

import pytest

from gateway.delivery.judge import Kind
from gateway.delivery.states import ACT_OF, MOVES, Act, State, advance, available_acts
from gateway.errors import IllegalMove

LEGAL = {
    (State.READY, Act.CLAIM): State.LEASED,
    (State.READY, Act.GIVE_UP): State.DEAD,
    (State.LEASED, Act.DELIVER): State.DELIVERED,
    (State.LEASED, Act.RETRY): State.READY,
    (State.LEASED, Act.EXPIRE): State.READY,
    (State.LEASED, Act.BLOCK): State.BLOCKED,
    (State.LEASED, Act.GIVE_UP): State.DEAD,
    (State.LEASED, Act.POISON): State.DEAD,
    (State.BLOCKED, Act.REPLAY): State.READY,
    (State.BLOCKED, Act.GIVE_UP): State.DEAD,
    (State.DEAD, Act.REPLAY): State.READY,
}


@pytest.mark.parametrize(("now", "act"), list(product(State, Act)))
def test_every_cell_of_the_table(now: State, act: Act) -> None:
    if (now, act) in LEGAL:
        assert advance(now, act) is LEGAL[now, act]
        assert act in available_acts(now)
    else:
        with pytest.raises(IllegalMove):
            advance(now, act)
        assert act not in available_acts(now)


def test_no_move_is_written_twice() -> None:
    assert len(MOVES) == len({(move.now, move.act) for move in MOVES}) == len(LEGAL)


def test_only_delivered_is_final() -> None:
    assert [state for state in State if not available_acts(state)] == [State.DELIVERED]


def test_only_a_person_leads_on_from_blocked_and_dead() -> None:
    by_hand = {Act.REPLAY, Act.GIVE_UP}
    assert {*available_acts(State.BLOCKED), *available_acts(State.DEAD)} == by_hand


def test_nothing_is_delivered_or_blocked_without_a_lease() -> None:
    assert {move.now for move in MOVES if move.then in {State.DELIVERED, State.BLOCKED}} == {State.LEASED}


def test_every_judgement_has_a_move_out_of_the_lease() -> None:
    assert ACT_OF.keys() == set(Kind)
    assert {kind: advance(State.LEASED, act) for kind, act in ACT_OF.items()} == {
        Kind.DELIVERED: State.DELIVERED,
        Kind.RETRY: State.READY,
        Kind.BLOCKED: State.BLOCKED,
        Kind.SUSPEND: State.READY,
    }
