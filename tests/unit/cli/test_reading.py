"""Commands that show whom cases and messages are about: who looks is on record, or nothing is shown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from gateway.cli.main import app
from gateway.cli.operating import plain_attempt
from gateway.cli.screen import print_json
from gateway.documents import strict_json
from gateway.errors import NotFit
from gateway.ports import AttemptRow
from gateway.sealing import heads
from gateway.sealing.heads import Head

Say = Callable[[str], Any]


@pytest.fixture
def say(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Words of a command line, said to a gateway that has nothing yet."""
    monkeypatch.setenv("GATEWAY_DATABASE_URL", database)
    monkeypatch.setenv("GATEWAY_HOME", str(tmp_path / "home"))
    return lambda words: CliRunner().invoke(app, words.split())


def read(database: str) -> list[tuple[str, str]]:
    """Who has read what, in order."""
    with psycopg.connect(database, options="-c app.partner=*") as books:
        found = books.execute("select act, actor from audit_event where act like '%.listed' order by id").fetchall()
    return [(act, actor) for act, actor in found]


@pytest.mark.rule("R-12")
def test_a_list_is_given_out_when_it_is_kept_who_looks(say: Say, database: str) -> None:
    for words in ("status cases --ndjson", "status exchanges --ndjson --by kim.0417", "dead list --by kim.0417"):
        assert say(words).exit_code == 0
    assert say("dead show NO-SUCH --by kim.0417").exit_code == 2
    assert read(database) == [
        ("cases.listed", "gateway"),
        ("exchanges.listed", "kim.0417"),
        ("dead.listed", "kim.0417"),
    ]


def test_what_a_command_did_is_in_the_log_when_it_has_left(say: Say, database: str) -> None:
    assert say("status cases --ndjson").exit_code == 0
    with psycopg.connect(database, options="-c app.partner=*") as books:
        assert books.execute("select count(*) from xlog_pending").fetchone() == (0,)
    result = say("log verify")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "12 checks, 0 findings")


@pytest.mark.parametrize("words", ["dead list", "dead show MID"])
def test_an_officer_says_who_looks(say: Say, words: str) -> None:
    result = say(words)
    assert (result.exit_code, "--by" in result.stderr) == (2, True)


def test_in_a_database_that_only_reads_nothing_is_shown_and_it_is_said_why(say: Say, database: str) -> None:
    assert say("status cases --ndjson").exit_code == 0
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute(f"alter database {name} set default_transaction_read_only = on")
    result = say("status cases --ndjson")
    assert (isinstance(result.exception, NotFit), result.stdout) == (True, "")
    assert "the database only reads" in str(result.exception)


def test_the_head_of_an_attempt_is_shown_as_what_it_is(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    at = datetime(2026, 11, 23, tzinfo=UTC)
    head = heads.keep(Head("POST", "https://keis.example/messages", "application/json", "sig1=()", "sig1=:AA==:", 503))
    tried = AttemptRow("KEIS", "m", 1, "after", 503, None, "server", at, at, head)
    print_json([plain_attempt(tried), plain_attempt(tried._replace(head=None))])
    said = [one["head"] for one in strict_json.reread(capfdbinary.readouterr().out)]
    assert said == [["POST", "https://keis.example/messages", *said[0][2:]], None]
    assert said[0][5] == 503
