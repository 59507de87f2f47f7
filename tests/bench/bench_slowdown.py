"""How much the exchange log slows the journey: the same work with the log, and with nothing logged at all.

A round: refer some cases, deliver every message to partners that take it (`taker.py`, a process of its own), take in
what they report of every leg, one message at a time. Rounds take turns: one as it is, with a round of the sequencer and
the publisher after each of its three stages; one in which no act gets its number, its row or its leaf, and nothing is
sequenced. What is told of a leg is the processor time of this process and of the database, and the time by the clock.
Only here can the log be left out: what acts are committed with is exchanged for something that drops them.
Target: at most 1.10 of what the same work takes without the log.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from gateway.assembly import Gateway, assemble
from gateway.assembly.clocks import RealClock, uuid7
from gateway.exchange_log.audit import AuditEvent, moment
from gateway.exchange_log.leaf import Leaf
from gateway.journey.deliver import deliver
from gateway.journey.receive import receive
from gateway.journey.refer import refer
from gateway.journey.world import World
from gateway.sealing.receipts import Promise
from gateway.store.embedded import postmaster
from gateway.store.leaves import Leaves, Numbered
from gateway.store.postgres import PostgresStore
from gateway.store.statements import STATEMENTS as SQL
from gateway.store.statements import Connection
from gateway.store.vault import CaseKeys
from tests.bench import stage
from tests.bench.engine import COORDINATORS, Site, founded, takers, until
from tests.bench.figure import Figure, Floor
from tests.bench.machine import processor_s
from tests.bench.reports import keys_of, legs_of, report
from tests.bench.shoot import is_open

CASES = 1_900
AT_ONCE = 48
ROUNDS = 8
MOST_TIMES = 1.10


def run() -> tuple[Figure, ...]:
    """With the log to without it, round by round: processor time of a leg, and time by the clock."""
    with stage.home() as home, founded(home) as site:
        known = stage.staffed(stage.knowledge(home), COORDINATORS)
        night = stage.night(home / "night", CASES)
        with assemble(site.settings, knowledge=known) as gateway, takers(site) as port:
            until(lambda: is_open(port), "the partners are there")
            stage.taken_in(gateway, night)
            pairs = _taking_turns(site, gateway)
    logged, bare = (tuple(zip(*some, strict=True)) for some in zip(*pairs, strict=True))
    times = [tuple(one / other for one, other in zip(*both, strict=True)) for both in zip(logged, bare, strict=True)]
    without = Figure("", "", bare[0])
    return (
        Figure("the journey with the log, processor time", "of that without", times[0], MOST_TIMES, at_most=True),
        Figure("  by the clock", "of that without", times[1], MOST_TIMES, at_most=True),
        Figure("  processor time of a leg", "ms", logged[0], floor=Floor("without the log", without.median)),
    )


class _Spent(NamedTuple):
    """Milliseconds a leg."""

    processor: float
    clock: float


def _taking_turns(site: Site, gateway: Gateway) -> list[tuple[_Spent, _Spent]]:
    """What each round took with the log and without; which comes first changes, and the first of both warm up."""
    silent = PostgresStore(site.database, _Silent(gateway.store.vault, uuid7, ""))
    try:
        logged = _Way(site, gateway.world, gateway.log.catch_up)
        bare = _Way(site, replace(gateway.world, store=silent), lambda: None)
        pairs = []
        for n in range(ROUNDS + 1):
            spent = {way: way.spent() for way in ((logged, bare) if n % 2 else (bare, logged))}
            pairs.append((spent[logged], spent[bare]))
    finally:
        silent.close()
    return pairs[1:]


class _Way:
    """A way to do the work; `after` is called after each stage of it."""

    def __init__(self, site: Site, world: World, after: Callable[[], None]) -> None:
        self._site, self._world, self._after = site, world, after
        self._keys = keys_of(site)

    def spent(self) -> _Spent:
        """Take cases through the journey, and tell what a leg of them has taken."""
        known = max((leg.ref_no for leg in legs_of(self._site)), default="")
        before = _now(self._site)
        if refer(self._world, AT_ONCE) < AT_ONCE:
            raise RuntimeError("there are too few cases for so many rounds")
        self._after()
        for partner in stage.PARTNERS:
            while deliver(self._world, partner, "bench"):
                pass
        self._after()
        between = _now(self._site)
        legs = legs_of(self._site, known)
        reports = [report(self._site.settings.public_url or "", leg, self._keys[leg.partner]) for leg in legs]
        again = _now(self._site)
        for one in reports:
            assert receive(self._world, one).status == 200
        self._after()
        processor, clock = (
            (b - a) + (d - c) for a, b, c, d in zip(before, between, again, _now(self._site), strict=True)
        )
        return _Spent(processor / len(legs) * 1e3, clock / len(legs) * 1e3)


def _now(site: Site) -> tuple[float, float]:
    """Seconds of processor time of this process and the database so far, and by the clock."""
    return time.process_time() + processor_s(postmaster(site.settings.home)), time.perf_counter()


class _Silent(Leaves):
    """Commits without a word: what was done leaves neither act nor leaf, and what receipts promise is never kept."""

    def number(
        self, _c: Connection, events: Sequence[AuditEvent], _made: Mapping[str, bytes], _keys: CaseKeys
    ) -> list[Numbered]:
        """Nothing is numbered."""
        now = RealClock().now()
        return [Numbered(Leaf(event.act, now, "", "", 1), b"", {}) for event in events]

    def promise(self, one: Numbered) -> Promise:
        """What a receipt says instead."""
        return Promise("bench", "A" * 43, "system", 1, moment(one.leaf.at))

    def commit(self, connection: Connection, _numbered: Sequence[Numbered], receipts: str | None) -> None:
        """Only what was done."""
        with connection.pipeline():
            if receipts:
                SQL.add_receipts(connection, receipts=receipts)
            connection.commit()
