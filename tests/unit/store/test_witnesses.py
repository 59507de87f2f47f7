"""The log and its witnesses on PostgreSQL: who cosigns what, who is believed, and what a witness can stop."""

from __future__ import annotations

import io
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest

from adapters.witnesses.own.memory import Memory
from adapters.witnesses.own.witness import Witness
from gateway.assembly.clocks import uuid7
from gateway.assembly.log import witness_policy
from gateway.config import Settings
from gateway.errors import LogStopped, SettingsInvalid
from gateway.exchange_log import findings, policy, witnessing
from gateway.exchange_log.checkpoint import Checkpoint, Opened, open_checkpoint
from gateway.exchange_log.findings import Check
from gateway.exchange_log.note import COSIGNATURE, Signer, Verifier
from gateway.exchange_log.tree import EMPTY_ROOT
from gateway.ports import WitnessAnswer, WitnessChannel
from gateway.store import witnesses as module
from gateway.store.exchange_log import ExchangeLog
from gateway.store.postgres import PostgresStore
from gateway.store.witnesses import Witnesses
from tests.conftest import LOG_NAME
from tests.fakes.witnesses import Near, Told
from tests.unit.exchange_log.test_note import signer as seeded
from tests.unit.store.test_exchange_log import ACT, OURS, as_it_was, signer
from tests.unit.store.test_self_check import Attacker, raw_leaves, rebuild, republish

NAMES = ("one", "two", "three")
COSIGNERS = {name: seeded(f"{name}.example", COSIGNATURE, seed) for seed, name in enumerate(NAMES, 20)}
AWAY = WitnessAnswer(None)


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - a witness's clock is nobody's argument


def policy_of(names: tuple[str, ...], enough: int) -> policy.Policy:
    if not names:
        return policy.parse("quorum none")
    witnesses = [f"witness {name} {COSIGNERS[name].verifier.vkey} http://{name}.example" for name in names]
    group = f"group all-of-them {enough} {' '.join(names)}"
    return policy.parse("\n".join([*witnesses, group, "quorum all-of-them"]))


@pytest.fixture
def near(tmp_path: Path) -> Iterator[dict[str, Near]]:
    """Three witnesses of ours; they watch every log of the gateway."""
    logs = {origin: signer(origin).verifier for origin in (f"{LOG_NAME}/{y}" for y in ("2019", *range(2025, 2035)))}
    with ExitStack() as stack:
        memories = {name: stack.enter_context(closing(Memory(tmp_path / f"{name}.db"))) for name in NAMES}
        yield {name: Near(Witness(COSIGNERS[name], memories[name], lambda: logs, now)) for name in NAMES}


Make = Callable[..., ExchangeLog]


@pytest.fixture
def make(postgres_store: PostgresStore, tmp_path: Path) -> Make:
    """A process of the gateway, as far as its log is concerned."""

    def process(channels: Mapping[str, WitnessChannel], enough: int = 1) -> ExchangeLog:
        witnesses = Witnesses(postgres_store, policy_of(tuple(channels), enough), channels, left_alone_s=0.0)
        return ExchangeLog(postgres_store, tmp_path / "xlog", LOG_NAME, signer, uuid7, witnesses)

    return process


@pytest.fixture
def log(make: Make, near: dict[str, Near], act: Callable[..., None]) -> ExchangeLog:
    """A log of 11 leaves that one witness has cosigned."""
    found = make({"one": near["one"]})
    act(*[ACT] * 10)
    found.catch_up()
    assert found.witnesses.round() == 1
    return found


@pytest.fixture
def attacker(database: str) -> Iterator[Attacker]:
    with psycopg.connect(database, autocommit=True, options="-c app.partner=*") as connection:
        connection.execute("set session_replication_role = replica")
        yield connection


def file_of(log: ExchangeLog, name: str) -> str:
    return (log.publisher.folder / log.head().folder / name).read_text()


def opened(log: ExchangeLog, name: str = "checkpoint") -> Opened:
    """A published checkpoint, opened with the keys of the log and of every witness."""
    keys = tuple(one.verifier for one in COSIGNERS.values())
    return open_checkpoint(file_of(log, name), Verifier.parse(file_of(log, "log.vkey")), keys)


