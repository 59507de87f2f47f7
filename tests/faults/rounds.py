"""Rounds: a fault, a load, processes that die and are replaced, until all is quiet; then the books are judged."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, pairwise
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import orjson
import psycopg

from tests.faults import actors, books, checker
from tests.faults.books import Books
from tests.faults.checker import Findings
from tests.faults.crew import Crew, crew_at
from tests.faults.ground import Ground
from tests.faults.partner import Manners, partners
from tests.faults.place import LEASE_S, PARTNERS, Place, set_ahead
from tests.faults.sender import Habits, sender

PATIENCE_S = 400.0
MOST_ROUNDS = 12
SHORT_LEASE_S = 1.5
"""Where the next one can only go on when the lease of who died is over."""
DELIVERED = "select count(*) from delivery where state = 'delivered'"
LEASED = "select count(*) from delivery where state = 'leased'"
DONE_BYTES = 60
IDLE_S = 1.5
"""What `GATEWAY_UNIT_IDLE_S` is where somebody stands still inside a transaction."""
SURVIVOR_RESTS_S = 0.4
"""The one who is not killed leaves most of the work to the others."""
REFERRER_RESTS_S = 1.0
"""Where processes are killed at random: so long the work lasts that there is always some to be killed at."""


class Aim(NamedTuple):
    """A point to be hit: how often it is armed to be hit at a passing, and what the partners must do for it."""

    probability: float
    manners: Manners = Manners()
    retry_scale: float = 0.02
    lease_s: float = LEASE_S


OUT = {
    "refer.written": Aim(0.9),
    "refer.committed": Aim(0.9),
    "refer.woken": Aim(0.9),
    "outbox.claimed": Aim(0.2),
    "request.half-sent": Aim(0.08),
    "request.sent": Aim(0.08),
    "attempt.answered": Aim(0.12),
    "attempt.judged": Aim(0.08),
    "delivery.written": Aim(0.2),
    "delivery.committed": Aim(0.4),
    "delivery.retried": Aim(0.6, Manners(busy=250), retry_scale=0.002),
    "line.turned": Aim(0.9, Manners(busy=600), retry_scale=0.001, lease_s=SHORT_LEASE_S),
    "delivery.buried": Aim(0.8, Manners(down=250), retry_scale=3e-6),
}
IN = {
    "request.read": 0.1,
    "inbound.proven": 0.1,
    "inbound.fresh": 0.2,
    "inbound.remembered": 0.2,
    "inbound.written": 0.2,
    "inbound.committed": 0.2,
    "request.answered": 0.1,
    "receipt.found": 0.2,
    "outcome.judged": 0.5,
}


@dataclass
class Result:
    """What a round showed."""

    what: str
    findings: Findings
    hits: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    messages: int = 0
    recovery_s: float = 0.0
    seconds: float = 0.0

    @property
    def wrong(self) -> bool:
        """Whether the checker found anything."""
        return any(self.findings.numbers)


def until_hit(round_of: Callable[[int], Result], points: Iterable[str], wanted: int) -> Result:
    """Rounds until every point was hit so often, or something is wrong; `round_of` takes how many hits are missing."""
    found: list[Result] = []
    hits, missing = Counter[str](), wanted
    while missing > 0 and len(found) < MOST_ROUNDS and not any(r.wrong for r in found):
        found.append(round_of(missing))
        hits += found[-1].hits
        missing = wanted - min(hits[p] for p in points)
    return Result(
        found[0].what, Findings(*(list(chain(*one)) for one in zip(*(r.findings for r in found), strict=True))), hits,
        sum(r.kills for r in found), sum(r.messages for r in found), max(r.recovery_s for r in found),
        sum(r.seconds for r in found),
    )  # fmt: skip


class Aiming:
    """Gives every new life the point that was hit least, until all were hit often enough; then none."""

    def __init__(self, crew: Crew, wanted: Mapping[str, float], hits: int) -> None:
        self._crew, self._wanted, self._hits = crew, wanted, hits
        self._given = Counter[str]()

    def point(self) -> str:
        """A failpoint setting, or nothing."""
        hits = self._crew.hits()
        left = [p for p in self._wanted if hits[p] < self._hits]
        if not left:
            return ""
        point = min(left, key=lambda p: self._given[p])
        self._given[point] += 1
        return f"{point}:{self._wanted[point]}"


class Watch:
    """Looks at the outbox while a round goes on: is it quiet, and how long has an ended lease been nobody's?

    Counted from the last death: while more and more of them die, what they held waits behind what others held.
    """

    def __init__(self, crew: Crew) -> None:
        self._crew, self._place = crew, crew.place
        self._connection = psycopg.connect(self._place.database, autocommit=True)
        self.longest_s = 0.0

    def left(self) -> int:
        """Deliveries that are not over; one, as far as we know, while the database cannot be asked."""
        left, idle_s = self.row(
            "select count(*), coalesce(max(extract(epoch from now() - lease_until)), 0)::float"
            " from delivery where state in ('ready', 'leased')"
        ) or (1, 0.0)
        alive_s = time.time() - self._crew.deaths[-1] if self._crew.deaths else idle_s
        self.longest_s = max(self.longest_s, min(idle_s, alive_s))
        return int(left)

    def over(self, wanted: int) -> bool:
        """Whether there were so many deliveries, and none is left; asked in this order."""
        return self.count("select count(*) from delivery") >= wanted and not self.left()

    def count(self, sql: str) -> int:
        """One number; -1 while the database cannot be asked."""
        row = self.row(sql)
        return int(row[0]) if row else -1

    def row(self, sql: str) -> Any:
        """One row; None while the database cannot be asked."""
        for _ in range(2):  # the first time one hears that the connection has gone
            try:
                if self._connection.closed:
                    self._connection = psycopg.connect(self._place.database, autocommit=True)
                return self._connection.execute(sql).fetchone()
            except psycopg.OperationalError:
                self._connection.close()
        return None

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()


def outbound(ground: Ground, points: Mapping[str, Aim], hits: int, what: str, careless: str = "") -> Result:
    """Two workers deliver, and die at these points so often, each; a third one lives, and takes over what they held."""
    aim = next(iter(points.values()))
    began = time.monotonic()
    with (
        ground.place("referred", retry_scale=aim.retry_scale, lease_s=aim.lease_s, careless=careless) as (
            place,
            theirs,
        ),
        crew_at(place) as crew,
    ):
        watch = Watch(crew)
        aiming = Aiming(crew, {p: a.probability for p, a in points.items()}, hits)
        crew.hire("partners", partners, lambda: (theirs, aim.manners))
        for name in ("worker-1", "worker-2"):
            crew.hire(name, actors.worker, lambda: (aiming.point(),))
        crew.hire("survivor", actors.worker, lambda: ("", SURVIVOR_RESTS_S))
        crew.until("everything is delivered", lambda: not watch.left(), PATIENCE_S)
        messages = watch.count("select count(*) from message where direction = 'out'")
        watch.close()
        return result(what, crew, began, messages, place.lease_s + watch.longest_s)


def referring(ground: Ground, points: Mapping[str, Aim], hits: int, what: str) -> Result:
    """Two processes refer, one at a time, and die; two workers deliver beside them."""
    began = time.monotonic()
    with ground.place("cases") as (place, theirs), crew_at(place) as crew:
        watch = Watch(crew)
        aiming = Aiming(crew, {p: a.probability for p, a in points.items()}, hits)
        crew.hire("partners", partners, lambda: (theirs, Manners()))
        for name in ("referrer-1", "referrer-2"):
            crew.hire(name, actors.referrer, lambda: (aiming.point(),))
        for name in ("worker-1", "worker-2"):
            crew.hire(name, actors.worker, lambda: ("",))
        wanted = 3 * ground.cases
        crew.until("everything is referred and delivered", partial(watch.over, wanted), PATIENCE_S)
        watch.close()
        return result(what, crew, began, wanted, place.lease_s + watch.longest_s)


def inbound(
    ground: Ground,
    points: Mapping[str, float],
    hits: int,
    what: str,
    habits: Habits = Habits(),  # noqa: B008 - immutable
    careless: str = "",
) -> Result:
    """Two doors take in what partners tell, and die at these points; somebody judges, and dies as well."""
    began = time.monotonic()
    with ground.place("delivered", careless=careless) as (place, _), crew_at(place) as crew:
        watch = Watch(crew)
        doors = Aiming(crew, {p: often for p, often in points.items() if p != "outcome.judged"}, hits)
        judges = Aiming(crew, {p: often for p, often in points.items() if p == "outcome.judged"}, hits)
        for name in ("door-1", "door-2"):
            crew.hire(name, actors.door, lambda: (doors.point(),))
        crew.hire("judge", actors.judge, lambda: (judges.point(),))
        crew.hire("sender", sender, lambda: (habits,))
        crew.until("every letter has its receipt", lambda: brought(place), PATIENCE_S)
        untracked = "select count(*) from leg where tracked < version"
        crew.until("every leg is judged", lambda: not watch.count(untracked), PATIENCE_S)
        letters = watch.count("select count(*) from message where direction = 'in'")
        watch.close()
        return result(what, crew, began, letters, longest_silence(crew))


def poisoned(ground: Ground, how_many: int) -> tuple[Result, Books]:
    """So many referrals kill whoever tries them; everybody else's go through."""
    began = time.monotonic()
    with ground.place("referred", lease_s=SHORT_LEASE_S, poison_after=3) as (place, theirs), crew_at(place) as crew:
        watch = Watch(crew)
        sql = "select array_agg(mid::text) from (select mid from message where type = 'referral.created' order by mid"
        mids = frozenset(watch.row(f"{sql} limit {how_many}) as chosen")[0])
        crew.hire("partners", partners, lambda: (theirs,))
        for name in ("worker-1", "worker-2"):
            crew.hire(name, actors.poisoned, lambda: (mids,))
        crew.until("everything is over", lambda: not watch.left(), PATIENCE_S)
        messages = watch.count("select count(*) from message where direction = 'out'")
        found = result("poisoned", crew, began, messages, place.lease_s + watch.longest_s)
        watch.close()
        both = books.read(place.database, place.partners)
        found.hits["dead"] = sum(d["state"] == "dead" for d in both.ours["deliveries"])
        return found, both


