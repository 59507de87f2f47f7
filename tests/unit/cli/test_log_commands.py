"""`gateway log …` on a log with a few acts: what auditors type, what they get, and with which exit code it ends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
from cryptography.x509 import load_pem_x509_certificates
from typer.testing import CliRunner

from gateway.assembly.books import open_books
from gateway.cli.log import app
from gateway.config import Settings
from gateway.errors import LogStopped, NoteInvalid, NothingProven
from gateway.exchange_log import proof, tiles, tree
from gateway.exchange_log.audit import AuditEvent
from gateway.exchange_log.checkpoint import open_checkpoint
from gateway.exchange_log.evidence.verify import verify as check
from gateway.exchange_log.leaf import read
from gateway.exchange_log.note import Verifier
from gateway.korea import KST
from gateway.sealing import base64url
from gateway.store.stamps import Stamps
from tests.fakes.authority import Authority

MID = "019abd00-0000-7000-9000-000000000001"
ACT = AuditEvent("delivery.attempted", "gateway", "vocational-rehab", partner="KEIS", mid=MID)
OFFICER = ("--by", "kim.0417", "--purpose", "audit")
Say = Callable[..., tuple[int, Any]]


@pytest.fixture
def home(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A gateway's home whose log has 301 leaves in three checkpoints."""
    monkeypatch.setenv("GATEWAY_DATABASE_URL", database)
    monkeypatch.setenv("GATEWAY_HOME", str(tmp_path / "home"))
    with open_books(Settings()) as books:
        books.log.round()
        for events in ([ACT], [ACT] + [AuditEvent("cases.screened", "gateway", "x")] * 298):
            with books.store.unit() as unit:
                unit.commit(*events)
            books.log.round()
    return tmp_path / "home"


@pytest.fixture
def say(home: Path) -> Say:
    def run(*words: str) -> tuple[int, Any]:
        result = CliRunner().invoke(app, [*words, "--json"])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, orjson.loads(result.stdout)

    return run


def key(home: Path) -> Verifier:
    [path] = (home / "xlog").glob("*/log.vkey")
    return Verifier.parse(path.read_text())


def kept(home: Path) -> Path:
    [path] = (home / "xlog").glob("*/checkpoint")
    return path


def kept_of(home: Path, log: str) -> Path:
    return home / "xlog" / log / "checkpoint"


def test_a_log_in_order_is_said_to_be_in_order(say: Say) -> None:
    code, said = say("verify")
    assert (code, said["findings"], said["logs"][0]["size"]) == (0, [], 301)


def test_who_is_to_watch_the_log_is_given_the_key_of_the_next_year_in_time(say: Say, home: Path) -> None:
    code, found = say("keys")
    now, soon = map(Verifier.parse, found)
    year = int(now.name.rpartition("/")[2])
    assert (code, now, soon.name) == (0, key(home), now.name.replace(str(year), str(year + 1)))
    assert say("keys") == (0, found)


def test_what_does_not_add_up_is_said_in_words(say: Say, database: str) -> None:
    with psycopg.connect(database, options="-c app.partner=*") as attacker:
        attacker.execute("set session_replication_role = replica")
        attacker.execute("update audit_event set code = 'E-LB' where mid is not null")
    code, said = say("verify")
    assert code == 1
    assert [(f["check"], f["entry"]) for f in said["findings"]] == [("event", 1), ("event", 2)]
    plain = CliRunner().invoke(app, ["verify"])
    assert "entry 1): the act was changed after it was logged\n" in plain.stdout
    assert "12 checks, 2 findings" in plain.stdout


# ── time stamps ──────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def authority(home: Path, tmp_path: Path) -> Authority:
    """Whose stamps the log has, of two checkpoints. Nobody is told to believe them yet."""
    made = Authority(tmp_path / "tsa")
    with open_books(Settings()) as books:
        roots = load_pem_x509_certificates(made.root.read_bytes())
        stamps = Stamps(books.store, books.log.publisher.folder, roots, made.stamp, timedelta(0))
        assert stamps.round() == 1
        with books.store.unit() as unit:
            unit.commit(ACT)
        books.log.round()
        assert stamps.round() == 1
    return made


def verified() -> tuple[int, list[str]]:
    """Exit code and lines of `gateway log verify`, without those that name the logs."""
    plain = CliRunner().invoke(app, ["verify"])
    return plain.exit_code, [line for line in plain.stdout.splitlines() if ", root " not in line]


