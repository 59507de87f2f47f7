"""From release 0.1.0 to this one, on a server, with both releases at work in between.

`releases/0.1.0` holds what that release left behind: a night with its referrals, receipts and outcomes as it dumped
them, and its statements. One writer works as release 0.1.0 did, as the owner and by COPY, another as this release does;
the owner is no superuser, because a superuser would not feel a policy.
"""

from __future__ import annotations

import lzma
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import aiosql
import psycopg
import pytest
from psycopg.rows import dict_row

from gateway.assembly import assemble, prepare
from gateway.config import Settings
from gateway.errors import SchemaTooOld, SettingsInvalid
from gateway.ports import Finish
from gateway.store import migrate as steps
from gateway.store.migrate import APP_ROLE, migrate, require_fit
from gateway.store.postgres import PostgresStore
from gateway.store.rest import seal_rest
from gateway.store.sealed import is_sealed
from gateway.worker.rounds import walk
from tests.conftest import in_database, leaves
from tests.contract.store.build import EVENT, NOW, finish, leg, message, request_row
from tests.faults.restored import run, shell
from tests.faults.test_restore import empty_home
from tests.unsealed import SEALED, Unsealed

OLD = Path(__file__).parent / "releases" / "0.1.0"
NOW_SQL = Path(steps.__file__).parent / "sql"
FIRST = Path(steps.__file__).parent / "migrations" / "versions" / "0001_first.sql"
BATCH, DAY = 8, date(2026, 11, 30)
LEG = "ref_no request_no case_no case_version partner person_id state status business services legal_basis consent_no"
LEG += " filler_no answered in_seq first_answer_due result_due tracked version updated_at"
MESSAGE = (
    "partner direction mid type case_no ref_no seq content_type body jws body_sha256 map_pin map_digest fields fhir"
)
MESSAGE += " at"
DELIVERY = "partner mid case_no seq state next_at first_at"


# ── release 0.1.0 ────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def release_0_1_0(postgres: str) -> Iterator[str]:
    """A database as release 0.1.0 left it, owned by a login that is no superuser."""
    name = f"upgrade{os.getpid()}"
    with psycopg.connect(postgres, autocommit=True) as server:
        server.execute(f"create role {name} login password 'x' in role {APP_ROLE}")
        server.execute(f"create database {name} owner {name} template template0")
        url = psycopg.conninfo.make_conninfo(in_database(postgres, name), user=name, password="x")
        with psycopg.connect(url) as owner:
            owner.execute(FIRST.read_text(encoding="utf-8"))
            owner.execute("create table alembic_version (version_num varchar(32) primary key)")
            owner.execute("insert into alembic_version values ('0001_first')")
            load(owner, night_of_0_1_0())
        yield url
        server.execute(f"drop database {name} with (force)")
        server.execute(f"drop role {name}")


def night_of_0_1_0() -> str:
    return lzma.decompress((OLD / "night.sql.xz").read_bytes()).decode()


def load(owner: psycopg.Connection, dump: str) -> None:
    """Put in what `pg_dump --data-only` wrote."""
    for head, rows, call in re.findall(r"^(COPY .*?);\n(.*?)^\\\.$|^(SELECT .*?;)$", dump, re.DOTALL | re.MULTILINE):
        if call:
            owner.execute(call)
            continue
        with owner.cursor() as cursor, cursor.copy(head) as into:
            into.write(rows)


def books(url: str) -> dict[str, set[str]]:
    """Every row of every table of release 0.1.0, in its own columns."""
    columns = re.findall(r"^COPY public\.(\w+) \((.*?)\)", night_of_0_1_0(), re.MULTILINE)
    with psycopg.connect(url, options="-c app.partner=*") as owner:
        return {
            table: {row for (row,) in owner.execute(f"select row({names})::text from {table}")}  # noqa: S608
            for table, names in columns
        }


