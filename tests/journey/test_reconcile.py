"""Both sides' books: signed lists every night, each difference work for a person once, and nothing half-done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from adapters.partners.pretend.scripts import Kind
from gateway.delivery.hours import Calendar, OpeningHours
from gateway.errors import ClocksApart, ReconcileRefused, WorkRefused
from gateway.journey.receive import receive
from gateway.journey.reconcile import DIFFER, MONTH, TOLD_AFTER, Reconciled, reconcile
from gateway.journey.work import Settled, done, look
from gateway.korea import KST
from gateway.ports import Outgoing, Said, Unobserved
from gateway.sealing import compact, http, lists, manifest
from gateway.sealing.comparison import What
from gateway.sealing.lists import Entry, ReconciliationList, State, digest_list
from gateway.sealing.manifest import digest_jws
from gateway.worker.rounds import reconcile_partners
from tests.journey.world import Partner, Scene, inbound, key_of, letter, ring, says

DAY = timedelta(days=1)
NOON = datetime(2026, 11, 23, 3, tzinfo=UTC)


class Books:
    """A partner's own books, and how it answers with them."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], Entry] = {}
        self.sealed: dict[str, int] = {}
        self.given: list[str] = []
        self.asked: dict[str, str] = {}

    def note(self, mid: str, jws: str, direction: str, state: State) -> None:
        self.entries[mid, direction] = Entry(mid, digest_jws(jws), direction, state)
        self.sealed[mid] = manifest.read(compact.read(jws, typ=manifest.TYP).payload).iat

    def answer(self, partner: Partner, message: Outgoing, **changes: Any) -> Said:
        """What an honest partner says: proven like a message, its own chain, the same bytes to the same list."""
        keys, now = ring("comwel").of("comwel"), partner.clock.now()
        attempt = http.verify("POST", message.url, message.headers, message.body, keys=keys, now=now)
        manifest.open_sealed(
            attempt.jws, {"body": message.body}, keys=keys, audience=partner.id.lower(), sender="comwel", received=now
        )
        asked = message.body.decode()
        stated = lists.check(asked, keys=keys, author="comwel", audience=partner.id.lower(), received=now)
        if asked not in self.asked or changes:
            self.asked[asked] = self.make(partner, stated, asked, **changes)
            self.given.append(self.asked[asked])
        return Said("after", 200, self.asked[asked].encode(), "HTTP 200")

    def of(self, since: int, until: int) -> Iterator[Entry]:
        """What was sealed in a period, by the manifests."""
        return (entry for entry in self.entries.values() if since <= self.sealed.get(entry.mid, since) < until)

    def make(self, partner: Partner, asked: ReconciliationList, jws: str, **changes: Any) -> str:
        mine = ReconciliationList(
            iss=partner.id.lower(), aud="comwel", at=int(partner.clock.now().timestamp()), since=asked.since,
            until=asked.until, previous=digest_list(self.given[-1]) if self.given else None,
            answers=digest_list(jws), entries=tuple(self.of(asked.since, asked.until)),
        )  # fmt: skip
        by = changes.pop("by", partner.id)
        return lists.make(replace(mine, **changes), key_of(by))


@pytest.fixture
def books(scene: Scene) -> Books:
    """KEIS, with a referral delivered and a report taken in, and honest books about both; the day after, at night."""
    return honest_books(scene)


def honest_books(scene: Scene) -> Books:
    """What KEIS writes down of a referral that reached it and of its first report."""
    found = Books()
    leg = scene.referred()["KEIS"]
    scene.say(leg, Kind.ACCEPT, 1)
    for row in scene.rows("message"):
        if row["partner"] == "KEIS":
            side, state = ("in", State.ACCEPTED) if row["direction"] == "out" else ("out", State.DELIVERED)
            found.note(row["mid"], row["jws"], side, state)
    scene.partners["KEIS"].list_of = found.answer
    return found


def sealed_on(scene: Scene) -> date:
    return scene.clock.at.astimezone(KST).date()


def the_night_after(scene: Scene, day: date, nights: int = 1) -> None:
    """Two in the morning, so many nights after a day."""
    scene.clock.at = datetime(day.year, day.month, day.day, 2, tzinfo=KST) + nights * DAY


def compared(scene: Scene, day: date, partner: str = "KEIS") -> Reconciled:
    found = reconcile(scene.world, partner, day)
    assert found is not None
    return found