def at_random(ground: Ground, kills: int, every_s: float = 0.3) -> Result:
    """Whoever refers, delivers or is a partner is killed, one at random after the other, while there is work to do."""
    began, rng = time.monotonic(), Random(kills)
    with ground.place("cases") as (place, theirs), crew_at(place) as crew:
        watch = Watch(crew)
        crew.hire("partners", partners, lambda: (theirs,))
        for name in ("referrer-1", "referrer-2"):
            crew.hire(name, actors.referrer, lambda: ("", REFERRER_RESTS_S))
        for name in ("worker-1", "worker-2"):
            crew.hire(name, actors.worker, lambda: ("", 0.1))
        killed, wanted = 0, 3 * ground.cases
        while killed < kills:
            crew.until("some time has passed", partial(_passed, time.monotonic() + every_s), PATIENCE_S)
            if watch.over(wanted):
                break
            crew.kill(rng.choice(sorted(crew.posts)))
            killed += 1
        crew.until("everything is referred and delivered", partial(watch.over, wanted), PATIENCE_S)
        watch.close()
        found = result("at random", crew, began, wanted, place.lease_s + watch.longest_s)
        found.hits["killed"] = killed
        return found


def _passed(when: float) -> bool:
    return time.monotonic() > when


def astray(ground: Ground) -> Result:
    """The clock of one of two workers is ahead by minutes from the beginning on, and right again at the end."""
    began = time.monotonic()
    with ground.place("referred") as (place, theirs), crew_at(place) as crew:
        watch = Watch(crew)
        set_ahead(place.ahead, 0.0)
        crew.hire("partners", partners, lambda: (theirs,))
        crew.hire("astray", actors.astray)
        crew.until("it delivers", lambda: watch.count(DELIVERED) > 0, PATIENCE_S)
        set_ahead(place.ahead, 301.0)
        crew.until("it has noticed", lambda: bool(said(place, b"GW-CLOCK")), PATIENCE_S)
        before, noticed = watch.count(DELIVERED), time.monotonic()
        crew.until("some time has passed", partial(_passed, noticed + place.lease_s + 1.0), PATIENCE_S)
        sent_astray, held = watch.count(DELIVERED) - before, watch.count(LEASED)
        set_ahead(place.ahead, 0.0)
        crew.hire("worker", actors.worker, lambda: ("",))
        crew.until("everything is delivered", lambda: not watch.left(), PATIENCE_S)
        messages = watch.count("select count(*) from message where direction = 'out'")
        found = result("astray", crew, began, messages, place.lease_s + watch.longest_s)
        watch.close()
        found.hits.update({"refused to sign": len(said(place, b"GW-CLOCK")), "sent": sent_astray, "held": held})
        if sent_astray or held:
            found.findings.broken.append(f"a worker whose clock is wrong has sent {sent_astray} and holds {held}")
        return found