def by(found: Opened) -> list[str]:
    return [said.by.name.removesuffix(".example") for said in found.note.of(COSIGNATURE)]


def work(attacker: Attacker) -> list[tuple[str, str]]:
    return attacker.execute("select kind, code from work_item where done_at is null order by id").fetchall()


def found(log: ExchangeLog) -> set[Check]:
    return {finding.check for finding in log.findings()}


# ── cosignatures ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_witness_cosigns_every_new_head_and_the_published_checkpoint_carries_it(
    log: ExchangeLog, act: Callable[..., None]
) -> None:
    log.round()
    assert (by(opened(log)), opened(log).checkpoint.size) == (["one"], 11)
    act(ACT)
    log.round()
    assert (by(opened(log)), by(opened(log, "witnessed")), opened(log, "witnessed").checkpoint.size) == (
        [],
        ["one"],
        11,
    )
    assert [log.witnesses.round(), log.witnesses.round()] == [1, 0]
    log.round()
    assert (opened(log).checkpoint.size, file_of(log, "checkpoint")) == (12, file_of(log, "witnessed"))
    assert found(log) == set()


def test_the_published_policy_says_who_and_how_many_and_no_address(make: Make, near: dict[str, Near]) -> None:
    log = make(near, enough=2)
    log.round()
    read = policy.parse(file_of(log, "policy"))
    assert [one.key for one in read.witnesses.values()] == [one.verifier for one in COSIGNERS.values()]
    assert read.enough([COSIGNERS["one"].verifier, COSIGNERS["three"].verifier])
    assert not read.enough([COSIGNERS["one"].verifier])
    assert "http" not in file_of(log, "policy")


def test_enough_is_what_the_policy_says_of_one_and_the_same_head(
    make: Make, near: dict[str, Near], act: Callable[..., None]
) -> None:
    late = Told(lambda _: AWAY)
    log = make({"one": near["one"], "two": late}, enough=2)
    log.round()
    assert log.witnesses.round() == 1
    log.round()
    assert by(opened(log)) == ["one"]
    assert not (log.publisher.folder / log.head().folder / "witnessed").exists()
    late.says = near["two"].add_checkpoint
    assert log.witnesses.round() == 1
    log.round()
    assert (by(opened(log, "witnessed")), file_of(log, "checkpoint")) == (["one", "two"], file_of(log, "witnessed"))


def test_a_head_that_stands_still_is_cosigned_again_after_an_hour_with_a_new_time(
    log: ExchangeLog, monkeypatch: pytest.MonkeyPatch, attacker: Attacker
) -> None:
    attacker.execute("update xlog_cosig set at = at - interval '59 min'")
    assert log.witnesses.round() == 0
    attacker.execute("update xlog_cosig set at = at - interval '2 min'")
    assert log.witnesses.round() == 1
    log.round()
    [said] = opened(log).note.of(COSIGNATURE)
    assert attacker.execute("select count(*), max(at) from xlog_cosig").fetchone() == (2, said.at)


def test_a_proof_is_given_under_the_newest_head_that_is_witnessed_and_covers_the_leaf(
    log: ExchangeLog, act: Callable[..., None]
) -> None:
    act(ACT)
    log.round()
    with log.reading() as connection:
        first, last = (
            connection.execute("select event_id::text from xlog_entry where idx = %s", (i,)).fetchone() for i in (5, 11)
        )
    assert first
    assert last
    assert "one.example" in log.prove(first[0])[0].proof
    assert "one.example" not in log.prove(last[0])[0].proof


def test_a_witness_that_has_seen_another_size_is_asked_once_more_from_there(
    log: ExchangeLog, near: dict[str, Near], act: Callable[..., None], attacker: Attacker
) -> None:
    attacker.execute("delete from xlog_cosig")  # as after a crash between its answer and our commit
    act(ACT)
    log.round()
    asked = near["one"].asked
    assert (log.witnesses.round(), near["one"].asked - asked) == (1, 2)
    assert attacker.execute("select size from xlog_cosig").fetchall() == [(12,)]


