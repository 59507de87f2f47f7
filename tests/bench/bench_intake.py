"""A night of 10,000: files from COMWEL to stored and screened cases, on the embedded PostgreSQL.

Three rounds, each on an empty database, `take_in` and then `screen_cases`: the nightly file alone, and the nightly file
with the coordinators' entry of every case (which makes a second revision of it). Besides, reading alone, and the floor:
the same bytes of the same cases by one COPY into a bare table, one durable commit. Target: 2,000 records a second, from
the file to stored and screened; with entries a case is two records, and its floor is still counted in cases.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

from adapters.comwel.handover import A1Batch
from gateway.assembly import Gateway
from gateway.journey.intake import take_in
from gateway.journey.screen import screen_cases
from gateway.journey.world import Knowledge
from tests.bench import stage
from tests.bench.figure import Figure, Floor

CASES = 10_000
ROUNDS = 3
LEAST_PER_S = 2_000


def run() -> tuple[Figure, ...]:
    """Cases stored and screened, of that intake and screening alone, and records read a second."""
    with stage.home() as home:
        known = stage.knowledge(home)
        night = stage.night(home / "night", CASES)
        alone = shutil.copytree(night, home / "alone", ignore=shutil.ignore_patterns("RHB_JC_*"))
        reading = tuple(_reading(night) for _ in range(ROUNDS))
        figures = [
            *_figures("nightly file", 1, [_round(home / f"a{n}", alone, known) for n in range(ROUNDS)]),
            *_figures("nightly file and entries", 2, [_round(home / f"b{n}", night, known) for n in range(ROUNDS)]),
        ]
    return (*figures, Figure("reading the nightly file only", "records/s", reading))


def _figures(what: str, records: int, rounds: list[tuple[float, float, float, float]]) -> Iterator[Figure]:
    """The figures of one kind of night; `records` is how many a case has."""
    both, taking, judging, bare = zip(*rounds, strict=True)
    all_records = tuple(records * rate for rate in both)
    floor = Floor("COPY of the same cases, one commit", Figure("", "", bare).median)
    name = f"{what}, {CASES:,} cases: stored, screened"
    yield Figure(name, "records/s", all_records, target=LEAST_PER_S, floor=floor)
    yield Figure("  the same in cases", "cases/s", both)
    yield Figure("  of that taking in", "cases/s", taking)
    yield Figure("  of that screening", "cases/s", judging)


def _reading(night: Path) -> float:
    reader = A1Batch(stage.settings(night).schemas)
    began = time.perf_counter()
    records = sum(1 for path in reader.ready(night) for _ in reader.records(path))
    return records / (time.perf_counter() - began)


def _round(home: Path, night: Path, known: Knowledge) -> tuple[float, float, float, float]:
    with stage.alone(home, known) as gateway:
        began = time.perf_counter()
        taken = take_in(gateway.world, night)
        between = time.perf_counter()
        screen_cases(gateway.world)
        ended = time.perf_counter()
        cases = stage.counts(gateway)["cases"]
        if any(t.verdict != "accepted" for t in taken) or cases < 0.9 * CASES:
            raise RuntimeError(f"only {cases} cases were stored")
        return cases / (ended - began), cases / (between - began), cases / (ended - between), _copied(gateway)


def _copied(gateway: Gateway) -> float:
    """Cases a second by COPY into a table of two columns."""
    with psycopg.connect(str(gateway.store._pool.conninfo)) as connection:
        rows = connection.execute(
            "select case_no, coalesce(facts, '') || coalesce(entry, '') || coalesce(record, '') from case_record"
        ).fetchall()
        connection.execute("create table bare (case_no text primary key, content bytea not null)")
        connection.commit()
        began = time.perf_counter()
        _copy(connection, rows)
        connection.commit()
        return len(rows) / (time.perf_counter() - began)


def _copy(connection: psycopg.Connection[tuple[object, ...]], rows: list[tuple[object, ...]]) -> None:
    with connection.cursor() as cursor, cursor.copy("copy bare (case_no, content) from stdin") as copy:
        for row in rows:
            copy.write_row(row)
