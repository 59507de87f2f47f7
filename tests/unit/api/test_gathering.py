"""The waiting room of the door: company is welcome, nobody waits for it, and nobody suffers from it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from gateway.api.gathering import MOST, ROOM, Gathering
from gateway.errors import StoreUnavailable, TooBusy
from gateway.journey.prove import Inbound
from gateway.journey.reply import Reply


def message(body: str) -> Inbound:
    """A message of KEIS, or of the partner before the colon."""
    return Inbound(body.split(":", 1)[0] if ":" in body else "KEIS", "POST", "http://door", {}, body.encode())


class TakeIn:
    """Answers each message with its own words; `stop` holds the first batch until it is let go."""

    def __init__(self, *, stop: bool = False) -> None:
        self.batches: list[list[str]] = []
        self.began, self.go_on = threading.Event(), threading.Event()
        if not stop:
            self.go_on.set()

    def __call__(self, inbounds: Sequence[Inbound]) -> list[Reply]:
        said = [inbound.body.decode() for inbound in inbounds]
        self.batches.append(said)
        self.began.set()
        self.go_on.wait(5)
        if "bad" in said:
            raise KeyError("bad")
        if "down" in said:
            raise StoreUnavailable
        return [Reply(200, word, None) for word in said]


async def all_at_once(take_in: TakeIn, first: str, *others: str) -> list[Reply | BaseException]:
    """The first goes in; the others come while it is being taken in."""
    gathering = Gathering(take_in)
    going = [asyncio.create_task(gathering.receive(message(first)))]
    await asyncio.to_thread(take_in.began.wait, 5)
    going += [asyncio.create_task(gathering.receive(message(word))) for word in others]
    await asyncio.sleep(0)
    take_in.go_on.set()
    return await asyncio.gather(*going, return_exceptions=True)


def test_who_comes_to_an_idle_door_goes_in_alone_and_at_once() -> None:
    take_in = TakeIn()
    assert asyncio.run(Gathering(take_in).receive(message("one"))) == Reply(200, "one", None)
    assert take_in.batches == [["one"]]


def test_who_comes_meanwhile_goes_in_together_and_each_gets_the_own_answer() -> None:
    take_in = TakeIn(stop=True)
    replies = asyncio.run(all_at_once(take_in, "a", "b", "c", "d"))
    assert take_in.batches == [["a"], ["b", "c", "d"]]
    assert replies == [Reply(200, word, None) for word in "abcd"]


def test_partners_go_in_one_after_the_other_in_the_order_of_their_first_messages() -> None:
    take_in = TakeIn(stop=True)
    words = ["TRN:1", "KEAD:1", "TRN:2", "KEIS:1", "KEAD:2", "TRN:3"]
    replies = asyncio.run(all_at_once(take_in, "a", *words))
    assert take_in.batches == [["a"], ["TRN:1", "TRN:2", "TRN:3"], ["KEAD:1", "KEAD:2"], ["KEIS:1"]]
    assert replies[1:] == [Reply(200, word, None) for word in words]


def test_who_keeps_coming_does_not_go_in_before_a_partner_that_waits() -> None:
    began, go_on = threading.Semaphore(0), threading.Semaphore(0)

    class StepByStep(TakeIn):
        def __call__(self, inbounds: Sequence[Inbound]) -> list[Reply]:
            began.release()
            go_on.acquire(timeout=5)
            return super().__call__(inbounds)

    async def busy(gathering: Gathering) -> None:
        going: list[asyncio.Task[Reply]] = []
        for coming in (["a"], ["b", "c", "TRN:1"], ["d"]):
            going += [asyncio.create_task(gathering.receive(message(word))) for word in coming]
            await asyncio.sleep(0)
            if len(going) > 1:
                go_on.release()  # whoever was being taken in when these came
            await asyncio.to_thread(began.acquire, timeout=5)
        go_on.release(2)
        await asyncio.gather(*going)

    take_in = StepByStep()
    asyncio.run(busy(Gathering(take_in)))
    assert take_in.batches == [["a"], ["b", "c"], ["TRN:1"], ["d"]]


def test_a_crowd_goes_in_by_batches_and_nobody_is_left() -> None:
    take_in = TakeIn(stop=True)
    words = [f"{n}" for n in range(MOST + 5)]
    replies = asyncio.run(all_at_once(take_in, "first", *words))
    assert [len(batch) for batch in take_in.batches] == [1, MOST, 5]
    assert replies[1:] == [Reply(200, word, None) for word in words]


def test_a_batch_that_breaks_is_taken_in_one_by_one_and_only_the_culprit_fails() -> None:
    take_in = TakeIn(stop=True)
    replies = asyncio.run(all_at_once(take_in, "a", "b", "bad", "c"))
    assert take_in.batches == [["a"], ["b", "bad", "c"], ["b"], ["bad"], ["c"]]
    assert isinstance(replies.pop(2), KeyError)
    assert replies == [Reply(200, word, None) for word in "abc"]


def test_without_a_database_nobody_is_asked_twice() -> None:
    take_in = TakeIn(stop=True)
    replies = asyncio.run(all_at_once(take_in, "a", "b", "down", "c"))
    assert take_in.batches == [["a"], ["b", "down", "c"]]
    assert [isinstance(reply, StoreUnavailable) for reply in replies] == [False, True, True, True]


def test_who_has_gone_before_the_turn_came_is_not_taken_in() -> None:
    async def gone(take_in: TakeIn) -> None:
        gathering = Gathering(take_in)
        first = asyncio.create_task(gathering.receive(message("a")))
        await asyncio.to_thread(take_in.began.wait, 5)
        second = asyncio.create_task(gathering.receive(message("b")))
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        take_in.go_on.set()
        await first
        await gathering.receive(message("c"))

    take_in = TakeIn(stop=True)
    asyncio.run(gone(take_in))
    assert take_in.batches == [["a"], ["c"]]


def test_a_partner_has_room_for_so_many_and_takes_none_from_another() -> None:
    take_in = TakeIn(stop=True)
    words = [f"{n}" for n in range(ROOM + 4)]
    replies = asyncio.run(all_at_once(take_in, "first", *words, "KEAD:1"))
    assert [type(reply) for reply in replies] == [Reply] * ROOM + [TooBusy] * 5 + [Reply]
    assert sum(map(len, take_in.batches)) == ROOM + 1