def as_release_0_1_0(url: str, n: int) -> None:
    """One batch: refer, lease, deliver, hear, by the statements and the COPY of release 0.1.0."""
    keys = range(100_000 + n * BATCH, 100_000 + (n + 1) * BATCH)
    old: Any = aiosql.from_path(OLD / "sql", "psycopg", mandatory_parameters=False)
    with psycopg.connect(url, options="-c statement_timeout=20s") as owner:
        old.next_numbers(owner, day=DAY, how_many=BATCH)
        copy(
            owner,
            "referral",
            "request_no case_no case_version status authored_at authored_on",
            [request_row()] if n == 0 else [],
        )
        legs = [leg(k, case_no=f"old{k}") for k in keys]
        copy(owner, "leg", LEG, [(*r[:9], list(r.services), *r[10:]) for r in legs])
        letters = [message(k, 1, case_no=f"old{k}", ref_no=leg(k).ref_no) for k in keys]
        copy(owner, "message", MESSAGE, [(*m[:13], list(m.fields), m.fhir, m.at) for m in letters])
        queued = [(m.partner, m.mid, m.case_no, 1, "ready", m.at, m.at) for m in letters]
        copy(owner, "delivery", DELIVERY, queued)
        old.add_event(owner, [event()])
        owner.commit()
        held = [
            (str(row[2]), row[-1]) for row in old.claim(owner, partner="KEIS", worker="old", limit=BATCH, lease_s=30)
        ]
        owner.commit()
        ended = [finish(mid, fence, "delivered", receipt=True) for mid, fence in held]
        old.add_attempt(owner, [f.attempt._asdict() for f in ended])
        old.keep_receipt(owner, [f.receipt._asdict() for f in ended if f.receipt])
        old.finish_delivery(owner, [f.attempt._asdict() | {"state": "delivered", "next_at": NOW} for f in ended])
        old.add_event(owner, [event()])


def copy(owner: psycopg.Connection, table: str, columns: str, rows: Sequence[Sequence[Any]]) -> None:
    with owner.cursor() as cursor, cursor.copy(f"copy {table} ({columns.replace(' ', ', ')}) from stdin") as into:
        for row in rows:
            into.write_row(row)


def event() -> dict[str, Any]:
    names = ("act", "actor", "purpose", "verdict", "code", "case_no", "ref_no", "partner", "mid", "subject")
    return {name: getattr(EVENT, name) for name in names} | {"counts": None}


# ── this release ─────────────────────────────────────────────────────────────────────────────────────────────────────
def as_this_release(store: PostgresStore, n: int) -> None:
    """The same batch by today's store, to another partner."""
    keys = range(900_000 + n * BATCH, 900_000 + (n + 1) * BATCH)
    with store.unit() as unit:
        unit.legs.next_numbers(DAY, BATCH)
        unit.legs.add([], [leg(k, partner="TRN", case_no=f"new{k}") for k in keys])
        letters = [message(k, partner="TRN", case_no=f"new{k}", ref_no=leg(k).ref_no) for k in keys]
        unit.outbox.enqueue(letters)
        unit.commit(EVENT)
    with store.unit("TRN") as unit:
        held = unit.outbox.claim("TRN", "new", BATCH, 30.0)
        ended = [finish(claim.message.mid, claim.fence, "delivered", receipt=True) for claim in held]
        assert len(unit.outbox.finish([to("TRN", each) for each in ended])) == BATCH
        unit.commit(replace(EVENT, partner="TRN"))


def to(partner: str, ended: Finish) -> Finish:
    attempt, receipt = ended.attempt._replace(partner=partner), ended.receipt
    return ended._replace(attempt=attempt, receipt=receipt and receipt._replace(partner=partner))


class Writer:
    """Writes batch after batch in a thread while the block lasts. Raises what the thread raised."""

    def __init__(self, batch: Callable[[int], None]) -> None:
        self.batches, self._batch, self._stop = 0, batch, threading.Event()
        self._side = ThreadPoolExecutor(1)

    def __enter__(self) -> Writer:
        self._running = self._side.submit(self._work)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._side.shutdown()
        self._running.result()

    def _work(self) -> None:
        while not self._stop.is_set():
            self._batch(self.batches)
            self.batches += 1

    def ten_more(self) -> None:
        """Wait until ten more batches are written."""
        goal, deadline = self.batches + 10, time.monotonic() + 60
        while self.batches < goal:
            assert time.monotonic() < deadline, "the writer stands still"
            if self._running.done():
                self._running.result()
            time.sleep(0.01)