def work(scene: Scene) -> list[tuple[str, str | None, bool]]:
    """Open and ended work about books: kind, code, whether it is over."""
    return [
        (w["kind"], w["code"], w["done_at"] is not None) for w in scene.rows("work_item") if w["kind"].startswith("b")
    ]


def the(books: Books, direction: str) -> tuple[str, str]:
    """The one message of a direction, as the partner sees it."""
    return next(key for key in books.entries if key[1] == direction)


def test_both_sides_agree_and_their_lists_are_kept_as_evidence(scene: Scene, books: Books) -> None:
    day = sealed_on(scene)
    the_night_after(scene, day)
    found = compared(scene, day)
    assert (found.agreed, found.sent, found.taken, found.waiting) == (True, 1, 1, 0)
    [row] = scene.rows("reconciliation")
    assert (row["theirs"], row["settled"], row["why"]) == (books.given[0], True, None)
    ours = lists.check(row["ours"], keys=ring("comwel").of("comwel"), author="comwel", audience="keis")
    assert [str(entry)[37:] for entry in ours.entries if entry.direction == "out"] == [
        f"{books.entries[the(books, 'in')].mjws_s256} out delivered"
    ]
    stated, told = [e for e in scene.events() if e["act"].startswith("books.")]
    assert (stated["act"], stated["subject"]) == ("books.stated", f"{day}/{digest_list(row['ours'])}")
    assert (told["act"], told["subject"]) == ("books.compared", f"{day}/{digest_list(row['theirs'])}")
    assert told["counts"] == {"out": 1, "in": 1, "waiting": 0, "differences": 0}
    assert work(scene) == []


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("https://keis.example/in/", "https://keis.example/in/reconciliation"),
        ("https://keis.example/in?to=comwel", "https://keis.example/in/reconciliation?to=comwel"),
        ("https://keis.example", "https://keis.example/reconciliation"),
    ],
)
def test_a_list_goes_to_a_path_below_the_partners_address(scene: Scene, books: Books, given: str, asked: str) -> None:
    day = sealed_on(scene)
    limits = replace(scene.world.limits, partner_urls={**scene.world.limits.partner_urls, "KEIS": given})
    scene.world = replace(scene.world, limits=limits)
    the_night_after(scene, day)
    assert compared(scene, day).agreed
    assert [message.url for message in scene.partners["KEIS"].asked] == [asked]


FORGET: dict[str, tuple[str, Callable[[Entry], Entry | None], What, str]] = {
    "forgot a message of ours": ("in", lambda e: None, What.NOT_THERE, "out"),
    "says it sent nothing": ("out", lambda e: None, What.NOT_SENT, "in"),
    "has other bytes of ours": ("in", lambda e: e._replace(mjws_s256="A" * 43), What.OTHER_BYTES, "out"),
    "sent other bytes": ("out", lambda e: e._replace(mjws_s256="A" * 43), What.OTHER_BYTES, "in"),
    "says it rejected ours": ("in", lambda e: e._replace(state=State.REJECTED), What.OTHER_STATE, "out"),
    "says we rejected its": ("out", lambda e: e._replace(state=State.REJECTED), What.OTHER_STATE, "in"),
}


@pytest.mark.parametrize("lie", FORGET)
def test_a_difference_is_work_once_however_often_the_night_is_repeated_and_over_when_both_agree(
    scene: Scene, books: Books, lie: str
) -> None:
    side, change, what, seen = FORGET[lie]
    key, day = the(books, side), sealed_on(scene)
    truth = books.entries.pop(key)
    if told := change(truth):
        books.entries[key] = told
    the_night_after(scene, day)
    for _ in range(2):
        assert [(d.mid, d.direction, d.what) for d in compared(scene, day).differences] == [(key[0], seen, what)]
        scene.clock.pass_(days=1)
    [item] = [w for w in scene.rows("work_item") if w["kind"] == "books-differ"]
    assert (item["code"], item["mid"], item["partner"]) == (f"{seen}-{what}", key[0], "KEIS")
    assert None not in (item["case_no"], item["ref_no"])
    books.entries[key] = truth
    assert compared(scene, day).agreed
    assert work(scene) == [("books-differ", f"{seen}-{what}", True)]