def frozen_inside(ground: Ground, what: str) -> Result:
    """A worker stands still for good in the middle of a transaction: its rows are locked, and skipped by all others."""
    began = time.monotonic()
    with ground.place("referred", idle_s=IDLE_S) as (place, theirs), crew_at(place) as crew:
        watch = Watch(crew)
        crew.hire("partners", partners, lambda: (theirs,))
        crew.hire("sleeper", actors.sleeper, lambda: ("delivery.written",))
        crew.until("the sleeper sleeps", lambda: _stopped(crew.pid("sleeper")), PATIENCE_S)
        asleep = watch.count("select count(*) from delivery where lease_owner like 'sleeper%'")
        for name in ("worker-1", "worker-2"):
            crew.hire(name, actors.worker, lambda: ("",))
        crew.until("everything is delivered, while it sleeps", lambda: not watch.left(), IDLE_S + place.lease_s + 30)
        assert _stopped(crew.pid("sleeper"))
        os.kill(crew.pid("sleeper"), signal.SIGCONT)
        crew.until("the sleeper has found out", lambda: bool(said(place, b"GW-STORE")), PATIENCE_S)
        messages = watch.count("select count(*) from message where direction = 'out'")
        watch.close()
        found = result(what, crew, began, messages, place.lease_s + watch.longest_s)
        found.hits["held asleep"] = asleep
        return found


