"""Rounds in which nobody dies: the lines between the two sides, and the manners at their ends, are bad.

`outbound` and `inbound` put a proxy between the two sides: every connection meets the next weather, so that how much of
it is met does not depend on how fast the machine is.
"""

from __future__ import annotations

import itertools
import os
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import orjson

from tests.faults import actors, books
from tests.faults.books import Books, Row
from tests.faults.crew import crew_at
from tests.faults.ground import Ground
from tests.faults.partner import Manners, partners
from tests.faults.place import PARTNERS, Place
from tests.faults.proxy import Proxy, Toxic
from tests.faults.rounds import PATIENCE_S, Result, Watch, brought, longest_silence, result, said
from tests.faults.sender import Habits, sender
from tests.faults.trouble import Trouble

Weather = Sequence[tuple[Toxic, ...]]
"""Toxics, one set after the other, each for one connection, over and over."""

CALM: Weather = ((),)
RECENT_BYTES = 1 << 16
UNAVAILABLE = frozenset({503})
"""What the door may say while the database is away, if it says when to come again."""
LEAST_S = 0.99
"""So long at least somebody stays away who was told to come again in a second; two clocks read it."""
REFUSES_S, RECOVERS_S = 1.0, 5.0
"""How soon it says so, and how soon after its return something goes across again."""
_STORM = (
    Toxic("reset_peer", "up"),
    Toxic("limit_data", "up", size=1500),
    Toxic("limit_data", "down", size=300),
    Toxic("slow_close", "down", seconds=0.5),
    Toxic("reset_peer", "down"),
    Toxic("timeout", "up", seconds=0.4),
    Toxic("latency", "down", seconds=0.1),
    Toxic("bandwidth", "up", size=20_000),
    Toxic("down"),
)
STORM: Weather = tuple(itertools.chain.from_iterable(((toxic,), ()) for toxic in _STORM))
"""Every second connection is a good one, as long as nobody is cut off."""
SLICED: Weather = ((Toxic("slicer", "up", size=16, seconds=0.001),),)


def outbound(
    ground: Ground,
    what: str,
    manners: Manners = Manners(),  # noqa: B008 - immutable
    weather: Weather = CALM,
    trouble: Trouble | None = None,
    *,
    workers: int = 2,
    rest_s: float = 0.0,
) -> tuple[Result, Books]:
    """Workers deliver to partners with these manners, in this weather, and the database has this trouble."""
    began = time.monotonic()
    with ExitStack() as stack:
        place, theirs = stack.enter_context(ground.place("referred", retry_scale=0.002))
        proxy = stack.enter_context(Proxy(theirs.getsockname()[1]))
        place = replace(place, partner_port=proxy.port)
        proxy.vary(weather)
        crew = stack.enter_context(crew_at(place))
        watch = Watch(crew)
        stack.callback(watch.close)
        crew.hire("partners", partners, lambda: (theirs, manners))
        meanwhile = stack.enter_context(_Meanwhile(place, trouble))
        for n in range(workers):
            crew.hire(f"worker-{n}", actors.worker, lambda: ("", rest_s))
        crew.until("everything is over", lambda: meanwhile.over() and not watch.left(), PATIENCE_S)
        messages = watch.count("select count(*) from message where direction = 'out'")
        found = result(what, crew, began, messages, place.lease_s + watch.longest_s)
        both = books.read(place.database, place.partners)
        found.hits.update({"cut": proxy.cut, **counted(both)})
        found.findings.broken.extend(_not_met(proxy, weather))
        found.findings.broken.extend(
            f"came back after {s:.2f} s, and not after 1 s" for s in waits(both) if s < LEAST_S
        )
        if manners.trickle:
            found.findings.broken.extend(_kept_waiting(both, manners.only, place.attempt_s))
        meanwhile.judge(found, both)
        return found, both


def inbound(
    ground: Ground,
    what: str,
    habits: Habits = Habits(),  # noqa: B008 - immutable
    weather: Weather = CALM,
    trouble: Trouble | None = None,
) -> tuple[Result, Books]:
    """Two doors take in what partners bring with these habits, in this weather, and the database has this trouble."""
    began = time.monotonic()
    with ExitStack() as stack:
        place, _ = stack.enter_context(ground.place("delivered"))
        proxy = stack.enter_context(Proxy(place.door_port))
        place = replace(place, front_port=proxy.port)
        proxy.vary(weather)
        crew = stack.enter_context(crew_at(place))
        watch = Watch(crew)
        stack.callback(watch.close)
        meanwhile = stack.enter_context(_Meanwhile(place, trouble))
        for name in ("door-1", "door-2"):
            crew.hire(name, actors.door, lambda: ("",))
        crew.hire("sender", sender, lambda: (habits,))
        crew.until("every letter has its receipt", lambda: meanwhile.over() and brought(place), PATIENCE_S)
        letters = watch.count("select count(*) from message where direction = 'in'")
        allowed = UNAVAILABLE if trouble else frozenset[int]()
        found = result(what, crew, began, letters, longest_silence(crew), allowed=allowed)
        both = books.read(place.database, place.partners)
        found.hits.update({"cut": proxy.cut, **counted(both)})
        found.findings.broken.extend(_not_met(proxy, weather))
        meanwhile.judge(found, both)
        return found, both


