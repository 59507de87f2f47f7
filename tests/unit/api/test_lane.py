"""Lanes: few ask at once, some wait, and who finds too many before it is told to come back."""

from __future__ import annotations

import asyncio
import threading

import pytest

from gateway.api.lane import Lane
from gateway.errors import TooBusy


def test_so_many_ask_at_once_the_next_wait_and_more_are_told_to_come_back() -> None:
    go_on, now, most = threading.Event(), threading.Semaphore(0), []

    def ask(n: int) -> int:
        now.release()
        go_on.wait(5)
        return n

    async def crowd() -> list[int | BaseException]:
        lane = Lane("ask", 2, 5)
        asked = [asyncio.create_task(lane.run(ask, n)) for n in range(7)]
        for _ in range(2):
            await asyncio.to_thread(now.acquire, timeout=5)
        most.append(now.acquire(timeout=0.05))
        go_on.set()
        said = await asyncio.gather(*asked, return_exceptions=True)
        return [*said, await lane.run(ask, 9)]

    said = asyncio.run(crowd())
    assert most == [False]
    assert [one if isinstance(one, int) else type(one) for one in said] == [0, 1, 2, 3, 4, TooBusy, TooBusy, 9]


def test_what_goes_wrong_in_a_lane_is_told_who_asked_and_makes_room() -> None:
    def ask() -> None:
        raise KeyError("bad")

    async def twice() -> None:
        lane = Lane("ask", 1, 1)
        for _ in range(2):
            with pytest.raises(KeyError):
                await lane.run(ask)

    asyncio.run(twice())
