"""Bad words on the command line: the option is named, the exit code says wrong usage, and nothing was opened."""

from __future__ import annotations

import io
import shlex
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pytest
from rich.console import Console
from typer.main import get_command
from typer.testing import CliRunner

from gateway.assembly.clocks import DEMO
from gateway.cli import demo, main, report
from gateway.cli.main import app
from gateway.config import Settings
from gateway.documents import gwmap
from gateway.errors import DataFileInvalid, FileUnusable, NoteInvalid, SettingsInvalid
from gateway.store.exchange_log import ExchangeLog

BY = "--by kim.0417"
DAYS = "--from 2026-11-01 --to 2026-11-30"
MID = "019abd00-0000-7000-9000-000000000001"
PIN = "'kead-referral-out|1.0.0'"
BAD_WORDS = [
    (f"log events {BY} --purpose 'two words'", "--purpose", "a short code"),
    (f"log events {BY} --purpose 900101-1234567", "--purpose", "a short code"),
    (f"log events {BY} --case 'two words'", "--case", "a short code"),
    (f"log events {BY} --partner 'two words'", "--partner", "like KEIS"),
    (f"log events {BY} --until 9999-12-31", "--until", "from 2000 to 2099"),
    (f"log events {BY} --since 0001-01-01", "--since", "from 2000 to 2099"),
    (f"log events {BY} --since 2026-11-30 --until 2026-11-29", "", "ends before it begins"),
    (f"log provenance {BY} --purpose 'two words'", "--purpose", "a short code"),
    (f"log provenance {BY} --partner K", "--partner", "like KEIS"),
    (f"log completeness --partner KEIS {DAYS} {BY} --purpose 'two words'", "--purpose", "a short code"),
    (f"log completeness --partner KEIS --from 0001-01-01 --to 2026-11-01 {BY}", "--from", "from 2000 to 2099"),
    (f"log completeness --partner KEIS --from 2026-11-01 --to 9999-12-31 {BY}", "--to", "from 2000 to 2099"),
    (f"log bundle --exchange nope --purpose audit {BY}", "--exchange", "id of a message"),
    (f"log bundle --case 'two words' --purpose audit {BY}", "--case", "a short code"),
    (f"log bundle --case 1 --purpose 'two words' {BY}", "--purpose", "a short code"),
    (f"log bundle --case 1 --partner K-1 --purpose audit {BY}", "--partner", "like KEIS"),
    (f"log bundle --period 9999-12-30..9999-12-31 --purpose audit {BY}", "", "from 2000 to 2099"),
    (f"log bundle --period 2026-11-30..2026-11-29 --purpose audit {BY}", "", "ends before it begins"),
    (f"log bundle --period 2026-11-30.. --purpose audit {BY}", "", "2026-11-01..2026-11-30"),
    (f"map explain {MID} {BY} --purpose 'two words'", "--purpose", "a short code"),
    (f"map explain --map {PIN} --source record.json --param now", "", "name=value"),
    (f"map explain --map {PIN}", "", "--map with --source"),
    (f"map explain {MID} --map {PIN}", "", "and not both"),
    (f"map explain {MID} --source record.json", "", "and not both"),
    (f"map explain {MID} --param now=1", "", "and not both"),
    (f"map explain {MID} --map {PIN} --source record.json", "", "and not both"),
    (f"work list {BY} --kind not-placd", "--kind", "not-placed, queueing, report-missing, report-number-reused"),
    (f"work list {BY} --kind not-placd", "--kind", "delivery-…, outcome-…"),
    ("up --seed 7", "", "--seed goes with --pretend"),
    ("up --foreground --seed 7", "", "--seed goes with --pretend"),
    ("demo --night . --cases 7", "", "--cases is for a night that is made"),
    (f"retention hold 20260000000123 {BY} --reason 'two words'", "--reason", "a short code"),
    (f"retention hold 'two words' {BY} --reason audit", "CASE_NO", "a short code"),
    (f"retention release 900101-1234567 {BY}", "CASE_NO", "a short code"),
    ("retention release 20260000000123", "--by", "Missing option"),
    ("reconcile --partner KEIS --day 0001-01-01", "--day", "from 2000 to 2099"),
    ("intake nowhere", "", "does not exist"),
    ("key introduce partners --witness witness", "", "--witness-url"),
]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, a database that nobody reaches, and files that are none of ours."""
    monkeypatch.setenv("GATEWAY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GATEWAY_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("TERMINAL_WIDTH", "200")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "record.json").write_text("{}")
    (tmp_path / "file").write_bytes("카페".encode("cp949"))
    return tmp_path / "home"


@pytest.mark.parametrize(("words", "place", "remedy"), BAD_WORDS, ids=[row[0] for row in BAD_WORDS])
def test_a_bad_word_is_wrong_usage_and_names_place_and_remedy(words: str, place: str, remedy: str, home: Path) -> None:
    result = CliRunner().invoke(app, shlex.split(words))
    said = " ".join(result.stderr.replace("│", " ").split())
    assert (result.exit_code, place in said, remedy in said) == (2, True, True), said
    assert not home.exists()


def with_an_officer(command: Any, name: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command that asks who does it."""
    if any("--by" in parameter.opts for parameter in command.params):
        yield name
    for child in getattr(command, "commands", {}).values():
        yield from with_an_officer(child, (*name, child.name))


