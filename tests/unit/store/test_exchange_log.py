"""The log on PostgreSQL: every act has its leaf, leaves get their place once, and files follow the database."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.x509 import Certificate

from gateway import wholefile
from gateway.assembly.clocks import uuid7
from gateway.errors import LogStopped
from gateway.exchange_log import leaf, tree
from gateway.exchange_log.audit import AuditEvent
from gateway.exchange_log.checkpoint import Opened, open_checkpoint
from gateway.exchange_log.leaf import Leaf
from gateway.exchange_log.note import LOG, Signer, Verifier
from gateway.store import sequencer
from gateway.store.exchange_log import ExchangeLog
from gateway.store.postgres import PostgresStore
from tests.conftest import LOG_NAME, leaves
from tests.unit.exchange_log.test_note import signer as seeded

CASE = "20260000000123"
ACT = AuditEvent("delivery.attempted", "gateway", "vocational-rehab", case_no=CASE, partner="KEIS")
OURS = AuditEvent("cases.screened", "gateway", "vocational-rehab", counts={"decisions": 3})


def signer(origin: str) -> Signer:
    return seeded(origin, LOG, 7)


def a_log(store: PostgresStore, folder: Path, roots: Sequence[Certificate] = ()) -> ExchangeLog:
    return ExchangeLog(store, folder, LOG_NAME, signer, uuid7, roots=roots)


@pytest.fixture
def log(postgres_store: PostgresStore, tmp_path: Path) -> ExchangeLog:
    return a_log(postgres_store, tmp_path / "xlog")


@pytest.fixture
def owner(database: str) -> Iterator[psycopg.Connection[Any]]:
    """Somebody with all rights in the database."""
    with psycopg.connect(database, autocommit=True, options="-c app.partner=*") as connection:
        yield connection


def entries(owner: psycopg.Connection[Any]) -> list[Leaf]:
    return [leaf.read(raw) for (raw,) in owner.execute("select leaf from xlog_entry order by shard, idx")]


def opened(log: ExchangeLog) -> Opened:
    """The newest published checkpoint, opened with the key beside it."""
    folder = log.publisher.folder / log.head().folder
    key = Verifier.parse((folder / "log.vkey").read_text())
    return open_checkpoint((folder / "checkpoint").read_text(), key)


# ── leaves ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_an_act_and_its_leaf_are_committed_together_or_not_at_all(
    postgres_store: PostgresStore, act: Callable[..., None], owner: psycopg.Connection[Any]
) -> None:
    owner.execute("alter table xlog_pending add constraint full_up check (event_id is null) not valid")
    with pytest.raises(psycopg.errors.CheckViolation), postgres_store.unit() as unit:
        unit.commit(ACT)
    owner.execute("alter table xlog_pending drop constraint full_up")
    assert owner.execute("select count(*) from audit_event").fetchone() == (0,)
    act(ACT)
    [(event_id, at, raw)] = owner.execute(
        "select e.event_id::text, e.at, p.leaf from audit_event e join xlog_pending p using (event_id)"
    )
    found = leaf.read(raw)
    assert (found.id, found.at, found.act, found.stream, found.seq) == (event_id, at, ACT.act, "KEIS", 1)


def test_a_leaf_commits_to_its_act_under_the_key_of_the_case(
    act: Callable[..., None], owner: psycopg.Connection[Any]
) -> None:
    act(ACT, replace(ACT, partner="KEAD"), OURS)
    found = {one.stream: one for one in (leaf.read(raw) for (raw,) in owner.execute("select leaf from xlog_pending"))}
    [(subj, wrapped)] = owner.execute("select subj::text, wrapped from vault_key")
    vault = leaves().vault
    for stream, event, key in (
        ("KEIS", ACT, vault.unwrap(wrapped)),
        ("KEAD", replace(ACT, partner="KEAD"), vault.unwrap(wrapped)),
        ("system", OURS, vault.of_no_case.key),
    ):
        one = found[stream]
        assert one.event == leaf.commit_event(leaf.event_key(key, one.id), event.statement(one.at))
        assert one.subj == (subj if event.case_no else None)
        assert CASE not in one.to_bytes().decode()


def test_numbers_have_no_gap_and_stand_in_the_order_of_the_log_whoever_wrote_at_the_same_time(
    postgres_store: PostgresStore, log: ExchangeLog, owner: psycopg.Connection[Any]
) -> None:
    stop = threading.Event()

    def write(n: int) -> None:
        for i in range(25):
            with postgres_store.unit() as unit:
                events = [replace(ACT, partner=p, case_no=f"{i:014d}") for p in ("KEIS", "KEAD", "TRN")[: 1 + n % 3]]
                unit.commit(*events[:: 1 if n % 2 else -1], OURS)

    def sequence() -> None:
        while not stop.is_set():
            log.round()

    with ThreadPoolExecutor(6) as pool:
        rounds = [pool.submit(sequence) for _ in range(2)]
        writers = [pool.submit(write, n) for n in range(4)]
        wait(writers)
        stop.set()
        for done in [*writers, *rounds]:
            done.result()
    log.catch_up()
    by_stream = defaultdict(list)
    for one in entries(owner):
        by_stream[one.stream].append(one)
    assert {stream: len(found) for stream, found in by_stream.items() if stream != "log"} == {
        "KEIS": 100, "KEAD": 75 - 25, "TRN": 25, "system": 100,
    }  # fmt: skip
    for found in by_stream.values():
        assert [one.seq for one in found] == list(range(1, len(found) + 1))
        assert [one.at for one in found] == sorted(one.at for one in found)
    assert owner.execute("select count(*) from audit_event").fetchone() == (275,)


def test_a_row_that_is_taken_out_before_it_has_its_place_leaves_a_hole_in_its_stream(
    act: Callable[..., None], log: ExchangeLog, owner: psycopg.Connection[Any]
) -> None:
    for _ in range(3):
        act(ACT)
    owner.execute("delete from xlog_pending where id = (select id from xlog_pending order by id offset 1 limit 1)")
    log.catch_up()
    assert [one.seq for one in entries(owner) if one.stream == "KEIS"] == [1, 3]


# ── the tree ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_first_leaf_opens_the_log_and_every_round_signs_what_was_appended(
    act: Callable[..., None], log: ExchangeLog, owner: psycopg.Connection[Any]
) -> None:
    assert log.round() == 1
    act(*[ACT] * 300)
    assert log.round() == 300
    assert log.round() == 0
    found = [one.to_bytes() for one in entries(owner)]
    assert leaf.read(found[0]).act == "log.opened"
    head = opened(log).checkpoint
    assert (head.origin.startswith(f"{LOG_NAME}/20"), head.size) == (True, 301)
    with log.reading() as connection:
        hashes = sequencer.hashes_of(connection, log.head())
        for index in (0, 1, 255, 256, 300):
            proof = tree.prove_inclusion(index, 301, hashes)
            tree.check_inclusion(tree.leaf_hash(found[index]), index, 301, proof, head.root)


def test_only_one_of_many_sequencers_works_at_a_time(
    postgres_store: PostgresStore, act: Callable[..., None], log: ExchangeLog
) -> None:
    log.round()
    act(ACT)
    with postgres_store.alone("exchange-log.sequence") as mine:
        assert mine
        assert log.round() == 0
    assert log.round() == 1


def test_after_an_hour_of_silence_there_is_a_heartbeat(
    log: ExchangeLog, monkeypatch: pytest.MonkeyPatch, owner: psycopg.Connection[Any]
) -> None:
    log.round()
    assert log.round() == 0
    monkeypatch.setattr(sequencer, "HEARTBEAT_AFTER", timedelta(0))
    assert log.round() == 1
    assert [one.act for one in entries(owner)] == ["log.opened", "log.heartbeat"]


def test_a_new_year_has_a_log_of_its_own_that_begins_with_the_end_of_the_old_one(
    act: Callable[..., None], postgres_store: PostgresStore, log: ExchangeLog, owner: psycopg.Connection[Any]
) -> None:
    act(ACT)
    log.catch_up()
    folder = log.head().folder
    owner.execute("update xlog_head set origin = replace(origin, %s, '2019')", (folder,))
    owner.execute("update xlog_head set vkey = %s", (signer(f"{LOG_NAME}/2019").verifier.vkey,))
    (log.publisher.folder / folder / "checkpoint").unlink()
    act(ACT)
    log.catch_up()
    acts = [one.act for one in entries(owner)]
    assert acts == ["log.opened", "delivery.attempted", "log.closed", "log.opened", "delivery.attempted"]
    old, new = log.heads()
    assert (old.folder, old.open, new.open) == ("2019", False, True)
    previous = entries(owner)[3].previous or ""
    assert open_checkpoint(previous, Verifier.parse(old.vkey)).checkpoint.size == old.size == 3


def test_what_comes_within_a_second_of_the_highest_rate_needs_no_second_round(
    act: Callable[..., None], log: ExchangeLog
) -> None:
    log.round()
    act(*[ACT] * 14_500)
    assert log.round() == 14_500


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_files_are_the_tiles_of_every_published_size_and_no_temporary_ones(
    act: Callable[..., None], log: ExchangeLog
) -> None:
    log.round()
    for many in (10, 244, 1, 1):
        act(*[ACT] * many)
        log.round()
    folder = log.publisher.folder / log.head().folder
    found = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert found == {
        "checkpoint", "log.vkey", "policy", "tile/0/000", "tile/0/000.p/1", "tile/0/000.p/11", "tile/0/000.p/255",
        "tile/1/000.p/1", "tile/0/001.p/1",
    }  # fmt: skip
    assert (folder / "tile/0/000").read_bytes().startswith((folder / "tile/0/000.p/255").read_bytes())


def test_what_was_committed_and_not_published_is_published_by_the_next_round(
    act: Callable[..., None], log: ExchangeLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.round()
    act(ACT)

    def full(*_: object) -> None:
        raise OSError(28, "no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(wholefile, "write", full)
        with pytest.raises(OSError, match="no space"):
            log.round()
    assert opened(log).checkpoint.size == 1
    assert log.round() == 0
    assert opened(log).checkpoint.size == 2


# ── when it must not go on ───────────────────────────────────────────────────────────────────────────────────────────
def as_it_was(owner: psycopg.Connection[Any], size: int) -> None:
    """What a restored backup looks like: everything after the first `size` leaves never happened."""
    owner.execute("set session_replication_role = replica")
    owner.execute("delete from xlog_entry where idx >= %s", (size,))
    owner.execute("delete from xlog_checkpoint where size > %s", (size,))
    owner.execute("update xlog_tile set data = substr(data, 1, 32 * %s)", (size,))
    owner.execute(
        "update xlog_head h set (size, root) = (select size, root from xlog_checkpoint c where c.size = %s)", (size,)
    )
    owner.execute("set session_replication_role = origin")


def test_a_database_that_was_restored_from_yesterday_does_not_go_on(
    act: Callable[..., None], log: ExchangeLog, postgres_store: PostgresStore, owner: psycopg.Connection[Any]
) -> None:
    log.round()
    for _ in range(3):
        act(ACT)
        log.round()
    before = opened(log).checkpoint
    as_it_was(owner, 2)
    for one in (log, a_log(postgres_store, log.publisher.folder)):  # the process that was there, and a new one
        act(ACT)
        with pytest.raises(LogStopped, match="has 4 leaves outside"):
            one.round()
    assert opened(log).checkpoint == before
    assert owner.execute("select max(size) from xlog_checkpoint").fetchone() == (2,)


def test_a_database_that_was_made_anew_does_not_go_on(log: ExchangeLog, owner: psycopg.Connection[Any]) -> None:
    log.round()
    owner.execute("set session_replication_role = replica")
    owner.execute("delete from xlog_entry; delete from xlog_checkpoint; delete from xlog_tile; delete from xlog_head")
    with pytest.raises(LogStopped):
        log.round()
    assert owner.execute("select count(*) from xlog_head").fetchone() == (0,)


def test_what_cannot_be_continued_is_followed_by_a_log_that_quotes_it(
    act: Callable[..., None], log: ExchangeLog, owner: psycopg.Connection[Any]
) -> None:
    log.round()
    for _ in range(3):
        act(ACT)
        log.round()
    published = (log.publisher.folder / log.head().folder / "checkpoint").read_text()
    as_it_was(owner, 2)
    name = log.open_next(published)
    act(ACT)
    log.catch_up()
    old, new = log.heads()
    assert name == new.origin == f"{old.origin}.2"
    assert entries(owner)[2].previous == published
    assert opened(log).checkpoint.size == new.size == 2
    assert (log.publisher.folder / old.folder / "checkpoint").read_text() == published


@pytest.mark.parametrize(
    "harm",
    [
        "update xlog_tile set data = set_byte(data, 40, get_byte(data, 40) # 1)",
        "update xlog_head set root = set_byte(root, 0, get_byte(root, 0) # 1)",
        "update xlog_checkpoint set root = set_byte(root, 0, get_byte(root, 0) # 1) where size = 4",
        "delete from xlog_tile",
        "delete from xlog_checkpoint where size = 4",
    ],
)
def test_a_tree_that_does_not_say_what_was_signed_is_not_continued(
    harm: str, act: Callable[..., None], log: ExchangeLog, owner: psycopg.Connection[Any]
) -> None:
    log.round()
    act(ACT, ACT, ACT)
    log.round()
    owner.execute("set session_replication_role = replica")
    owner.execute(harm.encode())
    act(ACT)
    with pytest.raises(LogStopped):
        log.round()


def test_another_key_does_not_continue_a_log(
    postgres_store: PostgresStore, act: Callable[..., None], log: ExchangeLog
) -> None:
    log.round()
    act(ACT)
    stranger = ExchangeLog(postgres_store, log.publisher.folder, LOG_NAME, lambda o: seeded(o, LOG, 8), uuid7)
    with pytest.raises(LogStopped, match="key"):
        stranger.round()
    assert log.round() == 1


@pytest.mark.parametrize(
    "harm",
    [
        "update xlog_entry set leaf = 'x'",
        "delete from xlog_entry",
        "update xlog_checkpoint set note = 'x'",
        "delete from xlog_checkpoint",
        "update xlog_tile set data = substr(data, 1, 32) where length(data) > 32",
        "delete from xlog_tile",
        "delete from xlog_head",
    ],
)
def test_even_the_owner_meets_a_guard_rail(
    harm: str, act: Callable[..., None], log: ExchangeLog, owner: psycopg.Connection[Any]
) -> None:
    log.round()
    act(ACT)
    log.round()
    with pytest.raises(psycopg.errors.DatabaseError):
        owner.execute(harm.encode())
