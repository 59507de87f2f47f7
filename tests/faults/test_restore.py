"""Backup and restore, with the commands that stand in gateway/README.md: taken in the middle of the work, brought back
on another server, and a gateway started on it. What the partners know and we no longer do is listed, one by one.

A backup is a moment in the past. Up to it nothing is lost; what came after it is in the partners' books only.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from ipaddress import ip_network
from pathlib import Path

import orjson
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from adapters.comwel.synthetic import follow_up, write, write_night
from gateway.assembly import Gateway, assemble
from gateway.assembly.clocks import RealClock
from gateway.assembly.sandbox import make_night
from gateway.cli.partners import PretendPartners, free_port
from gateway.cli.serving import Door, listen
from gateway.config import Settings
from gateway.journey.intake import pick_up, take_in
from gateway.journey.reconcile import Reconciled, reconcile
from gateway.ports import CaseChange, UpdateRow
from gateway.store.embedded import embedded_postgres
from gateway.store.migrate import APP_ROLE
from gateway.store.postgres import PostgresStore
from gateway.worker.embedded import Runner
from tests.conftest import home_folder, in_database, leaves
from tests.contract.store.build import EVENT, NOW, case, finish, leg, message, request_row
from tests.faults import restored as round_of
from tests.faults.ground import Ground
from tests.faults.restored import run
from tests.faults.stage import PARTNERS, wait_for
from tests.journey.world import knowledge

CASES = 60
WORDS = "홍길동".encode()
Mids = set[tuple[str, str]]


@dataclass
class Site:
    """One home, one door and three partners; the database under them is what gets lost."""

    home: Path
    door: int = field(default_factory=free_port)
    ports: dict[str, int] = field(default_factory=lambda: {partner: free_port() for partner in PARTNERS})

    def settings(self, database: str) -> Settings:
        return Settings(
            home=self.home,
            database_url=database,
            port=self.door,
            partner_urls={p: f"http://127.0.0.1:{port}/messages" for p, port in self.ports.items()},
            partner_networks=(ip_network("127.0.0.0/8"),),
            attempt_timeout_s=1.0,
            lease_s=6.0,
            retry_scale=0.02,
        )

    def partners(self) -> PretendPartners:
        today = RealClock().today()
        door = f"http://127.0.0.1:{self.door}"
        return PretendPartners(
            self.home / "partners", self.ports, gateway=door, seed=1, base=today, slow_s=0.05, pace="bench"
        )

    @contextmanager
    def gateway(self, database: str) -> Iterator[Gateway]:
        """A gateway at work on this database, with its door open."""
        with ExitStack() as stack:
            found = stack.enter_context(assemble(self.settings(database), knowledge=knowledge()))
            stack.enter_context(Door(found, listen("127.0.0.1", self.door)))
            stack.enter_context(Runner(found.world))
            yield found

    def journal(self, *what: str) -> Mids:
        """(partner, message id) of what the partners wrote down."""
        found: Mids = set()
        for partner in PARTNERS:
            raw = (self.home / "partners" / partner.lower() / "journal.ndjson").read_bytes().splitlines()
            found |= {(partner, line["mid"]) for line in map(orjson.loads, raw) if line["what"] in what}
        return found


def book(database: str, sql: str) -> Mids:
    with psycopg.connect(database) as connection:
        return {(partner, str(mid)) for partner, mid in connection.execute(sql.encode())}


def sent(database: str) -> Mids:
    return book(database, "select partner, mid from message where direction = 'out'")


def delivered(database: str) -> Mids:
    return book(database, "select partner, mid from delivery where state = 'delivered'")


def waiting(database: str) -> Mids:
    return book(database, "select partner, mid from delivery where state in ('ready', 'leased')")


def heard(database: str) -> Mids:
    return book(database, "select partner, mid from inbox")


@pytest.fixture
def other_server() -> Iterator[str]:
    """Another PostgreSQL, empty: neither our tables nor our role."""
    with home_folder() as folder, embedded_postgres(folder) as url:
        yield url


def tried(database: str, partner: str) -> Mids:
    found = book(database, "select partner, mid from delivery where state in ('ready', 'leased') and attempts > 0")
    return {(p, mid) for p, mid in found if p == partner}


def call_back_one(database: str, partner: str) -> None:
    """Something new to send: a worker whose referral was tried, and may have arrived, withdraws the consent."""
    with psycopg.connect(database) as connection:
        connection.execute(
            "update case_record set barred = true, reason = 'E-CONSENT' where case_no = (select case_no from delivery"
            " where state in ('ready', 'leased') and attempts > 0 and partner = %s limit 1)",
            (partner,),
        )


def listed(gateway: Gateway, direction: str) -> set[tuple[str, str, str]]:
    """(partner, message id, what) of every difference that the signed lists of these days show."""
    found: list[Reconciled] = []

    def compared(partner: str, day: date) -> bool:
        one = reconcile(gateway.world, partner, day)
        if one is None or one.why:
            return False
        found.append(one)
        return True

    today = RealClock().today()
    for partner in PARTNERS:
        for day in (today - timedelta(days=1), today):
            wait_for(f"the lists of {day} are compared", partial(compared, partner, day))
    return {(one.partner, d.mid, str(d.what)) for one in found for d in one.differences if d.direction == direction}


@contextmanager
def stuck(partners: PretendPartners, partner: str) -> Iterator[None]:
    os.kill(partners.pid(partner), signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(partners.pid(partner), signal.SIGCONT)


def test_a_backup_taken_at_work_comes_back_and_every_difference_to_the_partners_is_listed(
    home: Path, database: str, other_server: str, tmp_path: Path
) -> None:
    site, night = Site(home), home / "night"
    night.mkdir()
    make_night(night, CASES, 20261123, RealClock().today())
    with site.partners() as partners:
        # 1 at work: referrals leave, outcomes come back; a backup is taken meanwhile
        with site.gateway(database) as gateway:
            partners.start(gateway.jwks())
            for partner in PARTNERS:
                for jwk in partners.keys(partner):
                    gateway.shelf.add(partner, jwk)
            with stuck(partners, "TRN"):
                take_in(gateway.world, night)
                wait_for(
                    "some is across, some was tried in vain",
                    lambda: bool(delivered(database) and tried(database, "TRN")),
                )
                before = (sent(database), delivered(database), heard(database))
                run("backup", BACKUP=tmp_path, GATEWAY_HOME=home, GATEWAY_DATABASE_URL=database)
                # 2 the work goes on, and then the database is lost
                call_back_one(database, "TRN")
                wait_for("more is sent", lambda: len(sent(database)) > len(before[0]))
            wait_for("all is across", lambda: not waiting(database))
            wait_for("more is heard", lambda: bool(site.journal("answered") - before[2]))
        answered = site.journal("answered", "refused")
        # 3 it comes back on another server, as it was
        restored = in_database(other_server, "gateway_restored")
        run("restore", BACKUP=tmp_path, SERVER_URL=other_server, NEW_DATABASE_URL=restored)
        for mids, known in zip(before, (sent, delivered, heard), strict=True):
            assert mids - known(restored) == set()
        lost_out, lost_in = sent(database) - sent(restored), answered - heard(restored)
        assert lost_out
        assert lost_in
        # 4 a gateway works on it; what was under way is sent again, with the same bytes, and known to the partners
        with site.gateway(restored) as gateway:
            wait_for("what was under way is across", lambda: not waiting(restored))
            assert sent(restored) - site.journal("received") == set()
            differences = {direction: listed(gateway, direction) for direction in ("out", "in")}
        # 5 the lists: what the partners have from us, and what they have our receipt for, that we do not know
        assert site.journal("received") - sent(restored) == lost_out
        assert site.journal("answered", "refused") - heard(restored) == lost_in
        # 6 the signed lists of both sides name every one of them, and nothing else
        assert differences == {
            "out": {(*one, "not-sent") for one in lost_out},
            "in": {(*one, "not-there") for one in lost_in},
        }


def test_what_was_delivered_before_the_backup_is_kept_and_what_came_later_is_sent_again_and_known(
    ground: Ground,
) -> None:
    found = round_of.restored(ground)
    assert found.findings.numbers == (0, 0, 0, 0, 0, 0), str(found.findings)
    assert 0 < found.hits["kept"] < found.messages == found.hits["delivered"]
    assert found.hits["duplicate"] > 10


def test_a_backup_into_the_folder_of_the_last_one_takes_the_place_of_its_keys(database: str, tmp_path: Path) -> None:
    home, folder = empty_home(tmp_path), tmp_path / "backup"
    folder.mkdir()
    for secret in ("old", "new"):
        (home / "keys" / "vault.secret").write_text(secret)
        run("backup", BACKUP=folder, GATEWAY_HOME=home, GATEWAY_DATABASE_URL=database)
    assert (folder / "keys" / "vault.secret").read_text() == "new"


def test_a_backup_is_taken_as_the_owner_where_the_login_may_only_work(database: str, tmp_path: Path) -> None:
    name = f"backup{os.getpid()}"
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute(f"create role {name} login password 'x' in role {APP_ROLE}")
        try:
            login = make_conninfo(database, user=name, password="x")
            home, urls = empty_home(tmp_path), {"GATEWAY_OWNER_URL": database, "GATEWAY_DATABASE_URL": login}
            run("backup", BACKUP=tmp_path, GATEWAY_HOME=home, **urls)
        finally:
            owner.execute(f"drop role {name}")
    assert (tmp_path / "gateway.dump").stat().st_size > 0


def test_after_a_restore_no_referral_number_is_given_out_twice(
    database: str, other_server: str, tmp_path: Path
) -> None:
    run("backup", BACKUP=tmp_path, GATEWAY_HOME=empty_home(tmp_path), GATEWAY_DATABASE_URL=database)
    restored = in_database(other_server, "gateway_restored")
    run("restore", BACKUP=tmp_path, SERVER_URL=other_server, NEW_DATABASE_URL=restored)
    with psycopg.connect(restored) as connection:
        row = connection.execute(
            "select last from number_series where day = (now() at time zone 'Asia/Seoul')::date"
        ).fetchone()
    assert row == (100_000,)


def test_after_a_restore_no_number_of_a_file_to_comwel_is_given_out_twice(
    database: str, other_server: str, tmp_path: Path
) -> None:
    with closing(PostgresStore(database, leaves())) as store:
        with store.unit() as unit:
            unit.legs.add([request_row()], [leg()])
            unit.commit(EVENT)
        before = number_of_a_file(store, 1)
        run("backup", BACKUP=tmp_path, GATEWAY_HOME=empty_home(tmp_path), GATEWAY_DATABASE_URL=database)
        lost = number_of_a_file(store, 2)
    restored = in_database(other_server, "gateway_restored")
    run("restore", BACKUP=tmp_path, SERVER_URL=other_server, NEW_DATABASE_URL=restored)
    with closing(PostgresStore(restored, leaves())) as store:
        assert number_of_a_file(store, 2) not in {before, lost}
        with store.unit() as unit:
            waiting = {number for _, number, _ in unit.facts.unwritten_files()}
    assert before in waiting
    assert lost not in waiting


def number_of_a_file(store: PostgresStore, update_no: int) -> int:
    """An update of the leg goes into a file of today."""
    with store.unit() as unit:
        unit.facts.add_updates([UpdateRow(leg().ref_no, update_no, leg().case_no, b"{}", None, None, NOW)])
        found = unit.facts.allocate_file(RealClock().today(), 9, NOW)
        assert found
        unit.commit(EVENT)
        return found[0]


def test_what_comwel_handed_over_after_the_backup_is_let_in_again(
    home: Path, database: str, other_server: str, tmp_path: Path
) -> None:
    site, drop, today = Site(home), home / "from-comwel", RealClock().today()
    drop.mkdir()
    night = write_night(drop, CASES, 20261123, today)
    with assemble(site.settings(database), knowledge=knowledge()) as gateway:
        first = {taken.name for taken in pick_up(gateway.world)}
        run("backup", BACKUP=tmp_path, GATEWAY_HOME=home, GATEWAY_DATABASE_URL=database)
        write(drop, follow_up(night, today, file_seq=2))
        later = {taken.name for taken in pick_up(gateway.world)}
    restored = in_database(other_server, "gateway_restored")
    run("restore", BACKUP=tmp_path, SERVER_URL=other_server, NEW_DATABASE_URL=restored)
    assert cases(restored) != cases(database)
    run("let in again", GATEWAY_HOME=home)
    with assemble(site.settings(restored), knowledge=knowledge()) as gateway:
        taken = {one.name: one.verdict for one in pick_up(gateway.world)}
    assert taken == dict.fromkeys(first, "unchanged") | dict.fromkeys(later, "accepted")
    assert cases(restored) == cases(database)


def cases(database: str) -> set[tuple[object, ...]]:
    """How every case stands."""
    with psycopg.connect(database) as connection:
        return set(connection.execute("select case_no, version, revision, status, verdict, reason from case_record"))


def empty_home(folder: Path) -> Path:
    (folder / "home" / "keys").mkdir(parents=True)
    return folder / "home"


def test_an_older_backup_restored_with_the_newer_keys_does_not_bring_back_what_was_destroyed(
    database: str, other_server: str, tmp_path: Path
) -> None:
    older, newer = tmp_path / "older", tmp_path / "newer"
    older.mkdir()
    newer.mkdir()
    given = {"GATEWAY_HOME": empty_home(tmp_path), "GATEWAY_DATABASE_URL": database}
    store = PostgresStore(database, leaves())
    with store.unit() as unit:
        unit.cases.save(
            [CaseChange(case(n, status=status, record=WORDS), "I", None) for n, status in ((1, "deleted"), (2, "live"))]
        )
        unit.outbox.enqueue([message(n, body=WORDS, case_no=case(n).case_no) for n in (1, 2)])
        unit.commit(EVENT)
    run("backup", BACKUP=older, **given)
    with store.unit() as unit:
        unit.outbox.finish([finish(c.message.mid, c.fence, "delivered") for c in unit.outbox.claim("KEIS", "w", 9, 9)])
        assert unit.retention.destroy("destroy-content", date(2030, 1, 1), 9) == 1
        unit.commit(EVENT)
    store.close()
    run("backup", BACKUP=newer, **given)
    restored = in_database(other_server, "gateway_restored")
    (older / "vault_key.sql").write_bytes((newer / "vault_key.sql").read_bytes())
    run("restore", BACKUP=older, SERVER_URL=other_server, NEW_DATABASE_URL=restored)
    store = PostgresStore(restored, leaves())
    with store.unit() as unit:
        bodies = [unit.outbox.find_message(message(n).mid) for n in (1, 2)]
        records = unit.cases.records([case(n).case_no for n in (1, 2)])
    store.close()
    assert [found and found.body for found in bodies] == [b"", WORDS]
    assert records == {case(2).case_no: WORDS}
    with psycopg.connect(restored) as owner:  # the cipher came back, and nobody can read it
        assert owner.execute("select count(*) from message where body <> ''").fetchone() == (2,)
    assert destroyed_again(restored) == 1
    with psycopg.connect(restored) as owner:
        assert owner.execute("select case_no from message where body <> ''").fetchall() == [(case(2).case_no,)]


def destroyed_again(database: str) -> int:
    """The nightly look, twice: what it destroyed, and then nothing."""
    store = PostgresStore(database, leaves())
    with store.unit() as unit:
        gone = unit.retention.destroy_returned(9)
        unit.commit(EVENT)
    with store.unit() as unit:
        assert unit.retention.destroy_returned(9) == 0
    store.close()
    return gone


def test_keys_from_a_backup_that_was_too_old_are_found_and_destroyed_again(
    database: str, other_server: str, tmp_path: Path
) -> None:
    older, newer = tmp_path / "older", tmp_path / "newer"
    older.mkdir()
    newer.mkdir()
    given = {"GATEWAY_HOME": empty_home(tmp_path), "GATEWAY_DATABASE_URL": database}
    store = PostgresStore(database, leaves())
    with store.unit() as unit:
        unit.cases.save([CaseChange(case(n, status="deleted", record=WORDS), "I", None) for n in (1, 2, 3)])
        unit.commit(EVENT)
    run("backup", BACKUP=older, **given)
    with store.unit() as unit:
        assert unit.retention.destroy("destroy-content", date(2030, 1, 1), 2) == 2
        unit.commit(EVENT)
    begun_anew = next(n for n in (1, 2) if case(n).case_no in gone(database))
    with store.unit() as unit:  # it comes again, and has another key
        unit.cases.save([CaseChange(case(begun_anew, revision=2, record=WORDS), "I", None)])
        unit.commit(EVENT)
    store.close()
    assert destroyed_again(database) == 0
    run("backup", BACKUP=newer, **given)
    restored = in_database(other_server, "gateway_restored")
    (newer / "vault_key.sql").write_bytes((older / "vault_key.sql").read_bytes())
    run("restore", BACKUP=newer, SERVER_URL=other_server, NEW_DATABASE_URL=restored)
    assert living(restored) == {case(n).case_no for n in (1, 2, 3)}
    assert destroyed_again(restored) == 2
    assert living(restored) == {case(3).case_no}


def gone(database: str) -> set[str]:
    with psycopg.connect(database) as owner:
        return {case_no for (case_no,) in owner.execute("select case_no from destroyed_content")}


def living(database: str) -> set[str]:
    with psycopg.connect(database) as owner:
        return {case_no for (case_no,) in owner.execute("select case_no from vault_key where content is not null")}
