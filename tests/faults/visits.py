"""Rounds at the door: partners bring their letters, and somebody, or a clock, or a gap, does mischief beside them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import orjson
import psycopg

from gateway.journey.track import track
from gateway.telemetry.metrics import Metrics
from gateway.worker.rounds import one_round
from tests.faults import actors, books
from tests.faults.books import Books
from tests.faults.crew import Crew, crew_at
from tests.faults.ground import Ground
from tests.faults.lines import UNAVAILABLE, counted
from tests.faults.mischief import rogues
from tests.faults.place import Place, bound, set_ahead
from tests.faults.rounds import PATIENCE_S, Result, Watch, brought, done, longest_silence, result
from tests.faults.sender import Habits, sender, slowly
from tests.journey.world import knowledge

ONCE = Habits(again=0, fetch=0)
JUMP_S, JUMPED_S = 301.0, 1.5
EVERY_GAP = 5
DAY_AND_MORE = "25 hours"


def beside(ground: Ground, act: str, many: int) -> tuple[Result, Books]:
    """Two doors take in what partners bring, and in the name of each partner somebody does this so many times."""
    began = time.monotonic()
    with ExitStack() as stack:
        place, _ = stack.enter_context(ground.place("delivered"))
        if act == "replayed":
            place = replace(place, other_port=stack.enter_context(bound()).getsockname()[1])
        crew = stack.enter_context(crew_at(place))
        watch = Watch(crew)
        stack.callback(watch.close)
        _open(crew)
        crew.hire("rogues", rogues, lambda: (act, many))
        crew.hire("sender", sender, lambda: (ONCE,))
        crew.until("all is brought, and all mischief done", lambda: brought(place) and _done(place), PATIENCE_S)
        return _judged(act, crew, watch, began)


def jumping(ground: Ground) -> tuple[Result, Books]:
    """The clock of a door jumps ahead while partners bring their letters, and back.

    Whose letter was believed and is being taken in at that very moment is told to come again (503).
    """
    began = time.monotonic()
    with ground.place("delivered") as (first, _), bound() as kept:
        place = replace(first, other_port=kept.getsockname()[1], front_port=kept.getsockname()[1])
        with crew_at(place) as crew:
            watch = Watch(crew)
            _open(crew)
            crew.hire("sender", sender, lambda: (slowly(ground.cases),))
            letters = "select count(*) from message where direction = 'in'"
            crew.until("letters are taken in", lambda: watch.count(letters) > 3, PATIENCE_S)
            set_ahead(place.ahead, JUMP_S)
            time.sleep(JUMPED_S)
            set_ahead(place.ahead, 0.0)
            crew.until("every letter has its receipt", lambda: brought(place), PATIENCE_S)
            _set_back(place)
            found, both = _judged("jumping", crew, watch, began, allowed=UNAVAILABLE)
            watch.close()
        return found, both


def gapped(ground: Ground) -> tuple[Result, Books, list[str]]:
    """Of every fifth leg the second letter never comes. A day later somebody is told: how, is the last value."""
    began = time.monotonic()
    with ground.place("delivered") as (place, _), crew_at(place) as crew:
        withheld = _withhold(place)
        watch = Watch(crew)
        _open(crew)
        crew.hire("sender", sender, lambda: (ONCE,))
        crew.until("every letter has its receipt", lambda: brought(place), PATIENCE_S)
        found, both = _judged("gapped", crew, watch, began)
        watch.close()
        found.hits["withheld"] = withheld
        told = _a_day_later(place)
        held = {row["ref_no"] for row in both.ours["inbox"] if row["state"] == "held"}
        found.findings.lost.extend(
            f"{ref_no} waits for its second letter, and nobody was told"
            for ref_no in sorted(held)
            if f"report-missing {ref_no}" not in told
        )
        return found, both, told


def _open(crew: Crew) -> None:
    for name in ("door-1", "door-2"):
        crew.hire(name, actors.door, lambda: ("",))
    if crew.place.other_port:
        crew.hire("other-door", actors.other_door, lambda: (crew.place.other_port,))


def _judged(
    what: str, crew: Crew, watch: Watch, began: float, *, allowed: frozenset[int] = frozenset()
) -> tuple[Result, Books]:
    place = crew.place
    letters = watch.count("select count(*) from message where direction = 'in'")
    found = result(what, crew, began, letters, longest_silence(crew), allowed=allowed)
    both = books.read(place.database, place.partners)
    found.hits.update(counted(both))
    found.findings.broken.extend(_wronged(both))
    return found, both


def _wronged(both: Books) -> Iterator[str]:
    """Who had to be believed besides the postmen, and was not."""
    for partner, lines in both.theirs.items():
        for line in lines:
            if line["what"] == "answer" and line.get("kind", "honest") != "honest" and line["status"] != 200:
                yield f"{partner}, {line['kind']}: was told {line['status']}"


def _set_back(place: Place) -> None:
    """Facts are dated by the host; what was dated while it was ahead would look as if it had come last."""
    with psycopg.connect(place.database) as connection:
        late = f"interval '{JUMP_S} s'"
        connection.execute(f"update outcome_fact set at = at - {late} where at > now() + {late} / 2")  # noqa: S608


def _done(place: Place) -> bool:
    return all(done(home / "rogue.ndjson") for home in place.partners.iterdir())


def _withhold(place: Place) -> int:
    """Take letters out of the journals, as if the partner had never written them; how many."""
    gone = 0
    for home in sorted(place.partners.iterdir()):
        kept, legs = [], list[str]()
        for line in map(orjson.loads, (home / "journal.ndjson").read_bytes().splitlines()):
            if line["what"] == "letter" and line["seq"] == 1:
                legs.append(line["ref_no"])
            if line["what"] == "letter" and line["seq"] == 2 and legs.index(line["ref_no"]) % EVERY_GAP == 0:
                gone += 1
                continue
            kept.append(orjson.dumps(line) + b"\n")
        (home / "journal.ndjson").write_bytes(b"".join(kept))
    return gone


def _a_day_later(place: Place) -> list[str]:
    """Let what is held have come a day ago, and the engine look: what a person has to see to then, and the metric."""
    with psycopg.connect(place.database) as connection:
        connection.execute(f"update inbox set at = at - interval '{DAY_AND_MORE}' where state = 'held'")  # noqa: S608
    with place.gateway(knowledge()) as gateway:
        one_round(Metrics(), "journey", partial(track, gateway.world))
        [held] = [one for one in gateway.figures() if one.name == "gateway_inbox_oldest_held_seconds"]
    with psycopg.connect(place.database) as connection:
        shown = connection.execute("select kind, ref_no from work_item where kind = 'report-missing'").fetchall()
    late = [partner for (partner,), seconds in held.rows if seconds > 86_400]
    return [*(f"{kind} {ref_no}" for kind, ref_no in shown), *(f"held {partner}" for partner in sorted(late))]