def overslept(ground: Ground, what: str, careless: str = "") -> Result:
    """A worker is stopped with answers in its hands; when it wakes, its leases have ended and others have delivered.

    The partner refuses the first time and takes it the second; so late a failure means giving up: the worst thing to
    write after somebody else has delivered.
    """
    began = time.monotonic()
    manners = Manners(shy=True, only=PARTNERS[0])
    with ground.place("referred", retry_scale=3e-6, careless=careless) as (place, theirs), crew_at(place) as crew:
        watch = Watch(crew)
        crew.hire("partners", partners, lambda: (theirs, manners))
        crew.hire("sleeper", actors.sleeper)
        crew.until("the sleeper sleeps", lambda: _stopped(crew.pid("sleeper")), PATIENCE_S)
        held = "select count(*) from delivery where lease_owner like 'sleeper%'"
        asleep = watch.count(held)
        crew.hire("worker", actors.worker, lambda: ("",))
        crew.until("everything is over", lambda: not watch.left(), PATIENCE_S)
        stale = "select count(*) from attempt a join delivery d using (partner, mid) where a.fence < d.fence"
        before = watch.count(stale)
        os.kill(crew.pid("sleeper"), signal.SIGCONT)
        crew.until("the sleeper has written what it held", lambda: watch.count(stale) > before, PATIENCE_S)
        crew.until("everything is over again", lambda: not watch.left(), PATIENCE_S)
        late = watch.count(stale) - before
        messages = watch.count("select count(*) from message where direction = 'out'")
        watch.close()
        found = result(what, crew, began, messages, place.lease_s + watch.longest_s)
        found.hits.update({"held asleep": asleep, "written too late": late})
        return found


def _stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def brought(place: Place) -> bool:
    """Whether every partner has brought all its letters."""
    return all(done(home / "journal.ndjson") for home in place.partners.iterdir())


def done(journal: Path) -> bool:
    """Whether the last line of a journal says that this was all; asked often, so that only the end is read."""
    if not journal.exists():
        return False
    with journal.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - DONE_BYTES))
        return b'{"what":"done"' in file.read()


def longest_silence(crew: Crew) -> float:
    """The longest time without an answer to anybody and without a further death, in seconds."""
    theirs = books.read(crew.place.database, crew.place.partners).theirs
    lines = (line for said in theirs.values() for line in said)
    answered = sorted(line["at"] + line["took"] for line in lines if line["what"] == "answer" and line.get("receipt"))
    between = (d for d in crew.deaths if answered and answered[0] < d < answered[-1])
    return max((later - earlier for earlier, later in pairwise(sorted([*answered, *between]))), default=0.0)


def unforeseen(place: Place) -> list[str]:
    """What processes said about errors that nobody foresaw."""
    found = map(orjson.loads, said(place, b'.broken"'))
    return sorted({f"{one['event']}: {one['error']} {one['at']}" for one in found})


def said(place: Place, what: bytes) -> list[bytes]:
    """The lines with this in them that the processes of a round have said so far."""
    lines = place.said.read_bytes().splitlines() if place.said.exists() else []
    return [line for line in lines if what in line]


def result(
    what: str, crew: Crew, began: float, messages: int, recovery_s: float, *, allowed: frozenset[int] = frozenset()
) -> Result:
    """Judge the books of a round that is over; `allowed` as in `checker.check`."""
    hits, place = crew.hits(), crew.place
    crew.tend()
    findings = checker.check(books.read(place.database, place.partners), allowed=allowed)
    findings.broken.extend([*unforeseen(place), *crew.fell])
    return Result(what, findings, hits, len(crew.deaths), messages, recovery_s, time.monotonic() - began)