def sliced(ground: Ground) -> tuple[Result, Books]:
    """Every request comes in small pieces, and every one is answered 200."""
    found, both = inbound(ground, "sliced", Habits(fetch=0), SLICED)
    others = Counter(line.get("status") for line in answers(both) if line.get("status") != 200)
    found.findings.broken.extend(f"{times} were answered {status}" for status, times in others.items())
    return found, both


def _not_met(proxy: Proxy, weather: Weather) -> Iterator[str]:
    """Weather that no connection had: then the round has not shown what it is about."""
    if proxy.connections < len(weather):
        yield f"{proxy.connections} connections came through the proxy, too few for {len(weather)} weathers"


def _kept_waiting(both: Books, slow: str, attempt_s: float) -> Iterator[str]:
    """Was the slow partner cut off in time, and were the others done before it?"""
    if (longest := max(attempts_s(both, slow))) >= attempt_s + 1:
        yield f"an attempt at {slow} took {longest:.1f} s"
    ended = {p: max(a["ended_at"] for a in both.ours["attempts"] if a["partner"] == p) for p in PARTNERS}
    yield from (f"{p} waited for {slow}" for p in PARTNERS if p != slow and ended[p] >= ended[slow])


class _Meanwhile:
    """Lets the trouble begin when both processes work and messages go across; judges what it did. A context manager."""

    def __init__(self, place: Place, trouble: Trouble | None) -> None:
        self._place = place
        self._journals = [home / "journal.ndjson" for home in place.partners.iterdir()]
        self._trouble, self._quiet, self._ready = trouble, self._written(), self._begun()

    def __enter__(self) -> _Meanwhile:
        if self._trouble:
            self._trouble.goes_on = self._goes_on
            self._trouble.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        if self._trouble:
            self._trouble.__exit__()

    def _written(self) -> int:
        return sum(journal.stat().st_size for journal in self._journals if journal.exists())

    def _begun(self) -> int:
        return len(said(self._place, b"actor.ready"))

    def _goes_on(self, since: float) -> bool:
        """Whether a message went across since then, as the books will say."""
        return any(map(partial(_across_after, since), self._journals))

    def over(self) -> bool:
        """Whether there is nothing left to happen."""
        if self._trouble is None:
            return True
        if self._written() > self._quiet and self._begun() > self._ready + 1:
            self._trouble.begin()
        return self._trouble.over

    def _noticeable(self, line: Row) -> float:
        """Since when the door could have known: the request was there, and the database was away."""
        assert self._trouble
        known: float = max(
            line["at"], *(began for began, _ in self._trouble.spans if began < line["at"] + line["took"])
        )
        return known

    def judge(self, found: Result, both: Books) -> None:
        """Was a no said in time, and did everything go on in time? What found no work left is not gone on from."""
        if self._trouble is None:
            return
        found.hits["happened"] = len(self._trouble.spans)
        found.hits["gone on"] = sum(recovered_s(both, end) > 0 for _, end in self._trouble.spans)
        no = [line for line in answers(both) if line.get("status") in UNAVAILABLE]
        found.hits["refused"] = len(no)
        took = (line["at"] + line["took"] - self._noticeable(line) for line in no)
        found.findings.broken.extend(f"503 was said after {s:.1f} s" for s in took if s > REFUSES_S)
        found.recovery_s = max((recovered_s(both, end) for _, end in self._trouble.spans), default=0.0)
        if found.recovery_s > RECOVERS_S:
            found.findings.stuck.append(f"nothing went across for {found.recovery_s:.1f} s after the database was back")


# ── what the books say besides ───────────────────────────────────────────────────────────────────────────────────────
def counted(found: Books) -> Counter[str]:
    """How often what was written into the journals, how deliveries ended, and how many letters came early.

    Of what somebody did besides only what was answered counts: who was not heard was not refused.
    """
    written = [line for said in found.theirs.values() for line in said]
    counts = Counter(line["what"] for line in written if line["what"] != "forged" or line["status"])
    counts["early"] = sum(line.get("status") == 202 for line in written)
    counts["not believed"] = sum(line["what"] == "answer" and line.get("status") == 401 for line in written)
    counts["beside"] = sum(line.get("kind", "honest") != "honest" and bool(line["status"]) for line in written)
    return counts + Counter(d["state"] for d in found.ours["deliveries"])


def answers(found: Books) -> list[Row]:
    """What the door said to every letter."""
    return [line for lines in found.theirs.values() for line in lines if line["what"] == "answer"]


def _across_after(since: float, journal: Path) -> bool:
    with journal.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - RECENT_BYTES))
        _, *recent = file.read().split(b"\n")  # the first one may be half a line, the last one is not written yet
    found = Books(theirs={"": [orjson.loads(line) for line in recent[:-1]]})
    return recovered_s(found, since) > 0


def recovered_s(found: Books, since: float) -> float:
    """How long it took from then until a message went across; nothing when none was left."""
    heard = (line["at"] + line["took"] for line in answers(found) if line.get("receipt"))
    taken = (
        line["at"] for lines in found.theirs.values() for line in lines if line["what"] in ("received", "duplicate")
    )
    return min((at - since for at in itertools.chain(heard, taken) if at > since), default=0.0)


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
