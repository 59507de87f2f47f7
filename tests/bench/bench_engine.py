"""The production engine: Celery workers in processes of their own, PostgreSQL, Valkey, and partners that only take.

Outbound: an outbox of sealed referrals is set free and drained by 1, 2 and 4 workers; then by 2 and 4 workers while
every partner takes 50 ms to answer. A round counts from its first attempt to its last receipt, by the database's own
books; every delivery is signed, proven by the partner, receipted, and its receipt verified and kept. Without a broker:
how long a referral waits until its first attempt when nobody is woken. And the same way built by hand (`naive.py`).
Targets: 400 deliveries a second with 2 workers; four at least 1.8 times two when partners are slow; 2 s at the 99th
percentile without a broker; 20 times what is built by hand. Partners run on the same cores (`taker.py`).
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import orjson
import psycopg
from celery import Celery
from joserfc.jwk import ECKey

from gateway.cli.partners import free_port
from gateway.worker import broker
from tests.bench import stage
from tests.bench.engine import Site, filled, process, takers, until
from tests.bench.figure import Figure, Floor
from tests.bench.naive import TABLE

ROUND = 1_500  # the first second, in which nobody was woken and each looks when its second is over, is a small part
ROUNDS = 2
CASES = 10_500
SLOW_S = 0.05
LEAST_PER_S, LEAST_GAIN, MOST_WAIT_S, LEAST_TIMES = 400, 1.8, 2.0, 20
WAITING = 40
BY_HAND = 200
NOTHING = 500
ROOT = Path(__file__).resolve().parents[2]


def run() -> tuple[Figure, ...]:
    """Deliveries a second by workers and partners; what four workers gain; the wait without a broker."""
    with stage.home() as home, filled(home, CASES) as site:
        fast = {n: rounds(site, n, 0.0) for n in (1, 2, 4)}
        slow = {n: rounds(site, n, SLOW_S) for n in (2, 4)}
        waits = _waits(site)
        by_hand, empty = _by_hand(site)
    two = Figure("deliveries, 2 workers", "/s", fast[2], target=LEAST_PER_S)
    gain = tuple(four / two for two, four in zip(slow[2], slow[4], strict=True))
    return (
        Figure("deliveries, 1 worker", "/s", fast[1]),
        two,
        Figure("deliveries, 4 workers", "/s", fast[4]),
        Figure("deliveries, 2 workers, partners take 50 ms", "/s", slow[2]),
        Figure("deliveries, 4 workers, partners take 50 ms", "/s", slow[4]),
        Figure("  four workers to two", "", gain, target=LEAST_GAIN),
        Figure("wait for a first attempt without a broker, p99", "s", (waits,), target=MOST_WAIT_S, at_most=True),
        Figure("the same way, built by hand", "/s", (by_hand,), floor=Floor("deliveries, 2 workers", two.median)),
        Figure("  ours to it", "", (two.median / by_hand,), target=LEAST_TIMES),
        Figure("  an empty Celery task of its workers", "/s", (empty,)),
    )


@contextmanager
def _engine(site: Site, workers: int, delay_s: float, *, broken: bool = False) -> Iterator[None]:
    """Partners, broker (unless broken), workers and beat; left when all of them have ended."""
    home, told = site.settings.home, site.told
    alive = [home / f"alive-{n}" for n in range(workers)]
    python = sys.executable
    with ExitStack() as stack:
        stack.enter_context(takers(site, delay_s))
        if not broken:
            stack.enter_context(process(*broker.command(home)))
            stack.enter_context(process(python, "-m", "gateway", "beat", env=told))
        for file in alive:
            file.unlink(missing_ok=True)
            stack.enter_context(process(python, "-m", "gateway", "worker", "--alive", str(file), env=told))
        until(lambda: all(file.exists() for file in alive), "the workers are there")
        yield


# ── outbound ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def rounds(site: Site, workers: int, delay_s: float) -> tuple[float, ...]:
    """Deliveries a second of so many workers, round by round, with partners that take so long."""
    with _engine(site, workers, delay_s):
        _drained(site, ROUND // 9)  # connections, prepared statements
        return tuple(_drained(site, ROUND) for _ in range(ROUNDS))


def _drained(site: Site, many: int) -> float:
    """Set so many deliveries free and wait for the last receipt; deliveries a second from the first attempt on.

    Raises RuntimeError when there are not so many.
    """
    (last,) = site.ask("select coalesce(max(ended_at), 'epoch') from attempt")
    site.ask(
        """update delivery set next_at = now() where (partner, mid) in (
               select partner, mid from delivery where next_at = 'infinity' order by mid limit %s)""",
        many,
    )
    left = "select count(*) from delivery where state in ('ready', 'leased') and next_at < 'infinity'"
    until(lambda: site.ask(left)[0] == 0, "the outbox is empty")
    sql = """select count(distinct mid), extract(epoch from max(ended_at) - min(began_at))::float8
             from attempt where began_at > %s"""
    count, seconds = site.ask(sql, last)
    if count < many:
        raise RuntimeError(f"the outbox held {count} of {many} referrals")
    return float(count / seconds)


# ── nobody is woken ──────────────────────────────────────────────────────────────────────────────────────────────────
def _waits(site: Site) -> float:
    """Seconds from when a message may leave to its first attempt, without a broker: the 99th percentile of 40."""
    with _engine(site, 2, 0.0, broken=True):
        for _ in range(WAITING):
            sql = """update delivery set next_at = now(), first_at = now() where (partner, mid) in (
                         select partner, mid from delivery where next_at = 'infinity' order by mid limit 1)"""
            site.ask(sql)
            time.sleep(0.13)
        time.sleep(2.0)
        with psycopg.connect(site.database) as connection:
            sql = """select extract(epoch from min(a.began_at) - d.first_at)::float8 from delivery d
                     join attempt a using (partner, mid) group by partner, mid, d.first_at
                     order by d.first_at desc limit %s"""
            waits = sorted(float(s) for (s,) in connection.execute(sql, (WAITING,)))
    return statistics.quantiles(waits, n=100)[98]


# ── by hand ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def _by_hand(site: Site) -> tuple[float, float]:
    """Messages a second of `naive.py`: from the first POST to the last verified receipt, two worker processes.

    Beside it: how many tasks a second the same workers do that are empty.
    """
    home = site.settings.home / "by-hand"
    home.mkdir()
    ports = {"door": free_port(), "port": free_port()}
    keys = {name: ECKey.generate_key("P-256").as_dict(private=True) for name in ("ours", "theirs")}
    told = {
        "database": site.database,
        "broker": site.settings.broker_url,
        "partner": f"http://127.0.0.1:{ports['port']}/",
    }
    (home / "naive.json").write_bytes(orjson.dumps({**told, **ports, **keys}))
    site.ask(TABLE)
    python, env = sys.executable, {**site.told, "PYTHONPATH": str(ROOT)}
    message = orjson.loads((ROOT / "schemas" / "fhir" / "good" / "referral-message.json").read_bytes())
    with ExitStack() as stack:
        stack.enter_context(process(*broker.command(site.settings.home)))
        for role in ("door", "partner"):
            stack.enter_context(process(python, "-m", "tests.bench.naive", role, env=env, cwd=home))
        celery = (python, "-m", "celery", "-A", "tests.bench.naive", "worker", "--concurrency", "2", "-l", "ERROR")
        stack.enter_context(process(*celery, env=env, cwd=home))
        client = stack.enter_context(httpx2.Client(base_url=f"http://127.0.0.1:{ports['door']}", trust_env=False))
        until(lambda: _posted(client, message, 0), "the door by hand is open")
        done = "select count(*) from naive_message where receipt is not null"
        until(lambda: site.ask(done)[0] == 1, "the first message by hand is across")
        began = time.perf_counter()
        with ThreadPoolExecutor(4) as side_by_side:
            posted = list(side_by_side.map(lambda n: _posted(client, message, n), range(1, BY_HAND + 1)))
        until(lambda: site.ask(done)[0] == BY_HAND + 1, "all messages by hand are across")
        seconds = time.perf_counter() - began
        empty = _emptied(site.settings.broker_url or "")
    if not all(posted):
        raise RuntimeError("the door by hand refused a message")
    return BY_HAND / seconds, empty


def _emptied(url: str) -> float:
    """Empty tasks a second, from the first that is sent to the last that is acknowledged."""
    with Celery(broker=url) as app, app.connection_for_write() as connection:
        queues = connection.default_channel.client  # type: ignore[attr-defined]  # a channel of Redis has one
        began = time.perf_counter()
        for _ in range(NOTHING):
            app.send_task("nothing", connection=connection, ignore_result=True)
        until(lambda: queues.llen("celery") + queues.hlen("unacked") == 0, "all empty tasks are done")
        return NOTHING / (time.perf_counter() - began)


def _posted(client: httpx2.Client, message: dict[str, Any], number: int) -> bool:
    body = {**message, "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{number}"}}
    with suppress(httpx2.TransportError):
        return client.post("/Bundle", json=body).status_code == 202
    return False
