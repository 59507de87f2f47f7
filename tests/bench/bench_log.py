"""The exchange log: acts committed with their leaves, until they stand in a published checkpoint; checks and proofs.

Four producers commit units of one act and of 32 (a delivery batch), on three partners' streams, while one sequencer
works as in every engine. Targets: 1,000 leaves a second, published within half a second, 700 bytes a leaf, a self-check
of a million leaves in a minute, a proof in 10 ms, a bundle of one exchange in 200 ms.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from gateway.assembly import prepare
from gateway.assembly.books import Books, open_books
from gateway.exchange_log.audit import AuditEvent
from gateway.journey.evidence import evidence
from gateway.journey.intake import take_in
from gateway.journey.refer import refer
from gateway.journey.screen import screen_cases
from gateway.ports import ActsAsked
from gateway.store.sequencer import Head
from tests.bench import stage
from tests.bench.figure import Figure

PRODUCERS = 4
PARTNERS = ("KEIS", "KEAD", "TRN", "KEIS")
BATCH = 32
SECONDS = 4.0
SEQUENCER_RESTS_S = 0.2


def run() -> tuple[Figure, ...]:
    """Leaves a second, seconds until published, bytes a leaf, seconds of a self-check, milliseconds of a proof."""
    with stage.home() as home:
        settings = stage.settings(home)
        prepare(settings)
        with open_books(settings) as books:
            books.log.round()
            with _sequenced(books) as published:
                one, _ = _produce(books, 1, published)
                many, waits = _produce(books, BATCH, published)
            books.log.catch_up()
            head = books.log.head()
            return (
                Figure("acts with leaves, one a commit", "leaves/s", (one,), target=1_000),
                Figure(f"acts with leaves, {BATCH} a commit", "leaves/s", (many,), target=1_000),
                Figure("from commit to published checkpoint, p99", "ms", (_p99(waits) * 1e3,), 500, at_most=True),
                Figure("the log in the database", "bytes a leaf", (_bytes(books) / head.size,), 700, at_most=True),
                Figure("self-check of a million leaves, from fewer", "s", (_check(books, head),), 60, at_most=True),
                Figure(f"a proof among {head.size:,} leaves", "ms", (_prove(books) * 1e3,), 10, at_most=True),
                Figure(f"bundle of an exchange, {head.size:,} leaves", "ms", _bundles(home), 200, at_most=True),
            )


class _Published:
    """How many leaves are in the published checkpoint, and since when."""

    def __init__(self) -> None:
        self.sizes: list[tuple[float, int]] = []

    def since(self, size: int) -> float | None:
        """When so many were published first."""
        return next((at for at, known in self.sizes if known >= size), None)


@contextmanager
def _sequenced(books: Books) -> Iterator[_Published]:
    published, stop = _Published(), threading.Event()

    def work() -> None:
        while not stop.is_set():
            if books.log.round():
                published.sizes.append((time.perf_counter(), books.log.head().size))
            stop.wait(SEQUENCER_RESTS_S)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield published
    finally:
        stop.set()
        thread.join()


def _produce(books: Books, batch: int, published: _Published) -> tuple[float, list[float]]:
    """Leaves a second, and how long each waited from its commit to its publication."""
    committed: list[tuple[float, int]] = []
    counted, lock = [books.log.head().size], threading.Lock()
    ends = time.perf_counter() + SECONDS

    def produce(n: int) -> int:
        events, units = [_act(n, i) for i in range(batch)], 0
        while time.perf_counter() < ends:
            with books.store.unit() as unit:
                unit.commit(*events)
            with lock:
                counted[0] += batch
                committed.append((time.perf_counter(), counted[0]))
            units += 1
        return units

    with ThreadPoolExecutor(PRODUCERS) as pool:
        units = sum(pool.map(produce, range(PRODUCERS)))
    while (published.since(counted[0])) is None:
        time.sleep(0.01)
    waits = [(published.since(size) or at) - at for at, size in committed]
    return units * batch / SECONDS, waits


def _act(n: int, i: int) -> AuditEvent:
    case_no, mid = f"{n * 100 + i % 8:014d}", f"019abd00-0000-7000-9000-{i:012x}"
    return AuditEvent(
        "delivery.attempted", "gateway", "vocational-rehab", partner=PARTNERS[n], case_no=case_no, mid=mid
    )


def _p99(waits: list[float]) -> float:
    return statistics.quantiles(waits, n=100)[98]


def _bytes(books: Books) -> float:
    tables = "xlog_entry", "xlog_tile", "xlog_checkpoint"
    with books.log.reading() as connection:
        sizes = [connection.execute("select pg_total_relation_size(%s::regclass)", (t,)).fetchone() for t in tables]
    return float(sum(row[0] for row in sizes if row))


def _check(books: Books, head: Head) -> float:
    began = time.perf_counter()
    assert list(books.log.findings()) == []
    return (time.perf_counter() - began) / head.size * 1e6


def _prove(books: Books) -> float:
    with books.log.reading() as connection:
        ids = [str(i) for (i,) in connection.execute("select event_id from xlog_entry order by random() limit 50")]
    began = time.perf_counter()
    for event_id in ids:
        assert books.log.prove(event_id)
    return (time.perf_counter() - began) / len(ids)


def _bundles(home: Path) -> tuple[float, ...]:
    """Milliseconds of each of some bundles: message, explanation, keys, every act and proof."""
    known = stage.knowledge(home)
    with stage.alone(home, stage.staffed(known, 2)) as gateway:
        take_in(gateway.world, stage.night(home / "night", 60))
        screen_cases(gateway.world)
        while refer(gateway.world):
            gateway.log.catch_up()
        gateway.log.catch_up()
        with gateway.store.unit() as unit:
            mids = [exchange["mid"] for exchange in unit.outbox.report()][:20]
        taken = []
        for mid in mids:
            began = time.perf_counter()
            evidence(gateway.world, gateway.log, ActsAsked(mid=mid), by="bench", purpose="bench", content=True)
            taken.append((time.perf_counter() - began) * 1e3)
    return tuple(taken)
