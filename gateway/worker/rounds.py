"""The rounds that every engine runs: pick up COMWEL's files, deliver to one partner, walk the rest of the journey.

Rules: a round asks the store what is due and remembers nothing, so it may run in any process, at any time, twice. The
journey is walked by one process at a time, and files are picked up by one; whoever finds it taken goes on. Refuses to
swallow: an unexpected error is logged with its type and the way to it, and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import structlog
from structlog.contextvars import bound_contextvars

from gateway.errors import GatewayError
from gateway.journey.deliver import deliver
from gateway.journey.destroy import destroy_daily
from gateway.journey.intake import mind_versions, pick_up
from gateway.journey.judge import judge_due
from gateway.journey.reconcile import reconcile_due
from gateway.journey.refer import refer
from gateway.journey.rotate import turn
from gateway.journey.screen import screen_cases
from gateway.journey.track import track
from gateway.journey.withdraw import withdraw
from gateway.journey.world import World
from gateway.ports import Clock, Observer, Store
from gateway.telemetry.logs import where

JOURNEY, INTAKE, RECONCILE = "journey", "intake", "reconcile"
VERBS = (turn, judge_due, screen_cases, withdraw, refer, track, mind_versions, destroy_daily)
log = structlog.get_logger()


def one_round(observer: Observer, name: str, act: Callable[[], int], because: Mapping[str, str] | None = None) -> int:
    """Do a round; returns how much there was to do. What goes wrong is logged, counted and left to the next round.

    `name` is the kind of round, and after a hyphen the partner; `because`: the headers of the task that asked for it.
    """
    kind, done, ended = name.partition("-")[0], 0, "failed"
    with observer.working(kind, because or {}), bound_contextvars(round=name):
        try:
            done = act()
            ended = "done" if done else "idle"
        except Exception as error:  # noqa: BLE001 - one broken round must not stop the others for good
            ended = _tell(error)
        observer.rounded(kind, ended)
    return done


def _tell(error: Exception) -> str:
    """Log what went wrong, without what it says; returns how a round ends by it."""
    if isinstance(error, GatewayError):
        file = {"subject": error.place.file} if error.place.file else {}
        log.warning("round.failed", code=error.code, **file)
        return "failed"
    log.error("round.broken", error=type(error).__name__, at=where(error))
    return "broken"


def deliver_all(world: World, partner: str, worker: str) -> int:
    """Deliver batch after batch until nothing is due, or until stopping; returns how many messages were tried."""
    total = 0
    while not world.stopping() and (tried := deliver(world, partner, worker)):
        total += tried
    return total


def walk(world: World) -> int:
    """Judge, screen, withdraw, refer and track once; returns how much there was to do, 0 while another process walks.

    First it is kept which keys of ours began or ended; later on it is shown which versions are missing. Once a business
    day, records whose time is up are destroyed.
    A verb that raises keeps none of the others from its work; when all had their turn the gravest error is raised.
    """
    with world.store.alone(JOURNEY) as mine:
        return _each_verb(world) if mine else 0


def _each_verb(world: World) -> int:
    """Let each have its turn, whatever becomes of one. Raises the gravest error; the others are logged."""
    done, errors = 0, list[Exception]()
    for verb in VERBS:
        try:
            done += 0 if world.stopping() else verb(world)
        except Exception as error:  # noqa: BLE001 - raised below
            errors.append(error)
    if errors:
        gravest = min(errors, key=lambda one: isinstance(one, GatewayError))
        for other in errors:
            if other is not gravest:
                _tell(other)
        raise gravest
    return done


def reconcile_partners(world: World, observer: Observer) -> int:
    """Reconcile what is due, in a round of its own with each partner; returns how many days were compared."""
    done = 0
    for partner in sorted(world.channels):
        if not world.stopping():
            done += one_round(observer, f"{RECONCILE}-{partner}", partial(reconcile_due, world, partner))
    return done


def collect(world: World) -> int:
    """Pick up the files that COMWEL dropped; returns how many, 0 while another process picks up."""
    with world.store.alone(INTAKE) as mine:
        return len(pick_up(world)) if mine else 0


def quiet(store: Store, clock: Clock) -> bool:
    """Whether no round has anything to do: what each would take up is asked for, in the order in which work flows.

    Every step commits what the next one finds, so nothing is between two answers. A file in the drop folder is the
    caller's to see, and what is done once a day, or once for a file of who is on hand or a rule set, is not asked for.
    """
    now, today = clock.now(), clock.today()
    with store.unit() as unit:
        cases, legs = unit.cases, unit.legs
        if cases.to_judge(clock.business_now(), 1) or cases.taken_back(1) or cases.unscreened(1):
            return False
        if legs.to_withdraw(1) or cases.to_refer(1) or unit.outbox.waiting():
            return False
        if unit.facts.checks_due(today) or legs.untracked(1, now, today):
            return False
    with store.alone(JOURNEY) as mine, store.unit() as unit:  # file numbers are for one to take; undone with the unit
        return mine and unit.facts.allocate_file(today, 1, now) is None and not unit.facts.unwritten_files()
