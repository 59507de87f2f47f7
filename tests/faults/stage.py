"""The stage of the fault tests: the production engine in real processes, and somebody who kills them.

A real PostgreSQL, a real Valkey or Redis, three pretend partners, two Celery workers and beat, all on loopback or Unix
sockets. Only the partners' door is in the test's own process. What happened is read from both sides' books afterwards:
our tables, and the journals that the partners wrote by themselves. Only processes started here are signalled.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path

import orjson
import psycopg
from redis import Redis

from gateway.assembly import Gateway, assemble
from gateway.assembly.clocks import RealClock
from gateway.assembly.sandbox import make_night
from gateway.cli.partners import PretendPartners, free_port
from gateway.cli.reckoning import compare
from gateway.cli.report import Report
from gateway.cli.running import answers
from gateway.cli.serving import Door, listen
from gateway.config import Settings, environment
from gateway.journey.intake import take_in
from gateway.worker import broker
from tests.conftest import running_broker
from tests.journey.world import knowledge

PARTNERS = ("KEIS", "KEAD", "TRN")
CASES = 60
ATTEMPT_S, LEASE_S = 1.0, 6.0
PATIENCE_S = 40.0


def wait_for(what: str, fulfilled: Callable[[], bool], patience_s: float = PATIENCE_S) -> float:
    """Wait until something is so; returns after how many seconds, fails with what was waited for."""
    began = time.monotonic()
    while not fulfilled():
        assert time.monotonic() - began < patience_s, f"waited {patience_s} s in vain: {what}"
        time.sleep(0.02)
    return time.monotonic() - began


@dataclass
class Stage:
    """What runs, and the short words the tests are told in."""

    home: Path
    gateway: Gateway
    partners: PretendPartners
    database: str
    night: Path
    report: Report
    env: dict[str, str]
    running: str | None  # a broker that runs already
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    # who runs
    def start(self, name: str, *command: str) -> None:
        """Start a process under a name; what it says is kept in the home folder."""
        with (self.home / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(command, env=self.env, stdout=log, stderr=log)

    def start_broker(self, *, to_be_killed: bool = False) -> None:
        """Valkey from the wheel, unless one runs already; what is killed is always our own."""
        if self.running and not to_be_killed:
            self.env["GATEWAY_BROKER_URL"] = self.running
            return
        self.start("valkey", *broker.command(self.home))
        wait_for("Valkey answers", lambda: broker.socket_of(self.home).exists())

    def start_workers(self, *names: str) -> None:
        for name in names:
            alive = str(self.home / f"{name}.alive")
            self.start(name, sys.executable, "-m", "gateway", "worker", "--concurrency", "4", "--alive", alive)
        self.start("beat", sys.executable, "-m", "gateway", "beat")
        for name in names:
            wait_for(f"{name} works", (self.home / f"{name}.alive").exists)

    def start_door(self) -> int:
        """A door in a process of its own, beside the test's; returns its port once it is ready."""
        self.env["GATEWAY_PORT"] = str(port := free_port())
        self.start("door", sys.executable, "-m", "gateway", "serve", "--door-only")
        wait_for("the door is open", lambda: answers(f"http://127.0.0.1:{port}/health/ready"))
        return port

    def kill(self, name: str) -> None:
        """kill -9."""
        self.processes[name].kill()
        self.processes[name].wait()

    def close(self) -> None:
        """Ask every process to end, then insist; the broker goes last."""
        for process in reversed(self.processes.values()):
            process.terminate()
        for process in reversed(self.processes.values()):
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    @contextmanager
    def stuck(self, partner: str) -> Iterator[None]:
        """A partner that takes connections and answers nobody."""
        os.kill(self.partners.pid(partner), signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.partners.pid(partner), signal.SIGCONT)

    def redis(self) -> Redis:
        """The broker itself."""
        return Redis.from_url(self.running or f"unix://{broker.socket_of(self.home)}")

    # what happens
    def hand_over(self) -> None:
        self.report.intake = take_in(self.gateway.world, self.night)

    def count(self, sql: str, *values: object) -> int:
        with psycopg.connect(self.database) as connection:
            row = connection.execute(sql, values).fetchone()
        assert row
        return int(row[0])

    def delivered(self, *partners: str) -> int:
        wanted = list(partners or PARTNERS)
        return self.count("select count(*) from delivery where state = 'delivered' and partner = any(%s)", wanted)

    def waiting(self, partner: str) -> int:
        sql = "select count(*) from delivery where state in ('ready', 'leased') and partner = %s"
        return self.count(sql, partner)

    def under_way(self, partner: str) -> int:
        return self.count("select count(*) from delivery where state = 'leased' and partner = %s", partner)

    def leased_by(self, worker: str) -> int:
        pid = self.processes[worker].pid
        sql = "select count(*) from delivery where state = 'leased' and lease_owner like %s"
        return self.count(sql, f"%-{pid}-%")

    def quiet(self) -> bool:
        """Nothing is waiting here or there: the loop has closed for every leg."""
        if self.count("select count(*) from case_record where status = 'live' and screened < revision"):
            return False
        if self.count("select count(*) from delivery where state in ('ready', 'leased')"):
            return False
        if self.count("select count(*) from leg where tracked < version") or not self.delivered():
            return False
        said = [self.partners.status(p) for p in PARTNERS]
        return not any(s["pending"] for s in said) and self.all_legs_closed() and self.all_written()

    def all_legs_closed(self) -> bool:
        return not self.count("select count(*) from leg where status not in ('completed', 'rejected', 'failed')")

    def all_written(self) -> bool:
        return not self.count("select count(*) from rtw_update where file_seq is null")

    def until_quiet(self) -> float:
        return wait_for(f"the loop closes; see {self.home}", self.quiet)

    # both sides' books
    def problems(self) -> list[str]:
        """What the demo's own comparison of the books finds."""
        with self.gateway.store.unit() as unit:
            self.report.cases = [dict(row) for row in unit.cases.report()]
            self.report.exchanges = [dict(row) for row in unit.outbox.report()]
            self.report.counts = dict(unit.counts())
        self.report.partners = {p: self.partners.status(p) for p in PARTNERS}
        return compare(self.report)

    def our_book(self) -> set[tuple[str, str, str]]:
        """(partner, message id, digest of its bytes) of everything that we ever wanted to send."""
        sql = "select partner, mid::text, encode(body_sha256, 'hex') from message where direction = 'out'"
        with psycopg.connect(self.database) as connection:
            return {(p, m, d) for p, m, d in connection.execute(sql)}

    def their_book(self) -> Counter[tuple[str, str, str]]:
        """The same, as the partners wrote down what they took in; how often each took effect."""
        return Counter((p, line["mid"], line["sha256"]) for p in PARTNERS for line in self._journal(p, "received"))

    def repeats(self) -> int:
        """How many messages came to a partner again, were known, and changed nothing."""
        return sum(len(self._journal(p, "duplicate")) for p in PARTNERS)

    def _journal(self, partner: str, what: str) -> list[dict[str, str]]:
        raw = (self.home / "partners" / partner.lower() / "journal.ndjson").read_bytes().splitlines()
        return [line for line in map(orjson.loads, raw) if line["what"] == what]


