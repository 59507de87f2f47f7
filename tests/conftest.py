"""What all tests share: one real PostgreSQL a session, a fresh database a test, data loaded once."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import structlog
from redis import Redis

from gateway.assembly.clocks import uuid7
from gateway.store.embedded import embedded_postgres
from gateway.store.leaves import Leaves
from gateway.store.migrate import migrate
from gateway.store.postgres import PostgresStore
from gateway.store.vault import Vault

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))

ROOT = Path(__file__).resolve().parent.parent
LOG_NAME = "gateway.example/xlog"
TEMPLATE = f"gateway_template_{os.getpid()}"
"""The migrated database that others are copied from. Several sessions may share a server, so each has its own."""
_COUNT = itertools.count()


ROOM = 4 << 30
"""Bytes that are free where a server's files may lie in memory; it takes a tenth of them."""


@contextmanager
def home_folder(below: Path | None = None) -> Iterator[Path]:
    """A short-lived home for an embedded database. Not below pytest's own folder, which every session makes private
    again, so that the database's unprivileged user could not reach its files any more."""
    folder = Path(tempfile.mkdtemp(prefix="gateway-test-", dir=below))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def home() -> Iterator[Path]:
    """A home for one test."""
    with home_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A server with a migrated template database; GATEWAY_TEST_DATABASE_URL takes a running one instead."""
    given = os.environ.get("GATEWAY_TEST_DATABASE_URL")  # noqa: TID251 - the tests' own setting
    if given:
        try:
            make_template(given)
            yield given
        finally:
            run_on(given, f"drop database if exists {TEMPLATE} with (force)")
        return
    with home_folder(in_memory()) as folder, embedded_postgres(folder) as url:
        make_template(url)
        yield url


def in_memory() -> Path | None:
    """A file system in memory with room for a server's files; None: the disk. A fresh database is a thousand files."""
    memory = Path("/dev/shm")  # noqa: S108 - only a folder in it is used
    return memory if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM else None


def make_template(url: str) -> None:
    """A migrated database on a server, to copy from."""
    run_on(url, f"drop database if exists {TEMPLATE}", f"create database {TEMPLATE} template template0")
    migrate(in_database(url, TEMPLATE))


def run_on(url: str, *statements: str) -> None:
    """Statements that know no transaction, on a server."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def in_database(url: str, name: str) -> str:
    """The same server, another database."""
    info = psycopg.conninfo.conninfo_to_dict(url) | {"dbname": name}
    host, user = info.get("host", ""), info.get("user", "postgres")
    port = f":{info['port']}" if "port" in info else ""
    if str(host).startswith("/"):
        return f"postgresql://{user}:@/{name}?host={host}"
    return f"postgresql://{user}:{info.get('password', '')}@{host}{port}/{name}"


@pytest.fixture
def database(postgres: str) -> Iterator[str]:
    """A fresh, migrated database."""
    name = f"t{os.getpid()}_{next(_COUNT)}"
    run_on(postgres, f"create database {name} template {TEMPLATE}")
    yield in_database(postgres, name)
    run_on(postgres, f"drop database {name} with (force)")


@contextmanager
def running_broker() -> Iterator[str | None]:
    """The Redis or Valkey that GATEWAY_TEST_BROKER_URL names, emptied afterwards; None: take the wheel's.

    Refuses one that holds something, because it would be lost.
    """
    given = os.environ.get("GATEWAY_TEST_BROKER_URL")  # noqa: TID251 - the tests' own setting
    if not given:
        yield None
        return
    with Redis.from_url(given) as redis:
        assert redis.dbsize() == 0, "GATEWAY_TEST_BROKER_URL: this database holds something; name an empty one"
        try:
            yield given
        finally:
            redis.flushdb()


def leaves() -> Leaves:
    """A writer of leaves whose vault has a secret that anybody may know."""
    return Leaves(Vault(bytes(32), os.urandom), uuid7, LOG_NAME)


@pytest.fixture
def postgres_store(database: str) -> Iterator[PostgresStore]:
    """A store on a fresh database."""
    store = PostgresStore(database, leaves())
    yield store
    store.close()
