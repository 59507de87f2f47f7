"""How the gateway stands, for people: what is there is shown, and what is away is said."""

from __future__ import annotations

import io
import os
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from rich.console import Console
from typer.testing import CliRunner

from gateway.cli import running, standing
from gateway.cli.main import app
from gateway.config import Settings
from gateway.journey.gate import Gate, Reason, turn
from gateway.store.postgres import PostgresStore
from tests.conftest import run_on
from tests.journey.world import a_case, make_scene

US = os.getpid()


def up(home: Path, **more: object) -> None:
    """A home that is up: this process is all of it, and its door does not answer."""
    said = {"supervisor": running.described("supervisor", US), "ready": True, "url": "http://127.0.0.1:1"}
    gone = running.described("beat", US) | {"began": "1"}
    children = [running.described("door", US), gone]
    running.state_file(home).write_bytes(orjson.dumps(said | {"children": children} | more))


def shown(found: standing.Standing) -> str:
    out = io.StringIO()
    standing.show(found, Console(file=out, width=120), standing.utc_now())
    return out.getvalue()


def test_what_waits_for_each_partner_is_counted_and_how_long(
    database: str, tmp_path: Path, postgres_store: PostgresStore
) -> None:
    scene = make_scene(postgres_store, tmp_path / "scene")
    scene.refer(a_case(1), a_case(2))
    scene.deliver("KEIS")
    turn(scene.world, "TRN", Gate.PAUSED, by="ops-3", reason=Reason.INCIDENT)
    settings = Settings(home=tmp_path, database_url=database, partner_urls={"KEIS": "http://keis.example/"})
    found = standing.look(settings)
    lines = {line.partner: line for line in found.lines}
    assert (lines["KEIS"].waiting, lines["KEAD"].waiting, lines["TRN"].waiting) == (0, 2, 2)
    assert (lines["KEIS"].oldest_s, lines["KEIS"].gate, lines["KEIS"].breaker) == (0.0, "open", "closed")
    assert lines["TRN"].gate == "paused"
    assert lines["KEAD"].oldest_s > 0
    assert found.counts is not None
    assert found.counts["cases"] == 2
    assert "nothing is up in this home" in shown(found)
    assert any(line.split()[:3] == ["KEAD", "2", "0"] for line in shown(found).splitlines())


def test_who_runs_and_who_does_not_and_a_door_that_is_silent(database: str, tmp_path: Path) -> None:
    up(tmp_path)
    found = standing.look(Settings(home=tmp_path, database_url=database))
    assert [(one.name, one.since is not None) for one in found.processes] == [
        ("supervisor", True), ("door", True), ("beat", False)]  # fmt: skip
    assert (found.ready, found.because) == (False, [standing.SILENT])
    assert "does not run" in shown(found)
    assert f"not ready: {standing.SILENT}" in shown(found)


def test_a_database_that_is_away_is_said_and_the_rest_is_shown(tmp_path: Path) -> None:
    up(tmp_path)
    nowhere = f"postgresql://postgres@/postgres?host={tmp_path}"
    found = standing.look(Settings(home=tmp_path, database_url=nowhere))
    assert (found.counts, list(found.lines)) == (None, [])
    assert len(found.processes) == 3


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("update alembic_version set version_num = '0001_first' where version_num !~ '^post'", "older"),
        ("update alembic_version set version_num = 'post_9999_next' where version_num ~ '^post'", "newer"),
    ],
)
def test_a_database_of_another_release_is_said_and_the_rest_is_shown(
    step: str, said: str, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_on(database, step)
    up(tmp_path)
    found = standing.look(Settings(home=tmp_path, database_url=database))
    assert (found.counts, len(found.processes), found.because[0]) == (None, 3, standing.SILENT)
    assert f"the database is {said} than this release" in shown(found)
    monkeypatch.setenv("GATEWAY_HOME", str(tmp_path))
    monkeypatch.setenv("GATEWAY_DATABASE_URL", database)
    assert CliRunner().invoke(app, ["status"]).exit_code == 4


def test_a_door_of_another_release_is_ready_and_what_cannot_be_shown_is_said() -> None:
    found = standing.Standing([], "http://door", True, ["the database is newer than this release"], [], None, False)
    assert "ready: http://door; the database is newer than this release" in shown(found)


def test_a_home_without_a_database_is_looked_at_and_stays_without_one(tmp_path: Path) -> None:
    found = standing.look(Settings(home=tmp_path))
    assert (found.ready, found.counts) == (None, None)
    assert "nothing is up in this home; the database cannot be reached: there is none here yet" in shown(found)
    assert list(tmp_path.iterdir()) == []


def test_in_a_home_that_is_up_its_own_database_and_broker_are_asked(tmp_path: Path) -> None:
    up(tmp_path, database_url="postgresql://there", broker_url="redis+socket:///there")
    there = running.at_home(Settings(home=tmp_path))
    assert (there.database_url, there.broker_url) == ("postgresql://there", "redis+socket:///there")
    given = Settings(home=tmp_path, database_url="postgresql://given", broker_url="redis://given")
    assert running.at_home(given) == given
    running.state_file(tmp_path).unlink()
    assert running.at_home(Settings(home=tmp_path)).database_url is None


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (3600, "1 h 0 min"), (90_000, "1 d 1 h")]
)
def test_a_duration_is_told_in_its_two_largest_units(seconds: int, said: str) -> None:
    assert standing._ago(timedelta(seconds=seconds)) == said
