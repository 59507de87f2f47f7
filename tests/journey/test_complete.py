"""Is anything missing? A signed report in words that an auditor understands, whoever took what away."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import orjson
import psycopg
import pytest
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS, InvalidJWSSignature

from adapters.partners.pretend.scripts import Kind
from gateway.errors import LeafInvalid, ReconcileRefused
from gateway.journey.complete import Report, report
from gateway.journey.reconcile import reconcile
from gateway.sealing.keys import to_jwk
from gateway.store.exchange_log import ExchangeLog
from tests.journey.test_reconcile import Books, honest_books, sealed_on, the, the_night_after
from tests.journey.world import Scene, a_case, key_of, says
from tests.unit.store.test_exchange_log import a_log

DAY = timedelta(days=1)


@dataclass
class Year:
    """A gateway with a day behind it: a referral to KEIS, a report from it, both lists compared, all in the log."""

    scene: Scene
    log: ExchangeLog
    books: Books
    day: date
    database: str

    def report(self, partner: str = "KEIS", days: int = 0) -> Report:
        last = self.day + days * DAY
        return report(self.scene.world, self.log.stretch, partner, self.day, last, by="kim.0417", purpose="audit")

    def missing(self) -> list[str]:
        return list(self.report().said["missing"])

    def destroy(self, sql: str) -> int:
        """What an owner of the database can do."""
        with psycopg.connect(self.database, autocommit=True, options="-c app.partner=*") as owner:
            owner.execute("set session_replication_role = replica")
            return owner.execute(sql).rowcount


@pytest.fixture
def year(real: Scene, database: str, tmp_path: Path) -> Year:
    scene, day = real, sealed_on(real)
    books = honest_books(scene)
    the_night_after(scene, day)
    reconcile(scene.world, "KEIS", day)
    log = a_log(scene.store, tmp_path / "xlog")
    log.catch_up()
    return Year(scene, log, books, day, database)


@pytest.mark.rule("R-14")
def test_where_nothing_is_missing_the_report_says_so_and_counts_both_sides(year: Year) -> None:
    found = year.report()
    assert (found.complete, found.said["missing"]) == (True, [])
    assert found.said["ours"] == {
        "out": {"delivered": 1, "given-up": 0, "rejected": 0, "waiting": 0}, "in": {"accepted": 1, "rejected": 0}
    }  # fmt: skip
    assert found.said["theirs"] == {"out": 1, "in": 1, "days": 1}
    counted = found.said["log"]
    assert (counted["first"], counted["leaves"], counted["gaps"]) == (1, counted["last"], [])
    assert counted["checkpoint"].split("\n")[0].startswith("gateway.example/")
    assert found.said["log"]["leaves"] == sum(1 for e in year.scene.events() if e["partner"] == "KEIS")


def test_whoever_asks_is_kept_before_anything_is_told(year: Year) -> None:
    year.report()
    read = year.scene.events()[-1]
    assert (read["act"], read["actor"], read["purpose"]) == ("completeness.reported", "kim.0417", "audit")
    assert (read["partner"], read["subject"]) == ("KEIS", f"{year.day}/{year.day}")


def test_another_implementation_verifies_the_report_and_refuses_a_changed_one(year: Year) -> None:
    found, ours = year.report(), JWK(**to_jwk(key_of("comwel")))
    opened = JWS()
    opened.deserialize(found.jws, ours)
    assert orjson.loads(opened.payload) == found.said
    head, payload, signature = found.jws.split(".")
    with pytest.raises(InvalidJWSSignature):
        JWS().deserialize(f"{head}.{payload[:-2]}AA.{signature}", ours)


GONE = {
    "leaves": (
        'delete from xlog_entry where convert_from(leaf, \'UTF8\') ~ \'"seq":[23],"stream":"KEIS"\'',
        "from 1 to 4 2 records cannot be found",
    ),
    "the newest leaf": (
        "delete from xlog_entry where idx = "
        "(select max(idx) from xlog_entry where convert_from(leaf, 'UTF8') ~ '\"stream\":\"KEIS\"')",
        "1 record cannot be found",
    ),
    "an access record": (
        "delete from audit_event where id = (select min(id) from audit_event where partner = 'KEIS')",
        "the log proves 1 act that the access records no longer show",
    ),
    "a message": (
        "delete from message where partner = 'KEIS' and direction = 'in'",
        "was sent or taken in, and it is no longer among the messages",
    ),
}


@pytest.mark.rule("R-14")
@pytest.mark.parametrize("what", GONE)
def test_what_an_administrator_of_the_database_deleted_is_said_in_words(year: Year, what: str) -> None:
    sql, words = GONE[what]
    year.log.catch_up()
    assert year.destroy(sql) > 0
    assert any(words in sentence for sentence in year.missing())


NO_LEAF = {
    "no JSON": """update xlog_entry set leaf = '{'
                  where convert_from(leaf, 'UTF8') ~ '"seq":2,"stream":"KEIS"'""",
    "no text": """update xlog_entry set leaf = '\\xff'
                  where convert_from(leaf, 'UTF8') ~ '"seq":2,"stream":"KEIS"'""",
    "no number": """update xlog_entry set leaf =
                    convert_to(replace(convert_from(leaf, 'UTF8'), 'seq":2', 'seq":"ii"'), 'UTF8')
                    where convert_from(leaf, 'UTF8') ~ '"seq":2,"stream":"KEIS"'""",
    "no day": """update xlog_entry set leaf =
                 convert_to(replace(convert_from(leaf, 'UTF8'), '"at":"20', '"at":"99-'), 'UTF8')
                 where convert_from(leaf, 'UTF8') ~ '"seq":2,"stream":"KEIS"'""",
}


@pytest.mark.parametrize("sql", NO_LEAF.values(), ids=NO_LEAF)
def test_what_is_no_leaf_is_told_with_its_place(year: Year, sql: str) -> None:
    assert year.destroy(sql) == 1
    with pytest.raises(LeafInvalid) as refused:
        year.report()
    assert re.fullmatch(r"gateway\.example/\S+, entry [0-9]+", str(refused.value.place))


def test_what_waits_and_is_no_leaf_is_told(year: Year) -> None:
    year.destroy("insert into xlog_pending (event_id, leaf) values (gen_random_uuid(), '{')")
    with pytest.raises(LeafInvalid) as refused:
        year.report()
    assert str(refused.value.place) == "a leaf that waits"


def test_a_message_that_we_lost_shows_by_the_partners_own_counters_too(year: Year) -> None:
    year.destroy("delete from message where partner = 'KEIS' and direction = 'in'")
    assert "we have taken in 0 messages, and the partner counts 1 sent" in year.missing()


def test_a_day_for_which_the_partner_has_not_answered_is_not_complete(year: Year) -> None:
    year.scene.clock.pass_(days=1)
    found = year.report(days=1)
    assert found.said["unanswered"] == [(year.day + DAY).isoformat()]
    assert [f"its own list of {year.day + DAY} yet" in sentence for sentence in found.said["missing"]] == [True]
    other = report(year.scene.world, year.log.stretch, "TRN", year.day, year.day, by="kim.0417", purpose="audit")
    assert not other.complete


@pytest.fixture
def morning(real: Scene, database: str, tmp_path: Path) -> Year:
    """As `year`, but the lists were compared on the day itself, as far as it had gone."""
    day, books = sealed_on(real), honest_books(real)
    real.clock.pass_(seconds=2)
    reconcile(real.world, "KEIS", day)
    log = a_log(real.store, tmp_path / "xlog")
    log.catch_up()
    return Year(real, log, books, day, database)


def test_a_list_of_half_a_day_answers_for_it_until_the_next_message(morning: Year) -> None:
    assert morning.report().complete
    morning.scene.clock.pass_(seconds=2)
    morning.scene.say(morning.scene.legs(a_case().case_no)["KEIS"], Kind.START, 2)
    found = morning.report()
    assert found.said["unanswered"] == [morning.day.isoformat()]
    assert [f"its own list of {morning.day} yet" in sentence for sentence in found.said["missing"]] == [True]


def test_a_list_of_half_a_day_does_not_answer_for_a_day_that_is_over(morning: Year) -> None:
    the_night_after(morning.scene, morning.day)
    found = morning.report()
    assert (found.complete, found.said["unanswered"]) == (False, [morning.day.isoformat()])
    reconcile(morning.scene.world, "KEIS", morning.day)
    assert morning.report().complete


def forgets(year: Year) -> str:
    mid, _ = key = the(year.books, "in")
    del year.books.entries[key]
    year.scene.clock.pass_(days=1)
    reconcile(year.scene.world, "KEIS", year.day)
    return f"differ about message {mid} of {year.day}: out-not-there"


def is_silent(year: Year) -> str:
    year.scene.clock.at -= DAY
    [case_no] = {row["case_no"] for row in year.scene.rows("leg")}
    year.scene.partners["KEIS"].will(says(503))
    with year.scene.store.unit("KEIS") as unit:
        first = next(m for m in year.scene.rows("message") if m["partner"] == "KEIS" and m["direction"] == "out")
        found = unit.outbox.find_message(first["mid"])
        assert found is not None
        unit.outbox.enqueue([found._replace(mid="019abd00-0000-7000-9000-00000000aaaa", seq=99, case_no=case_no)])
        unit.commit(year.scene.world.event("delivery.released", "test", partner="KEIS"))
    year.scene.deliver("KEIS")
    year.scene.clock.at += DAY
    return "1 message to the partner has no receipt yet"


@pytest.mark.parametrize("happens", [forgets, is_silent])
def test_what_differs_and_what_is_under_way_is_told(year: Year, happens: Callable[[Year], str]) -> None:
    words = happens(year)
    assert any(words in sentence for sentence in year.missing())


def test_nothing_is_said_about_strangers_and_days_to_come(year: Year) -> None:
    with pytest.raises(ReconcileRefused):
        year.report("NOBODY")
    with pytest.raises(ReconcileRefused):
        year.report(days=-1)
    year.scene.clock.at -= 3 * DAY
    with pytest.raises(ReconcileRefused):
        year.report()
