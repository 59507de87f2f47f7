"""Rounds in which our own signing key is replaced again and again, by somebody who dies at it, under load.

Partners know the first key from a file, and fetch every other one from our door when they meet it. Judged besides the
books: every key has its private half beside it and each of its acts once, and one at most is pending.
"""

from __future__ import annotations

import stat
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

import psycopg

from adapters.partners.pretend.well_known import WellKnown
from tests.faults import actors
from tests.faults.crew import Crew, crew_at
from tests.faults.ground import Ground
from tests.faults.partner import partners
from tests.faults.place import PARTNERS, Place
from tests.faults.rounds import PATIENCE_S, Aiming, Result, Watch, brought, longest_silence, result
from tests.faults.sender import sender, slowly

KEY = {"key.made": 0.9, "key.written": 0.9, "key.committed": 0.9, "key.turned": 0.9}
MOST = 15
"""Partners take sixteen keys in a set."""
RESTS_S = 0.15
"""Who refers rests so long after every three cases, so that there is a key before and one after."""
KEYS = "select count(*) from partner_key where owner = 'comwel'"
ACTED = "select count(*) from partner_key where owner = 'comwel' and begun_at is not null"


def outbound(ground: Ground, points: Mapping[str, float], hits: int, what: str, rotations: int = MOST) -> Result:
    """Referrals are sealed and delivered meanwhile; so often dies who replaces the key, or so often it is replaced."""
    began, wanted = time.monotonic(), 3 * ground.cases
    with ground.place("cases") as (place, theirs), crew_at(place) as crew:
        watch = Watch(crew)
        crew.hire("partners", partners, lambda: (theirs,))
        crew.hire("door", actors.door, lambda: ("",))
        crew.hire("referrer", actors.referrer, lambda: ("", RESTS_S))
        for name in ("worker-1", "worker-2"):
            crew.hire(name, actors.worker, lambda: ("",))
        _rotating(crew, watch, points, hits, rotations, ground.cases)
        crew.until("everything is referred and delivered", partial(watch.over, wanted), PATIENCE_S)
        return _judged(what, crew, watch, began, wanted, place.lease_s + watch.longest_s)


def inbound(ground: Ground, what: str, rotations: int = MOST) -> Result:
    """Partners bring their letters meanwhile, and keep our receipts."""
    began = time.monotonic()
    with ExitStack() as stack:
        place, _ = stack.enter_context(ground.place("delivered"))
        crew = stack.enter_context(crew_at(place))
        watch = Watch(crew)
        for name in ("door-1", "door-2"):
            crew.hire(name, actors.door, lambda: ("",))
        crew.hire("sender", sender, lambda: (slowly(ground.cases),))
        _rotating(crew, watch, {}, 0, rotations)
        crew.until("every letter has its receipt", lambda: brought(place), PATIENCE_S)
        letters = watch.count("select count(*) from message where direction = 'in'")
        _fetched(place)
        return _judged(what, crew, watch, began, letters, longest_silence(crew))


def _rotating(crew: Crew, watch: Watch, points: Mapping[str, float], hits: int, rotations: int, cases: int = 0) -> None:
    """Until it was replaced so often; or somebody died so often at it, or there is no load any more to do it under."""
    aiming, most = Aiming(crew, points, hits), rotations + 1  # the first one was there
    crew.hire("rotator", actors.rotator, lambda: (aiming.point(), most))

    def over() -> bool:
        died = crew.hits()
        if points and (min(died[p] for p in points) >= hits or watch.over(3 * cases)):
            return True
        return watch.count(KEYS) == watch.count(ACTED) == most

    crew.until("the key was replaced often enough", over, PATIENCE_S)
    crew.until("who died last is counted", lambda: len(crew.deaths) == crew.hits().total(), PATIENCE_S)
    crew.dismiss("rotator")


def _fetched(place: Place) -> None:
    """Let the partners look at our keys once more, as they would who want to verify what they kept."""
    found = WellKnown(place.public_url)()
    assert found
    for partner in PARTNERS:
        (place.partners / partner.lower() / "gateway.jwks.json").write_bytes(found.jwks)


def _judged(what: str, crew: Crew, watch: Watch, began: float, messages: int, recovery_s: float) -> Result:
    place = crew.place
    found = result(what, crew, began, messages, recovery_s)
    watch.close()
    _judge_keys(place, found)
    return found


def _judge_keys(place: Place, found: Result) -> None:
    """By our tables and files alone."""
    with psycopg.connect(place.database) as connection:
        keys: list[Any] = connection.execute(
            "select kid, signs_from > now(), begun_at is not null from partner_key where owner = 'comwel'"
        ).fetchall()
        acts = Counter(
            (act, subject)
            for act, subject in connection.execute(
                "select act, subject from audit_event where act in ('key.added', 'key.scheduled', 'key.activated')"
                " and partner is null"
            )
        )
    found.findings.doubled.extend(f"{act} of {subject}, twice" for (act, subject), n in acts.items() if n > 1)
    told = Counter(act for act, _ in acts)
    if told["key.added"] != len(keys) or told["key.activated"] > len(keys):
        found.findings.doubled.append(f"{len(keys)} keys, and these acts: {dict(told)}")
    if sum(pending for _, pending, _ in keys) > 1:
        found.findings.doubled.append("two rotations are pending")
    for kid, *_ in keys:
        file = place.home / "keys" / f"{kid}.pem"
        if not file.exists() or stat.S_IMODE(file.stat().st_mode) != 0o600:
            found.findings.lost.append(f"{kid} has no private half, or others can read it")
    found.hits["rotated"] = sum(begun for _, _, begun in keys) - 1
