"""The whole loop as a newcomer runs it: the real command, real processes, real sockets; judged from outside.

The sample night goes through every process of `gateway up`, a smaller one through one process; the same is expected.

What the demo says about itself is not believed: verdicts, bytes, seals and receipts are compared here, the seals with a
second implementation (jwcrypto), the documents with another reader of FHIR (fhir.resources).
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import psycopg
import pytest
from fhir.resources.R4B.bundle import Bundle
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS
from psycopg.rows import dict_row

from adapters.witnesses.own.home import signer
from gateway.cli.pretend import WITNESS
from gateway.exchange_log.checkpoint import open_checkpoint
from gateway.exchange_log.note import Verifier
from gateway.store.embedded import embedded_postgres
from tests.unsealed import Unsealed

ROOT = Path(__file__).resolve().parents[2]
READY_S = 60.0
"""Bounded, and generous: other tests may be running beside. It is 4 to 10 s on two cores."""
MEMORY_MB = 500
NIGHT = ROOT / "tests" / "acceptance" / "nights" / "sample"


def gateway(home: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command as an operator does."""
    env = {**os.environ, "GATEWAY_HOME": str(home)}  # noqa: TID251 - what an operator sets
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments], cwd=ROOT, env=env, capture_output=True, timeout=400, check=False
    )


def lines(home: Path, *arguments: str) -> list[dict[str, Any]]:
    done = gateway(home, *arguments)
    assert done.returncode == 0, done.stderr.decode()
    return [orjson.loads(line) for line in done.stdout.splitlines()]


class Demo(NamedTuple):
    """A demo that has run: where, and what it said."""

    home: Path
    report: dict[str, Any]
    exit_code: int
    said: str