def test_the_last_head_of_a_year_is_cosigned_too(
    make: Make, near: dict[str, Near], attacker: Attacker, act: Callable[..., None], tmp_path: Path
) -> None:
    log = make({"one": near["one"]})
    log.catch_up()
    folder = log.head().folder
    attacker.execute("update xlog_head set origin = replace(origin, %s, '2019')", (folder,))
    attacker.execute("update xlog_head set vkey = %s", (signer(f"{LOG_NAME}/2019").verifier.vkey,))
    (tmp_path / "xlog" / folder / "checkpoint").unlink()
    act(ACT)
    log.catch_up()
    assert log.witnesses.round() == 2
    assert attacker.execute("select shard, size from xlog_cosig order by 1").fetchall() == [(1, 2), (2, 2)]


def test_only_one_process_asks_at_a_time(
    log: ExchangeLog, act: Callable[..., None], postgres_store: PostgresStore
) -> None:
    act(ACT)
    log.round()
    with postgres_store.alone("exchange-log.witness") as mine:
        assert (mine, log.witnesses.round()) == (True, 0)
    assert log.witnesses.round() == 1


# ── away ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_witness_that_does_not_answer_holds_up_neither_the_log_nor_the_others(
    make: Make, near: dict[str, Near], act: Callable[..., None], attacker: Attacker
) -> None:
    asked, answer = threading.Event(), threading.Event()

    def hang(_: bytes) -> WitnessAnswer:
        asked.set()
        answer.wait(30)
        return AWAY

    log = make({"one": Told(hang), "two": near["two"]})
    log.round()
    asking = threading.Thread(target=log.witnesses.round)
    asking.start()
    try:
        assert asked.wait(10)
        act(ACT)
        assert log.round() == 1
        for _ in range(200):
            if log.round() == 0 and (cosigned := attacker.execute("select witness from xlog_cosig").fetchall()):
                break
            answer.wait(0.05)
        assert cosigned == [(COSIGNERS["two"].verifier.vkey,)]
    finally:
        answer.set()
        asking.join()


@pytest.mark.parametrize("said", [AWAY, *(WitnessAnswer(status) for status in (400, 403, 404, 429, 500, 503))])
def test_a_witness_that_cannot_is_left_alone_for_a_while_and_nobody_is_called(
    said: WitnessAnswer, postgres_store: PostgresStore, make: Make, attacker: Attacker, out: io.StringIO
) -> None:
    log, away = make({}), Told(lambda _: said)
    log.round()
    patient = Witnesses(postgres_store, policy_of(("one",), 1), {"one": away}, left_alone_s=60.0)
    assert [patient.round(), patient.round()] == [0, 0]
    assert (away.asked, work(attacker)) == (1, [])
    [line] = [one for one in map(orjson.loads, out.getvalue().splitlines()) if one["event"] == "witness.away"]
    assert (line.get("status"), "masked" in line) == (said.status, False)


# ── lying ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def head_in(submission: bytes) -> Checkpoint:
    origin, size, root, *_ = witnessing.read(submission).checkpoint.split("\n")
    return Checkpoint(origin, int(size), b64decode(root))


def signs(change: Callable[[Checkpoint], Checkpoint], by: Signer = COSIGNERS["one"], late: int = 0) -> Any:
    """A witness that signs something else than it was asked to, with another key, or at another time."""

    def say(submission: bytes) -> WitnessAnswer:
        text = change(head_in(submission)).text
        return WitnessAnswer(200, by.sign(text, now() + timedelta(seconds=late)))

    return say


def same(head: Checkpoint) -> Checkpoint:
    return head


