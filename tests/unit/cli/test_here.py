"""Commands at a home that is up: they use the database that runs there, and those that need none ask for none."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import orjson
import psycopg
import pytest
from typer.testing import CliRunner

from gateway.assembly.clocks import RealClock
from gateway.assembly.shelf import KeyShelf
from gateway.cli import running, serving
from gateway.cli.here import watched
from gateway.cli.main import app
from gateway.errors import GatewayError, LogStopped, SettingsInvalid, StoreUnavailable, TooBusy
from gateway.journey import look, work
from gateway.ports import DeadRow
from gateway.sealing.keys import generate, to_jwk
from gateway.store.exchange_log import ExchangeLog
from gateway.store.postgres import PostgresStore
from gateway.telemetry.metrics import Metrics
from gateway.worker.rounds import INTAKE

MID = "019abd00-0000-7000-9000-000000000001"
BY = ("--by", "kim.0417")
DAY = "2026-11-23"
OPENS_A_GATEWAY = [
    ("partner", "list"),
    ("partner", "pause", "KEIS", *BY),
    ("partner", "stop", "KEIS", *BY),
    ("partner", "resume", "KEIS", *BY),
    ("dead", "list", *BY),
    ("dead", "show", MID, *BY),
    ("replay", "plan", "KEIS", *BY),
    ("replay", "execute", MID, *BY),
    ("work", "list", *BY),
    ("work", "done", "1", *BY),
    ("map", "explain", MID, *BY),
    ("retention", "plan"),
    ("retention", "run"),
    ("retention", "hold", "20260000000123", "--reason", "audit", *BY),
    ("retention", "release", "20260000000123", *BY),
    ("log", "events", *BY),
    ("log", "provenance", *BY),
    ("log", "completeness", "--partner", "KEIS", "--from", DAY, "--to", DAY, *BY),
    ("log", "review", "--month", "2026-11", *BY),
    ("log", "bundle", "--exchange", MID, "--purpose", "audit", *BY),
]
OPENS_BOOKS = [("log", "verify"), ("log", "keys"), ("log", "prove", MID), ("key", "introduce", "partners")]
PIN = "kead-referral-out|1.0.0"
NEEDS_NO_DATABASE = [("lineage", PIN), ("diff", PIN, PIN), ("test", PIN), ("check",)]


@pytest.fixture
def home(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that is up, as its state file says; the environment names the home alone."""
    us = running.described("door", os.getpid())
    said = {"supervisor": us, "ready": True, "children": [us], "database_url": database, "partners": {}}
    home = tmp_path / "home"
    home.mkdir()
    running.state_file(home).write_bytes(orjson.dumps(said))
    monkeypatch.setenv("GATEWAY_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    return home


def run(*words: str) -> int:
    """Run a command; it may refuse what it is asked, but nothing else may happen to it."""
    result = CliRunner().invoke(app, words)
    assert isinstance(result.exception, GatewayError | SystemExit | None), result.exception
    return result.exit_code


@pytest.mark.parametrize("words", OPENS_A_GATEWAY, ids=lambda words: " ".join(words[:2]))
def test_a_command_at_a_home_that_is_up_works_in_the_database_that_runs_there(
    words: tuple[str, ...], home: Path, database: str
) -> None:
    run(*words)
    assert not (home / "postgres").exists()
    with psycopg.connect(database, options="-c app.partner=*") as books:
        assert books.execute("select owner from partner_key").fetchall() == [("comwel",)]


@pytest.mark.parametrize("words", [*OPENS_A_GATEWAY, *OPENS_BOOKS], ids=lambda words: " ".join(words[:2]))
def test_in_a_folder_where_nobody_works_nothing_is_done_and_nothing_made(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    refused = CliRunner().invoke(app, words).exception
    assert isinstance(refused, StoreUnavailable), refused
    assert "there is none here yet" in str(refused)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("words", [*OPENS_A_GATEWAY[:2], *OPENS_BOOKS[:1]], ids=lambda words: " ".join(words[:2]))
def test_nothing_is_done_elsewhere_where_the_database_is_a_servers_and_not_named(
    words: tuple[str, ...], home: Path
) -> None:
    state = running.read_state(home)
    assert state is not None
    state |= {"on_a_server": True, "database_url": None, "url": "http://127.0.0.1:1"}
    running.state_file(home).write_bytes(orjson.dumps(state))
    refused = CliRunner().invoke(app, words).exception
    assert isinstance(refused, SettingsInvalid)
    assert "GATEWAY_DATABASE_URL" in str(refused)
    assert not (home / "postgres").exists()
    looked = CliRunner().invoke(app, ["status"])
    assert (looked.exit_code, "door" in looked.stdout, "GATEWAY_DATABASE_URL" in looked.stderr) == (3, True, True)


@pytest.mark.parametrize("words", OPENS_BOOKS, ids=" ".join)
def test_the_log_is_read_where_it_is_written(words: tuple[str, ...], home: Path) -> None:
    run(*words)
    assert not (home / "postgres").exists()


@pytest.mark.usefixtures("home")
def test_of_a_partner_that_nobody_knows_it_is_said_that_there_is_none() -> None:
    known = CliRunner().invoke(app, ["dead", "list", "--partner", "keis", *BY])
    unknown = CliRunner().invoke(app, ["dead", "list", "--partner", "KESI", *BY])
    assert (known.exit_code, known.stdout) == (0, "nothing is dead\n")
    assert (unknown.exit_code, unknown.stdout) == (2, "")
    assert "no such partner" in unknown.stderr


@pytest.mark.usefixtures("home")
def test_of_a_former_partner_what_is_dead_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    row = DeadRow("GONE", MID, "referral.created", None, None, 1, "dead", "unreachable", 9, now, bytes(32), False)
    monkeypatch.setattr(look, "dead", lambda *_, **__: [row])
    result = CliRunner().invoke(app, ["dead", "list", "--partner", "GONE", *BY])
    assert (result.exit_code, "GONE" in result.stdout) == (0, True)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("words", [["reconcile"], ["key", "introduce", "partners"]], ids=" ".join)
def test_where_there_is_nobody_to_ask_it_is_said_so(words: list[str]) -> None:
    refused = CliRunner().invoke(app, words).exception
    assert isinstance(refused, SettingsInvalid)
    assert "GATEWAY_PARTNER_URLS" in str(refused)


@pytest.mark.usefixtures("home")
def test_keys_are_shown_of_us_of_partners_and_of_former_ones_and_of_nobody_else(postgres_store: PostgresStore) -> None:
    KeyShelf(postgres_store, RealClock()).add("GONE", to_jwk(generate("gone-1")))
    listed = {owner: CliRunner().invoke(app, ["key", "list", owner]) for owner in ("comwel", "keis", "GONE", "KESI")}
    shown = {o: [key["kid"] for key in orjson.loads(r.stdout)["keys"]] for o, r in listed.items() if not r.exit_code}
    assert shown == {"comwel": ["comwel-1"], "keis": [], "GONE": ["gone-1"]}
    assert (listed["KESI"].exit_code, listed["KESI"].stdout) == (2, "")
    assert "no such partner" in listed["KESI"].stderr


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(("most", "told"), [(2, True), (3, False)])
def test_a_list_of_work_that_is_cut_off_says_so(
    most: int, told: bool, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "MOST", most)
    with psycopg.connect(database, autocommit=True) as books:
        books.execute("insert into work_item (kind, at) select 'not-placed', now() from generate_series(1, 2)")
    result = CliRunner().invoke(app, ["work", "list", *BY, "--json"])
    assert (result.exit_code, len(orjson.loads(result.stdout))) == (0, 2)
    assert ("--kind" in result.stderr) is told


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("error", [LogStopped, StoreUnavailable, TooBusy, OSError])
def test_a_log_that_has_stopped_or_is_away_is_said_and_fails_no_command(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(_log: ExchangeLog) -> int:
        raise error

    monkeypatch.setattr(ExchangeLog, "round", stopped)
    shown = {("partner", "pause", "KEIS"): "KEIS: paused, 0 messages wait", ("work", "list"): "queueing"}
    for words, said in shown.items():
        result = CliRunner().invoke(app, [*words, *BY])
        assert (result.exit_code, said in result.stdout) == (0, True)
        assert f"what was done is done, and its leaf waits: {error()}" in result.stderr


@pytest.mark.usefixtures("home")
def test_who_takes_files_in_waits_until_no_engine_does(
    postgres_store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    with ExitStack() as engine:
        assert engine.enter_context(postgres_store.alone(INTAKE))

        def wait(seconds: float) -> None:
            waited.append(seconds)
            engine.close()

        monkeypatch.setattr("gateway.cli.handovers.sleep", wait)
        assert run("intake") == 0
    assert len(waited) == 1


@pytest.mark.parametrize(("owner", "taken"), [("keis", True), ("KEIS", True), ("kies", False), ("comwel", False)])
def test_keys_are_taken_from_a_partner_of_ours_and_from_nobody_else(
    owner: str, taken: bool, home: Path, database: str
) -> None:
    file = home / "keys.json"
    file.write_bytes(orjson.dumps({"keys": [to_jwk(generate("k-1"))]}))
    assert (run("key", "add", owner, str(file)) == 0) is taken
    with psycopg.connect(database, options="-c app.partner=*") as books:
        kept = books.execute("select owner from partner_key where kid = 'k-1'").fetchall()
    assert kept == ([("keis",)] if taken else [])


@pytest.mark.parametrize("words", NEEDS_NO_DATABASE, ids=lambda words: words[0])
def test_who_looks_at_maps_needs_no_database(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_HOME", str(tmp_path))
    monkeypatch.setenv("GATEWAY_DATABASE_URL", "postgresql://127.0.0.1:1/nobody")
    assert run("map", *words) == 0
    assert list(tmp_path.iterdir()) == []


def test_settings_say_on_the_error_stream_what_is_doubtful(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_COLOUR", "blue")
    monkeypatch.setenv("GATEWAY_INBOX_DIR", str(home / "nowhere"))
    result = CliRunner().invoke(app, ["settings", "--json"])
    assert result.exit_code == 0
    assert orjson.loads(result.stdout)["GATEWAY_HOME"] == str(home)
    assert "GATEWAY_COLOUR: no setting has this name\n" in result.stderr
    assert "GATEWAY_INBOX_DIR: there is no such folder: nothing is taken in\n" in result.stderr


class Named:
    """Something that is begun and ended, and says when."""

    def __init__(self, name: str, said: list[str]) -> None:
        self.name, self.said = name, said

    def __enter__(self) -> None:
        self.said.append(f"{self.name} begins")

    def __exit__(self, *_: object) -> None:
        self.said.append(f"{self.name} ends")


@pytest.mark.usefixtures("home", "hooks_as_they_were")
def test_who_is_told_to_stop_closes_the_door_before_rounds_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    told = threading.Event()
    told.set()
    monkeypatch.setattr(serving, "told_to_stop", lambda: told)
    monkeypatch.setattr(serving, "Door", lambda _gateway, **_: Named("door", said))
    monkeypatch.setattr(sys.modules["gateway.cli.main"], "Runner", lambda *_, **__: Named("rounds", said))
    assert run("serve") == 0
    assert said == ["rounds begins", "door begins", "door ends", "rounds ends"]


@pytest.mark.usefixtures("home", "hooks_as_they_were")
def test_a_door_shows_how_it_refuses_whoever_knocks_before_anybody_has() -> None:
    with watched(works=False) as gateway:
        assert isinstance(gateway.observer, Metrics)
        shown = {
            (sample.labels["act"], sample.labels["code"]): sample.value
            for family in gateway.observer.registry.collect()
            for sample in family.samples
            if sample.name == "gateway_refusals_total"
        }
    assert shown[("message.received", "SEAL-SIGNATURE")] == shown[("message.repeated", "LOOP-REUSED")] == 0


@pytest.mark.usefixtures("hooks_as_they_were")
def test_who_stays_logs_first_what_is_doubtful(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GATEWAY_INBOX_DIR", str(home / "nowhere"))
    with watched(works=False):
        pass
    said = [orjson.loads(line) for line in capsys.readouterr().err.splitlines()]
    [doubt] = [line for line in said if line.get("subject") == "gateway_inbox_dir"]
    assert (doubt["level"], doubt["event"], doubt["code"]) == ("warning", "setting.doubtful", "no-folder")