@contextmanager
def set_up(home: Path, database: str) -> Iterator[Stage]:
    """A gateway with its door open, partners, and a night that is not yet handed over; no worker yet."""
    clock, ports = RealClock(), {partner: free_port() for partner in PARTNERS}
    today, listening = clock.today(), listen("127.0.0.1", 0)
    door = f"http://127.0.0.1:{listening.getsockname()[1]}"
    settings = Settings(
        home=home,
        database_url=database,
        broker_url=broker.broker_url(home),
        public_url=door,
        partner_urls={p: f"http://127.0.0.1:{port}/messages" for p, port in ports.items()},
        partner_networks=(ip_network("127.0.0.0/8"),),
        attempt_timeout_s=ATTEMPT_S,
        lease_s=LEASE_S,
        retry_scale=0.02,
    )
    pretend = PretendPartners(home / "partners", ports, gateway=door, seed=1, base=today, slow_s=0.0, pace="bench")
    night = home / "night"
    night.mkdir()
    make_night(night, CASES, 20261123, today)
    with ExitStack() as stack:
        running = stack.enter_context(running_broker())
        gateway = stack.enter_context(assemble(settings, clock=clock, knowledge=knowledge()))
        partners = stack.enter_context(pretend)
        stack.enter_context(Door(gateway, listening))
        partners.start(gateway.jwks())
        for partner in PARTNERS:
            for jwk in partners.keys(partner):
                gateway.shelf.add(partner, jwk)
        report = Report(home=home, night=night, since=today)
        stage = Stage(home, gateway, partners, database, night, report, _environment(settings), running)
        stack.callback(stage.close)
        yield stage


def _environment(settings: Settings) -> dict[str, str]:
    """What the workers are told: the same settings, as an operator would set them."""
    told = settings.model_dump(mode="json", exclude_unset=True)
    return environment(**{k: orjson.dumps(v).decode() if isinstance(v, dict | list) else v for k, v in told.items()})