def test_a_difference_that_nobody_can_repair_is_settled_by_an_officer_with_a_reason_that_is_kept(
    scene: Scene, books: Books
) -> None:
    key, day = the(books, "in"), sealed_on(scene)
    truth = books.entries.pop(key)
    the_night_after(scene, day)
    compared(scene, day)
    [number] = [one.number for one in look(scene.world, by="kim.0417", kind=DIFFER)]
    with pytest.raises(WorkRefused, match="reason"):
        done(scene.world, number, by="kim.0417")
    assert done(scene.world, number, by="kim.0417", reason=Settled.LOST_THERE).mid == key[0]
    act = scene.events()[-1]
    told = (act["act"], act["actor"], act["partner"], act["mid"], act["subject"])
    assert told == ("work.done", "kim.0417", "KEIS", key[0], f"books-differ:{number}:lost-there")
    for _ in range(2):  # it is still there, and nobody is called for it again
        scene.clock.pass_(days=1)
        assert len(compared(scene, day).differences) == 1
    assert work(scene) == [("books-differ", "out-not-there", True)]
    with scene.store.unit("KEIS") as unit:
        assert [one.mid for one in unit.reconciliation.open_differences("KEIS")] == [key[0]]
    books.entries[key] = truth
    assert compared(scene, day).agreed
    del books.entries[key]
    scene.clock.pass_(days=1)
    compared(scene, day)
    assert [over for *_, over in work(scene)] == [True, False]


def test_what_differs_in_another_way_than_last_night_is_work_as_well(scene: Scene, books: Books) -> None:
    key, day = the(books, "in"), sealed_on(scene)
    truth = books.entries.pop(key)
    the_night_after(scene, day)
    assert [d.what for d in compared(scene, day).differences] == [What.NOT_THERE]
    books.entries[key] = truth._replace(state=State.REJECTED)
    scene.clock.pass_(days=1)
    assert [d.what for d in compared(scene, day).differences] == [What.OTHER_STATE]
    assert work(scene) == [("books-differ", "out-not-there", True), ("books-differ", "out-other-state", False)]
    books.entries[key] = truth
    scene.clock.pass_(days=1)
    assert compared(scene, day).agreed
    assert [over for *_, over in work(scene)] == [True, True]


def test_what_the_partner_says_it_sent_and_we_never_got_is_a_difference(scene: Scene, books: Books) -> None:
    day, mid = sealed_on(scene), "019abd00-0000-7000-9000-00000000dead"
    books.entries[mid, "out"] = Entry(mid, "A" * 43, "out", State.DELIVERED)
    the_night_after(scene, day)
    assert [(d.mid, d.direction, d.what) for d in compared(scene, day).differences] == [(mid, "in", What.NOT_THERE)]
    [item] = [w for w in scene.rows("work_item") if w["kind"] == "books-differ"]
    assert (item["code"], item["case_no"]) == ("in-not-there", None)


def test_what_is_on_its_way_is_no_difference_until_it_has_been_for_a_day(scene: Scene, books: Books) -> None:
    day, mid = sealed_on(scene), "019abd00-0000-7000-9000-00000000beef"
    books.entries[mid, "out"] = Entry(mid, "A" * 43, "out", State.WAITING)
    the_night_after(scene, day)
    first = compared(scene, day)
    assert (first.agreed, first.waiting) == (True, 1)
    assert [row["settled"] for row in scene.rows("reconciliation")] == [False]
    assert work(scene) == []
    scene.clock.pass_(days=1)
    assert [d.what for d in compared(scene, day).differences] == [What.NOT_ACROSS]
    assert work(scene) == [("books-differ", "in-not-across", False)]


def test_what_came_in_while_the_partner_was_writing_its_list_is_no_difference(scene: Scene, books: Books) -> None:
    """Its list says that we have it, and so we do by now, though our own list was made before."""
    leg, day = scene.legs(scene.rows("leg")[0]["case_no"])["KEIS"], sealed_on(scene)
    honest, under_way = books.answer, inbound(scene, letter(leg, Kind.START, 2))

    def meanwhile(partner: Partner, message: Outgoing) -> Said:
        assert receive(scene.world, under_way).status == 200
        new = next(r for r in scene.rows("message") if r["direction"] == "in" and r["mid"] != the(books, "out")[0])
        books.note(new["mid"], new["jws"], "out", State.DELIVERED)
        return honest(partner, message)

    scene.partners["KEIS"].list_of = meanwhile
    scene.clock.pass_(seconds=2)
    found = compared(scene, day)  # today, as far as it has gone
    assert (found.differences, found.taken) == ((), 2)


