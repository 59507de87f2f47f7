"""Pretend partners get their keys only into a database that nobody has worked with, and nobody works in their home."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.assembly.clocks import DEMO
from gateway.cli import demo, pretend
from gateway.cli.main import app
from gateway.config import Settings
from gateway.errors import SettingsInvalid
from gateway.store.postgres import PostgresStore
from tests.conftest import in_database, run_on
from tests.journey.world import a_case, make_scene

SANDBOX = pretend.Sandbox(1, date(2026, 11, 23))


@pytest.fixture
def used(database: str, postgres_store: PostgresStore, tmp_path: Path) -> Settings:
    """The settings of an empty home, and of a database in which one case was referred."""
    make_scene(postgres_store, tmp_path / "scene").refer(a_case(1))
    return Settings(home=tmp_path / "home", database_url=database)


def test_a_database_that_was_worked_with_is_refused_before_anything_is_touched(used: Settings) -> None:
    with pytest.raises(SettingsInvalid, match="GATEWAY_DATABASE_URL: somebody has worked with this database"):
        demo.run(used, cases=1, night=None, seed=1, quiet=True)
    with pytest.raises(SettingsInvalid, match="GATEWAY_DATABASE_URL"):
        pretend.mark(used, SANDBOX)
    assert not used.home.exists()


def test_a_home_that_is_a_demos_already_goes_on_with_its_database(used: Settings) -> None:
    demo.clean_home(used.home)
    pretend.mark(used, SANDBOX)
    assert pretend.day_file(used.home).exists()


def test_an_empty_database_and_one_that_was_only_migrated_are_taken(
    database: str, postgres: str, tmp_path: Path
) -> None:
    empty = in_database(postgres, name := f"empty{os.getpid()}")
    run_on(postgres, f"create database {name} template template0")
    for n, url in enumerate((empty, database)):
        settings = Settings(home=tmp_path / str(n), database_url=url)
        settings.home.mkdir()
        pretend.mark(settings, SANDBOX)
        assert pretend.day_file(settings.home).exists()
    run_on(postgres, f"drop database {name}")


WORK = [
    "up", "up --foreground", "serve", "serve --door-only", "run", "worker", "intake", "intake .",
    "key revoke keis keis-1", "key rotate", "key introduce partners", "vault prepare", "vault rewrap",
]  # fmt: skip


@pytest.mark.parametrize("words", WORK)
def test_real_work_is_refused_in_a_home_that_the_next_demo_empties(
    words: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_HOME", str(home))
    monkeypatch.setenv("GATEWAY_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("GATEWAY_BROKER_URL", "redis://127.0.0.1:1")
    demo.clean_home(home)
    refused = CliRunner().invoke(app, words.split()).exception
    assert isinstance(refused, SettingsInvalid)
    assert "GATEWAY_HOME is a demo's, and the next demo empties it; set GATEWAY_HOME to another folder" in str(refused)
    assert [path.name for path in home.iterdir()] == [DEMO]


def test_the_processes_of_a_demo_work_in_its_home(tmp_path: Path) -> None:
    settings = Settings(home=demo.clean_home(tmp_path / "home"))
    pretend.refuse_a_demos(pretend.pretending(settings, "http://127.0.0.1:1"))
    pretend.refuse_a_demos(Settings(home=tmp_path / "another"))
