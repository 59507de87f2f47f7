"""Gathering: messages of one partner that stand at the door at the same time are taken in together, by one commit.

Rules: nobody waits for company: who comes to an idle door goes in alone, and who comes while others are being taken in
goes with the next. Partners take turns, however many messages one of them has. A partner has room for so many at once;
one more is told to come back (503, `GW-BUSY`).
Refuses to let one message spoil another's: a batch that breaks is taken in one by one.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from gateway.errors import ClocksApart, StoreUnavailable, TooBusy
from gateway.journey.prove import Inbound
from gateway.journey.reply import Reply

MOST = 32
ROOM = 256
"""Messages of one partner that wait or are being taken in: eight batches, a third of a second."""
TakeIn = Callable[[Sequence[Inbound]], Sequence[Reply | Exception]]
_Waiting = tuple[Inbound, asyncio.Future[Reply]]


class Gathering:
    """A door's waiting room, for one event loop. `take_in` gives one word for each message, in their order."""

    def __init__(self, take_in: TakeIn) -> None:
        self._take_in = take_in
        self._waiting: defaultdict[str, deque[_Waiting]] = defaultdict(deque)
        self._here = Counter[str]()
        self._one = ThreadPoolExecutor(1, "receive")  # two would halve the batches, and cost more than they overlap

    async def receive(self, inbound: Inbound) -> Reply:
        """Take in one message, with whoever else is here. Raises TooBusy, and what its taking in raises."""
        self.must_have_room(inbound.partner)
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._here[inbound.partner] += 1
        try:
            waiting = self._waiting[inbound.partner]
            waiting.append((inbound, answer))
            if len(waiting) == 1:  # the others have a turn to come
                self._one.submit(self._next, inbound.partner)
            return await answer
        finally:
            self._here[inbound.partner] -= 1

    def must_have_room(self, partner: str) -> None:
        """Raises TooBusy when too many messages of this partner wait already."""
        if self._here[partner] >= ROOM:
            raise TooBusy

    def _next(self, partner: str) -> None:
        """Take in what waits of one partner; whoever is left waits for its next turn, behind the other partners."""
        waiting, going = self._waiting[partner], list[_Waiting]()
        while waiting and len(going) < MOST:
            going.append(waiting.popleft())
        if waiting:
            self._one.submit(self._next, partner)
        if batch := [one for one in going if not one[1].cancelled()]:
            batch[0][1].get_loop().call_soon_threadsafe(_tell, batch, self._together([inbound for inbound, _ in batch]))

    def _together(self, inbounds: Sequence[Inbound]) -> Sequence[Reply | Exception]:
        try:
            return self._take_in(inbounds)
        except (ClocksApart, StoreUnavailable) as error:  # for one it would be no better
            return [error] * len(inbounds)
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to the one message that brought it
            if len(inbounds) == 1:
                return [error]
            return [self._together([inbound])[0] for inbound in inbounds]


def _tell(batch: Sequence[_Waiting], said: Sequence[Reply | Exception]) -> None:
    """Wake who waits, all of a batch by one call: every call would take the interpreter from somebody."""
    for (_, answer), word in zip(batch, said, strict=True):
        if answer.cancelled():
            continue
        if isinstance(word, Exception):
            answer.set_exception(word)
        else:
            answer.set_result(word)
