"""Hearing: the legs that some messages are about, read and locked together, and what the messages change of them.

Rules: one hearing belongs to one unit; a partner's order is kept, and what is held behind a message follows it; what
is changed is seen by the next message at once, and is written in the end, once for every leg. What a held message says
is read when its turn comes. A number that was used before is kept and not applied; where it says something else than
what was heard under it, a person is told, for a partner that counts anew is heard no more.
Refuses to let one message suffer from another: a held one that turns out wrong is refused in its own turn; and to hold
more than a hundred behind one that does not come.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from operator import attrgetter
from typing import Any, NamedTuple

from gateway.documents.strict_json import reread
from gateway.errors import ConsentWithdrawn, GapTooWide, ManifestContradicted, NotYourLeg, Place, Refused
from gateway.journey.apply import Applied, apply, looks_back
from gateway.journey.legs import leg_of, with_leg
from gateway.journey.retention_checks import OPEN
from gateway.journey.understand import understand
from gateway.journey.world import World
from gateway.outcomes.facts import OutcomeFact, fact_of, supersede
from gateway.partners.pseudonym import pairwise_case
from gateway.ports import CheckRow, FactRow, HeldRow, InboxRow, LegRow, MessageRow, Met, ToldRow, Unit, WorkItem
from gateway.referrals.leg import Order, order
from gateway.referrals.states import Business, State, Status
from gateway.sealing.manifest import read_sealed

REFUSED_INBOUND = "inbound-refused"
"""The work item about a report that is refused."""
NUMBER_REUSED = "report-number-reused"
"""The work item about a report that has the number of an earlier one of its leg, and says something else; one a leg."""
MOST_REUSED = 1000
MOST_HELD = 100
"""Messages of a leg that wait for an earlier one; a leg has a dozen or two in its life."""
TOGETHER = 16
"""Held messages that are read at a time; each may have a megabyte."""


class _Waiting(NamedTuple):
    """A held message: its number, which it is, and what it says if it came in this unit."""

    seq: int
    row: HeldRow
    message: MessageRow | None = None


class Hearing:
    """The legs that these messages met, locked in the order of their numbers, in which everybody locks."""

    def __init__(self, world: World, unit: Unit, met: Met) -> None:
        self._world, self._unit = world, unit
        self._legs, self._held, self._records = dict(met.legs), _by_leg(met.held), met.records
        self._checks: dict[str, dict[str, CheckRow]] = {ref_no: {} for ref_no in met.legs}
        for check in met.checks:
            self._checks[check.ref_no][check.milestone] = check
        self._said: dict[str, MessageRow] = {}  # by held messages whose turn comes, by their ids
        self._changed: dict[str, LegRow] = {}
        self._before: dict[str, list[ToldRow]] = {}  # facts in the books, of legs that were looked back to
        self._facts: list[FactRow] = []
        self._superseded: list[tuple[str, int, str]] = []
        self._saved: dict[tuple[str, str], CheckRow] = {}
        self._settled: list[tuple[str, str, str, str | None]] = []
        self._work: list[WorkItem] = []
        self._reused: dict[str, WorkItem] = {}  # by leg
        self._again: set[str] = set()  # legs that may have to be called back in another way than before

    def look_back(self, outcomes: Iterable[Mapping[str, Any]]) -> None:
        """Read in one trip what was reported before of the legs of those of these outcomes that ask for it."""
        asked = sorted({o["refNo"] for o in outcomes if o["refNo"] in self._legs and looks_back(o)})
        self._before |= {ref_no: [] for ref_no in asked}
        for row in self._unit.facts.of(asked) if asked else ():
            self._before[row.ref_no].append(row)

    def whose(self, partner: str, outcome: Mapping[str, Any]) -> LegRow:
        """The leg it is about, as it stands now.

        Raises NotYourLeg (unknown, another partner's, another worker's) or ConsentWithdrawn.
        """
        row = self._legs.get(outcome["refNo"])
        if row is None or row.partner != partner or row.person_id != outcome["partnerPersonId"]:
            raise NotYourLeg
        if row.business == "consent-withdrawn":
            raise ConsentWithdrawn
        return row

    def must_be_called(self, row: LegRow, case: str | None) -> None:
        """Raises ManifestContradicted unless a manifest names the case of a leg as our messages do, the leg, or none.

        Each message of ours keeps the name that was sealed into it, though another secret makes other names by now.
        """
        if case in (None, row.ref_no) or case == self._name_of_case(row):
            return
        if all(read_sealed(jws).case != case for jws in self._unit.outbox.seals(row)):
            raise ManifestContradicted("another case than that of the referral", place=Place(field="/case"))

    def _name_of_case(self, row: LegRow) -> str:
        return pairwise_case(self._world.secret(row.partner), self._world.know.profiles[row.partner].code, row.case_no)

    def apply(self, row: LegRow, outcome: Mapping[str, Any], mid: str) -> None:
        """Apply an outcome whose turn it is, then what was held behind it. Raises Refused; then nothing has changed."""
        self._apply(row, outcome, mid)
        self._follow(row.ref_no)

    def pass_over(self, row: LegRow) -> None:
        """Use up the number of a refused message, or everything behind it would wait for ever."""
        self._use_up(row)
        self._follow(row.ref_no)

    def hold(self, row: LegRow, seq: int, message: MessageRow) -> None:
        """Remember a message of this unit that came before its turn, which may come in this unit. Raises GapTooWide."""
        waiting = self._held.setdefault(row.ref_no, [])
        if len(waiting) >= MOST_HELD:
            raise GapTooWide
        waiting.append(_Waiting(seq, HeldRow(row.ref_no, seq, message.partner, message.mid), message))
        waiting.sort(key=attrgetter("seq"))

    def note_stale(self, row: LegRow, outcome: Mapping[str, Any], mid: str) -> None:
        """Show a person a report whose number was used before, unless it says what was heard under that number."""
        said = [fact.content for fact in self._facts_before(row.ref_no) if fact.seq == outcome["seq"]]
        said += [fact.content for fact in self._facts if fact.seq == outcome["seq"]]
        if all(reread(content) != outcome for content in said):
            ids = (row.case_no, row.ref_no, row.partner, mid)
            self._reused.setdefault(row.ref_no, WorkItem(NUMBER_REUSED, None, *ids, self._world.clock.now()))

    def write(self, heard: Sequence[tuple[InboxRow, MessageRow]]) -> Mapping[tuple[str, str], int]:
        """Write the messages and what they have changed; returns their places in the inbox by (partner, mid)."""
        unit, legs, checks = self._unit, list(self._changed.values()), list(self._saved.values())
        places = unit.inbox.keep(heard, legs=legs, facts=self._facts, checks=checks)
        for ref_no, seq, by in self._superseded:
            unit.facts.supersede(ref_no, seq, by)
        for partner, mid, state, code in self._settled:
            unit.inbox.settle(partner, mid, state, code)
        unit.add_work([*self._work, *self._untold()])
        unit.legs.mark_recalled(dict.fromkeys(sorted(self._again), 0))
        return places

    def _untold(self) -> list[WorkItem]:
        """Numbers used again, of legs of which nobody has been told, or somebody who is done with it."""
        told = {one.item.ref_no for one in self._unit.open_work(NUMBER_REUSED, MOST_REUSED)} if self._reused else ()
        return [item for ref_no, item in self._reused.items() if ref_no not in told]

    def _use_up(self, row: LegRow) -> None:
        self._change(with_leg(row, leg_of(row).pass_over(row.in_seq + 1), self._world.clock.now()))

    def _change(self, leg: LegRow) -> None:
        self._legs[leg.ref_no] = self._changed[leg.ref_no] = leg

    def _apply(self, row: LegRow, outcome: Mapping[str, Any], mid: str) -> None:
        checks = self._checks[row.ref_no]
        told = self._told(row.ref_no) if looks_back(outcome) else ()
        applied = apply(self._world, row, self._records.get(row.case_no), checks, outcome, mid, told)
        self._change(applied.leg)
        if _stands_otherwise(row, applied):
            self._again.add(row.ref_no)
        self._facts.append(applied.fact)
        if applied.supersedes is not None:
            self._superseded.append((row.ref_no, applied.supersedes, applied.fact.fact_id))
        for check in applied.checks:
            checks[check.milestone] = self._saved[row.ref_no, check.milestone] = check
        self._work += applied.flags

    def _told(self, ref_no: str) -> tuple[OutcomeFact, ...]:
        """What was reported of a leg until now, in this unit too."""
        facts: tuple[OutcomeFact, ...] = ()
        said = [(before.content, before.mid) for before in self._facts_before(ref_no)]
        said += [(now.content, now.mid) for now in self._facts if now.ref_no == ref_no]
        for content, mid in said:
            facts = supersede(facts, fact_of(reread(content), mid=mid))
        return facts

    def _facts_before(self, ref_no: str) -> Sequence[ToldRow]:
        """Those in the books, read once."""
        if ref_no not in self._before:  # a held message asks, or a stale one, before whose turn nobody has read them
            self._before[ref_no] = list(self._unit.facts.of([ref_no]))
        return self._before[ref_no]

    def _follow(self, ref_no: str) -> None:
        """Apply what was held behind a message, as far as it goes without a gap."""
        waiting = self._held.get(ref_no, [])
        while waiting and (turn := order(self._legs[ref_no].in_seq, waiting[0].seq)) is not Order.EARLY:
            if turn is not Order.NEXT:
                self._leave_held(waiting)
            elif message := self._what_says(waiting):
                self._apply_held(self._legs[ref_no], message)

    def _leave_held(self, waiting: list[_Waiting]) -> None:
        """Leave the first of these as it is: another message with its number was held as well, and came before it."""
        one, message = waiting[0].row, self._what_says(waiting)
        self._settled.append((one.partner, one.mid, "stale", None))
        with suppress(Refused):  # it was understood when it came
            if message:
                row = self._legs[one.ref_no]
                self.note_stale(row, understand(self._world, row.partner, message.body), one.mid)

    def _what_says(self, waiting: list[_Waiting]) -> MessageRow | None:
        """Take the first of these: what it says, None when that has ended with its case. The next are read along."""
        if waiting[0].message is None and waiting[0].row.mid not in self._said:
            run = [one.row for n, one in enumerate(waiting[:TOGETHER]) if one.seq <= waiting[0].seq + n]
            self._said = {one.mid: one for one in self._unit.inbox.held_messages(run)}
        first = waiting.pop(0)
        return first.message or self._said.pop(first.row.mid, None)

    def _apply_held(self, row: LegRow, message: MessageRow) -> None:
        """Apply one held message, or use its number up and show it to a person."""
        try:
            self._apply(row, understand(self._world, row.partner, message.body), message.mid)
        except Refused as refusal:
            self._use_up(row)
            self._settled.append((row.partner, message.mid, "refused", refusal.code))
            ids = (row.case_no, row.ref_no, row.partner, message.mid)
            self._work.append(WorkItem(REFUSED_INBOUND, refusal.code, *ids, self._world.clock.now()))
        else:
            self._settled.append((row.partner, message.mid, "applied", None))


def _stands_otherwise(before: LegRow, applied: Applied) -> bool:
    """Whether it may have to be called back otherwise: it rests though asked to stop, has ended, is followed up."""
    now, asked = applied.leg, before.business == Business.CANCELLATION_REQUESTED
    ended = State.read(now.state).terminal
    asked_anew = ended and any(check.state in OPEN for check in applied.checks)
    return (asked and now.status == Status.ON_HOLD) or (ended and now.status != before.status) or asked_anew


def _by_leg(held: Sequence[HeldRow]) -> dict[str, list[_Waiting]]:
    found: dict[str, list[_Waiting]] = {}
    for row in held:
        found.setdefault(row.ref_no, []).append(_Waiting(row.seq, row))
    return found
