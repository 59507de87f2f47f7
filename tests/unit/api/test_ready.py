"""Ready means it: what would keep a message from being taken in or sent is said, and a start with it is refused."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient

from gateway.api.app import build_app
from gateway.assembly import Gateway, assemble
from gateway.assembly.clocks import RealClock
from gateway.config import Settings
from gateway.errors import GatewayError, NotFit, SchemaTooOld, SettingsInvalid
from gateway.sealing.keys import generate
from gateway.store import health
from tests.journey.world import knowledge

KEY = "keys/comwel-1.pem"


class SkewedClock(RealClock):
    """A clock that goes wrong when it is told to."""

    skew = timedelta()

    def now(self) -> datetime:
        return super().now() + self.skew


class Standing:
    """A gateway behind its door, and what may happen to it."""

    def __init__(self, gateway: Gateway, database: str, clock: SkewedClock) -> None:
        self.gateway, self.database, self.clock = gateway, database, clock
        self.door = TestClient(build_app(gateway))

    def ready(self) -> tuple[int, list[str]]:
        said = self.door.get("/health/ready")
        assert said.json()["ready"] is (said.status_code == 200)
        return said.status_code, said.json()["because"]

    def sql(self, statement: str) -> None:
        with psycopg.connect(self.database, autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def standing(folder: Path, database: str) -> Iterator[Standing]:
    clock = SkewedClock()
    with assemble(Settings(home=folder, database_url=database), knowledge=knowledge(), clock=clock) as gateway:
        yield Standing(gateway, database, clock)


@pytest.fixture
def here(tmp_path: Path, database: str) -> Iterator[Standing]:
    with standing(tmp_path, database) as found:
        yield found


def the_database_only_reads(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"alter database {name} set default_transaction_read_only = on")
        connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() "
                           "and pid <> pg_backend_pid()")  # fmt: skip


def a_step_of_the_schema_is_missing(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("update alembic_version set version_num = '0001_first' where version_num not like 'post%'")


def test_a_gateway_that_can_work_is_ready(here: Standing) -> None:
    assert here.ready() == (200, [])


def test_without_its_database_it_lives_and_is_not_ready_and_says_so_soon(here: Standing) -> None:
    here.gateway.store.close()
    began = time.monotonic()
    assert here.ready() == (503, [health.AWAY])
    assert time.monotonic() - began < health.PATIENCE_S + 1
    assert here.door.get("/health/live").status_code == 200


def test_with_a_database_that_only_reads_it_is_not_ready(here: Standing) -> None:
    the_database_only_reads(here.database)
    *first, last = (here.ready() for _ in range(3))  # the first may meet dead connections
    assert all(answer in ((503, [health.READ_ONLY]), (503, [health.AWAY])) for answer in first)
    assert last == (503, [health.READ_ONLY])
    assert here.door.get("/health/live").status_code == 200


def test_with_a_schema_that_is_behind_it_is_not_ready(here: Standing) -> None:
    a_step_of_the_schema_is_missing(here.database)
    assert here.ready() == (503, [SchemaTooOld.sentence])


@pytest.mark.parametrize(("seconds", "ready"), [(-6, False), (-4, True), (0, True), (4, True), (6, False)])
def test_clocks_may_be_five_seconds_apart_and_no_more(here: Standing, seconds: int, ready: bool) -> None:
    here.clock.skew = timedelta(seconds=seconds)
    assert here.ready() == ((200, []) if ready else (503, [health.CLOCK]))


def test_with_a_signing_key_that_was_revoked_it_is_not_ready(here: Standing) -> None:
    here.gateway.shelf.revoke("comwel", "comwel-1")
    assert here.ready() == (503, ["our signing key is not on the shelf, or not valid now"])


# ── a start that is refused ──────────────────────────────────────────────────────────────────────────────────────────
def start(folder: Path, database: str, **parts: Any) -> None:
    settings = parts.pop("settings", {})
    with assemble(Settings(home=folder, database_url=database, **settings), knowledge=knowledge(), **parts):
        pass


def fast(folder: Path, database: str) -> None:
    clock = SkewedClock()
    clock.skew = timedelta(seconds=6)
    start(folder, database, clock=clock)


def on_a_database_that_only_reads(folder: Path, database: str) -> None:
    the_database_only_reads(database)
    start(folder, database)


def on_an_old_schema(folder: Path, database: str) -> None:
    a_step_of_the_schema_is_missing(database)
    start(folder, database)


def after_its_key_was_lost(folder: Path, database: str) -> None:
    start(folder, database)
    (folder / KEY).unlink()
    start(folder, database)


def with_another_key_of_that_name(folder: Path, database: str) -> None:
    start(folder, database)
    (folder / KEY).write_bytes(generate("comwel-1").to_pem())
    start(folder, database)


def with_a_key_that_is_none(folder: Path, database: str) -> None:
    start(folder, database)
    (folder / KEY).write_bytes(b"not a key")
    start(folder, database)


def with_a_key_that_others_can_read(folder: Path, database: str) -> None:
    start(folder, database)
    (folder / KEY).chmod(0o644)
    start(folder, database)


def on_another_machine_with_our_signing_key_alone(folder: Path, database: str) -> None:
    settings = Settings(home=folder / "first", database_url=database)
    with assemble(settings, knowledge=knowledge()) as gateway, gateway.store.unit() as unit:
        unit.commit(gateway.world.event("cases.screened", "vocational-rehab", case_no="20260000000123"))
    (folder / "second" / "keys").mkdir(parents=True)
    shutil.copy2(folder / "first" / KEY, folder / "second" / KEY)
    start(folder / "second", database)


def in_a_home_that_is_a_file(folder: Path, database: str) -> None:
    (folder / "file").touch()
    start(folder / "file", database)


def with_a_partner_nobody_knows(folder: Path, database: str) -> None:
    start(folder, database, settings={"partner_urls": {"KIES": "http://127.0.0.1:1/"}})


REFUSED: dict[Callable[[Path, str], None], tuple[type[GatewayError], str]] = {
    fast: (NotFit, health.CLOCK),
    on_a_database_that_only_reads: (NotFit, health.READ_ONLY),
    on_an_old_schema: (SchemaTooOld, "is missing"),
    after_its_key_was_lost: (NotFit, "the private half of our signing key is not on this machine"),
    with_another_key_of_that_name: (NotFit, "another than the one of this name on the shelf"),
    with_a_key_that_is_none: (SettingsInvalid, "comwel-1.pem does not hold a private key"),
    with_a_key_that_others_can_read: (SettingsInvalid, "comwel-1.pem can be read by others"),
    on_another_machine_with_our_signing_key_alone: (NotFit, "keys/vault.secret is not the one"),
    in_a_home_that_is_a_file: (SettingsInvalid, "GATEWAY_HOME"),
    with_a_partner_nobody_knows: (SettingsInvalid, "GATEWAY_PARTNER_URLS: no profile for KIES"),
}


@pytest.mark.parametrize("start", REFUSED, ids=lambda one: one.__name__)
def test_a_start_that_could_not_work_is_refused_with_a_sentence(
    tmp_path: Path, database: str, start: Callable[[Path, str], None]
) -> None:
    kind, sentence = REFUSED[start]
    with pytest.raises(kind) as refusal:
        start(tmp_path, database)
    assert sentence in str(refusal.value)