def numbered(sql: str) -> str:
    """`%(name)s` as `$1`."""
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", sql)))
    return re.sub(r"%\((\w+)\)s", lambda m: f"${names.index(m[1]) + 1}", sql)


def not_understood(url: str, folder: Path, **session: Any) -> list[str]:
    """Statements of a release that this database no longer, or not yet, understands."""
    found, queries = [], aiosql.from_path(folder, "psycopg", mandatory_parameters=False)
    with psycopg.connect(url, autocommit=True, **session) as connection:
        for name in queries.available_queries:
            sql = numbered(getattr(queries, name).sql)
            try:
                connection.execute(f"prepare one as {sql}".encode())
                connection.execute("deallocate one")
            except psycopg.Error as error:
                found.append(f"{name}: {error}")
    assert queries.available_queries
    return found


# ── the tests ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_both_releases_write_while_phase_pre_runs_and_this_one_while_phase_post_does(release_0_1_0: str) -> None:
    url, night = release_0_1_0, books(release_0_1_0)
    with pytest.raises(SchemaTooOld):
        require_fit(url)
    with Writer(lambda n: as_release_0_1_0(url, n)) as old:
        old.ten_more()
        migrate(url, ("pre",))
        require_fit(url)
        store = PostgresStore(url, leaves())
        with Writer(lambda n: as_this_release(store, n)) as new:
            old.ten_more()
            new.ten_more()
            assert not_understood(url, OLD / "sql") == []
            assert not_understood(url, NOW_SQL, options=f"-c role={APP_ROLE} -c app.partner=*") == []
    with Writer(lambda n: as_this_release(store, 100_000 + n)) as newer:
        newer.ten_more()
        migrate(url, ("post",))
        newer.ten_more()
    store.close()
    assert not_understood(url, NOW_SQL, options=f"-c role={APP_ROLE} -c app.partner=*") == []
    after = books(url)
    assert {table: len(rows - after[table]) for table, rows in night.items()} == dict.fromkeys(night, 0)
    delivered = "select left(case_no, 3), count(*) from delivery where state = 'delivered' group by 1"
    with psycopg.connect(url, options="-c app.partner=*") as owner:
        written: dict[str, int] = dict(owner.execute(delivered).fetchall())
    assert (written["old"], written["new"]) == (old.batches * BATCH, (new.batches + newer.batches) * BATCH)


def test_after_phase_post_release_0_1_0_sees_and_writes_nothing(release_0_1_0: str) -> None:
    migrate(release_0_1_0)
    with psycopg.connect(release_0_1_0) as owner:
        assert owner.execute("select count(*) from message").fetchone() == (0,)
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="row-level security"):
        as_release_0_1_0(release_0_1_0, 0)


def test_the_night_of_release_0_1_0_is_read_by_this_one(release_0_1_0: str, tmp_path: Path) -> None:
    migrate(release_0_1_0)
    with psycopg.connect(release_0_1_0, options="-c app.partner=*") as owner:  # the dump came without its home
        owner.execute("delete from partner_key where owner = 'comwel'")
        judged = owner.execute("select count(*) from leg where tracked = version").fetchone() or (0,)
    with assemble(Settings(database_url=release_0_1_0, home=tmp_path)) as gateway:
        written = 1  # the file of updates
        assert (walk(gateway.world), walk(gateway.world)) == (judged[0] + written, 0)  # each is judged once more
        with gateway.store.unit() as unit:
            exchanges, counts = list(unit.outbox.report()), unit.counts()
            assert len(list(unit.cases.report())) == 12
            assert [each for each in exchanges if unit.outbox.find_message(each["mid"]) is None] == []
        assert len(exchanges) == counts["messages out"] + counts["messages in"] > 100


