"""Rounds in which nobody dies: the lines between the two sides, and the manners at their ends, are bad.

`outbound` and `inbound` put a proxy between the two sides, whose toxics change while the round goes on.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace

from tests.faults import actors, books
from tests.faults.books import Books
from tests.faults.crew import crew_at
from tests.faults.ground import Ground
from tests.faults.partner import Manners, partners
from tests.faults.place import PARTNERS
from tests.faults.proxy import Proxy, Toxic
from tests.faults.rounds import PATIENCE_S, Result, Watch, brought, longest_silence, result
from tests.faults.sender import Habits, sender

Weather = Sequence[tuple[Toxic, ...]]
"""Toxics, one set after the other, each for a tenth of a second, over and over."""
CHANGES_S = 0.1

CALM: Weather = ((),)
STORM: Weather = (
    (Toxic("reset_peer", "up"),),
    (Toxic("limit_data", "up", size=1500),),
    (Toxic("limit_data", "down", size=300),),
    (Toxic("slow_close", "down", seconds=0.5),),
    (Toxic("reset_peer", "down"),),
    (Toxic("timeout", "up", seconds=0.4),),
    (Toxic("latency", "down", seconds=0.1),),
    (Toxic("bandwidth", "up", size=20_000),),
    (Toxic("down"),),
    (),
)
SLICED: Weather = ((Toxic("slicer", "up", size=16, seconds=0.001),),)


class Forecast:
    """Changes a proxy's toxics as time goes by. Called at every look at the round."""

    def __init__(self, proxy: Proxy, weather: Weather) -> None:
        self._proxy, self._weather = proxy, itertools.cycle(weather)
        self._next = 0.0

    def look(self) -> bool:
        """Let the weather change when it is time; always true."""
        if time.monotonic() > self._next:
            self._proxy.be(*next(self._weather))
            self._next = time.monotonic() + CHANGES_S
        return True


def outbound(ground: Ground, what: str, manners: Manners = Manners(), weather: Weather = CALM) -> tuple[Result, Books]:  # noqa: B008
    """Two workers deliver to partners with these manners, in this weather."""
    began = time.monotonic()
    with ExitStack() as stack:
        place, theirs = stack.enter_context(ground.place("referred", retry_scale=0.002))
        proxy = stack.enter_context(Proxy(theirs.getsockname()[1]))
        place = replace(place, partner_port=proxy.port)
        crew, forecast = stack.enter_context(crew_at(place)), Forecast(proxy, weather)
        watch = Watch(place)
        stack.callback(watch.close)
        crew.hire("partners", partners, lambda: (theirs, manners))
        for name in ("worker-1", "worker-2"):
            crew.hire(name, actors.worker, lambda: ("",))
        crew.until("everything is over", lambda: forecast.look() and not watch.left(), PATIENCE_S)
        messages = watch.count("select count(*) from message where direction = 'out'")
        found = result(what, crew, began, messages, place.lease_s + watch.longest_s)
        both = books.read(place.database, place.partners)
        found.hits.update({"cut": proxy.cut, **counted(both)})
        return found, both


def inbound(ground: Ground, what: str, habits: Habits = Habits(), weather: Weather = CALM) -> tuple[Result, Books]:  # noqa: B008
    """Two doors take in what partners bring with these habits, in this weather."""
    began = time.monotonic()
    with ExitStack() as stack:
        place, _ = stack.enter_context(ground.place("delivered"))
        proxy = stack.enter_context(Proxy(place.door_port))
        place = replace(place, front_port=proxy.port)
        crew, forecast = stack.enter_context(crew_at(place)), Forecast(proxy, weather)
        watch = Watch(place)
        stack.callback(watch.close)
        for name in ("door-1", "door-2"):
            crew.hire(name, actors.door, lambda: ("",))
        crew.hire("sender", sender, lambda: (habits,))
        crew.until("every letter has its receipt", lambda: forecast.look() and brought(place), PATIENCE_S)
        letters = watch.count("select count(*) from message where direction = 'in'")
        found = result(what, crew, began, letters, longest_silence(place))
        both = books.read(place.database, place.partners)
        found.hits.update({"cut": proxy.cut, **counted(both)})
        return found, both


# ── what the books say besides ───────────────────────────────────────────────────────────────────────────────────────
def counted(found: Books) -> Counter[str]:
    """How often what was written into the journals, how deliveries ended, and how many letters came early."""
    written = [line for said in found.theirs.values() for line in said]
    counts = Counter(line["what"] for line in written)
    counts["early"] = sum(line.get("status") == 202 for line in written)
    return counts + Counter(d["state"] for d in found.ours["deliveries"])


def waits(found: Books) -> Iterator[float]:
    """How long a message that was told to come again in a second stayed away, in seconds; the partners' clock."""
    for partner in PARTNERS:
        told: dict[str, float] = {}
        for line in found.theirs[partner]:
            if line["what"] in ("received", "duplicate", "busy") and line["mid"] in told:
                yield line["at"] - told.pop(line["mid"])
            if line["what"] == "busy" and line["status"] in (429, 503):
                told[line["mid"]] = line["at"]


def attempts_s(found: Books, partner: str) -> list[float]:
    """How long each attempt at a partner took, in seconds."""
    mine = (a for a in found.ours["attempts"] if a["partner"] == partner)
    return [(a["ended_at"] - a["began_at"]).total_seconds() for a in mine]


def tries(found: Books) -> dict[str, int]:
    """Attempts by message id."""
    counted: dict[str, int] = defaultdict(int)
    for attempt in found.ours["attempts"]:
        counted[attempt["mid"]] += 1
    return counted
