"""What all tests share: one real PostgreSQL a session, a fresh database a test, data loaded once."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import structlog

from gateway.store.embedded import embedded_postgres
from gateway.store.migrate import migrate
from gateway.store.units import PostgresStore

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))

ROOT = Path(__file__).resolve().parent.parent
_COUNT = itertools.count()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with a migrated template database; GATEWAY_TEST_DATABASE_URL takes a running one instead."""
    given = os.environ.get("GATEWAY_TEST_DATABASE_URL")  # noqa: TID251 - the tests' own setting
    if given:
        _template(given)
        yield given
        return
    with embedded_postgres(tmp_path_factory.mktemp("pg")) as url:
        _template(url)
        yield url


def _template(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("drop database if exists gateway_template")
        connection.execute("create database gateway_template")
    migrate(in_database(url, "gateway_template"))


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
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"create database {name} template gateway_template")
    yield in_database(postgres, name)
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def postgres_store(database: str) -> Iterator[PostgresStore]:
    """A store on a fresh database."""
    store = PostgresStore(database)
    yield store
    store.close()