DECIDED = """
    select c.case_no, last.result, (
        select min(x.business_date)::text from screening x
        where x.case_no = c.case_no and x.id > coalesce(
            (select max(y.id) from screening y where y.case_no = c.case_no and y.result <> last.result), 0))
    from case_record c
    join lateral (select x.result from screening x where x.case_no = c.case_no order by x.id desc limit 1) last
        on last.result in ('PRIORITY', 'WAITLIST')
    where c.status = 'live' order by 1"""
"""Who holds a seat or waits for one, and since when, by all decisions there are."""
BY_RELEASE_0_1_0 = """
    insert into screening (case_no, revision, ruleset, gate, score, contributions, inputs_hash, result, business_date,
                           decided_at)
    values (%s, 1, 'r', 'CANDIDATE', 1, '[]', 'h', %s, %s, now())"""


def test_who_holds_a_seat_is_known_whichever_release_decided(release_0_1_0: str) -> None:
    url, days = release_0_1_0, [DAY + timedelta(n) for n in range(3)]
    with psycopg.connect(url) as old:
        cases = [no for (no,) in old.execute("select case_no from case_record where status = 'live' order by 1")]
        old.cursor().executemany(BY_RELEASE_0_1_0, [(no, "PRIORITY", days[0]) for no in cases[:3]])
    migrate(url, ("pre",))
    with psycopg.connect(url) as old:
        decisions = [(cases[0], "PRIORITY"), (cases[1], "WAITLIST"), (cases[2], "GENERAL"), (cases[3], "WAITLIST")]
        old.cursor().executemany(BY_RELEASE_0_1_0, [(*each, days[1]) for each in decisions])
        expected = old.execute(DECIDED).fetchall()
        assert (cases[1], "WAITLIST", str(days[1])) in expected
        assert cases[0] in {no for no, _, _ in expected} > {cases[1]}
        assert cases[2] not in {no for no, _, _ in expected}
        asked = "select case_no, result, since::text from standing order by 1"
        assert old.execute(asked).fetchall() == expected
        old.execute("update case_record set status = 'deleted' where case_no = %s", (cases[0],))
        old.execute("insert into case_history values (%s, 99, null, 'D', null, now())", (cases[0],))
        assert old.execute(asked).fetchall() == [each for each in expected if each[0] != cases[0]]
        old.execute("update case_record set status = 'live' where case_no = %s", (cases[0],))
        old.execute(BY_RELEASE_0_1_0, (cases[0], "PRIORITY", days[2]))
        assert (cases[0], "PRIORITY", str(days[2])) in old.execute(asked).fetchall()


def content(url: str) -> dict[str, list[dict[str, Any]]]:
    """The tables of content, row by row."""
    with psycopg.connect(url, options="-c app.partner=*", row_factory=dict_row) as owner:
        return {table: owner.execute(f"select * from {table}").fetchall() for table in SEALED}  # noqa: S608


def as_text(rows: Iterable[dict[str, Any]]) -> list[str]:
    return sorted(map(str, rows))


def test_what_release_0_1_0_left_in_the_clear_is_sealed_when_it_is_gone(release_0_1_0: str) -> None:
    night, vault = content(release_0_1_0), leaves().vault
    migrate(release_0_1_0, ("pre",))
    assert seal_rest(release_0_1_0, vault) == 0
    with psycopg.connect(release_0_1_0, options="-c app.partner=*") as owner:
        owner.execute("update attempt set head = '[\"POST\"]'")  # as this release keeps it until phase post
    migrate(release_0_1_0, ("post",))
    assert seal_rest(release_0_1_0, vault) > 100
    assert seal_rest(release_0_1_0, vault) == 0
    sealed, reader = content(release_0_1_0), Unsealed(release_0_1_0)
    changed: dict[str, dict[str, Any]] = {"message": {"head": None}, "attempt": {"head": b'["POST"]'}}
    for table, rows in sealed.items():
        said = [row[column] for row in rows for column in SEALED[table][1]]
        assert {value for value in said if value and not is_sealed(value)} <= {b"[]", b"{}"}
        before = [row | changed.get(table, {}) for row in night[table]]
        known = before[0].keys() if before else ()  # columns of later releases say nothing about what was left
        now = ({name: row[name] for name in known} for row in reader.rows(table, rows))
        assert as_text(now) == as_text(before), table


