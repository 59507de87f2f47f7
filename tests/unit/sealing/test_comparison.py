"""Comparing two books: whatever is removed or altered on either side comes out, each once, and nothing else does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sealing.comparison import Book, Difference, What, compare, waiting
from gateway.sealing.lists import Entry, State

DIGEST, OTHER = "a" * 43, "b" * 43


class Fate(NamedTuple):
    """What both sides truly know of a message, and what somebody did to one of the books afterwards."""

    sent: State
    taken: State | None
    done: str
    direction: str


TRUTHS = [(State.DELIVERED, State.ACCEPTED), (State.REJECTED, State.REJECTED), (State.GIVEN_UP, None)]
UNDER_WAY = [(State.WAITING, taken) for taken in (None, State.ACCEPTED, State.REJECTED)]
DONE = {  # what happens to one of the books → what the comparison must say; None: nothing
    "nothing": None,
    "receiver forgets": What.NOT_THERE,
    "sender forgets": What.NOT_SENT,
    "receiver has other bytes": What.OTHER_BYTES,
    "sender has other bytes": What.OTHER_BYTES,
    "receiver says the opposite": What.OTHER_STATE,
    "sender gives up": What.OTHER_STATE,
}
OPPOSITE = {State.ACCEPTED: State.REJECTED, State.REJECTED: State.ACCEPTED}


@st.composite
def fates(draw: st.DrawFn) -> Fate:
    sent, taken = draw(st.sampled_from(TRUTHS + UNDER_WAY))
    settled = taken is not None and sent is not State.WAITING
    done = draw(st.sampled_from(sorted(DONE))) if settled else "nothing"
    return Fate(sent, taken, done, draw(st.sampled_from(["out", "in"])))


def mid(n: int) -> str:
    return f"019ab3c0-7d2e-7a31-9c55-{n:012x}"


def books_of(number: int, fate: Fate) -> tuple[Entry | None, Entry | None]:
    """What the sender's and the receiver's book say in the end."""
    sender: Entry | None = Entry(mid(number), DIGEST, "out", fate.sent)
    receiver = Entry(mid(number), DIGEST, "in", fate.taken) if fate.taken else None
    match fate.done, sender, receiver:
        case "receiver forgets", _, _:
            receiver = None
        case "sender forgets", _, _:
            sender = None
        case "receiver has other bytes", _, Entry():
            receiver = receiver._replace(mjws_s256=OTHER)
        case "sender has other bytes", Entry(), _:
            sender = sender._replace(mjws_s256=OTHER)
        case "receiver says the opposite", _, Entry():
            receiver = receiver._replace(state=OPPOSITE[receiver.state])
        case "sender gives up", Entry(), _:
            sender = sender._replace(state=State.GIVEN_UP)
    return sender, receiver


def both(known: Mapping[int, Fate]) -> tuple[Book, Book]:
    """Our book and theirs."""
    sides: dict[tuple[str, str], dict[str, Entry]] = {(who, to): {} for who in ("we", "they") for to in ("out", "in")}
    for number, fate in known.items():
        sender, receiver = books_of(number, fate)
        who, other = ("we", "they") if fate.direction == "out" else ("they", "we")
        for entry, side in ((sender, (who, "out")), (receiver, (other, "in"))):
            if entry:
                sides[side][entry.mid] = entry
    return Book(sides["we", "out"], sides["we", "in"]), Book(sides["they", "out"], sides["they", "in"])


MANY = st.dictionaries(st.integers(0, 10_000), fates(), max_size=40)


@given(MANY)
def test_exactly_what_was_removed_or_altered_on_either_side_comes_out(known: dict[int, Fate]) -> None:
    ours, theirs = both(known)
    expected = {
        Difference(mid(n), fate.direction, what) for n, fate in known.items() if (what := DONE[fate.done]) is not None
    }
    found = list(compare(ours, theirs, young=True))
    assert len(found) == len(expected)
    assert set(found) == expected


@given(MANY)
def test_the_other_side_finds_the_same_the_other_way_round(known: dict[int, Fate]) -> None:
    ours, theirs = both(known)
    turned = {
        Difference(d.mid, "in" if d.direction == "out" else "out", d.what) for d in compare(theirs, ours, young=True)
    }
    assert turned == set(compare(ours, theirs, young=True))


@given(MANY)
def test_what_is_under_way_is_a_difference_only_when_it_is_old(known: dict[int, Fate]) -> None:
    ours, theirs = both(known)
    under_way = {(mid(n), fate.direction) for n, fate in known.items() if fate.sent is State.WAITING}
    old = {(d.mid, d.direction) for d in compare(ours, theirs, young=False) if d.what is What.NOT_ACROSS}
    assert old == under_way
    assert waiting(ours, theirs) == len(under_way)


@pytest.mark.parametrize("sent", [State.DELIVERED, State.REJECTED, State.GIVEN_UP, State.WAITING, None])
@pytest.mark.parametrize("taken", [State.ACCEPTED, State.REJECTED, None])
def test_the_table_at_the_top_of_the_module_holds(sent: State | None, taken: State | None) -> None:
    table = {
        (State.DELIVERED, State.ACCEPTED): None, (State.DELIVERED, State.REJECTED): What.OTHER_STATE,
        (State.DELIVERED, None): What.NOT_THERE, (State.REJECTED, State.ACCEPTED): What.OTHER_STATE,
        (State.REJECTED, State.REJECTED): None, (State.REJECTED, None): What.NOT_THERE,
        (State.GIVEN_UP, State.ACCEPTED): What.OTHER_STATE, (State.GIVEN_UP, State.REJECTED): What.OTHER_STATE,
        (State.GIVEN_UP, None): None, (State.WAITING, State.ACCEPTED): None, (State.WAITING, State.REJECTED): None,
        (State.WAITING, None): None, (None, State.ACCEPTED): What.NOT_SENT, (None, State.REJECTED): What.NOT_SENT,
        (None, None): None,
    }  # fmt: skip
    ours = Book({mid(1): Entry(mid(1), DIGEST, "out", sent)} if sent else {}, {})
    theirs = Book({}, {mid(1): Entry(mid(1), DIGEST, "in", taken)} if taken else {})
    expected = table[sent, taken]
    assert [d.what for d in compare(ours, theirs, young=True)] == ([expected] if expected else [])
