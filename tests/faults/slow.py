"""A round at the door while hundreds of callers say one byte after the other, and whoever is cut off comes again.

Half of them drip their headers, half a body. Beside them the partners bring their letters, as ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import time
from contextlib import ExitStack

import orjson

from gateway.cli.in_time import READ_S
from tests.faults import actors, books
from tests.faults.books import Books
from tests.faults.crew import crew_at
from tests.faults.ground import Ground
from tests.faults.lines import answers, counted
from tests.faults.place import Place
from tests.faults.rounds import PATIENCE_S, Result, Watch, brought, longest_silence, result, said
from tests.faults.sender import Habits, sender

HOW_MANY = 500
BASELINE = 0.8
"""Of what is taken in without slow callers, so much is taken in beside them."""
DRIP_S = 1.0
SLACK_S = 10.0
"""So much later than `read_s` somebody may hear that it was cut off: callers have the lowest priority here."""
HEADERS = ("Content-Digest", "Idempotency-Key", "Comwel-Message-JWS", "Signature-Input", "Signature")
HEAD = (
    "POST /partners/KEIS/v1/outcomes HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
    "Content-Length: 1000\r\n"
    + "".join(f"{name}: x\r\n" for name in HEADERS)  # who lacks one is answered before its body is read
).encode()


def dripping(place: Place, how_many: int) -> None:
    """Be so many callers; say once that all are there, and whenever one was cut off, who it was and after how long."""
    actors.begin(place)
    os.nice(19)  # they have machines of their own
    asyncio.run(_drip(place.door_port, how_many))


async def _drip(port: int, how_many: int) -> None:
    inside, came = set[asyncio.StreamWriter](), itertools.count(1)

    async def call(n: int) -> None:
        for times in itertools.count():
            with contextlib.suppress(OSError):
                took_s = await wait_until_cut_off(HEAD + b"\r\n" if n % 2 else HEAD, first=not times)
                os.write(2, orjson.dumps({"event": "slow.cut", "who": n, "took_s": took_s}) + b"\n")

    async def wait_until_cut_off(word: bytes, *, first: bool) -> float:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        inside.add(writer)
        began = time.monotonic()
        try:
            writer.write(word)
            if first and next(came) == how_many:
                os.write(2, b'{"event": "slow.all"}\n')
            with contextlib.suppress(ConnectionError):
                await reader.read()
            return time.monotonic() - began
        finally:
            inside.discard(writer)
            writer.transport.abort()

    callers = asyncio.gather(*(call(n) for n in range(how_many)))
    while not callers.done():
        for writer in list(inside):
            if not writer.is_closing():
                writer.write(b"x")
        await asyncio.sleep(DRIP_S)


def beside(ground: Ground, how_many: int, read_s: float = READ_S) -> tuple[Result, Books]:
    """Partners bring their letters to two doors beside so many slow callers, each of whom is cut off at least once."""
    began = time.monotonic()
    with ExitStack() as stack:
        place, _ = stack.enter_context(ground.place("delivered"))
        crew = stack.enter_context(crew_at(place))
        watch = Watch(crew)
        stack.callback(watch.close)
        ready = len(said(place, b"actor.ready"))
        for name in ("door-1", "door-2"):
            crew.hire(name, actors.door, lambda: ("", read_s))
        crew.until("both doors are open", lambda: len(said(place, b"actor.ready")) >= ready + 2, PATIENCE_S)
        if how_many:
            crew.hire("slow", dripping, lambda: (how_many,))
            crew.until("all slow callers are there", lambda: bool(said(place, b"slow.all")), PATIENCE_S)
        crew.hire("sender", sender, lambda: (Habits(again=0, fetch=0),))
        crew.until(
            "every letter has its receipt, and every slow caller was cut off",
            lambda: brought(place) and len(cut_off(place)) == how_many,
            PATIENCE_S,
        )
        letters = watch.count("select count(*) from message where direction = 'in'")
        found = result("slow", crew, began, letters, longest_silence(crew))
        both = books.read(place.database, place.partners)
        found.hits.update(counted(both))
        waited = cut_off(place)
        found.hits["slow"] = len(waited)
        if waited and not read_s / 2 < min(waited.values()) <= max(waited.values()) < read_s + SLACK_S:
            found.findings.broken.append(f"cut off after {min(waited.values()):.1f} to {max(waited.values()):.1f} s")
        return found, both


def cut_off(place: Place) -> dict[int, float]:
    """Every caller that was cut off, with the longest time it was let in."""
    found: dict[int, float] = {}
    for line in map(orjson.loads, said(place, b"slow.cut")):
        found[line["who"]] = max(line["took_s"], found.get(line["who"], 0.0))
    return found


def speed(both: Books) -> float:
    """Letters a second, from the first that was brought to the last that was answered."""
    lines = answers(both)
    took: float = max(a["at"] + a["took"] for a in lines) - min(a["at"] for a in lines)
    return len(lines) / took


def against_baseline(ground: Ground) -> Result:
    """The same letters without slow callers, beside them, and without again: the machine has other work, too."""
    (_, before), (found, both), (_, after) = beside(ground, 0), beside(ground, HOW_MANY), beside(ground, 0)
    share = 2 * speed(both) / (speed(before) + speed(after))
    if share < BASELINE:
        found.findings.broken.append(f"{share:.0%} of the baseline")
    found.hits["percent of the baseline"] = round(100 * share)
    return found