def test_the_owner_backs_up_every_row_although_the_policies_hold_it(
    release_0_1_0: str, postgres: str, tmp_path: Path
) -> None:
    migrate(release_0_1_0)
    run("backup", BACKUP=tmp_path, GATEWAY_HOME=empty_home(tmp_path), GATEWAY_DATABASE_URL=release_0_1_0)
    name = f"restored{os.getpid()}"
    with psycopg.connect(postgres, autocommit=True) as server:
        server.execute(f"create database {name} template template0")
        into = in_database(postgres, name)
        shell(
            'pg_restore --no-owner --exit-on-error --dbname="$INTO" "$DUMP"', INTO=into, DUMP=tmp_path / "gateway.dump"
        )
        assert books(into) == books(release_0_1_0)
        server.execute(f"drop database {name} with (force)")


def test_records_of_release_0_1_0_end_although_the_policies_hold_the_owner(release_0_1_0: str) -> None:
    migrate(release_0_1_0)
    store = PostgresStore(release_0_1_0, leaves())
    with store.unit() as unit:
        due, _ = unit.retention.due("destroy-content", date(2030, 1, 1))
        assert due > 5
        assert [unit.retention.destroy("destroy-content", date(2030, 1, 1), 99) for _ in range(2)] == [due, 0]
        assert unit.retention.destroy("destroy-evidence", date(2030, 1, 1), 99) == due
    store.close()


def test_a_gateway_works_with_a_login_of_its_own_and_never_holds_the_owners(
    release_0_1_0: str, postgres: str, tmp_path: Path
) -> None:
    name = f"works{os.getpid()}"
    with psycopg.connect(postgres, autocommit=True) as server:
        server.execute(f"create role {name} login password 'x' in role {APP_ROLE}")
        login = psycopg.conninfo.make_conninfo(release_0_1_0, user=name)
        with psycopg.connect(release_0_1_0) as owner:
            owner.execute("delete from partner_key where owner = 'comwel'")  # the dump came without its home
            owner.execute("set app.partner = '*'")
            judged = owner.execute("select count(*) from leg where tracked = version").fetchone() or (0,)
        settings = Settings(database_url=login, home=tmp_path)
        with pytest.raises(SettingsInvalid, match="gateway migrate with the owner's URL first"), assemble(settings):
            raise AssertionError("it started")
        prepare(settings.model_copy(update={"owner_url": release_0_1_0}))
        with assemble(settings) as gateway:
            written = 1  # the file of updates
            assert (walk(gateway.world), walk(gateway.world)) == (judged[0] + written, 0)  # each is judged once more
            with gateway.store.unit() as unit:
                assert len(list(unit.cases.report())) == 12
        with psycopg.connect(login) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"set role upgrade{os.getpid()}")
        server.execute(f"drop role {name}")


def test_a_login_outside_the_role_is_told_what_to_grant(release_0_1_0: str, postgres: str) -> None:
    migrate(release_0_1_0)
    info = psycopg.conninfo.conninfo_to_dict(release_0_1_0)
    with psycopg.connect(postgres, autocommit=True) as server:
        server.execute(f"revoke {APP_ROLE} from {info['user']}")
    with pytest.raises(SettingsInvalid, match=f"grant {APP_ROLE} to {info['user']}"):
        require_fit(release_0_1_0)


def test_a_step_gives_way_to_a_table_in_use_and_comes_again(release_0_1_0: str) -> None:
    with ThreadPoolExecutor(1) as side, psycopg.connect(release_0_1_0) as busy:
        busy.execute("select count(*) from leg")  # holds its lock until it commits
        running = side.submit(migrate, release_0_1_0)
        for _ in range(5):  # others get through while the step waits, gives way, and waits again
            time.sleep(0.3)
            as_release_0_1_0(release_0_1_0, _)
        assert not running.done()
        busy.commit()
        running.result(timeout=30)
    require_fit(release_0_1_0)