ANSWERS: dict[str, tuple[str, Callable[[Books], Callable[[Partner, Outgoing], Said]]]] = {
    "does not answer": ("unreachable", lambda _: lambda p, m: Said("attempt", None, None, "no answer in time")),
    "says 404": ("http-404", lambda _: lambda p, m: Said("after", 404, b"{}", "HTTP 404")),
    "breaks off": ("no-list", lambda _: lambda p, m: Said("after", 200, None, "HTTP 200, broke off")),
    "answers Korean": ("no-list", lambda _: lambda p, m: Said("after", 200, "점검".encode(), "HTTP 200")),
    "answers HTML": ("SEAL-MANIFEST", lambda _: lambda p, m: Said("after", 200, b"<html>", "HTTP 200")),
    "signs as another": ("SEAL-KEY", lambda b: lambda p, m: b.answer(p, m, by="kead")),
    "signs with a strange key": ("SEAL-KEY", lambda b: lambda p, m: b.answer(p, m, by="mallory")),
    "answers an old list": ("SEAL-FRESH", lambda b: lambda p, m: b.answer(p, m, answers="A" * 43)),
    "speaks of another day": ("SEAL-DIGEST", lambda b: lambda p, m: b.answer(p, m, since=1_790_000_000)),
    "gives our own list back": ("SEAL-KEY", lambda _: lambda p, m: Said("after", 200, m.body, "HTTP 200")),
}  # fmt: skip


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_that_is_no_list_changes_nothing_and_the_same_list_goes_again(
    scene: Scene, books: Books, answer: str
) -> None:
    why, make = ANSWERS[answer]
    partner, day = scene.partners["KEIS"], sealed_on(scene)
    partner.list_of = make(books)
    the_night_after(scene, day)
    for _ in range(TOLD_AFTER + 1):
        assert compared(scene, day).why == why
        scene.clock.pass_(hours=3)
    assert work(scene) == [("books-unanswered", why, False)]
    [row] = scene.rows("reconciliation")
    assert (row["theirs"], row["tries"], row["why"], row["settled"]) == (None, TOLD_AFTER + 1, why, False)
    assert {message.body for message in partner.asked} == {row["ours"].encode()}
    refused = [e for e in scene.events() if e["act"] == "books.compared"]
    assert {(str(e["verdict"]), e["code"]) for e in refused} == {("refused", why)}
    assert scene.rows("reconciliation_difference") == []
    books.asked, books.given, partner.list_of = {}, [], books.answer
    assert compared(scene, day).agreed
    assert work(scene) == [("books-unanswered", why, True)]


def test_a_day_that_stays_unanswered_is_work_again_though_another_was_answered(scene: Scene, books: Books) -> None:
    day = sealed_on(scene)
    begins = int(datetime(day.year, day.month, day.day, tzinfo=KST).timestamp())

    def not_that_day(partner: Partner, message: Outgoing) -> Said:
        that_day = lists.read(message.body.decode()).since == begins
        return Said("after", 413, b"", "HTTP 413") if that_day else books.answer(partner, message)

    scene.partners["KEIS"].list_of = not_that_day
    the_night_after(scene, day, nights=2)
    for _ in range(TOLD_AFTER):
        assert compared(scene, day).why == "http-413"
    assert compared(scene, day + DAY).agreed
    assert work(scene) == [("books-unanswered", "http-413", True)]
    for _ in range(2):
        assert compared(scene, day).why == "http-413"
    assert [over for *_, over in work(scene)] == [True, False]


def test_lists_of_each_side_are_a_chain_and_a_link_that_is_missing_is_work(scene: Scene, books: Books) -> None:
    day = sealed_on(scene)
    the_night_after(scene, day)
    for n in range(2):
        compared(scene, day + n * DAY)
        scene.clock.pass_(days=1)
    first, second = scene.partners["KEIS"].asked
    assert lists.read(second.body.decode()).previous == digest_list(first.body.decode())
    assert work(scene) == []
    books.given[-1] = first.body.decode()  # it says that it made another list before
    compared(scene, day + 2 * DAY)
    assert [item[0] for item in work(scene) if item[0] == "books-chain"] == ["books-chain"]


def test_a_day_that_is_answered_late_is_a_link_of_the_chain_where_it_was_answered(scene: Scene, books: Books) -> None:
    day, partner = sealed_on(scene), scene.partners["KEIS"]
    the_night_after(scene, day, nights=3)
    partner.list_of = lambda partner, message: Said("attempt", None, None, "no answer in time")
    assert compared(scene, day).why == "unreachable"
    partner.list_of = books.answer
    for later in (day + DAY, day, day + 2 * DAY):
        assert compared(scene, later).agreed
    assert work(scene) == []


