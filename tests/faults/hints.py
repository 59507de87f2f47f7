"""A round in which the broker's line breaks again and again: wake-ups get lost, and nothing else may.

Two workers of the production engine, beat and somebody who wakes reach Valkey through a proxy that resets every
connection every two seconds. Messages become due little by little while that goes on. The broker itself may be one
that runs already.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import psycopg

from gateway.ports import Unobserved
from gateway.worker import app, broker
from gateway.worker.wake import BrokerWake
from tests.conftest import running_broker
from tests.faults import actors, books
from tests.faults.actors import KNOWN
from tests.faults.crew import crew_at
from tests.faults.ground import Ground
from tests.faults.lines import counted
from tests.faults.partner import partners
from tests.faults.place import PARTNERS, Place
from tests.faults.proxy import Proxy
from tests.faults.rounds import PATIENCE_S, Result, Watch, result, said
from tests.faults.stage import wait_for
from tests.faults.trouble import Trouble

RESET_EVERY_S = 2.0
STALL_S = 5.0
"""No message waits so long beyond its time, and no worker is so long without a wake-up."""
WAKE_EVERY_S = 0.1
CONCURRENCY = 4


class Said(Unobserved):
    """Says in the round's file that the broker woke this process, and when."""

    def woken(self, task: str) -> None:
        """See `ports.Observer`."""
        os.write(
            2, orjson.dumps({"event": "engine.woken", "task": task, "pid": os.getpid(), "at": time.time()}) + b"\n"
        )


def engine(place: Place, broker_url: str) -> None:
    """A worker as `gateway worker` starts it."""
    actors.begin(place)
    with place.gateway(KNOWN) as gateway:
        actors.ready()
        app.work(broker_url, gateway.world, PARTNERS, concurrency=CONCURRENCY, alive=lambda: None, observer=Said())


def beat(place: Place, broker_url: str) -> None:
    """Beat as `gateway beat` starts it."""
    actors.begin(place)
    app.beat(broker_url, PARTNERS)


def waker(place: Place, broker_url: str) -> None:
    """Wake one partner's deliveries after the other, as whoever commits a message does."""
    actors.begin(place)
    wake = BrokerWake(broker_url, PARTNERS)
    while True:
        for partner in PARTNERS:
            wake(partner)
            time.sleep(WAKE_EVERY_S)


@contextmanager
def reachable(home: Path) -> Iterator[str]:
    """The address of a broker on a port: of one that runs already, or of our own."""
    with running_broker() as running:
        if running:
            yield running
        else:
            with _valkey(home) as port:
                yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def _valkey(home: Path) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    command = [*broker.command(home), "--bind", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for("Valkey answers", broker.socket_of(home).exists)
        yield port
    finally:
        process.terminate()
        process.wait()


@contextmanager
def proxied(broker_url: str) -> Iterator[tuple[Proxy, str]]:
    """A proxy before a broker, and the broker's address there."""
    there = urlsplit(broker_url)
    login = f"{there.netloc.rpartition('@')[0]}@" if "@" in there.netloc else ""
    with Proxy(there.port or 6379, there.hostname or "127.0.0.1") as proxy:
        yield proxy, there._replace(netloc=f"{login}127.0.0.1:{proxy.port}").geturl()


def reset_again_and_again(ground: Ground, for_s: float) -> Result:
    """Messages become due over so many seconds, while whoever is connected to the broker is thrown out every two."""
    began = time.monotonic()
    with ExitStack() as stack:
        place, theirs = stack.enter_context(ground.place("referred"))
        proxy, url = stack.enter_context(proxied(stack.enter_context(reachable(place.home))))
        crew = stack.enter_context(crew_at(place))
        watch = Watch(crew)
        stack.callback(watch.close)
        were_inside: list[int] = []
        acts = [lambda: were_inside.append(proxy.reset_all())] * round(for_s / RESET_EVERY_S)
        trouble = stack.enter_context(Trouble(acts, RESET_EVERY_S))
        crew.hire("partners", partners, lambda: (theirs,))
        for name in ("worker-1", "worker-2"):
            crew.hire(name, engine, lambda: (url,))
        crew.hire("beat", beat, lambda: (url,))
        crew.hire("waker", waker, lambda: (url,))
        crew.until("both workers are woken", lambda: len(woken(place)) > 1, PATIENCE_S)
        become_due(place, for_s)
        trouble.begin()
        crew.until("everything is delivered", lambda: trouble.over and not watch.left(), PATIENCE_S)
        messages = watch.count("select count(*) from message where direction = 'out'")
        found = result("reset again and again", crew, began, messages, place.lease_s + watch.longest_s)
        found.hits.update(counted(books.read(place.database, place.partners)))
        found.hits["reset"] = sum(many > 0 for many in were_inside)
        begin, end = trouble.spans[0][0], trouble.spans[-1][1]
        gaps = {f"worker {pid} had no wake-up": silence_s([begin, *at, end]) for pid, at in woken(place).items()}
        waits = {"a message waited": longest_wait_s(place)}
        found.findings.stuck.extend(f"{what} for {s:.1f} s" for what, s in (gaps | waits).items() if s > STALL_S)
        return found


def become_due(place: Place, over_s: float) -> None:
    """Let the messages become due one after the other, first the first of every case."""
    with psycopg.connect(place.database) as connection:
        connection.execute(
            "with turn as (select partner, mid, row_number() over (order by seq, mid) * %s / count(*) over () as s"
            " from delivery)"
            " update delivery d set next_at = now() + make_interval(secs => t.s), first_at = now() +"
            " make_interval(secs => t.s) from turn t where t.partner = d.partner and t.mid = d.mid",
            (over_s,),
        )


def longest_wait_s(place: Place) -> float:
    """The longest time from when a message was due to when its partner had it."""
    with psycopg.connect(place.database) as connection:
        rows = connection.execute("select mid::text, extract(epoch from first_at)::float from delivery").fetchall()
    due: dict[str, float] = dict(rows)
    lines = (line for found in books.read(place.database, place.partners).theirs.values() for line in found)
    waits: list[float] = [line["at"] - due[line["mid"]] for line in lines if line["what"] == "received"]
    return max(waits)


def woken(place: Place) -> dict[int, list[float]]:
    """When each worker was woken."""
    found: dict[int, list[float]] = defaultdict(list)
    for line in map(orjson.loads, said(place, b'"engine.woken"')):
        found[line["pid"]].append(line["at"])
    return found


def silence_s(at: list[float]) -> float:
    """The longest time between two of these moments, from the first to the last of which all count."""
    times = sorted(t for t in at if at[0] <= t <= at[-1])
    return max(later - earlier for earlier, later in pairwise(times))
