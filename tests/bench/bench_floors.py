"""Floors: sealing against pyca alone, and what a durable commit costs on the embedded PostgreSQL.

Nothing here has a target: these are the rates no gateway on this machine can exceed with these means.
"""

from __future__ import annotations

from collections.abc import Callable

import psycopg

from gateway.store.embedded import embedded_postgres
from tests.bench import bench_sealing
from tests.bench.figure import Figure, Floor, per_second
from tests.bench.stage import home

ROUNDS = 5
GROUP = 256
BODY = bytes(range(256)) * 16


def run() -> tuple[Figure, ...]:
    """Sealing acts beside their floors, then commits."""
    return (*_sealing(), *_commits())


def _sealing() -> list[Figure]:
    runs = [bench_sealing.run(0.15) for _ in range(ROUNDS)]
    rates = {name: tuple(float(r[name]) for r in runs) for name in runs[0]}
    floors = {
        verb: Floor(f"pyca ES256 {verb}", Figure("", "", rates[f"floor: pyca ES256 {verb}"]).median)
        for verb in ("sign", "verify")
    }
    verb_of = {"seal": "sign", "make": "sign", "sign": "sign"}
    return [
        Figure(name, "/s", each, floor=floors[verb_of.get(name.split(",")[0].split()[-1], "verify")])
        for name, each in rates.items()
        if not name.startswith("floor")
    ]


def _commits() -> list[Figure]:
    with home() as folder, embedded_postgres(folder) as url, psycopg.connect(url) as connection:
        connection.execute(
            "create table message (id bigint generated always as identity primary key, body bytea not null)"
        )
        connection.commit()
        single, group = per_second([_one(connection), _many(connection)], rounds=ROUNDS)
    return [
        Figure("durable commits of one 4 kB row", "rows/s", single),
        Figure(f"group commits of {GROUP} such rows by COPY", "rows/s", tuple(g * GROUP for g in group)),
    ]


def _one(connection: psycopg.Connection[tuple[object, ...]]) -> Callable[[], object]:
    def commit() -> None:
        connection.execute("insert into message (body) values (%s)", (BODY,))
        connection.commit()

    return commit


def _many(connection: psycopg.Connection[tuple[object, ...]]) -> Callable[[], object]:
    def commit() -> None:
        with connection.cursor() as cursor, cursor.copy("copy message (body) from stdin") as copy:
            for _ in range(GROUP):
                copy.write_row((BODY,))
        connection.commit()

    return commit