@pytest.mark.parametrize("by", ["Kim Cheolsu", "김철수", "gateway", ""])
def test_what_is_no_officers_id_ends_every_command_before_anything_is_opened(by: str, home: Path) -> None:
    found = list(with_an_officer(get_command(app)))
    assert len(found) > 20
    for name in found:
        result = CliRunner().invoke(app, [*name, "--by", by])
        said = " ".join(result.stderr.replace("│", " ").split())
        assert (result.exit_code, "--by" in said, "never by a name" in said) == (2, True, True), (name, said)
        assert "Cheolsu" not in said
    assert not home.exists()


def test_files_that_are_no_text_are_refused_as_such(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_DATABASE_URL", database)
    for words in ("log compare file", "log reopen file"):
        refused = CliRunner().invoke(app, words.split()).exception
        assert isinstance(refused, NoteInvalid)
        assert "not UTF-8" in str(refused)


@pytest.mark.parametrize("words", ["map check", "map test"])
def test_where_there_is_no_map_nothing_is_in_order(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_MAPPINGS", "nowhere")
    refused = CliRunner().invoke(app, words.split()).exception
    assert isinstance(refused, SettingsInvalid | DataFileInvalid)
    assert "GATEWAY_MAPPINGS" in str(refused)


@pytest.mark.parametrize("words", ["map test", f"map test {PIN}", "map test --json"])
def test_where_there_is_no_test_nothing_has_passed(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gwmap, "run_tests", lambda *_: ())
    result = CliRunner().invoke(app, shlex.split(words))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "nothing was tried" in result.stderr


def test_a_folder_for_proofs_is_made_for_proofs_alone(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_DATABASE_URL", database)
    assert CliRunner().invoke(app, ["log", "prove", MID]).exit_code == 1
    assert not (tmp_path / "proofs").exists()


@pytest.mark.usefixtures("hooks_as_they_were")
@pytest.mark.parametrize(
    ("words", "settings", "place"),
    [
        ("status", {"HOME": "file"}, "file/up.json"),
        ("down", {"HOME": "file"}, "file/up.json"),
        ("up", {"HOME": "file/home"}, "file/home"),
        (f"log prove {MID} --to file/proofs", {}, "file/proofs"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    words: str,
    settings: dict[str, str],
    place: str,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GATEWAY_DATABASE_URL", database)
    monkeypatch.setattr(ExchangeLog, "prove", lambda *_: ["a proof"])
    for name, value in settings.items():
        monkeypatch.setenv(f"GATEWAY_{name}", value)
    monkeypatch.setattr("sys.argv", ["gateway", *words.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 4
    assert capsys.readouterr().err.startswith(f"GW-FILE [{place}")


def test_a_night_without_a_batch_costs_no_earlier_demo(home: Path) -> None:
    demo.clean_home(home)
    (home / "to-comwel").mkdir()
    (home.parent / "night").mkdir()
    with pytest.raises(FileUnusable, match="no RHB_CASE_") as refused:
        demo.run(Settings(home=home, database_url=None), cases=1, night=home.parent / "night", seed=1, quiet=True)
    assert str(refused.value).startswith("GW-FILE [night] ")
    assert {path.name for path in home.iterdir()} == {DEMO, "to-comwel"}


def test_the_newest_batch_of_a_night_says_its_day(tmp_path: Path) -> None:
    for day in ("20261123", "20261124"):
        (tmp_path / f"RHB_CASE_{day}_001.dat").touch()
    assert demo.base_date(tmp_path) == date(2026, 11, 24)


def test_no_password_is_shown_with_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_DATABASE_URL", "postgresql://gateway:secret@db/gateway")
    monkeypatch.setenv("GATEWAY_STAMPS_URL", "https://us:secret@tsa.example")
    for words in ("settings", "settings --json"):
        said = CliRunner().invoke(app, words.split()).stdout
        assert "secret" not in said
        assert "https://***@tsa.example" in said
        assert "GATEWAY_HOME" in said


def test_no_element_of_a_map_is_cut_where_there_is_no_screen() -> None:
    pin = "kead-referral-out|1.0.0"
    rows = orjson.loads(CliRunner().invoke(app, ["map", "lineage", pin, "--json"]).stdout)
    said = CliRunner().invoke(app, ["map", "lineage", pin]).stdout
    assert [row["target"] for row in rows if f" {row['target']} " not in said] == []
    assert "…" not in said


def test_what_does_not_fit_on_the_screen_is_counted(tmp_path: Path) -> None:
    found = report.Report(tmp_path, tmp_path, problems=[f"message [{n}] is gone" for n in range(report.MOST + 3)])
    screen = Console(width=140, record=True, file=io.StringIO())
    report.show(found, screen)
    said = screen.export_text()
    assert "message [0] is gone" in said
    assert "3 more; --json says all of them" in said