STOLEN_NAME = seeded("one.example", COSIGNATURE, 99)
LIES: dict[str, tuple[Callable[[bytes], WitnessAnswer], str]] = {
    "it signs another root": (signs(lambda h: h._replace(root=EMPTY_ROOT)), "forged"),
    "it signs another size": (signs(lambda h: h._replace(size=h.size + 1)), "forged"),
    "it signs for another log": (signs(lambda h: h._replace(origin="other.example/log")), "forged"),
    "its bytes are noise": (
        lambda _: WitnessAnswer(
            200, f"— one.example {b64encode(COSIGNERS['one'].verifier.key_id + bytes(72)).decode()}\n"
        ),
        "forged",
    ),
    "its answer is no signature line": (lambda _: WitnessAnswer(200, "thank you\n"), "forged"),
    "it signs with a key we were not given": (signs(same, STOLEN_NAME), "unsigned"),
    "it signs as somebody else": (signs(same, COSIGNERS["two"]), "unsigned"),
    "it says nothing": (lambda _: WitnessAnswer(200), "unsigned"),
    "it dates its word tomorrow": (signs(same, late=86_400), "clock"),
    "it dates its word yesterday": (signs(same, late=-86_400), "clock"),
    "it says that it has seen ever so much": (lambda _: WitnessAnswer(409, f"{1 << 62}\n"), "unproven"),
    "it says that it has seen I do not know what": (lambda _: WitnessAnswer(409, "many\n"), "malformed"),
    "it has forgotten what it cosigned": (lambda _: WitnessAnswer(409, "3\n"), "forgetful"),
    "it does not believe us, and cannot say why": (lambda _: WitnessAnswer(422), "unproven"),
}


@pytest.mark.parametrize(("lie", "code"), LIES.values(), ids=LIES)
def test_a_witness_that_lies_is_found_out_and_cannot_stop_the_log(
    lie: Callable[[bytes], WitnessAnswer], code: str, log: ExchangeLog, make: Make, act: Callable[..., None],
    attacker: Attacker,
) -> None:  # fmt: skip
    before = attacker.execute("select * from xlog_cosig").fetchall()
    act(ACT)
    lied_to = make({"one": Told(lie)})
    lied_to.round()
    for _ in range(2):
        assert lied_to.witnesses.round() == 0
    assert attacker.execute("select * from xlog_cosig").fetchall() == before
    assert work(attacker) == [("witness-doubted", code)]
    lied_to.catch_up()
    assert found(lied_to) == set()
    acts = attacker.execute("select subject, verdict, code from audit_event where act = 'witness.doubted'").fetchall()
    assert acts == [("one", "refused", code)]


def test_a_witness_that_refuses_what_it_shows_itself_contradicts_itself(
    log: ExchangeLog, make: Make, act: Callable[..., None], attacker: Attacker
) -> None:
    act(ACT)
    lied_to = make({"one": Told(lambda _: WitnessAnswer(422), WitnessAnswer(200, file_of(log, "checkpoint")))})
    lied_to.round()
    lied_to.witnesses.round()
    assert work(attacker) == [("witness-doubted", "contradicts-itself")]


@pytest.mark.parametrize("shown", ["not a note", Checkpoint(f"{LOG_NAME}/2026", 1 << 40, EMPTY_ROOT).sign(seeded("x"))])
def test_what_our_own_key_has_not_signed_stops_nothing(
    shown: str, log: ExchangeLog, make: Make, act: Callable[..., None], attacker: Attacker
) -> None:
    act(ACT)
    lied_to = make({"one": Told(lambda _: WitnessAnswer(409, f"{1 << 40}\n"), WitnessAnswer(200, shown))})
    assert lied_to.round() > 0
    lied_to.witnesses.round()
    act(ACT)
    assert lied_to.round() > 0
    assert work(attacker) == [("witness-doubted", "unproven")]


# ── when the witness is right ────────────────────────────────────────────────────────────────────────────────────────
def restored(attacker: Attacker, size: int) -> None:
    attacker.execute("delete from xlog_cosig where size > %s", (size,))
    as_it_was(attacker, size)
    attacker.execute("set session_replication_role = replica")
    attacker.execute("delete from audit_event where event_id not in (select event_id from xlog_entry)")
    attacker.execute(
        "update xlog_stream s set seq = (select count(*) from xlog_entry where convert_from(leaf, 'UTF8')::json "
        "->> 'stream' = s.stream)"
    )


def forget_files(log: ExchangeLog) -> None:
    """The published files are lost with the machine."""
    (log.publisher.folder / log.head().folder / "checkpoint").unlink()


