"""Attacks on the log, each caught by the check that should catch it; and one that only an older checkpoint catches.

The attacker is an owner of the database: no trigger and no role stops him. With the key of the log he also signs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gateway.errors import LogStopped
from gateway.exchange_log import leaf, tree
from gateway.exchange_log.checkpoint import Checkpoint
from gateway.exchange_log.findings import CHECKS, Check
from gateway.exchange_log.tiles import Edge
from gateway.ports import MessageRow, ReceiptRow
from gateway.sealing import base64url
from gateway.sealing.receipts import Promise, make, promised
from gateway.store.exchange_log import ExchangeLog
from gateway.store.leaves import leaf_of
from gateway.store.postgres import PostgresStore
from gateway.store.statements import STATEMENTS
from tests.conftest import leaves
from tests.unit.sealing.build import key_of, receipt_of, sealed
from tests.unit.store.test_exchange_log import ACT, CASE, OURS, a_log, as_it_was, signer

Attacker = psycopg.Connection[Any]


@pytest.fixture
def attacker(database: str) -> Iterator[Attacker]:
    with psycopg.connect(database, autocommit=True, options="-c app.partner=*") as connection:
        connection.execute("set session_replication_role = replica")  # no trigger runs
        yield connection


@pytest.fixture
def log(postgres_store: PostgresStore, tmp_path: Path) -> ExchangeLog:
    """A log with 600 leaves in a dozen checkpoints, of three streams and two cases."""
    made = a_log(postgres_store, tmp_path / "xlog")
    made.round()
    for n in range(11):
        with postgres_store.unit() as unit:
            events = [ACT, replace(ACT, partner="KEAD"), replace(ACT, case_no="20260000000456"), OURS] * 13
            unit.commit(*events, *[OURS] * (n % 5))
        made.round()
    return made


def found(log: ExchangeLog) -> set[Check]:
    return {finding.check for finding in log.findings()}


def raw_leaves(attacker: Attacker, shard: int = 1) -> list[bytes]:
    return [raw for (raw,) in attacker.execute("select leaf from xlog_entry where shard = %s order by idx", (shard,))]


def rebuild(attacker: Attacker, log: ExchangeLog, leaves: list[bytes], shard: int = 1) -> None:
    """Put other leaves in place of all, with the tiles they make, and sign anew: what the stolen key is good for."""
    [(origin,)] = attacker.execute("select origin from xlog_head where shard = %s", (shard,))
    attacker.execute("delete from xlog_entry where shard = %s", (shard,))
    attacker.execute("delete from xlog_tile where shard = %s", (shard,))
    attacker.execute("delete from xlog_checkpoint where shard = %s", (shard,))
    edge = Edge()
    for tile, data in edge.extend(map(tree.leaf_hash, leaves)):
        attacker.execute("insert into xlog_tile values (%s, %s, %s, %s)", (shard, tile.level, tile.n, data))
    for index, raw in enumerate(leaves):
        event_id = leaf.read(raw).id
        attacker.execute("insert into xlog_entry values (%s, %s, %s, %s, now())", (shard, index, event_id, raw))
    new = Checkpoint(origin, edge.size, edge.root())
    attacker.execute(
        "insert into xlog_checkpoint values (%s, %s, %s, %s)", (shard, new.size, new.root, new.sign(signer(origin)))
    )
    attacker.execute("update xlog_head set size = %s, root = %s where shard = %s", (new.size, new.root, shard))


def republish(log: ExchangeLog, year: str | None = None) -> None:
    """Make the files forget, too."""
    folder = log.publisher.folder / (year or log.head().folder)
    for path in sorted(folder.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    log.publisher._seen.clear()
    log.round()


def test_a_log_that_nobody_touched_is_in_order(log: ExchangeLog) -> None:
    assert list(log.findings()) == []


# ── without the key ──────────────────────────────────────────────────────────────────────────────────────────────────
EDITED_LEAF = "update xlog_entry set leaf = convert_to(replace(convert_from(leaf, 'UTF8'), {}), 'UTF8') where idx = 300"
WITHOUT_THE_KEY = {
    "an edited act": (
        "update audit_event set code = 'E-LB', verdict = 'refused' where id = 300",
        {Check.EVENT},
    ),
    "an act that says a name": ("update audit_event set subject = '홍길동' where id = 300", {Check.EVENT}),
    "an act moved to another case": (
        "update audit_event set case_no = '20260000000456' where id = (select min(id) from audit_event where case_no "
        "= '20260000000123')",
        {Check.EVENT},
    ),
    "a deleted act": ("delete from audit_event where id = 300", {Check.EVENT}),
    "an edited leaf": (EDITED_LEAF.format("""'"done"', '"refused"'"""), {Check.TILE, Check.ROOT, Check.EVENT}),
    "a leaf in other words": (
        EDITED_LEAF.format("""'","', '", "'"""),
        {Check.LEAF, Check.TILE, Check.ROOT, Check.SEQUENCE},
    ),
    "a deleted leaf": (
        "delete from xlog_entry where idx = 300",
        {Check.LEAF, Check.TILE, Check.ROOT, Check.SEQUENCE, Check.UNLOGGED},
    ),
    "the newest leaf dropped": (
        "delete from xlog_entry where idx = (select max(idx) from xlog_entry)",
        {Check.ROOT, Check.TILE, Check.UNLOGGED},
    ),
    "two leaves swapped": (
        "update xlog_entry a set leaf = b.leaf from xlog_entry b where a.idx in (298, 304) and b.idx = 602 - a.idx",
        {Check.TILE, Check.ROOT, Check.SEQUENCE},
    ),
    "an entry put under another act": (
        "update xlog_entry set event_id = gen_random_uuid() where idx = 300",
        {Check.EVENT, Check.UNLOGGED},
    ),
    "a truncated tile": (
        "update xlog_tile set data = substr(data, 1, 4096) where level = 0 and n = 1",
        {Check.TILE},
    ),
    "a hash changed in a tile": (
        "update xlog_tile set data = set_byte(data, 40, get_byte(data, 40) # 1) where level = 0 and n = 1",
        {Check.TILE},
    ),
    "a tile taken away": ("delete from xlog_tile where level = 0 and n = 1", {Check.TILE}),
    "a tile added": ("insert into xlog_tile select shard, level, 3, data from xlog_tile where n = 2", {Check.TILE}),
    "a tile added above the tree": (
        "insert into xlog_tile select shard, 63, 3, data from xlog_tile where level = 0 and n = 0",
        {Check.TILE},
    ),
    "the newest checkpoint taken away": (
        "delete from xlog_checkpoint where size = (select max(size) from xlog_checkpoint)",
        {Check.SIGNATURE},
    ),
    "a checkpoint with another root": (
        "update xlog_checkpoint set root = set_byte(root, 0, get_byte(root, 0) # 1) where size > 100 and size < 160",
        {Check.ROOT, Check.SIGNATURE},
    ),
    "a checkpoint that somebody else signed": (
        "update xlog_checkpoint set note = replace(note, E'\\n\\n— ', E'\\n\\n— other.') "
        "where size > 100 and size < 160",
        {Check.SIGNATURE},
    ),
    "an act without a leaf": (
        "insert into audit_event (at, act, actor, purpose, verdict, event_id) "
        "values (now(), 'cases.screened', 'x', 'x', 'done', gen_random_uuid())",
        {Check.UNLOGGED},
    ),
    "a leaf that waits too long": (
        "insert into xlog_pending (event_id, leaf, created_at) "
        "values (gen_random_uuid(), 'x', now() - interval '2 min')",
        {Check.PROMISE},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("harm", "caught"), WITHOUT_THE_KEY.values(), ids=WITHOUT_THE_KEY)
@pytest.mark.rule("R-14")
def test_an_attack_without_the_key_of_the_log_is_caught(
    harm: str, caught: set[Check], log: ExchangeLog, attacker: Attacker
) -> None:
    assert attacker.execute(harm.encode()).rowcount > 0
    assert found(log) == caught
    assert all((finding.entry or 0) < 2**53 for finding in log.findings())


NONSENSE = {
    "counts that are no counts": ("update audit_event set counts = '5' where id = 1", Check.EVENT),
    "a count beyond all numbers": ("""update audit_event set counts = '{"a":1e30}' where id = 1""", Check.EVENT),
    "a time beyond all years": ("update audit_event set at = 'infinity' where id = 1", Check.EVENT),
    "a key that nothing opens": (
        "update vault_key set wrapped = set_byte(wrapped, 0, get_byte(wrapped, 0) # 1) "
        "where case_no = '20260000000123'",
        Check.EVENT,
    ),
    "a leaf whose act is none": ("""update xlog_entry set leaf = '{"act":[],"v":1}' where idx = 3""", Check.LEAF),
    "a log whose key is none": ("update xlog_head set vkey = 'none'", Check.SIGNATURE),
}


@pytest.mark.parametrize(("harm", "caught"), NONSENSE.values(), ids=NONSENSE)
@pytest.mark.rule("R-14")
def test_nonsense_in_one_place_hides_nothing_in_another(
    harm: str, caught: Check, log: ExchangeLog, attacker: Attacker
) -> None:
    attacker.execute(harm.encode())
    attacker.execute("update audit_event set actor = 'mallory' where id = (select max(id) from audit_event)")
    findings = list(log.findings())
    assert caught in {finding.check for finding in findings}
    assert Check.EVENT in {finding.check for finding in findings if (finding.entry or 0) > 500}


def test_an_act_of_today_that_is_put_before_the_first_one_with_a_leaf_is_caught(
    log: ExchangeLog, attacker: Attacker
) -> None:
    attacker.execute("alter table audit_event drop constraint audit_event_has_leaf")
    bare = "insert into audit_event (id, at, act, actor, purpose, verdict) overriding system value values "
    attacker.execute(f"{bare} (-1, now() - interval '1 year', 'cases.screened', 'x', 'x', 'done')".encode())
    assert found(log) == set()  # as it was before there was a log
    attacker.execute(f"{bare} (-2, now(), 'cases.screened', 'x', 'x', 'done')".encode())
    assert found(log) == {Check.UNLOGGED}


def test_what_is_checked_part_by_part_is_checked_to_its_end(
    log: ExchangeLog, attacker: Attacker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.store.self_check.BATCH", 64)
    assert list(log.findings()) == []
    attacker.execute("update audit_event set code = 'E-LB' where id % 64 = 7")
    [(edited,)] = attacker.execute("select count(*) from audit_event where code = 'E-LB'")
    assert [finding.check for finding in log.findings()] == [Check.EVENT] * edited
    assert edited > 8
    attacker.execute("delete from xlog_entry where idx between 100 and 300")
    gap = next(finding for finding in log.findings() if finding.check is Check.LEAF)
    assert (gap.entry, gap.sentence) == (100, "201 entries are missing")


def test_each_hole_is_named_once_however_many_parts_come_after_it(
    log: ExchangeLog, attacker: Attacker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.store.self_check.BATCH", 64)
    attacker.execute("delete from xlog_entry where idx < 2 or idx between 100 and 300 or idx between 450 and 452")
    holes = [(finding.entry, finding.sentence) for finding in log.findings() if finding.check is Check.LEAF]
    assert holes == [
        (0, "2 entries are missing"),
        (100, "201 entries are missing"),
        (450, "3 entries are missing"),
    ]


def test_a_database_restored_from_yesterday_is_caught_by_what_was_published(
    log: ExchangeLog, attacker: Attacker
) -> None:
    as_it_was(attacker, 53)
    attacker.execute("set session_replication_role = replica")
    attacker.execute("delete from audit_event where event_id not in (select event_id from xlog_entry)")
    assert found(log) >= {Check.OUTSIDE}


HARM_TO_A_FILE: dict[str, Callable[[Path], object]] = {
    "other hashes": lambda file: file.write_bytes(bytes(256 * 32)),
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-32]),
    "gone": lambda file: file.unlink(),
}


@pytest.mark.parametrize("tile", ["tile/0/001", "tile/1/000.p/2"])
@pytest.mark.parametrize("harm", HARM_TO_A_FILE.values(), ids=HARM_TO_A_FILE)
def test_a_published_tile_that_is_not_the_one_in_the_database_is_caught(
    harm: Callable[[Path], object], tile: str, log: ExchangeLog
) -> None:
    harm(log.publisher.folder / log.head().folder / tile)
    assert [finding.check for finding in log.findings()] == [Check.TILE]


# ── with the key ─────────────────────────────────────────────────────────────────────────────────────────────────────
def edited(raw: bytes) -> bytes:
    return leaf.read(raw)._replace(verdict="refused").to_bytes()


def back_dated(raw: bytes) -> bytes:
    one = leaf.read(raw)
    return one._replace(at=one.at.replace(year=one.at.year - 1)).to_bytes()


Attack = Callable[[list[bytes]], list[bytes]]
WITH_THE_KEY: dict[str, tuple[Attack, set[Check]]] = {
    "a leaf edited": (lambda r: [*r[:300], edited(r[300]), *r[301:]], {Check.EVENT}),
    "a leaf deleted": (lambda r: [*r[:300], *r[301:]], {Check.SEQUENCE, Check.UNLOGGED}),
    "the newest leaf dropped": (lambda r: r[:-1], {Check.UNLOGGED}),
    "two leaves swapped": (lambda r: [*r[:298], r[304], *r[299:304], r[298], *r[305:]], {Check.SEQUENCE}),
    "a leaf back-dated": (lambda r: [*r[:-1], back_dated(r[-1])], {Check.CLOCK, Check.EVENT}),
}


@pytest.mark.parametrize(("attack", "caught"), WITH_THE_KEY.values(), ids=WITH_THE_KEY)
@pytest.mark.rule("R-14")
def test_whoever_signs_with_the_stolen_key_is_caught_by_what_was_published(
    attack: Attack, caught: set[Check], log: ExchangeLog, attacker: Attacker
) -> None:
    rebuild(attacker, log, attack(raw_leaves(attacker)))
    assert found(log) == caught | {Check.OUTSIDE}


def test_a_year_that_is_rewritten_with_the_key_and_republished_needs_a_checkpoint_that_somebody_kept(
    log: ExchangeLog, attacker: Attacker
) -> None:
    folder = log.publisher.folder / log.head().folder
    kept = (folder / "checkpoint").read_text()
    *others, last = raw_leaves(attacker)
    one, forged = leaf.read(last), OURS.refused("E-LB")
    attacker.execute("update audit_event set verdict = 'refused', code = 'E-LB' where event_id = %s", (one.id,))
    said = leaf_of(forged, one.id, one.seq, one.at, leaves().vault.of_no_case, None)
    rebuild(attacker, log, [*others, said.to_bytes()])
    republish(log)
    assert found(log) == set()
    (folder / "checkpoint").write_text(kept)
    log.publisher._seen.clear()
    assert found(log) == {Check.OUTSIDE}


# ── years ────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def two_years(postgres_store: PostgresStore, tmp_path: Path) -> ExchangeLog:
    """The log of 2019 with three acts, the last of them with TRN, and the one that was opened behind it."""
    made = a_log(postgres_store, tmp_path / "xlog")
    with postgres_store.transaction() as connection:
        made._sequencer._open(connection, "2019", None)
    with postgres_store.unit() as unit:
        unit.commit(ACT, OURS, replace(ACT, partner="TRN"))
    with postgres_store.transaction() as connection:
        head = made.head()
        placed = STATEMENTS.place_pending(connection, shard=head.shard, first=head.size, limit=9)
        made._sequencer._append(connection, head, [raw for _, raw in placed])
    with postgres_store.unit() as unit:
        unit.commit(ACT, OURS)
    made.catch_up()
    return made


def rewritten(attacker: Attacker) -> list[bytes]:
    """The leaves of 2019, of which one says something else, and so does its act."""
    opened, keis, ours, *rest = raw_leaves(attacker)
    one = leaf.read(ours)
    attacker.execute("update audit_event set verdict = 'refused', code = 'E-LB' where event_id = %s", (one.id,))
    said = leaf_of(OURS.refused("E-LB"), one.id, one.seq, one.at, leaves().vault.of_no_case, None)
    return [opened, keis, said.to_bytes(), *rest]


def without_the_last_of_a_partner(attacker: Attacker) -> list[bytes]:
    """The leaves of 2019 without that of the one act with TRN, which is gone, too."""
    opened, keis, ours, trn, *rest = raw_leaves(attacker)
    attacker.execute("delete from audit_event where event_id = %s", (leaf.read(trn).id,))
    return [opened, keis, ours, *rest]


@pytest.mark.parametrize("attack", [rewritten, without_the_last_of_a_partner])
@pytest.mark.parametrize("files", ["as they were", "made to forget"])
@pytest.mark.rule("R-14")
def test_a_year_that_is_over_and_is_rewritten_with_its_key_is_not_the_one_that_the_next_log_quotes(
    attack: Callable[[Attacker], list[bytes]], files: str, two_years: ExchangeLog, attacker: Attacker
) -> None:
    assert two_years.heads()[0].folder == "2019"
    assert list(two_years.findings()) == []
    rebuild(attacker, two_years, attack(attacker))
    if files == "made to forget":
        republish(two_years, "2019")
    assert found(two_years) == {Check.OUTSIDE}


def test_a_year_whose_next_log_quotes_nothing_any_more_is_caught(two_years: ExchangeLog, attacker: Attacker) -> None:
    first, *rest = raw_leaves(attacker, 2)
    rebuild(attacker, two_years, [leaf.read(first)._replace(previous=None).to_bytes(), *rest], 2)
    republish(two_years)
    assert found(two_years) == {Check.OUTSIDE}


def test_a_year_that_is_over_is_not_opened_again(two_years: ExchangeLog, postgres_store: PostgresStore) -> None:
    old = (two_years.publisher.folder / "2019" / "checkpoint").read_text()
    with pytest.raises(LogStopped, match="2019 is closed"):
        two_years.open_next(old)
    with postgres_store.unit() as unit:
        unit.commit(ACT)
    assert two_years.round() == 1


def test_a_log_that_somebody_changed_is_followed_by_one_that_is_published_and_the_break_is_on_record(
    two_years: ExchangeLog, attacker: Attacker
) -> None:
    year = two_years.publisher.folder / two_years.head().folder
    kept = (year / "checkpoint").read_text()
    *others, last = raw_leaves(attacker, 2)
    one = leaf.read(last)
    attacker.execute("update audit_event set verdict = 'refused', code = 'E-LB' where event_id = %s", (one.id,))
    said = leaf_of(OURS.refused("E-LB"), one.id, one.seq, one.at, leaves().vault.of_no_case, None)
    rebuild(attacker, two_years, [*others, said.to_bytes()], 2)
    assert found(two_years) == {Check.OUTSIDE}
    two_years.open_next(kept)
    two_years.catch_up()
    assert list(two_years.findings()) == []
    assert (year / "checkpoint").read_text() == kept
    assert (two_years.publisher.folder / two_years.head().folder / "checkpoint").is_file()


# ── what erasure leaves ──────────────────────────────────────────────────────────────────────────────────────────────
def test_a_case_whose_key_is_destroyed_leaves_a_log_in_order_that_says_nothing_about_it(
    log: ExchangeLog, attacker: Attacker
) -> None:
    attacker.execute("delete from vault_key where case_no = '20260000000123'")
    attacker.execute("delete from audit_event where case_no = '20260000000123'")
    assert list(log.findings()) == []


def test_every_check_has_a_sentence_about_what_it_cannot_see() -> None:
    assert CHECKS.keys() == set(Check)


# ── messages ─────────────────────────────────────────────────────────────────────────────────────────────────────────
HARM_TO_A_MESSAGE = {
    "other bytes": ("update message set body_sha256 = sha256('other')", {Check.BODY}),
    "taken away": ("delete from message", {Check.BODY}),
    "its content destroyed in its time": ("update message set body = '', fhir = null", set()),
    "destroyed whole, with its case": ("delete from message; delete from case_record", set()),
}


@pytest.mark.parametrize(("harm", "caught"), HARM_TO_A_MESSAGE.values(), ids=HARM_TO_A_MESSAGE)
def test_the_bytes_of_a_message_are_those_its_leaf_commits_to(
    harm: str, caught: set[Check], log: ExchangeLog, attacker: Attacker, postgres_store: PostgresStore
) -> None:
    mid, at = "019abd00-0000-7000-9000-0000000000aa", datetime(2026, 11, 25, tzinfo=UTC)
    body = b"{}"
    message = MessageRow(
        "KEIS", "out", mid, "referral.created", CASE, None, 1, "application/json", body, "jws", sha256(body).digest(),
        None, None, (), None, at,
    )  # fmt: skip
    attacker.execute(
        "insert into case_record (case_no, version, revision, status, entry_state, verdict, updated_at)"
        " values (%s, 1, 1, 'live', 'present', 'ok', %s)",
        (CASE, at),
    )
    with postgres_store.unit() as unit:
        unit.outbox.enqueue([message])
        unit.commit(replace(ACT, act="referral.prepared", mid=mid))
    log.catch_up()
    assert found(log) == set()
    attacker.execute(harm.encode())
    assert found(log) == caught


# ── promises ─────────────────────────────────────────────────────────────────────────────────────────────────────────
MID = "019abd00-0000-7000-9000-0000000000bb"


def taken_in(store: PostgresStore) -> Promise:
    """A message comes in; its receipt promises its leaf."""
    act = replace(ACT, act="message.received", case_no=None, partner="TRN", mid=MID)
    with store.unit("TRN") as unit:
        [promise] = unit.promise(act)
        jws = make(receipt_of(sealed(), promise=promise), key_of("kead"))
        unit.commit(receipts=[ReceiptRow("TRN", "in", MID, jws, "accepted", None, datetime(2026, 11, 25, tzinfo=UTC))])
    return promise


def test_what_a_receipt_promises_is_the_leaf_that_stands_in_the_log(
    log: ExchangeLog, attacker: Attacker, postgres_store: PostgresStore
) -> None:
    promise = taken_in(postgres_store)
    log.catch_up()
    one = leaf.read(raw_leaves(attacker)[-1])
    assert promise.leaf == base64url.encode(tree.leaf_hash(one.to_bytes()))
    assert (promise.log, promise.stream, promise.seq) == (log.head().origin.rpartition("/")[0], "TRN", 1)
    assert datetime.fromisoformat(promise.at) == one.at
    assert list(log.findings()) == []


def test_an_act_and_its_leaf_that_are_gone_without_a_trace_were_promised_to_somebody(
    log: ExchangeLog, attacker: Attacker, postgres_store: PostgresStore
) -> None:
    taken_in(postgres_store)
    log.catch_up()
    rebuild(attacker, log, raw_leaves(attacker)[:-1])
    attacker.execute("delete from audit_event where mid = %s", (MID,))
    republish(log)
    assert found(log) == set()
    attacker.execute("update receipt set jws = %s", (make_older(attacker, timedelta(seconds=61)),))
    assert found(log) == {Check.PROMISE}


def make_older(attacker: Attacker, by: timedelta) -> str:
    """The receipt as it would be had it been given earlier."""
    [(jws,)] = attacker.execute("select jws from receipt")
    said = promised(jws)
    assert said is not None
    at = (datetime.fromisoformat(said.at) - by).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return make(receipt_of(sealed(), promise=said._replace(at=at)), key_of("kead"))


def test_an_act_that_was_rewritten_with_its_leaf_and_everything_else_is_not_what_was_promised(
    log: ExchangeLog, attacker: Attacker, postgres_store: PostgresStore
) -> None:
    taken_in(postgres_store)
    log.catch_up()
    *others, last = raw_leaves(attacker)
    one = leaf.read(last)
    forged = replace(ACT, act="message.received", case_no=None, partner="TRN", mid=MID).refused("E-LB")
    attacker.execute("update audit_event set verdict = 'refused', code = 'E-LB' where event_id = %s", (one.id,))
    said = leaf_of(forged, one.id, one.seq, one.at, leaves().vault.of_no_case, None)
    rebuild(attacker, log, [*others, said.to_bytes()])
    republish(log)
    assert found(log) == {Check.PROMISE}


def test_a_receipt_that_promises_on_a_day_that_there_is_not_stops_no_check(
    log: ExchangeLog, attacker: Attacker, postgres_store: PostgresStore
) -> None:
    promise = taken_in(postgres_store)
    log.catch_up()
    nonsense = promise._replace(at="2026-99-99T99:99:99.999Z")
    attacker.execute("update receipt set jws = %s", (make(receipt_of(sealed(), promise=nonsense), key_of("kead")),))
    attacker.execute("delete from audit_event where mid = %s", (MID,))
    assert found(log) == {Check.EVENT}


# ── every night ──────────────────────────────────────────────────────────────────────────────────────────────────────
def test_once_a_day_the_log_is_checked_and_what_is_found_is_work_for_a_person(
    log: ExchangeLog, attacker: Attacker, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = "select verdict, code, counts from audit_event where act = 'log.checked' order by id"
    work = "select kind, code from work_item"
    assert log.nightly() == 0
    assert attacker.execute(checks).fetchall() == []
    attacker.execute("update xlog_head set opened_at = opened_at - interval '1 day'")
    log.nightly()
    log.nightly()
    assert attacker.execute(checks).fetchall() == [("done", None, None)]
    monkeypatch.setattr("gateway.store.exchange_log.CHECK_EVERY", timedelta(0))
    attacker.execute("delete from audit_event where id = 300")
    for nights in (1, 2):
        assert log.nightly() == 1
        assert attacker.execute(checks).fetchall()[1:] == [("refused", "event", {"event": 1})] * nights
        assert attacker.execute(work).fetchall() == [("log-does-not-add-up", "event")]
    attacker.execute("update work_item set done_at = now()")
    log.nightly()
    assert attacker.execute(work).fetchall() == [("log-does-not-add-up", "event")] * 2
