"""A round in which every partner is away for hours, while much is waiting for it; and then comes back.

The hours pass in the books: whenever a probe is due the next time, everything that is dated by the database's clock is
dated so much earlier. Nothing is scaled: the breaker has the patience it has in production.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import psycopg

from gateway.delivery.breaker import Patience
from tests.faults import actors, books
from tests.faults.books import Books
from tests.faults.crew import crew_at
from tests.faults.ground import Ground
from tests.faults.lines import counted
from tests.faults.partner import partners
from tests.faults.place import PARTNERS, Place
from tests.faults.proxy import Proxy, Toxic
from tests.faults.rounds import PATIENCE_S, Result, Watch, result

HOUR_S = 3600.0
PROBES_APART_S, AT_ONCE = 30.0, 4
"""How far apart probes are at least, and how many messages may be under way to a partner that has just come back."""
LET_THROUGH = "select count(*) from delivery where state = 'leased'"
SHUT = "select count(*) from partner_line where breaker = 'open' and due_at > now()"


@dataclass(frozen=True)
class Hours:
    """What passed: seconds from look to look, and how often each partner was tried in between; and when it was back."""

    steps: list[tuple[float, Counter[str]]]
    back: datetime


def away(ground: Ground, hours: float) -> tuple[Result, Books, Hours]:
    """Nobody reaches a partner for so many hours; then everybody does, and everything that waited is delivered."""
    began = time.monotonic()
    with ExitStack() as stack:
        place, theirs = stack.enter_context(ground.place("referred", retry_scale=1.0))
        proxy = stack.enter_context(Proxy(theirs.getsockname()[1]))
        place = replace(place, partner_port=proxy.port)
        crew = stack.enter_context(crew_at(place))
        watch = Watch(crew)
        stack.callback(watch.close)
        proxy.be(Toxic("down"))
        crew.hire("partners", partners, lambda: (theirs,))
        for name in ("worker-1", "worker-2"):
            crew.hire(name, actors.worker, lambda: ("",))

        def left_alone() -> bool:
            return watch.count(SHUT) == len(PARTNERS) and watch.count(LET_THROUGH) == 0

        crew.until("every line is open", left_alone, PATIENCE_S)
        steps: list[tuple[float, Counter[str]]] = []
        while sum(seconds for seconds, _ in steps) < hours * HOUR_S:
            before = tries(place)
            seconds = pass_until_probes_are_due(place)
            crew.until("every line was probed", left_alone, PATIENCE_S)
            steps.append((seconds, tries(place) - before))
        proxy.be()
        pass_until_probes_are_due(place)
        back = datetime.fromtimestamp(time.time(), UTC)
        crew.until("everything is delivered", lambda: not watch.left(), PATIENCE_S)
        messages = watch.count("select count(*) from message where direction = 'out'")
        found = result("away", crew, began, messages, place.lease_s + watch.longest_s)
        both, passed = books.read(place.database, place.partners), Hours(steps, back)
        found.hits.update(counted(both))
        found.hits["probes"] = sum(tried.total() for _, tried in steps)
        found.findings.broken.extend(too_often(passed))
        found.findings.broken.extend(
            f"{n} messages were under way to {partner} at once"
            for partner, n in under_way(both, passed.back).items() if n > AT_ONCE
        )  # fmt: skip
        return found, both, passed


def tries(place: Place) -> Counter[str]:
    """Attempts by partner, so far."""
    with psycopg.connect(place.database) as connection:
        return Counter(dict(connection.execute("select partner, count(*) from attempt group by partner").fetchall()))


def pass_until_probes_are_due(place: Place) -> float:
    """Let time pass until every partner's next probe is due; how much it was."""
    with psycopg.connect(place.database) as connection:
        row = connection.execute(
            "select max(extract(epoch from due_at - now()))::float from partner_line where breaker = 'open'"
        ).fetchone()
        assert row is not None
        seconds: float = row[0]
        earlier = f"- make_interval(secs => {seconds})"
        connection.execute(f"update partner_line set due_at = due_at {earlier}")  # noqa: S608
        connection.execute(
            f"update delivery set next_at = next_at {earlier}, first_at = first_at {earlier}"  # noqa: S608
        )
    return seconds


def too_often(passed: Hours) -> list[str]:
    """Who was tried more often than once in half a minute."""
    return [
        f"{partner} was tried {times} times in {seconds:.0f} s"
        for seconds, tried in passed.steps
        for partner, times in tried.items()
        if times > max(1, seconds / PROBES_APART_S)
    ]


def under_way(both: Books, since: datetime) -> dict[str, int]:
    """How many messages were under way to each partner at once, at most, while its line went slowly."""
    until, most = since + Patience().slowly, dict.fromkeys(PARTNERS, 0)
    for partner in PARTNERS:
        mine = [a for a in both.ours["attempts"] if a["partner"] == partner and since <= a["began_at"] < until]
        moments = sorted([(a["began_at"], 1) for a in mine] + [(a["ended_at"], -1) for a in mine])
        now = 0
        for _, change in moments:
            now += change
            most[partner] = max(most[partner], now)
    return most
