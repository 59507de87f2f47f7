"""The desk: what a pretend partner remembers, and what it has to do by a business date.

Everything it knows is the sum of its journal lines: `record` appends a line and applies it, a start applies them all
again, and both ways give the same desk (a test compares). Stories are not journalled: the seed tells them again.

    line        means
    received    a message was judged; its verdict and receipt are given again when it comes again
    opened      a referral became a case
    stopped     COMWEL cancelled, or the consent was withdrawn: no more casework
    destroyed   what was held about the worker is destroyed
    mishap      a planned misbehaviour has been done
    clock       the business date
    outgoing    a report was sealed; from now on it must reach the gateway
    answered    the gateway's receipt for a report
    refused     the gateway refused a report for good
    resent      a report was sent again on purpose, and what the gateway said
    listed      the gateway's list of a period (its digest), and ours in answer

What grows with every message and case is kept on disk (`memory.Memory`); in memory are the letters that are under way.
It refuses to know HTTP and dialects.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from adapters.partners.pretend.dialects import Sheet, Verdict
from adapters.partners.pretend.journal import Journal
from adapters.partners.pretend.memory import Kept, Memory, Stopped
from adapters.partners.pretend.scripts import Kind, Mishap
from adapters.partners.pretend.story import Event, Story, cancelled

AT_HAND = 512
"""Cases looked at last, with their stories: they are not read and told again."""
Teller = Callable[[str, date], Story]
"""(referral number, business date of receipt) → its story"""


class Voice(NamedTuple):
    """What a partner will tell about a referral, and what it has words for."""

    tell: Teller
    speaks: frozenset[Kind]


class Heard(NamedTuple):
    """The memory of one inbound message."""

    mjws_s256: str
    verdict: Verdict
    receipt: str


class Letter(NamedTuple):
    """One sealed report on its way to the gateway. `again` asks for a second delivery of the same bytes."""

    mid: str
    ref_no: str
    seq: int
    kind: Kind
    body: bytes
    jws: str
    again: bool


class Task(NamedTuple):
    """A report to be written now. `on` is the business date it is sent on."""

    ref_no: str
    seq: int
    event: Event
    on: date


class Case(NamedTuple):
    """One referral on the desk. `told` counts the reports written so far; their seq runs from 1 to it."""

    sheet: Sheet
    key: str | None  # the gateway's own name for the case, as in its manifest
    request_mid: str
    story: Story
    trace: str | None = None  # W3C traceparent of the attempt that brought it; goes back with every report
    told: int = 0
    said: frozenset[Kind] = frozenset()
    stopped: Stopped | None = None

    def due(self, today: date, speaks: frozenset[Kind]) -> Iterator[Task]:
        """Reports due by `today` in the order of sending: a late one comes after its successor."""
        if self.stopped:
            yield from self._farewell(self.stopped, speaks)
            return
        events, at, ref_no = self.story.events, self.told, self.sheet.ref_no
        while at < len(events) and (on := self.when(at)) <= today:
            if events[at].mishap is Mishap.LATE:
                yield Task(ref_no, at + 2, events[at + 1], on)
            yield Task(ref_no, at + 1, events[at], on)
            at += 2 if events[at].mishap is Mishap.LATE else 1

    def _farewell(self, stopped: Stopped, speaks: frozenset[Kind]) -> Iterator[Task]:
        # a partner without a word for closing a placement has closed the leg with the placement itself
        closers = {Kind.CLOSE_UNPLACED, Kind.CONFIRM_CANCEL, Kind.DECLINE}
        closers.add(Kind.CLOSE_PLACED if Kind.CLOSE_PLACED in speaks else Kind.PLACED)
        started = Kind.START in self.said and not self.said & closers
        event = cancelled(stopped.on, started=started, withdrawn=stopped.withdrawn, speaks=speaks)
        if event:
            yield Task(self.sheet.ref_no, self.told + 1, event, stopped.on)

    def when(self, at: int) -> date:
        """The business date on which report `at` (from 0) will be sent."""
        late = self.story.events[at].mishap is Mishap.LATE
        return self.story.events[at + 1 if late else at].on


class Desk:
    """Memory and work list of one pretend partner. Safe for several threads."""

    def __init__(self, journal: Journal, voice: Voice, today: date, now: Callable[[], datetime]) -> None:
        self._journal, self._now = journal, now
        self._tell, self._speaks = voice
        self._opened = lru_cache(AT_HAND)(self._read_opened)
        self.lock = threading.RLock()  # held while the reports of a case are written, so that nothing comes between
        self.today = today
        self.counts: Counter[str] = Counter()
        self._memory = Memory()
        self._ahead = 0
        self._open_letters: dict[str, Letter] = {}
        for place, line in journal.placed():
            self._apply(place, line)

    # ── memory ───────────────────────────────────────────────────────────────────────────────────────────────────────
    def record(self, what: str, **facts: Any) -> None:
        """Append one line and let it count."""
        line = {"what": what, "at": self._now().isoformat(timespec="milliseconds"), **facts}
        with self.lock:
            self._apply(self._journal.append(line), line)

    def lines(self) -> Iterator[dict[str, Any]]:
        """Everything ever recorded, oldest first."""
        return self._journal.lines()

    def heard(self, mid: str) -> Heard | None:
        """What was said about this message before."""
        with self.lock:
            place = self._memory.heard(mid)
        if place is None:
            return None
        line = self._journal.at(place)
        return Heard(line["mjws_s256"], Verdict(line["verdict"]), line["receipt"])

    def next_inbox_seq(self) -> int:
        """The place the next message takes in the inbox."""
        return self.counts["received"] + 1

    def case(self, ref_no: str) -> Case | None:
        """The case with this referral number."""
        with self.lock:
            kept = self._memory.kept(ref_no)
        return self._case(kept) if kept else None

    def unsent(self) -> tuple[Letter, ...]:
        """Letters without a receipt, in the order they were written."""
        with self.lock:
            return tuple(self._open_letters.values())

    def mishap_for(self, mid: str, ref_no: str) -> Mishap:
        """What shall go wrong with this new referral, once."""
        with self.lock:
            if self._memory.went_wrong(mid):
                return Mishap.NONE
        return self._tell(ref_no, self.today).inbound

    # ── work ─────────────────────────────────────────────────────────────────────────────────────────────────────────
    def cases_due(self) -> tuple[str, ...]:
        """Referral numbers of the cases with something to report by today, the longest overdue first."""
        with self.lock:
            return self._memory.due(self.today)

    def due(self, ref_no: str) -> list[Task]:
        """What is to be reported about one case by today, in the order of sending."""
        with self.lock:
            return list(self._case(self._kept(ref_no)).due(self.today, self._speaks))

    def stop(self, ref_no: str, *, withdrawn: bool) -> None:
        """Stop a case and confirm the destruction; again is harmless."""
        with self.lock:
            if self._kept(ref_no).stopped is None:
                self.record("stopped", ref_no=ref_no, withdrawn=withdrawn, on=self.today.isoformat())
                self.record("destroyed", ref_no=ref_no)

    def ahead(self) -> tuple[int, date | None]:
        """How many reports lie ahead, and the date of the next."""
        with self.lock:
            return self._ahead, self._memory.next_on()

    # ── what each line does ──────────────────────────────────────────────────────────────────────────────────────────
    def _apply(self, place: int, line: Mapping[str, Any]) -> None:
        self.counts[line["what"]] += 1
        if act := getattr(self, f"_on_{line['what']}", None):
            act(place, line)

    def _on_received(self, place: int, line: Mapping[str, Any]) -> None:
        self._memory.hear(line["mid"], place)

    def _on_opened(self, place: int, line: Mapping[str, Any]) -> None:
        self._ahead += len(self._opened(place).story.events)
        self._keep(line["sheet"][0], Kept(place))

    def _on_stopped(self, _: int, line: Mapping[str, Any]) -> None:
        kept = self._kept(line["ref_no"])
        if kept.stopped is None:
            self._ahead -= len(self._case(kept).story.events) - kept.told
        stopped = Stopped(date.fromisoformat(line["on"]), line["withdrawn"])
        self._keep(line["ref_no"], kept._replace(stopped=stopped))

    def _on_mishap(self, _: int, line: Mapping[str, Any]) -> None:
        self._memory.go_wrong(line["mid"])
        self.counts[f"mishap {line['mishap']}"] += 1

    def _on_clock(self, _: int, line: Mapping[str, Any]) -> None:
        self.today = date.fromisoformat(line["today"])

    def _on_outgoing(self, _: int, line: Mapping[str, Any]) -> None:
        letter = Letter(line["mid"], line["ref_no"], line["seq"], Kind(line["kind"]), line["body"].encode(),
                        line["jws"], line["again"])  # fmt: skip
        self._open_letters[letter.mid] = letter
        self.counts[f"sent {letter.kind}"] += 1
        kept = self._kept(letter.ref_no)
        self._ahead -= 0 if kept.stopped else 1
        self._keep(letter.ref_no, kept._replace(told=kept.told + 1, said=kept.said | {letter.kind}))

    def _on_answered(self, _: int, line: Mapping[str, Any]) -> None:
        self._open_letters.pop(line["mid"], None)

    _on_refused = _on_answered

    # ── cases on disk ────────────────────────────────────────────────────────────────────────────────────────────────
    def _kept(self, ref_no: str) -> Kept:
        kept = self._memory.kept(ref_no)
        if kept is None:
            raise KeyError(ref_no)
        return kept

    def _keep(self, ref_no: str, kept: Kept) -> None:
        """Keep how a case stands now, and when it has something to report again."""
        first = next(self._case(kept).due(date.max, self._speaks), None)
        self._memory.keep(ref_no, kept._replace(due_on=first.on if first else None))

    def _case(self, kept: Kept) -> Case:
        return self._opened(kept.place)._replace(told=kept.told, said=kept.said, stopped=kept.stopped)

    def _read_opened(self, place: int) -> Case:
        line = self._journal.at(place)
        sheet = Sheet(*line["sheet"])
        story = self._tell(sheet.ref_no, date.fromisoformat(line["on"]))
        return Case(sheet, line["case"], line["mid"], story, line.get("trace"))