def run_demo(home: Path, *arguments: str) -> Demo:
    done = gateway(home, "demo", *arguments, "--json")
    return Demo(home, orjson.loads(done.stdout or b"{}"), done.returncode, done.stderr.decode())


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The sample night of 300 labelled cases through the full engine, once for all tests."""
    return run_demo(tmp_path_factory.mktemp("sample") / "home", "--night", str(NIGHT))


@pytest.fixture(scope="module")
def invented(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """A night of 40 invented cases in one process; they ask all three partners, the sample night only two."""
    return run_demo(tmp_path_factory.mktemp("invented") / "home", "--cases", "40", "--engine", "inline")


Books = psycopg.Connection[dict[str, Any]]


def books_of(demo: Demo) -> Iterator[Books]:
    """The database that a demo left behind."""
    with (
        embedded_postgres(demo.home) as url,
        psycopg.connect(url, row_factory=dict_row, autocommit=True) as connection,
    ):
        Unsealed(url, demo.home).shadow(connection)
        yield connection


@pytest.fixture(scope="module")
def books(sample: Demo) -> Iterator[Books]:
    yield from books_of(sample)


@pytest.fixture(scope="module")
def other_books(invented: Demo) -> Iterator[Books]:
    yield from books_of(invented)


@pytest.fixture(scope="module")
def exchanges(sample: Demo) -> list[dict[str, Any]]:
    return lines(sample.home, "status", "exchanges", "--ndjson")


def test_a_strangers_tool_finds_the_whole_log_signed_and_cosigned_by_the_witness_that_ran_beside_it(
    sample: Demo,
) -> None:
    size, said = sample.report["leaves"], sample.report["outside"]
    assert re.match(rf"OpenSSL \d.* says: the checkpoint of {size} leaves is signed by gateway\.example/xlog/", said)
    assert f"cosigned by {WITNESS} at" in said
    own = signer(sample.home / "witness", WITNESS).verifier
    [folder] = (sample.home / "xlog").iterdir()
    opened = open_checkpoint(
        (folder / "witnessed").read_text(), Verifier.parse((folder / "log.vkey").read_text()), (own,)
    )
    assert (opened.checkpoint.size, len(opened.note.signatures)) == (size, 2)


def test_without_a_witness_the_tool_still_finds_the_log_signed(invented: Demo) -> None:
    assert f"the checkpoint of {invented.report['leaves']} leaves is signed by" in invented.report["outside"]
    assert "cosigned" not in invented.report["outside"]


def test_an_invented_night_closes_the_loop(invented: Demo) -> None:
    assert invented.report["problems"] == []
    assert (invented.exit_code, invented.report["complete"]) == (0, True)
    assert invented.report["verdicts"] == "40 of 40 expected verdicts are met"
    assert invented.report["leaves"] > invented.report["counts"]["events"]  # the log's own leaves come on top
    assert "Traceback" not in invented.said


def test_the_sample_night_closes_the_loop(sample: Demo) -> None:
    assert sample.report["problems"] == []  # one of them would be: taking the night in again changed something
    assert (sample.exit_code, sample.report["complete"]) == (0, True)
    assert sample.report["verdicts"] == "300 of 300 expected verdicts are met"
    assert "Traceback" not in sample.said


def test_the_full_engine_is_ready_soon_small_and_gone_afterwards(sample: Demo, invented: Demo) -> None:
    ran = sample.report["running"]
    assert ran["ready_s"] < READY_S
    assert ran["processes"] > 9  # PostgreSQL has some of its own
    assert 100 < ran["memory_mb"] < MEMORY_MB
    assert not (sample.home / "up.json").exists()
    assert invented.report["running"] is None


def test_every_case_has_the_verdict_of_its_label(sample: Demo) -> None:
    wanted = orjson.loads((NIGHT / "expected.json").read_bytes())["cases"]
    got = {row["caseNo"]: row for row in lines(sample.home, "status", "cases", "--ndjson")}
    assert got.keys() == wanted.keys()
    for case_no, want in wanted.items():
        row = got[case_no]
        assert (row["record"], row["reason"], row["screening"]) == (want["record"], want["reason"], want["screening"])
        assert not (row["legs"] and want["record"] != "ok")


def test_every_exchange_is_accounted_for(exchanges: list[dict[str, Any]]) -> None:
    out = [e for e in exchanges if e["direction"] == "out"]
    assert {e["partner"] for e in out} == {"KEIS", "KEAD"}
    assert {e["state"] for e in out} <= {"delivered", "blocked"}
    assert all(e["receipt"] in ("accepted", "duplicate") for e in out if e["state"] == "delivered")
    assert {e["state"] for e in exchanges if e["direction"] == "in"} <= {"applied", "stale", "refused", "quarantined"}
    assert len({e["mid"] for e in exchanges}) == len(exchanges)


@pytest.mark.rule("R-18")
def test_a_message_explains_itself_to_its_last_byte(sample: Demo, exchanges: list[dict[str, Any]]) -> None:
    mid = next(e["mid"] for e in exchanges if (e["partner"], e["type"]) == ("KEAD", "referral.created"))
    done = gateway(sample.home, "map", "explain", mid, "--by", "kim.0417", "--json")
    assert done.returncode == 0, done.stderr.decode()
    assert b"the same bytes come out again" in done.stderr
    assert len(orjson.loads(done.stdout)) > 10


def test_a_command_that_cannot_ends_with_a_sentence_and_no_traceback(sample: Demo) -> None:
    done = gateway(sample.home, "map", "explain", "no-message-of-ours", "--by", "kim.0417")
    assert done.returncode == 1
    assert done.stderr.decode().startswith("LOOP-NONE")
    assert b"Traceback" not in done.stderr


# ── proof, by a second implementation ────────────────────────────────────────────────────────────────────────────────
def opened(jws: str, keys: dict[str, JWK]) -> dict[str, Any]:
    """The payload of a compact JWS, verified by jwcrypto with the one key it names."""
    header = orjson.loads(base64.urlsafe_b64decode(jws.split(".", maxsplit=1)[0] + "=="))
    token = JWS()
    token.deserialize(jws)
    token.verify(keys[header["kid"]], alg=header["alg"])
    found: dict[str, Any] = orjson.loads(token.payload)
    return found


def digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(sha256(data).digest()).rstrip(b"=").decode()


def keys_of(books: Books) -> dict[str, dict[str, JWK]]:
    found: dict[str, dict[str, JWK]] = {}
    for row in books.execute("select owner, kid, jwk from partner_key"):
        found.setdefault(row["owner"], {})[row["kid"]] = JWK(**row["jwk"])
    return found


@pytest.mark.rule("R-24")
@pytest.mark.parametrize("which", ["books", "other_books"])
def test_every_message_and_receipt_of_both_sides_verifies(which: str, request: pytest.FixtureRequest) -> None:
    books: Books = request.getfixturevalue(which)
    keys, seen = keys_of(books), {"out": 0, "in": 0}
    query = (
        "select m.*, m.mid::text as id, r.jws as receipt from message m "
        "join receipt r on (r.partner, r.direction, r.mid) = (m.partner, m.direction, m.mid)"
    )
    for row in books.execute(query):
        partner = row["partner"].lower()
        sender, receiver = ("comwel", partner) if row["direction"] == "out" else (partner, "comwel")
        stated = opened(row["jws"], keys[sender])
        assert (stated["mid"], stated["iss"], stated["aud"]) == (row["id"], sender, receiver)
        [part] = stated["parts"]
        assert (part["len"], part["s256"]) == (len(row["body"]), digest(row["body"]))
        word = opened(row["receipt"], keys[receiver])
        assert (word["mid"], word["iss"], word["aud"]) == (row["id"], receiver, sender)
        assert word["mjws_s256"] == digest(row["jws"].encode())
        assert word["parts"] == [{"name": part["name"], "s256": part["s256"]}]
        seen[row["direction"]] += 1
    assert min(seen.values()) > 30


def test_a_changed_byte_is_seen_by_the_second_implementation(books: Books) -> None:
    keys = keys_of(books)
    row = books.execute("select jws, body from message where direction = 'out' limit 1").fetchone()
    assert row is not None
    head, payload, signature = row["jws"].split(".")
    other = base64.urlsafe_b64encode(base64.urlsafe_b64decode(payload + "==").replace(b'"v":1', b'"v":2')).rstrip(b"=")
    with pytest.raises(Exception, match="Verification failed"):
        opened(f"{head}.{other.decode()}.{signature}", keys["comwel"])
    assert opened(row["jws"], keys["comwel"])["parts"][0]["s256"] != digest(row["body"] + b" ")


FHIR = {
    "our own record of a referral": "select fhir as bundle from message where fhir is not null order by mid limit 40",
    "a message to a FHIR partner": "select body as bundle from message where direction = 'out' and partner = 'TRN'",
    "our own record of an outcome": "select fhir as bundle from outcome_fact order by fact_id limit 40",
}


@pytest.mark.parametrize("what", FHIR)
def test_what_we_call_fhir_is_fhir_to_others(other_books: Books, what: str) -> None:
    found = other_books.execute(FHIR[what]).fetchall()
    assert found
    for row in found:
        assert Bundle.model_validate_json(row["bundle"]).entry


@pytest.mark.rule("R-23")
# ── the law, seen from the database ──────────────────────────────────────────────────────────────────────────────────
def test_no_resident_number_is_anywhere_in_the_database(books: Books) -> None:
    marks = ("8801011234567", "880101-1234567", "８８０１０１")
    seek = [mark.encode(code) for mark in marks for code in ("utf-8", "cp949")]
    columns = books.execute(
        "select table_name as t, column_name as c from information_schema.columns "
        "where table_schema = 'public' and data_type in ('bytea', 'text')"
    ).fetchall()
    looked_at = 0
    for column in columns:
        for row in books.execute(f"select {column['c']} as value from {column['t']}"):  # noqa: S608 - our own names
            value = row["value"].encode() if isinstance(row["value"], str) else row["value"] or b""
            assert not [mark for mark in seek if mark in value], column
            looked_at += bool(value)
    assert looked_at > 1000


def test_every_leg_of_every_case_rests_on_a_consent_and_a_verdict_ok(books: Books) -> None:
    rows = books.execute(
        "select l.consent_no, c.verdict, c.status from leg l join case_record c using (case_no)"
    ).fetchall()
    assert rows
    assert {(bool(r["consent_no"]), r["verdict"], r["status"]) for r in rows} == {(True, "ok", "live")}


def test_every_update_is_in_exactly_one_file_on_disk(sample: Demo, books: psycopg.Connection[dict[str, Any]]) -> None:
    files = {p.name: sha256(p.read_bytes()).hexdigest() for p in (sample.home / "to-comwel").glob("RHB_RTW_*.dat")}
    known = books.execute("select file_date, file_seq, sha256 from rtw_file").fetchall()
    assert files == {f"RHB_RTW_{f['file_date']:%Y%m%d}_{f['file_seq']:05d}.dat": f["sha256"] for f in known}
    assert books.execute("select count(*) as n from rtw_update where file_seq is null").fetchone() == {"n": 0}
