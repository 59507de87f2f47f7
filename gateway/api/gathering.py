"""Gathering: messages of one partner that stand at the door at the same time are taken in together, by one commit.

Rules: nobody waits for company: who comes to an idle door goes in alone, and who comes while others are being taken in
goes with the next. Refuses to let one message spoil another's: a batch that breaks is taken in one by one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from gateway.errors import StoreUnavailable
from gateway.journey.receive import Inbound, Reply

MOST = 32
TakeIn = Callable[[Sequence[Inbound]], Sequence[Reply]]
_Waiting = tuple[Inbound, Future[Reply]]


class Gathering:
    """A door's waiting room. `take_in` gives one reply for each message, in their order."""

    def __init__(self, take_in: TakeIn) -> None:
        self._take_in = take_in
        self._waiting: deque[_Waiting] = deque()
        self._one = ThreadPoolExecutor(1, "receive")  # two would halve the batches, and cost more than they overlap

    async def receive(self, inbound: Inbound) -> Reply:
        """Take in one message, with whoever else is here. Raises what its taking in raises."""
        answer: Future[Reply] = Future()
        self._waiting.append((inbound, answer))
        self._one.submit(self._next, inbound.partner)
        return await asyncio.wrap_future(answer)

    def _next(self, partner: str) -> None:
        """Take in what waits of one partner; that is nothing when an earlier turn took it along."""
        going, staying = list[_Waiting](), list[_Waiting]()
        for _ in range(len(self._waiting)):
            one = self._waiting.popleft()
            (going if one[0].partner == partner and len(going) < MOST else staying).append(one)
        self._waiting.extendleft(reversed(staying))
        batch = [one for one in going if one[1].set_running_or_notify_cancel()]
        if batch:
            self._together(batch)

    def _together(self, batch: Sequence[_Waiting]) -> None:
        try:
            replies = self._take_in([inbound for inbound, _ in batch])
        except StoreUnavailable as error:  # for one it would be no better
            for _, answer in batch:
                answer.set_exception(error)
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to the one message that brought it
            if len(batch) == 1:
                batch[0][1].set_exception(error)
            else:
                for one in batch:
                    self._together([one])
        else:
            for (_, answer), reply in zip(batch, replies, strict=True):
                answer.set_result(reply)
