"""Closed loops: referral out, receipt back, outcomes in, applied, judged, written back to COMWEL.

A loop is one leg. Its partner (a process of its own, `--pace bench`) takes it, and reports start, placement and closure
at once, each as a sealed message of its own, each answered by a sealed receipt; a partner has sixteen under way. The
gateway runs as `gateway run` does without a broker: one process with door, runner and embedded PostgreSQL, on the same
cores as the three partners.
A round: refer, then start the clock and the runner; stop when every leg is closed and every update is written back.
Target: 80 loops a second.
"""

from __future__ import annotations

import time
from pathlib import Path

import psycopg

from gateway.journey.refer import refer
from gateway.journey.world import Knowledge
from gateway.worker.embedded import Runner
from tests.bench import stage
from tests.bench.figure import Figure

CASES = 2_000  # at the end of a round nothing comes for two seconds, the settling time: a twentieth of it
COORDINATORS = 100_000  # nobody waits for a seat
ROUNDS = 3
LEAST_PER_S = 80
LONGEST_S = 120.0
Connection = psycopg.Connection[tuple[int, int, int]]
CLOSED = ("completed", "failed", "rejected", "cancelled")


def run() -> tuple[Figure, ...]:
    """Loops a second, with the messages they took."""
    with stage.home() as home:
        known = stage.staffed(stage.knowledge(home), COORDINATORS)
        nights = [stage.night(home / f"night-{n}", CASES, seed=n) for n in range(ROUNDS)]
        rounds = [_round(home / str(n), night, known) for n, night in enumerate(nights)]
    loops, messages, cpu = zip(*rounds, strict=True)
    return (
        Figure("closed loops, three partners beside", "loops/s", loops, target=LEAST_PER_S),
        Figure("  messages both ways for them", "messages/s", messages),
        Figure("  processor time of the gateway's process", "ms a loop", cpu),
    )


def _round(home: Path, night: Path, known: Knowledge) -> tuple[float, float, float]:
    with (
        stage.with_partners(home, known) as (gateway, _),
        psycopg.connect(str(gateway.store._pool.conninfo), autocommit=True) as books,
    ):
        stage.taken_in(gateway, night)
        while refer(gateway.world):
            pass
        legs = _legs(books)[0]
        began, spent = time.perf_counter(), time.process_time()
        with Runner(gateway.world, name="bench"):
            _wait(books, began + LONGEST_S)
            seconds, used = time.perf_counter() - began, time.process_time() - spent
        counts = stage.counts(gateway)
        messages = counts["messages out"] + counts["messages in"]
        return legs / seconds, messages / seconds, used / legs * 1e3


def _wait(books: Connection, until: float) -> None:
    while True:
        legs, closed, waiting = _legs(books)
        if closed == legs and not waiting:
            return
        if time.perf_counter() > until:
            raise RuntimeError(f"{closed} of {legs} legs closed in {LONGEST_S:.0f} s, {waiting} left to write back")
        time.sleep(0.25)


def _legs(books: Connection) -> tuple[int, int, int]:
    """(legs, closed legs, what is left to judge or to write back)."""
    found = books.execute(
        """select count(*), count(*) filter (where status = any(%s)),
                  count(*) filter (where tracked < version)
                  + (select count(*) from rtw_update where file_seq is null)
                  + (select count(*) from rtw_file where written_at is null) from leg""",
        (list(CLOSED),),
    ).fetchone()
    assert found is not None
    return found