@pytest.fixture
def grown(log: ExchangeLog, act: Callable[..., None]) -> ExchangeLog:
    """The log in two checkpoints, both cosigned."""
    act(ACT, ACT)
    log.round()
    assert log.witnesses.round() == 1
    return log


def test_a_new_process_on_a_restored_database_does_not_append_when_a_witness_has_seen_more(
    grown: ExchangeLog, make: Make, near: dict[str, Near], act: Callable[..., None], attacker: Attacker
) -> None:
    forget_files(grown)
    restored(attacker, 11)
    act(ACT)
    for process in (make({"one": near["one"]}), make({})):  # the second has never heard of a witness
        with pytest.raises(LogStopped, match="13 leaves outside"):
            process.round()
    assert attacker.execute("select max(size) from xlog_checkpoint").fetchone() == (11,)
    assert (work(attacker), found(grown)) == ([("log-does-not-add-up", "outside")], {Check.OUTSIDE})


def test_a_process_that_was_there_when_the_database_was_restored_is_stopped_by_the_next_cosigning(
    grown: ExchangeLog, act: Callable[..., None], attacker: Attacker
) -> None:
    forget_files(grown)
    restored(attacker, 11)
    act(ACT)
    assert grown.round() == 1  # it asked when it started; nobody told it since
    grown.witnesses.round()
    act(ACT)
    with pytest.raises(LogStopped):
        grown.round()
    assert work(attacker) == [("log-does-not-add-up", "outside")]


def test_a_past_that_was_rewritten_with_the_stolen_key_and_republished_is_refused_by_the_witness(
    grown: ExchangeLog, act: Callable[..., None], attacker: Attacker
) -> None:
    *others, last = raw_leaves(attacker)
    attacker.execute("delete from xlog_cosig")
    rebuild(attacker, grown, [*others[:-1], last])
    republish(grown)
    act(ACT)
    grown.round()
    grown.witnesses.round()
    act(ACT)
    with pytest.raises(LogStopped, match="does not begin with what was seen"):
        grown.round()
    assert Check.OUTSIDE in found(grown)


def test_the_next_log_quotes_what_the_witness_has_seen_and_then_all_is_in_order(
    grown: ExchangeLog, near: dict[str, Near], make: Make, act: Callable[..., None], attacker: Attacker
) -> None:
    seen = near["one"].latest(grown.head().origin).body
    forget_files(grown)
    restored(attacker, 11)
    process = make({"one": near["one"]})
    act(ACT)
    with pytest.raises(LogStopped):
        process.round()
    process.open_next(seen)
    process.catch_up()
    asked = near["one"].asked
    assert process.witnesses.round() == 0  # it was not told of the new log yet, and the old one is not its business
    assert near["one"].asked - asked == 1
    assert (found(process), [head.open for head in process.heads()]) == (set(), [False, True])


# ── what is kept ─────────────────────────────────────────────────────────────────────────────────────────────────────
FORGED_ROWS = {
    "a line of another size": "update xlog_cosig set line = (select line from xlog_cosig order by size limit 1)",
    "a line under another name": f"update xlog_cosig set witness = '{COSIGNERS['two'].verifier.vkey}'",  # noqa: S608
    "no line at all": "update xlog_cosig set line = ''",
    "a key that is none": "update xlog_cosig set witness = 'somebody'",
}  # fmt: skip


@pytest.mark.parametrize("harm", FORGED_ROWS.values(), ids=FORGED_ROWS)
@pytest.mark.rule("R-14")
def test_a_cosignature_that_was_forged_in_the_database_is_caught(
    harm: str, grown: ExchangeLog, attacker: Attacker
) -> None:
    assert found(grown) == set()
    attacker.execute(harm.encode())
    assert found(grown) == {Check.COSIGNATURE}


