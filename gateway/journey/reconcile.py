"""Reconcile: every night we and each partner give each other a signed list of the day before, and compare the two.

Rules: a day is that of Korea on which messages were sealed. Our list is kept before it leaves, so the same bytes go
again until they are answered, for a day; the partner's lists are a chain, in whatever order they reach us. Compared
are our books as they were when we stated what we had sent, and as they are after the answer came for what we took in.
Each difference is work for a person, once, until both sides agree again or an officer says why they never will. A day
with a difference, or with messages on their way, is stated anew the next night, for a month.
Refuses half: a list that is not the partner's, not an answer to ours or about another day changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from gateway.errors import ReconcileRefused, SealRefused
from gateway.exchange_log.audit import AuditEvent
from gateway.journey.lines import flows
from gateway.journey.world import US, World
from gateway.korea import KST, day_begins
from gateway.ports import BookedRow, DifferenceRow, Outgoing, ReconciliationRow, Unit, WorkItem
from gateway.sealing import base64url, http, lists, manifest
from gateway.sealing.comparison import Book, Difference, compare, waiting
from gateway.sealing.lists import Entry, ReconciliationList, State, digest_list
from gateway.sealing.manifest import Manifest

PURPOSE = "reconciliation"
ROUND = "reconcile"
PATH = "/reconciliation"
NIGHT = time(1)
"""From this time on in Korea the day before is due."""
DAY = timedelta(days=1)
ON_ITS_WAY = DAY
"""So long after its day a message may be under way without being a difference."""
AGAIN = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=3))
"""A partner that did not answer is asked again after these waits, the last one for ever."""
TOLD_AFTER = 3
"""A person is told when a partner was asked so often in vain."""
MOST_PARTNERS = 500
MONTH = 30
"""Days; no manifest is accepted that is older."""
DIFFER, UNANSWERED, BROKEN_CHAIN = "books-differ", "books-unanswered", "books-chain"


class Reconciled(NamedTuple):
    """What came of a day with a partner. `why` None: the lists were compared."""

    partner: str
    day: date
    why: str | None
    sent: int = 0
    taken: int = 0
    waiting: int = 0
    differences: tuple[Difference, ...] = ()

    @property
    def agreed(self) -> bool:
        """Whether both sides say the same about every message that is not under way."""
        return self.why is None and not self.differences


def reconcile_due(world: World, partner: str) -> int:
    """Reconcile every day that is due with a partner, in its service hours; returns how many were compared."""
    now = world.clock.now()
    if world.know.opens_at(partner, now) > now:
        return 0
    with world.store.unit(partner) as unit:
        days = unit.reconciliation.days_due(partner, _last_whole_day(now), now, MONTH)
    done = 0
    for day in days:
        if world.stopping():
            break
        found = reconcile(world, partner, day)
        if found is None or found.why:
            break  # somebody else is at it, or the partner cannot answer: the other days can wait as well
        done += 1
    return done


def reconcile(world: World, partner: str, day: date) -> Reconciled | None:
    """Exchange and compare the lists of one day, as far as it has gone; None while another process is at it.

    Raises ReconcileRefused for a partner we do not know and for a day that has not begun.
    """
    # 1 our list: the one that waits for its answer, or a new one, kept before it leaves
    # 2 ask; the answer is the partner's own signed list, in answer to ours
    # 3 keep it, compare, and let people know what is new and what is over: one commit
    if partner not in world.channels:
        raise ReconcileRefused(f"no address for {partner}")
    with world.store.alone(f"{ROUND}-{partner}") as mine:
        if not mine:
            return None
        row = _state(world, partner, day)  # 1
        if isinstance(row, str):
            return Reconciled(partner, day, row)
        try:
            jws, theirs = _ask(world, row)  # 2
        except _Unanswered as failure:
            return _put_off(world, row, failure.why)
        return _settle(world, row, jws, theirs)  # 3


def _last_whole_day(now: datetime) -> date:
    here = now.astimezone(KST)
    return here.date() - (DAY if here.time() >= NIGHT else 2 * DAY)


# ── 1 our list ───────────────────────────────────────────────────────────────────────────────────────────────────────
def _state(world: World, partner: str, day: date) -> ReconciliationRow | str:
    """The list to ask with, or why nobody is asked now."""
    now = world.clock.now()
    since, until = _period(day, now)
    with world.store.unit(partner) as unit:
        line, at = unit.lines.hold(partner)
        world.require_same_time(at)
        if not flows(line):
            return "line-shut"
        newest = unit.reconciliation.newest(partner, day)
        if newest and not newest.theirs and newest.stated_at > now - DAY:
            return newest
        before = unit.reconciliation.newest(partner)
        stated = ReconciliationList(
            iss=US,
            aud=world.know.profiles[partner].iss,
            at=int(now.timestamp()),
            since=int(since.timestamp()),
            until=int(until.timestamp()),
            previous=digest_list(before.ours) if before else None,
            answers=None,
            entries=_entries(unit.reconciliation.booked(partner, since, until)),
        )
        jws = lists.make(stated, world.signing_key)
        in_vain = newest.tries if newest and not newest.theirs else 0
        row = ReconciliationRow(world.ids(), partner, day, jws, stated_at=now, next_at=now, tries=in_vain)
        unit.reconciliation.keep(row)
        counts = Counter(entry.direction for entry in stated.entries)
        unit.commit(_event(world, "books.stated", row, counts=counts))
    return row


def _period(day: date, now: datetime) -> tuple[datetime, datetime]:
    """A day in Korea; today ends now."""
    since = day_begins(day)
    until = min(since + DAY, now.replace(microsecond=0))
    if until <= since:
        raise ReconcileRefused(f"{day} has not begun")
    return since, until


def _entries(rows: Sequence[BookedRow]) -> tuple[Entry, ...]:
    return tuple(Entry(r.mid, base64url.encode(r.jws_sha256), r.direction, State(r.state)) for r in rows)


# ── 2 the partner's list ─────────────────────────────────────────────────────────────────────────────────────────────
class _Unanswered(Exception):
    """There is no list to compare with, for a reason in one word."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