def lost(books: Books) -> Callable[[Partner, Outgoing], Said]:
    """The partner writes its list, and we do not get it."""

    def answer(partner: Partner, message: Outgoing) -> Said:
        books.answer(partner, message)
        return Said("attempt", None, None, "no answer in time")

    return answer


ORDERS = {"one lost": (1, [1, 0, 2]), "two lost, the older first": (2, [2, 0, 1]), "the newer first": (2, [2, 1, 0])}


@pytest.mark.parametrize("order", ORDERS)
def test_a_list_that_was_lost_on_its_way_is_a_link_of_the_chain_when_it_comes(
    scene: Scene, books: Books, order: str
) -> None:
    day, partner = sealed_on(scene), scene.partners["KEIS"]
    many, then = ORDERS[order]
    the_night_after(scene, day, nights=5)
    assert compared(scene, day + 3 * DAY).agreed
    partner.list_of = lost(books)
    for n in range(many):
        assert compared(scene, day + n * DAY).why == "unreachable"
    partner.list_of = books.answer
    for n in then:
        assert compared(scene, day + n * DAY).agreed
    assert len(books.given) == 4
    assert work(scene) == []


def test_a_list_that_is_lost_for_good_is_missing_once_and_hides_nothing_that_is_missing_later(
    scene: Scene, books: Books
) -> None:
    day, partner = sealed_on(scene), scene.partners["KEIS"]
    the_night_after(scene, day, nights=3)
    assert compared(scene, day).agreed
    partner.list_of = lost(books)
    assert compared(scene, day + DAY).why == "unreachable"
    partner.list_of = books.answer
    scene.clock.pass_(days=1, hours=1)  # by now it would be asked with another list
    assert compared(scene, day + 2 * DAY).agreed
    assert compared(scene, day + DAY).agreed
    assert work(scene) == []
    scene.clock.pass_(days=1, hours=1)
    books.given[-1] = books.given[0]
    compared(scene, day + 3 * DAY)
    assert [kind for kind, *_ in work(scene)] == ["books-chain"]