def test_a_leaf_that_is_dated_later_than_a_witness_saw_it_is_caught(
    log: ExchangeLog, attacker: Attacker, act: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TOLERANCE", timedelta(days=1))
    log.witnesses._channels["one"].witness._memory._file.execute("drop trigger never_back")  # type: ignore[attr-defined]
    act(OURS)
    log.round()
    behind = Told(signs(same, late=-3600))
    log.witnesses._channels = {"one": behind}
    assert log.witnesses.round() == 1
    assert found(log) == {Check.CLOCK}


def test_what_was_logged_after_a_witness_looked_is_not_held_against_the_time_it_looked(
    log: ExchangeLog, act: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(findings, "TOLERANCE", timedelta(seconds=1))
    time.sleep(2.1)
    act(OURS)
    log.round()
    assert log.witnesses.round() == 1
    assert found(log) == set()


@pytest.mark.parametrize("harm", ["update xlog_cosig set line = ''", "delete from xlog_cosig"])
def test_even_the_owner_meets_a_guard_rail(harm: str, log: ExchangeLog, database: str) -> None:
    with psycopg.connect(database) as owner, pytest.raises(psycopg.errors.DatabaseError):
        owner.execute(harm.encode())


# ── who is asked ─────────────────────────────────────────────────────────────────────────────────────────────────────
ONE = f"witness one {COSIGNERS['one'].verifier.vkey}"


def test_the_policy_is_a_file_with_an_address_for_every_witness(tmp_path: Path) -> None:
    (tmp_path / "witnesses").write_text(f"{ONE} http://one.example\nquorum one\n")
    read = witness_policy(Settings(witnesses=tmp_path / "witnesses"))
    assert (read.witnesses["one"].url, read.enough([COSIGNERS["one"].verifier])) == ("http://one.example", True)
    assert witness_policy(Settings()).enough([])


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        f"{ONE} http://one.example\n",
        f"{ONE}\nquorum one\n",
        f"{ONE} one.example\nquorum one\n",
        f"{ONE.replace(' one ', ' 하나 ')} http://one.example\nquorum 하나\n",
        f"{ONE} http://one.example\nquorum two\n",
    ],
)
def test_a_policy_that_names_nobody_or_nowhere_is_refused_at_the_start(text: str | None, tmp_path: Path) -> None:
    path = tmp_path / "witnesses"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsInvalid, match="GATEWAY_WITNESSES"):
        witness_policy(Settings(witnesses=path))


# ── how long nobody has looked ───────────────────────────────────────────────────────────────────────────────────────
def hours_ago(attacker: Attacker, table: str, hours: int, where: str = "true") -> None:
    column = "at" if table == "xlog_cosig" else "created_at"
    attacker.execute(f"update {table} set {column} = {column} - interval '{hours} h' where {where}")  # noqa: S608


def hours_of_silence(log: ExchangeLog) -> int:
    return round(log.witnesses.silence() / timedelta(hours=1))


def test_silence_counts_from_the_last_cosignature(log: ExchangeLog, attacker: Attacker) -> None:
    assert hours_of_silence(log) == 0
    hours_ago(attacker, "xlog_cosig", 5)
    assert hours_of_silence(log) == 5
    assert log.witnesses.round() == 1  # it is asked again, and nothing is silent any more
    assert hours_of_silence(log) == 0


def test_too_few_witnesses_are_silence_too(
    make: Make, near: dict[str, Near], act: Callable[..., None], attacker: Attacker
) -> None:
    log = make({"one": near["one"], "two": near["two"], "three": Told(lambda _: AWAY)}, enough=2)
    act(ACT)
    log.catch_up()
    assert log.witnesses.round() == 2
    hours_ago(attacker, "xlog_cosig", 9, f"witness = '{COSIGNERS['two'].verifier.vkey}'")
    assert hours_of_silence(log) == 9  # one and three are no help: one alone is not enough, three never came


def test_before_the_first_cosignature_silence_counts_from_the_first_checkpoint(
    make: Make, act: Callable[..., None], attacker: Attacker
) -> None:
    log = make({"one": Told(lambda _: AWAY)})
    assert hours_of_silence(log) == 0  # there is nothing to look at
    act(ACT)
    log.catch_up()
    hours_ago(attacker, "xlog_checkpoint", 3)
    assert hours_of_silence(log) == 3