@pytest.mark.rule("R-14")
def test_stamps_are_verified_against_the_root_that_was_named(
    say: Say, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_STAMPS_ROOT", str(authority.root))
    assert verified() == (0, ["2 of 2 time stamps are verified", "13 checks, 0 findings"])
    code, said = say("verify")
    assert (code, said["stamps"], "stamp" in said["checks"]) == (0, {"kept": 2, "verified": 2}, True)


def test_a_stamp_that_does_not_fit_is_named(
    say: Say, authority: Authority, monkeypatch: pytest.MonkeyPatch, database: str
) -> None:
    monkeypatch.setenv("GATEWAY_STAMPS_ROOT", str(authority.root))
    with psycopg.connect(database) as attacker:
        attacker.execute("set session_replication_role = replica")
        attacker.execute("update xlog_stamp a set response = b.response from xlog_stamp b where b.size < a.size")
    code, (line, *rest) = verified()
    assert (code, rest) == (1, ["1 of 2 time stamps are verified", "13 checks, 1 findings"])
    assert line.startswith("stamp (2")
    assert ": the time stamp of the checkpoint of 302 leaves does not hold: " in line
    assert say("verify")[1]["stamps"] == {"kept": 2, "verified": 1}


@pytest.mark.usefixtures("authority")
def test_stamps_that_nobody_is_named_for_are_said_not_to_be_verified(say: Say) -> None:
    unbelieved = "2 time stamps are kept and were not verified: GATEWAY_STAMPS_ROOT names nobody to believe"
    assert verified() == (0, [unbelieved, "12 checks, 0 findings"])
    code, said = say("verify")
    assert (code, said["stamps"], "stamp" in said["checks"]) == (0, {"kept": 2, "verified": None}, False)


@pytest.mark.usefixtures("home")
def test_where_there_is_no_stamp_none_is_spoken_of() -> None:
    assert verified() == (0, ["12 checks, 0 findings"])


def test_the_proofs_of_a_message_hold_with_the_key_alone(say: Say, home: Path, tmp_path: Path) -> None:
    code, said = say("prove", MID, "--to", str(tmp_path / "proofs"))
    assert (code, [one["entry"] for one in said]) == (0, [1, 2])
    written = sorted((tmp_path / "proofs").glob("*.tlog-proof"))
    assert len(written) == 2
    for path in written:
        found = proof.check(path.read_text(), key(home))
        assert found.leaf == path.with_suffix(".json").read_bytes()
        assert read(found.leaf).mid == MID
    code, said = say("prove", said[0]["leaf"]["id"], "--to", str(tmp_path / "proofs"))
    assert (code, len(said)) == (0, 1)


@pytest.mark.parametrize("nothing", ["019abd00-0000-7000-9000-00000000ffff", "hello"])
def test_what_is_not_in_the_log_has_no_proof(say: Say, nothing: str, tmp_path: Path) -> None:
    assert say("prove", nothing, "--to", str(tmp_path / "proofs")) == (1, [])


def test_a_checkpoint_that_somebody_kept_is_compared(say: Say, home: Path, tmp_path: Path, database: str) -> None:
    with psycopg.connect(database) as books:
        [(older,)] = books.execute("select note from xlog_checkpoint where size = 2")
    (tmp_path / "kept").write_text(older)
    assert say("compare", str(tmp_path / "kept")) == (0, {"origin": key(home).name, "kept": 2, "size": 301})
    assert say("compare", str(tmp_path / "kept"), "--vkey", key(home).vkey)[0] == 0
    stranger = Verifier(key(home).name, 1, bytes(range(32)))
    with pytest.raises(NoteInvalid):
        say("compare", str(tmp_path / "kept"), "--vkey", stranger.vkey)
    (tmp_path / "kept").write_text(older.replace("gateway.example", "another.example"))
    with pytest.raises(LogStopped, match="no log of the name"):
        say("compare", str(tmp_path / "kept"))


@pytest.mark.parametrize("entries", [False, True])
def test_an_export_is_a_log_that_can_be_read_without_us(say: Say, home: Path, tmp_path: Path, entries: bool) -> None:
    code, [said] = say("export", str(tmp_path / "out"), *["--entries"] * entries)
    folder = tmp_path / "out" / said["log"]
    signed = open_checkpoint((folder / "checkpoint").read_text(), key(home)).checkpoint
    hashes = tiles.hashes_of(signed.size, lambda tile: (folder / tile.path).read_bytes())
    assert (code, tree.root(signed.size, hashes)) == (0, signed.root)
    bundles = sorted((folder / "tile/entries").rglob("*")) if entries else []
    assert (folder / "tile/entries").exists() is entries
    leaves = [one for path in bundles if path.is_file() for one in tiles.unpack(path.read_bytes())]
    assert [tree.leaf_hash(one) for one in leaves] == [hashes(0, n) for n in range(301 if entries else 0)]


def test_a_log_is_reopened_only_with_a_checkpoint_it_has_signed(say: Say, home: Path, tmp_path: Path) -> None:
    checkpoint = kept(home).read_text()
    (tmp_path / "forged").write_text(checkpoint.replace("301", "302"))
    with pytest.raises(NoteInvalid):
        say("reopen", str(tmp_path / "forged"))
    code, said = say("reopen", str(kept(home)))
    assert (code, said["origin"]) == (0, f"{key(home).name}.2")
    code, said = say("verify")
    assert (code, [log["size"] for log in said["logs"]]) == (0, [301, 1])
    with pytest.raises(LogStopped, match="is closed"):
        say("reopen", str(kept_of(home, said["logs"][0]["log"])))
    assert say("verify")[1]["logs"] == said["logs"]


@pytest.mark.parametrize("command", ["compare", "reopen"])
def test_what_is_no_text_is_no_checkpoint(say: Say, tmp_path: Path, command: str) -> None:
    (tmp_path / "kept").write_bytes(b"\xff\xfe")
    with pytest.raises((NoteInvalid, LogStopped)):
        say(command, str(tmp_path / "kept"))


def test_completeness_is_asked_by_somebody_and_answered_with_a_signed_report(say: Say) -> None:
    today = datetime.now(KST).date().isoformat()  # noqa: TID251 - the log's clock is real
    code, said = say("completeness", "--partner", "keis", "--from", today, "--to", today, "--by", "kim.0417")
    assert (code, said["report"]["by"], said["report"]["unanswered"]) == (1, "kim.0417", [today])
    assert said["report"]["log"]["gaps"] == []
    assert orjson.loads(base64url.decode(said["jws"].split(".")[1])) == said["report"]


@pytest.mark.usefixtures("home")
def test_completeness_is_told_in_words() -> None:
    today = datetime.now(KST).date().isoformat()  # noqa: TID251 - the log's clock is real
    words = ["completeness", "--partner", "KEIS", "--from", today, "--to", today, "--by", "kim.0417"]
    said = CliRunner().invoke(app, words).stdout.splitlines()
    assert said[1:4] == [
        "ours, out: delivered 0, given-up 0, rejected 0, waiting 0",
        "ours, in: accepted 0, rejected 0",
        "theirs: out 0, in 0, days 0",
    ]


@pytest.mark.rule("R-18")
def test_a_bundle_is_written_whole_and_checked_without_us(say: Say, home: Path, tmp_path: Path) -> None:
    code, said = say("bundle", "--exchange", MID, *OFFICER, "--to", str(tmp_path))
    raw = Path(said["file"]).read_bytes()
    found = list(check(raw, [key(home).vkey]))
    assert (code, said["bytes"]) == (0, len(raw))
    assert {one.check: one.state for one in found}["leaves"] == "yes"
    assert [one.check for one in found if one.state == "no"] == []


@pytest.mark.parametrize(
    "words",
    [(), ("--exchange", MID, "--case", "1"), ("--period", "November"), ("--period", "2026-02-30..2026-03-01")],
    ids=["nothing", "two things", "no period", "no day"],
)
def test_a_bundle_is_of_one_thing_that_there_can_be(home: Path, words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, ["bundle", *words, *OFFICER])
    assert result.exit_code == 2


def test_a_period_of_days_is_korean_and_has_both_its_ends(say: Say, tmp_path: Path) -> None:
    today = datetime.now(KST).date().isoformat()  # noqa: TID251 - the acts of this test are of now
    assert say("bundle", "--period", f"{today}..{today}", *OFFICER, "--to", str(tmp_path))[0] == 0
    with pytest.raises(NothingProven):
        say("bundle", "--period", "2020-01-01..2020-01-02", *OFFICER, "--to", str(tmp_path))
