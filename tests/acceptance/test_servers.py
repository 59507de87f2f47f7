"""The gateway on servers that run already: PostgreSQL with an owner and a login of its own, and a broker.

They are the test session's PostgreSQL and a Valkey of the wheel, or those that are named (tests/README.md).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from redis import Redis

from gateway.assembly.clocks import DEMO
from gateway.cli.partners import free_port
from gateway.config import environment
from gateway.store.migrate import APP_ROLE
from gateway.worker import broker
from tests.conftest import home_folder, in_database, run_on, running_broker
from tests.faults.stage import wait_for

CASES = 12


class Servers(NamedTuple):
    """Where they are, for the migration, for the work, and for who wakes."""

    owner: str
    login: str
    broker_url: str
    redis: Redis

    def run(self, home: Path, *words: str, **settings: object) -> subprocess.CompletedProcess[bytes]:
        """Run a command as an operator does."""
        told = {"owner_url": self.owner, "database_url": self.login, "broker_url": self.broker_url} | settings
        command = [sys.executable, "-m", "gateway", *words]
        return subprocess.run(
            command, env=environment(home=home, **told), capture_output=True, timeout=400, check=False
        )

    def book(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.login, options="-c app.partner=*") as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def logins(postgres: str) -> Iterator[tuple[str, str]]:
    """An empty database, as its owner and as a login that may only work in it."""
    name, owner, login = (f"{what}{os.getpid()}" for what in ("servers", "owner", "login"))
    there = in_database(postgres, name)
    run_on(
        postgres,
        f"create role {owner} login password 'x' in role {APP_ROLE}",
        f"create role {login} login password 'x' in role {APP_ROLE}",
        f"create database {name} owner {owner} template template0",
    )
    yield make_conninfo(there, user=owner, password="x"), make_conninfo(there, user=login, password="x")
    run_on(postgres, f"drop database {name} with (force)", f"drop role {owner}", f"drop role {login}")


@pytest.fixture(scope="module")
def servers(logins: tuple[str, str]) -> Iterator[Servers]:
    with running_broker() as running, home_folder() as folder:
        own = None if running else subprocess.Popen(broker.command(folder), stdout=subprocess.DEVNULL)
        if own:
            wait_for("Valkey answers", broker.socket_of(folder).exists)
        with Redis.from_url(running or f"unix://{broker.socket_of(folder)}") as redis:
            yield Servers(*logins, running or broker.broker_url(folder), redis)
        if own:
            own.terminate()
            own.wait()


@pytest.fixture(scope="module")
def demo(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The home of a small night that went through every process, and what the demo said."""
    home = tmp_path_factory.mktemp("servers") / "home"
    done = servers.run(home, "demo", "--cases", str(CASES), "--json")
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    return home, orjson.loads(done.stdout)


def test_a_demo_on_running_servers_closes_the_loop_in_their_database(
    servers: Servers, demo: tuple[Path, dict[str, Any]]
) -> None:
    home, report = demo
    assert report["problems"] == []
    assert report["verdicts"] == f"{CASES} of {CASES} expected verdicts are met"
    assert not {"postgres", "valkey"} & {path.name for path in home.iterdir()}
    assert servers.book("select count(*) from referral") == [(report["counts"]["referrals"],)] != [(0,)]
    assert servers.redis.exists("_kombu.binding.journey")


@pytest.mark.usefixtures("demo")
def test_another_demo_is_refused_and_leaves_no_key_in_their_database(servers: Servers, tmp_path: Path) -> None:
    keys = "select owner, kid from partner_key order by 1, 2"
    before = servers.book(keys)
    again = servers.run(tmp_path / "demo", "demo", "--cases", "1")
    assert (again.returncode, b"GATEWAY_DATABASE_URL: somebody has worked with" in again.stderr) == (4, True)
    up = servers.run(tmp_path / "up", "up", "--pretend", port=free_port())
    said = (tmp_path / "up" / "logs" / "supervisor.log").read_bytes()
    assert (up.returncode, b"GATEWAY_DATABASE_URL: somebody has worked with" in said) == (4, True)
    assert [owner for owner, _ in before] == ["comwel", "kead", "keis", "trn"]
    assert servers.book(keys) == before


def test_up_starts_no_server_of_its_own_and_down_stops_none(
    servers: Servers, demo: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    home, port = tmp_path / "home", free_port()
    shutil.copytree(demo[0], home, ignore=shutil.ignore_patterns(DEMO))
    refused = servers.run(demo[0], "up", "--workers", "1", port=port)
    assert (refused.returncode, b"GATEWAY_HOME is a demo's" in refused.stderr) == (4, True)
    up = servers.run(home, "up", "--workers", "1", port=port)
    try:
        assert up.returncode == 0, up.stderr.decode()
        status = orjson.loads(servers.run(home, "status", "--json", port=port).stdout)
        assert {one["name"] for one in status["processes"] if one["since"]} == {
            "supervisor",
            "door",
            "worker-1",
            "beat",
        }
        assert (status["ready"], status["because"]) == (True, [])
    finally:
        down = servers.run(home, "down")
    assert (down.returncode, down.stderr) == (0, b"")
    assert servers.book("select current_database() is not null") == [(True,)]
    assert servers.redis.ping()
