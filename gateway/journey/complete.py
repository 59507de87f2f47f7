"""Complete: is anything missing between us and one partner in a period? A signed report for an auditor.

    the log         numbers of the partner's stream, and the acts and messages that its leaves speak of
    our books       sent, acknowledged, taken in; given up; on their way
    its own books   what the partner's signed lists count of the same days

Rules: the reading is an act itself, with officer and purpose, and is kept before anything is told; whatever does not
add up is a sentence in words that need no manual, and a report without such sentences says that nothing is missing.
What was given up without a receipt is counted, and missing nowhere: both sides know that it is not across. Days are
those of Korea. Refuses to call days complete that the partner has not answered for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from gateway.documents.strict_json import dumps
from gateway.errors import ReconcileRefused
from gateway.exchange_log.audit import moment
from gateway.journey.world import US, World
from gateway.korea import KST, day_begins
from gateway.ports import DifferenceRow, ReconciliationRow, Stretch, Stretches, Unit
from gateway.sealing import compact, lists
from gateway.sealing.lists import State

TYP = "comwel-completeness+jwt"
DAY = timedelta(days=1)


class Report(NamedTuple):
    """What is said, and the same as a compact JWS that anybody with our public key can verify."""

    said: Mapping[str, Any]
    jws: str

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.said["missing"]


class _Books(NamedTuple):
    """What was found about the period."""

    log: Stretch
    ours: Counter[tuple[str, State]]
    answered: Sequence[ReconciliationRow]
    unanswered: Sequence[date]
    theirs: Counter[str]
    differences: Sequence[DifferenceRow]


def report(
    world: World, stretches: Stretches, partner: str, first: date, last: date, *, by: str, purpose: str
) -> Report:
    """Report on the days from `first` to `last`. Raises ReconcileRefused for an impossible period or a stranger."""
    now = world.clock.now()
    since, until = (day_begins(day) for day in (first, last + DAY))
    if partner not in world.know.profiles or not since < min(until, now):
        raise ReconcileRefused(f"{partner} from {first} to {last}")
    read = world.event("completeness.reported", purpose, by=by, partner=partner, subject=f"{first}/{last}")
    with world.store.unit(partner) as unit:
        unit.commit(read)
    found = _look(world, stretches, partner, since, min(until, now))
    said = {
        "v": 1,
        "iss": US,
        "partner": partner,
        "from": first.isoformat(),
        "to": last.isoformat(),
        "at": moment(now),
        "by": by,
        **_told(found, partner),
    }
    return Report(said, compact.seal(dumps(said), typ=TYP, key=world.signing_key))


def _told(found: _Books, partner: str) -> dict[str, Any]:
    """What was found, by numbers and in sentences."""
    return {
        "log": {
            "stream": partner,
            "leaves": found.log.leaves,
            "first": found.log.first,
            "last": found.log.last,
            "gaps": [{"after": after, "before": before} for after, before in found.log.gaps],
            "checkpoint": found.log.checkpoint,
        },
        "ours": {
            direction: {str(state): found.ours[direction, state] for state in sorted(lists.OF_DIRECTION[direction])}
            for direction in ("out", "in")
        },
        "theirs": {"out": found.theirs["out"], "in": found.theirs["in"], "days": len(found.answered)},
        "unanswered": [day.isoformat() for day in found.unanswered],
        "differences": [
            {"mid": d.mid, "what": f"{d.direction}-{d.what}", "day": d.day.isoformat(), "since": moment(d.found_at)}
            for d in found.differences
        ],
        "missing": list(_sentences(found)),
    }


def _look(world: World, stretches: Stretches, partner: str, since: datetime, until: datetime) -> _Books:
    first, last = since.astimezone(KST).date(), (until - timedelta(microseconds=1)).astimezone(KST).date()
    with world.store.unit(partner) as unit:
        booked = unit.reconciliation.booked(partner, since, until)
        rows = unit.reconciliation.of_days(partner, first, last)
        answered = [row for row in rows if row.theirs and _speaks_for_its_day(unit, row, until)]
        differences = [d for d in unit.reconciliation.open_differences(partner) if first <= d.day <= last]
    known = {row.day for row in answered}
    unanswered = [day for n in range((last - first).days + 1) if (day := first + n * DAY) not in known]
    theirs = Counter(entry.direction for row in answered for entry in lists.read(row.theirs or "").entries)
    ours = Counter((row.direction, State(row.state)) for row in booked)
    return _Books(stretches(partner, since, until), ours, answered, unanswered, theirs, differences)


def _speaks_for_its_day(unit: Unit, row: ReconciliationRow, until: datetime) -> bool:
    """Whether a list reaches to the end of its day; of a day that is not over, to the last message with the partner."""
    reaches, ends = datetime.fromtimestamp(lists.read(row.ours).until, UTC), day_begins(row.day + DAY)
    return reaches >= ends or (until < ends and not unit.reconciliation.booked(row.partner, reaches, until))


def _sentences(found: _Books) -> Iterator[str]:
    """Everything that is missing or not known, for a reader who knows neither logs nor protocols."""
    for after, before in found.log.gaps:
        gone = _many(before - after - 1, "record")
        yield f"acts with this partner are numbered without a break; from {after} to {before} {gone} cannot be found"
    if found.log.acts_gone:
        yield f"the log proves {_many(found.log.acts_gone, 'act')} that the access records no longer show"
    for mid in found.log.messages_gone:
        yield f"the log proves that message {mid} was sent or taken in, and it is no longer among the messages"
    for day in found.unanswered:
        yield f"the partner has not given its own list of {day} yet, so nobody but us speaks for that day"
    for d in found.differences:
        yield f"the partner's books and ours differ about message {d.mid} of {d.day}: {d.direction}-{d.what}"
    if under_way := found.ours["out", State.WAITING]:
        yield f"{_many(under_way, 'message')} to the partner {'has' if under_way == 1 else 'have'} no receipt yet"
    if not found.unanswered:
        yield from _counted(found)


def _counted(found: _Books) -> Iterator[str]:
    """Sent here is received there, and sent there is received here, by the partner's own counters."""
    acknowledged = found.ours["out", State.DELIVERED] + found.ours["out", State.REJECTED]
    taken = found.ours["in", State.ACCEPTED] + found.ours["in", State.REJECTED]
    if acknowledged != found.theirs["in"]:
        yield f"we have receipts for {acknowledged} messages, and the partner counts {found.theirs['in']} received"
    if taken != found.theirs["out"]:
        yield f"we have taken in {taken} messages, and the partner counts {found.theirs['out']} sent"


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