def _ask(world: World, row: ReconciliationRow) -> tuple[str, ReconciliationList]:
    said = world.channels[row.partner].ask(_outgoing(world, row), lists.LONGEST)
    if said.status is None:
        raise _Unanswered("unreachable")
    if said.status != 200:
        raise _Unanswered(f"http-{said.status}")
    if not said.body or not said.body.isascii():
        raise _Unanswered("no-list")
    jws, iss = said.body.decode("ascii").strip(), world.know.profiles[row.partner].iss
    try:
        return jws, lists.check(
            jws,
            keys=world.keys(row.partner),
            author=iss,
            audience=US,
            answers=row.ours,
            received=world.clock.now(),
        )
    except SealRefused as refusal:
        raise _Unanswered(refusal.code) from None


def _outgoing(world: World, row: ReconciliationRow) -> Outgoing:
    """The list as the body of one attempt, sealed and signed as every message is."""
    now, body = world.clock.now(), row.ours.encode()
    url = _below(world.limits.partner_urls[row.partner])
    stated = Manifest(
        mid=row.list_id,
        iss=US,
        aud=world.know.profiles[row.partner].iss,
        iat=int(now.timestamp()),
        type="books.stated",
        profile="comwel-list|1.0.0",
        parts=(manifest.digest_part("body", lists.CONTENT_TYPE, body),),
    )
    jws = manifest.seal(stated, world.signing_key)
    signed = http.sign(
        "POST", url, lists.CONTENT_TYPE, body, row.list_id, jws,
        key=world.signing_key, created=now, nonce=world.nonce(),
    )  # fmt: skip
    return Outgoing(row.list_id, url, lists.CONTENT_TYPE, body, jws, signed)


