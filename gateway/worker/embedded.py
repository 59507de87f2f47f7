"""The embedded runner: the verbs that need no caller, in one process, one thread per partner.

Rules: SQL remembers, this only looks: every round asks the store what is due, so a restart or a second runner loses and
repeats nothing. A partner that is slow keeps only its own thread busy. It is the whole engine where there is no broker,
and the poller beside one: a Celery worker runs it too, so that a dead broker costs a second and never a message.
Refuses to swallow: an unexpected error is logged with its type and the round is tried again after a pause.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

import structlog

from gateway.journey.deliver import deliver
from gateway.journey.world import World
from gateway.ports import Observer, Unobserved
from gateway.worker.rounds import RECONCILE, collect, one_round, reconcile_partners, walk

PAUSE_S = 0.2
COLLECT_S = 2.0
SPARE_S = 5.0
"""An attempt that is under way is waited for; then its outcome is to be committed, and a lease given back."""
LOG_PAUSES_S = {"check": 60.0, "witness": 1.0, "stamp": 10.0}
RECONCILE_S = 60.0
log = structlog.get_logger()


class Runner:
    """Threads that walk the journey until `stop`. Use as a context manager.

    `partners` are those it delivers to (all when None); when there was nothing to do, a round pauses `pause_s`.
    `alive` is called at every look at the journey; `stop` is what asks them to stop, when others are asked too.
    """

    def __init__(
        self,
        world: World,
        *,
        name: str = "embedded",
        partners: Iterable[str] | None = None,
        pause_s: float = PAUSE_S,
        alive: Callable[[], None] = lambda: None,
        observer: Observer | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self._stop = stop or threading.Event()
        self._world = replace(world, stopping=self._stop.is_set)
        self._alive, self._observer = alive, observer or Unobserved()
        deliveries = world.channels if partners is None else partners
        rounds = [
            *((f"deliver-{p}", self._deliver(p, f"{name}-{p}"), 0.0, pause_s) for p in deliveries),
            ("journey", self._journey, PAUSE_S, pause_s),
            ("intake", self._intake, PAUSE_S, max(pause_s, COLLECT_S)),
            *((name, act, PAUSE_S, LOG_PAUSES_S.get(name, pause_s)) for name, act in world.log_rounds.items()),
        ]
        turns = [
            (name, partial(one_round, self._observer, name, act), rest_s, pause_s)
            for name, act, rest_s, pause_s in rounds
        ]
        turns.append((RECONCILE, partial(reconcile_partners, self._world, self._observer), PAUSE_S, RECONCILE_S))
        self._threads = [threading.Thread(target=self._loop, args=one[1:], name=one[0], daemon=True) for one in turns]

    def start(self) -> None:
        """Begin all rounds."""
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Runner:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Let every round end that ends in time; what one was in the middle of then is undone with its unit."""
        self._stop.set()
        deadline = time.monotonic() + self._world.limits.attempt_timeout_s + SPARE_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                log.warning("round.abandoned", round=thread.name)

    def _deliver(self, partner: str, worker: str) -> Callable[[], int]:
        return lambda: deliver(self._world, partner, worker)

    def _journey(self) -> int:
        self._alive()
        return walk(self._world)

    def _intake(self) -> int:
        return collect(self._world)

    def _loop(self, turn: Callable[[], int], rest_s: float, pause_s: float) -> None:
        """Take turns until stopped: a pause when there was nothing to do, a rest when there was."""
        while not self._stop.is_set():
            self._stop.wait(rest_s if turn() else pause_s)
