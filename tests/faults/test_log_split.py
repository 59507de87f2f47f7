"""Two sequencers after a split: a failover that left the old primary at work, or a restore beside what lives on.

Both databases continue the same log, each in its own way. One of them may; the other is stopped, in words that say why,
before anything of it is published or cosigned.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from gateway.assembly.books import open_books
from gateway.config import Settings
from tests.conftest import in_database
from tests.faults.test_log_crashes import act, rounds, witnessed

LEAVES = 20
SPLIT_AT = LEAVES + 1


@pytest.fixture
def settings(database: str, home: Path) -> Settings:
    return Settings(database_url=database, home=home / "gateway")


@pytest.fixture
def copies(database: str, postgres: str) -> Iterator[list[str]]:
    """Databases that are dropped afterwards."""
    made: list[str] = []
    yield made
    with psycopg.connect(postgres, autocommit=True) as server:
        for name in made:
            server.execute(f"drop database {name} with (force)")


def split(settings: Settings, postgres: str, copies: list[str]) -> Settings:
    """A copy of the database as it is now, whose gateway has the same home."""
    source, name = conninfo_to_dict(str(settings.database_url))["dbname"], f"split{os.getpid()}_{len(copies)}"
    with psycopg.connect(postgres, autocommit=True) as server:
        server.execute(f"create database {name} template {source}")
    copies.append(name)
    return settings.model_copy(update={"database_url": in_database(postgres, name)})


def size(settings: Settings) -> int:
    with open_books(settings) as books:
        return books.log.head().size


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        (9, 3, f"has {SPLIT_AT + 9} leaves outside, and {SPLIT_AT} or others in the database"),
        (3, 9, f"has {SPLIT_AT + 3} leaves outside, and {SPLIT_AT} or others in the database"),
    ],
    ids=["the shorter one is late", "the longer one is late"],
)
def test_of_two_who_publish_in_one_place_the_first_goes_on_and_the_second_is_stopped(
    first: int, second: int, why: str, settings: Settings, postgres: str, copies: list[str]
) -> None:
    act(settings, LEAVES)
    assert rounds(settings).returncode == 0
    stale = split(settings, postgres, copies)
    act(settings, first)
    act(stale, second)
    assert rounds(settings).returncode == 0
    for _ in range(2):  # again and again: nobody wears the guard down
        stopped = rounds(stale)
        assert (stopped.returncode, why in stopped.stderr) == (1, True), stopped.stderr
    assert size(stale) == SPLIT_AT
    act(settings, 1)
    assert rounds(settings).returncode == 0
    assert size(settings) == SPLIT_AT + first + 1
    with open_books(settings) as books:
        assert [str(finding) for finding in books.log.findings()] == []


def test_who_has_signed_beside_the_other_publishes_nothing_of_it(
    settings: Settings, postgres: str, copies: list[str]
) -> None:
    act(settings, LEAVES)
    assert rounds(settings).returncode == 0
    stale = split(settings, postgres, copies)
    act(stale, 3)
    assert rounds(stale, "log.committed").returncode < 0  # signed in its own database, and died before it published
    act(settings, 9)
    assert rounds(settings).returncode == 0
    [folder] = (settings.home / "xlog").iterdir()
    published = (folder / "checkpoint").read_text()
    stopped = rounds(stale)
    assert (stopped.returncode, "leaves outside" in stopped.stderr) == (1, True), stopped.stderr
    assert (folder / "checkpoint").read_text() == published


def test_who_publishes_elsewhere_is_stopped_by_what_the_witness_has_seen(
    settings: Settings, postgres: str, copies: list[str], home: Path
) -> None:
    with witnessed(settings) as used:
        act(used, LEAVES)
        assert rounds(used).returncode == 0
        stale = split(used, postgres, copies).model_copy(update={"home": home / "elsewhere"})
        shutil.copytree(used.home, stale.home)
        act(used, 9)
        assert rounds(used).returncode == 0
        act(stale, 3)
        stopped = rounds(stale)
        why = f"has {SPLIT_AT + 9} leaves outside, and {SPLIT_AT} or others in the database"
        assert (stopped.returncode, why in stopped.stderr) == (1, True), stopped.stderr
        assert size(stale) == SPLIT_AT
        with psycopg.connect(str(stale.database_url), options="-c app.partner=*") as connection:
            told = connection.execute("select kind, code from work_item").fetchall()
        assert told == [("log-does-not-add-up", "outside")]