def _below(address: str) -> str:
    """Where a partner takes lists: a path below its address, with whatever else that says."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + PATH))


def _put_off(world: World, row: ReconciliationRow, why: str) -> Reconciled:
    """Nothing was compared: ask again later, with the same list; after a while a person is told, until one was."""
    now = world.clock.now()
    later = row._replace(tries=row.tries + 1, why=why, next_at=now + AGAIN[min(row.tries, len(AGAIN) - 1)])
    with world.store.unit(row.partner) as unit:
        unit.reconciliation.keep(later)
        if later.tries >= TOLD_AFTER and not _told(unit, row.partner):
            unit.add_work([WorkItem(UNANSWERED, why, None, None, row.partner, None, now)])
        unit.commit(_event(world, "books.compared", row).refused(why))
    return Reconciled(row.partner, row.day, why)


def _told(unit: Unit, partner: str) -> bool:
    return any(one.item.partner == partner for one in unit.open_work(UNANSWERED, MOST_PARTNERS))


# ── 3 both ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _settle(world: World, row: ReconciliationRow, jws: str, theirs: ReconciliationList) -> Reconciled:
    ours, now = lists.read(row.ours), world.clock.now()
    since, until = (datetime.fromtimestamp(at, UTC) for at in (ours.since, ours.until))
    with world.store.unit(row.partner) as unit:
        now_booked = _entries(unit.reconciliation.booked(row.partner, since, until))
        taken = {entry.mid: entry for entry in now_booked if entry.direction == "in"}
        mine, his = Book(ours.of("out"), taken), Book(theirs.of("out"), theirs.of("in"))
        found = tuple(compare(mine, his, young=now < until + ON_ITS_WAY))
        under_way = waiting(mine, his)
        _tell(unit, row, found, now)
        if not _continues(unit, row, jws, theirs):
            unit.add_work([WorkItem(BROKEN_CHAIN, None, None, None, row.partner, None, now)])
        unit.end_work(UNANSWERED, row.partner, now)
        whole = until - since == DAY
        unit.reconciliation.keep(
            row._replace(
                theirs=jws, compared_at=now, why=None, waiting=under_way, differing=len(found),
                settled=whole and not under_way and not found, next_at=_next_night(now) if whole else now,
            )
        )  # fmt: skip
        counts = {"out": len(mine.sent), "in": len(taken), "waiting": under_way, "differences": len(found)}
        unit.commit(_event(world, "books.compared", row, answer=jws, counts=counts))
    return Reconciled(row.partner, row.day, None, len(mine.sent), len(taken), under_way, found)


def _tell(unit: Unit, row: ReconciliationRow, found: Sequence[Difference], now: datetime) -> None:
    """Work for what is new; what has gone is over."""
    rows = [DifferenceRow(row.partner, d.mid, d.direction, d.what, row.day, now) for d in found]
    for one in unit.reconciliation.differ(row.partner, row.day, rows, now):
        code = f"{one.direction}-{one.what}"
        if one.gone_at:
            unit.end_work(DIFFER, row.partner, now, one.mid, code)
        else:
            known = unit.outbox.find_message(one.mid, partner=row.partner, direction=one.direction)
            about = (known.case_no, known.ref_no) if known else (None, None)
            unit.add_work([WorkItem(DIFFER, code, *about, row.partner, one.mid, now)])


def _continues(unit: Unit, row: ReconciliationRow, jws: str, theirs: ReconciliationList) -> bool:
    """Whether the partner's list names the one of its that we compared last; its first may name none.

    One that was lost on its way comes behind those that name it; until then it may be what a later one names.
    """
    kept = unit.reconciliation
    before = kept.last_answer(row.partner)
    if before is None or theirs.previous == digest_list(before):
        return True
    lately = kept.answers_lately(row.partner)
    named = {lists.read(one).previous for one in lately}
    ends = {digest_list(one) for one in lately} - named
    return theirs.previous in ends or digest_list(jws) in named or kept.may_be_lost(row)


def _next_night(now: datetime) -> datetime:
    here = now.astimezone(KST)
    tonight = datetime.combine(here.date(), NIGHT, KST)
    return (tonight if here < tonight else tonight + DAY).astimezone(UTC)


def _event(
    world: World, act: str, row: ReconciliationRow, *, answer: str | None = None, counts: dict[str, int] | None = None
) -> AuditEvent:
    """The act names the day and the digest of the list that it is about, so its leaf commits to both."""
    subject = f"{row.day}/{digest_list(answer or row.ours)}"
    return world.event(act, PURPOSE, partner=row.partner, subject=subject, counts=counts or {})