def test_dying_after_the_partner_answered_leaves_the_list_and_the_answer_comes_again(
    scene: Scene, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = sealed_on(scene)
    the_night_after(scene, day)

    class Died(BaseException):
        pass

    def dies(partner: Partner, message: Outgoing) -> Said:
        books.answer(partner, message)
        raise Died

    scene.partners["KEIS"].list_of = dies
    with pytest.raises(Died):
        reconcile(scene.world, "KEIS", day)
    assert [row["theirs"] for row in scene.rows("reconciliation")] == [None]
    scene.partners["KEIS"].list_of = books.answer
    assert compared(scene, day).agreed
    assert len(books.given) == 1
    assert [row["theirs"] for row in scene.rows("reconciliation")] == books.given


# ── when ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_day_is_due_from_one_at_night_and_once(scene: Scene, books: Books) -> None:
    day = sealed_on(scene)
    scene.clock.at = datetime(day.year, day.month, day.day, 0, 59, tzinfo=KST) + DAY
    assert reconcile_partners(scene.world, Unobserved()) == 0
    scene.clock.pass_(minutes=1)
    for partner in ("KEAD", "TRN"):
        scene.partners[partner].list_of = Books().answer
    assert reconcile_partners(scene.world, Unobserved()) == 3
    asked = len(scene.partners["KEIS"].asked)
    scene.clock.pass_(hours=20)
    assert reconcile_partners(scene.world, Unobserved()) == 0
    assert len(scene.partners["KEIS"].asked) == asked


def test_nights_that_were_missed_are_made_up_for_and_differences_looked_at_again_for_a_month(
    scene: Scene, books: Books
) -> None:
    day = sealed_on(scene)
    for partner in ("KEAD", "TRN"):
        del scene.world.channels[partner]  # type: ignore[attr-defined]
    books.entries.pop(the(books, "in"))
    the_night_after(scene, day, nights=4)
    assert reconcile_partners(scene.world, Unobserved()) == 4
    assert [row["settled"] for row in sorted(scene.rows("reconciliation"), key=lambda r: r["day"])] == [False] + [
        True
    ] * 3
    scene.clock.pass_(days=1)
    assert reconcile_partners(scene.world, Unobserved()) == 2  # the day that differs, and yesterday
    scene.clock.pass_(days=MONTH)
    reconcile_partners(scene.world, Unobserved())
    assert (
        max(row["stated_at"] for row in scene.rows("reconciliation") if row["day"] == day) < scene.clock.at - 29 * DAY
    )


def test_a_partner_that_cannot_answer_is_left_alone_for_a_while_and_others_are_not(scene: Scene, books: Books) -> None:
    day = sealed_on(scene)
    the_night_after(scene, day)
    assert reconcile_partners(scene.world, Unobserved()) == 1  # KEIS; the others cannot be reached
    assert [len(scene.partners[p].asked) for p in ("KEAD", "KEIS", "TRN")] == [1, 1, 1]
    scene.clock.pass_(seconds=30)
    reconcile_partners(scene.world, Unobserved())
    assert len(scene.partners["KEAD"].asked) == 1
    scene.clock.pass_(seconds=31)
    reconcile_partners(scene.world, Unobserved())
    assert len(scene.partners["KEAD"].asked) == 2


def test_a_partner_with_whom_it_breaks_keeps_no_other_waiting(scene: Scene, books: Books) -> None:
    def breaks(partner: Partner, message: Outgoing) -> Said:
        raise RuntimeError

    scene.partners["KEAD"].list_of = breaks  # the first in the round
    the_night_after(scene, sealed_on(scene))
    assert reconcile_partners(scene.world, Unobserved()) == 1
    assert [row["partner"] for row in scene.rows("reconciliation") if row["theirs"]] == ["KEIS"]


SHUT: dict[str, dict[str, Any]] = {
    "gate": {"gate": "paused", "gate_reason": "incident", "gate_by": "kim.0417", "gate_at": NOON},
    "breaker": {"breaker": "open", "why": "silent", "failures": 5, "due_at": NOON},
}


def test_a_partner_is_asked_in_its_service_hours(scene: Scene, books: Books) -> None:
    day = sealed_on(scene)
    daily = OpeningHours(frozenset(range(7)), time(9), time(18), Calendar("KR", KST, date(2030, 12, 31), {}))
    know = replace(scene.world.know, hours={"KEIS": daily})
    world = replace(scene.world, know=know, channels={"KEIS": scene.partners["KEIS"]})
    the_night_after(scene, day)
    assert (reconcile_partners(world, Unobserved()), scene.partners["KEIS"].asked) == (0, [])
    scene.clock.pass_(hours=8)
    assert reconcile_partners(world, Unobserved()) == 1


@pytest.mark.parametrize("shut", SHUT)
def test_nobody_is_asked_over_a_line_that_is_shut(scene: Scene, books: Books, shut: str) -> None:
    day = sealed_on(scene)
    with scene.store.unit("KEIS") as unit:
        row, _ = unit.lines.hold("KEIS")
        unit.lines.save(row._replace(**SHUT[shut]))
        unit.commit(scene.world.event("line.paused", "test", partner="KEIS"))
    assert compared(scene, day).why == "line-shut"
    assert scene.partners["KEIS"].asked == []
    assert scene.rows("reconciliation") == []


def test_two_processes_do_not_ask_at_the_same_time(scene: Scene, books: Books) -> None:
    with scene.store.alone("reconcile-KEIS"):
        assert reconcile(scene.world, "KEIS", sealed_on(scene)) is None
    assert scene.partners["KEIS"].asked == []


def test_nothing_is_signed_by_a_clock_that_is_wrong_nor_about_a_day_or_a_partner_that_is_not(
    scene: Scene, books: Books
) -> None:
    day = sealed_on(scene)
    with pytest.raises(ReconcileRefused, match="has not begun"):
        reconcile(scene.world, "KEIS", day + DAY)
    with pytest.raises(ReconcileRefused, match="no address for NOBODY"):
        reconcile(scene.world, "NOBODY", day)
    wrong = replace(scene.world, limits=replace(scene.world.limits, clocks_apart_s=5.0))
    scene.clock.pass_(minutes=10)
    with pytest.raises(ClocksApart):
        reconcile(wrong, "KEIS", day)
    assert scene.rows("reconciliation") == []


def test_a_message_that_nobody_has_touched_yet_is_in_no_list(scene: Scene) -> None:
    scene.refer()
    partner, day = scene.partners["KEIS"], sealed_on(scene)
    partner.list_of = Books().answer
    scene.clock.pass_(seconds=2)
    assert compared(scene, day).sent == 0
    partner.will(says(503))
    scene.deliver("KEIS")
    scene.clock.pass_(seconds=2)
    found = compared(scene, day)
    assert (found.sent, found.waiting, found.agreed) == (1, 1, True)
