"""Time stamps of checkpoints: OpenSSL stamps them behind a real socket, and OpenSSL verifies what was published."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.x509 import load_pem_x509_certificates
from pydantic import ValidationError

from adapters.witnesses.stamps import LONGEST, HttpAuthority
from gateway.assembly.log import stamps_of
from gateway.config import Settings
from gateway.errors import SettingsInvalid, StampInvalid
from gateway.exchange_log import stamp
from gateway.exchange_log.findings import Check
from gateway.store import stamps as module
from gateway.store.exchange_log import ExchangeLog
from gateway.store.postgres import PostgresStore
from gateway.store.stamps import Stamps
from tests.fakes.authority import Answer, Authority, openssl, served
from tests.unit.store.test_exchange_log import ACT, a_log

NOTE = "gateway.example/xlog/2026\n1\nAAAA\n\n— gateway.example/xlog/2026 AAAA\n"
Made = Callable[..., Stamps]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tsa") / "ours")


@pytest.fixture
def log(postgres_store: PostgresStore, tmp_path: Path) -> ExchangeLog:
    made = a_log(postgres_store, tmp_path / "xlog")
    made.catch_up()
    return made


@pytest.fixture
def owner(database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database, autocommit=True, options="-c app.partner=*") as connection:
        yield connection


def roots(authority: Authority) -> list[Any]:
    return load_pem_x509_certificates(authority.root.read_bytes())


@pytest.fixture
def asking(postgres_store: PostgresStore, log: ExchangeLog, authority: Authority) -> Iterator[Made]:
    """Stamps that ask somebody at a socket."""
    doors = []

    def made(answer: Answer = authority.stamp, every: timedelta = timedelta(0)) -> Stamps:
        door = served(answer)
        doors.append(door)
        ask = HttpAuthority(door.__enter__(), patience_s=10.0)
        return Stamps(postgres_store, log.publisher.folder, roots(authority), ask, every)

    yield made
    for door in doors:
        door.__exit__(None, None, None)


def grow(store: PostgresStore, log: ExchangeLog) -> None:
    with store.unit() as unit:
        unit.commit(ACT)
    log.catch_up()


def kept(owner: psycopg.Connection[Any]) -> list[int]:
    return [size for (size,) in owner.execute("select size from xlog_stamp order by size")]


def verified(log: ExchangeLog, authority: Authority) -> bool:
    folder = log.publisher.folder / log.head().folder
    words = ("ts", "-verify", "-data", "stamped", "-in", "stamped.tsr", "-CAfile", str(authority.root))
    return openssl(folder, *words).returncode == 0


# ── stamped ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.rule("R-14")
def test_a_checkpoint_is_stamped_and_openssl_verifies_what_is_published(
    asking: Made, log: ExchangeLog, authority: Authority, postgres_store: PostgresStore, owner: psycopg.Connection[Any]
) -> None:
    stamps = asking()
    assert (stamps.round(), stamps.round()) == (1, 0)  # a head that stands still has its stamp
    grow(postgres_store, log)
    assert stamps.round() == 1
    assert kept(owner) == [1, log.head().size]
    folder = log.publisher.folder / log.head().folder
    assert (folder / "stamped").read_text() == (folder / "checkpoint").read_text()
    assert verified(log, authority)
    (folder / "stamped").write_text((folder / "stamped").read_text() + "x")
    assert not verified(log, authority)


def test_it_is_stamped_once_an_hour_however_it_grows(
    asking: Made, log: ExchangeLog, postgres_store: PostgresStore, owner: psycopg.Connection[Any]
) -> None:
    stamps = asking(every=timedelta(hours=1))
    assert stamps.round() == 1
    grow(postgres_store, log)
    assert stamps.round() == 0
    assert kept(owner) == [1]


def test_what_a_process_that_died_has_kept_is_published_by_the_next(
    asking: Made, log: ExchangeLog, authority: Authority
) -> None:
    assert asking().round() == 1
    (log.publisher.folder / log.head().folder / "stamped.tsr").unlink()
    assert asking().round() == 0
    assert verified(log, authority)


# ── checked again, later ─────────────────────────────────────────────────────────────────────────────────────────────
HARM_TO_A_STAMP = {
    "none": ("select 1", [], "ours"),
    "no stamp any more": ("update xlog_stamp set response = 'x' where size = 1", [1], "ours"),
    "that of another checkpoint": (
        "update xlog_stamp a set response = b.response, at = b.at from xlog_stamp b where a.size = 1 and b.size > 1",
        [1],
        "ours",
    ),
    "put under another time": ("update xlog_stamp set at = at - interval '1 hour' where size > 1", [2], "ours"),
    "the checkpoint changed": (
        "update xlog_checkpoint set note = note || E'— other AAAA\\n' where size = 1",
        [1],
        "ours",
    ),
    "of another authority": ("select 1", [1, 2], "stranger"),
    "of whoever it is": ("update xlog_stamp set response = 'x'", [], None),
}


@pytest.mark.parametrize(("harm", "wrong", "believed"), HARM_TO_A_STAMP.values(), ids=HARM_TO_A_STAMP)
def test_a_stamp_that_is_kept_is_of_its_checkpoint_its_time_and_an_authority_that_is_believed(
    harm: str, wrong: list[int], believed: str | None, asking: Made, authority: Authority, tmp_path: Path,
    log: ExchangeLog, postgres_store: PostgresStore, owner: psycopg.Connection[Any],
) -> None:  # fmt: skip
    stamps = asking()
    stamps.round()
    grow(postgres_store, log)
    stamps.round()
    owner.execute("set session_replication_role = replica")
    owner.execute(harm.encode())
    whose = Authority(tmp_path / "stranger") if believed == "stranger" else authority
    checking = a_log(postgres_store, tmp_path / "xlog", roots(whose) if believed else ())
    found = [finding.sentence for finding in checking.findings() if finding.check is Check.STAMP]
    assert [int(sentence.split()[7]) for sentence in found] == wrong
    assert (Check.STAMP in checking.checks) is bool(believed)


# ── not stamped ──────────────────────────────────────────────────────────────────────────────────────────────────────
def replayed(authority: Authority) -> Answer:
    """Good the first time, and the same again for every other request."""
    said: list[bytes] = []

    def answer(request: bytes) -> bytes:
        said.append(authority.stamp(request))
        return said[0]

    return answer


LIES: dict[str, Callable[[Authority, Path], Answer]] = {
    "of other bytes": lambda a, _: lambda _r: a.stamp(a.query(b"another note")),
    "of another authority": lambda _, folder: Authority(folder / "other").stamp,
    "no stamp": lambda _a, _f: lambda _r: b"0",
    "a page": lambda _a, _f: lambda _r: b"<html>",
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_an_authority_that_lies_is_work_for_a_person_once_and_nothing_is_kept(
    lie: Callable[[Authority, Path], Answer], asking: Made, authority: Authority, tmp_path: Path, log: ExchangeLog,
    owner: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(module, "LEFT_ALONE_S", 0.0)
    stamps = asking(lie(authority, tmp_path))
    assert [stamps.round() for _ in range(2)] == [0, 0]
    assert kept(owner) == []
    assert owner.execute("select kind, code from work_item").fetchall() == [("stamp-doubted", "LOG-STAMP")]
    acts = owner.execute("select act, verdict, code from audit_event").fetchall()
    assert acts == [("stamp.doubted", "refused", "LOG-STAMP")]
    assert not (log.publisher.folder / log.head().folder / "stamped.tsr").exists()


def test_a_stamp_of_an_earlier_request_is_refused_by_its_nonce(
    asking: Made, authority: Authority, owner: psycopg.Connection[Any], log: ExchangeLog, postgres_store: PostgresStore
) -> None:
    stamps = asking(replayed(authority))
    assert stamps.round() == 1
    grow(postgres_store, log)
    assert stamps.round() == 0
    assert kept(owner) == [1]


def test_a_stamp_of_another_time_is_refused(
    asking: Made, owner: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stamp, "APART", timedelta(seconds=-1))
    assert asking().round() == 0
    assert kept(owner) == []


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda _: None, id="not now"),
        pytest.param(lambda _: bytes(LONGEST + 1), id="too much"),
    ],
)
def test_who_is_away_is_left_alone_and_nobody_is_told(
    answer: Answer, asking: Made, owner: psycopg.Connection[Any]
) -> None:
    asked: list[bytes] = []

    def noted(request: bytes) -> bytes | None:
        asked.append(request)
        return answer(request)

    stamps = asking(noted)
    assert [stamps.round() for _ in range(3)] == [0, 0, 0]
    assert len(asked) == 1
    assert owner.execute("select count(*) from work_item").fetchone() == (0,)


def test_nobody_there_is_somebody_away() -> None:
    assert HttpAuthority("http://127.0.0.1:1/", patience_s=1.0)(b"x") is None


# ── the stamp itself ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_stamp_is_of_one_note_one_request_and_one_root(authority: Authority, tmp_path: Path) -> None:
    request = stamp.ask(NOTE)
    answer = authority.stamp(request.as_bytes())
    assert stamp.check(answer, NOTE, roots(authority), request.nonce) == stamp.check(answer, NOTE, roots(authority))
    stranger = Authority(tmp_path / "stranger")
    for note, whose, nonce, why in (
        (NOTE + "x", authority, request.nonce, "messages"),
        (NOTE, authority, (request.nonce or 0) + 1, "Nonce"),
        (NOTE, stranger, request.nonce, "certificates"),
    ):
        with pytest.raises(StampInvalid, match=why):
            stamp.check(answer, note, roots(whose), nonce)
    with pytest.raises(StampInvalid, match="no root"):
        stamp.check(answer, NOTE, [])


# ── settings ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_nobody_is_asked_unless_an_address_and_a_root_are_given(
    postgres_store: PostgresStore, authority: Authority, tmp_path: Path
) -> None:
    assert not stamps_of(Settings(home=tmp_path), postgres_store)
    with pytest.raises(SettingsInvalid, match="GATEWAY_STAMPS_ROOT"):
        stamps_of(Settings(home=tmp_path, stamps_url="http://tsa.example/"), postgres_store)
    (tmp_path / "empty").write_text("")
    with pytest.raises(SettingsInvalid, match="PEM"):
        stamps_of(
            Settings(home=tmp_path, stamps_url="http://tsa.example/", stamps_root=tmp_path / "empty"), postgres_store
        )
    assert stamps_of(
        Settings(home=tmp_path, stamps_url="http://tsa.example/", stamps_root=authority.root), postgres_store
    )
    with pytest.raises(ValidationError):
        Settings(home=tmp_path, stamps_url="tsa.example")
