"""The Celery engine: Redis or Valkey wakes workers, SQL remembers.

    wake      one queue per partner, empty payload: deliver to it until nothing is due
    journey   by beat, every second: all verbs of the walk (`gateway.worker.rounds.VERBS`)
    reconcile by beat, every ten minutes: the lists of days that are due

Rules: a task carries no data, only a name, so every message of the broker may get lost, come twice or late. Beside the
tasks every worker runs the poller (`gateway.worker.embedded`): with the broker dead, each delivery is at most a second
later. Built in functions, nothing at import; the threads pool, so one process assembles one gateway.
Refuses to have: ETA and countdown (they come again and again beyond the visibility timeout), results, pickles, remote
control, and late acknowledgement (a hint that dies with its worker is replaced by the poller).
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from celery import Celery, Task
from celery.beat import Scheduler
from celery.bootsteps import StartStopStep
from celery.signals import setup_logging, worker_shutting_down
from kombu import Queue

from gateway.journey.world import World
from gateway.ports import Observer
from gateway.worker.embedded import Runner
from gateway.worker.rounds import JOURNEY, RECONCILE, deliver_all, one_round, reconcile_partners, walk

WAKE_TASK, JOURNEY_TASK, RECONCILE_TASK = "gateway.wake", "gateway.journey", "gateway.reconcile"
HINT_EXPIRES_S = 30
JOURNEY_EVERY_S = 1.0
RECONCILE_EVERY_S = 600.0
POLL_S = 1.0
SOCKET_S = 5.0
CONNECT_S = 2.0

SETTINGS: dict[str, Any] = {
    # what travels: JSON, and nothing comes back
    "accept_content": ["json"],
    "task_serializer": "json",
    "result_backend": None,
    "task_ignore_result": True,
    "task_create_missing_queues": False,
    "task_acks_late": False,
    "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0},
    # a broker that is away is waited for, whenever
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    # a worker takes what it works on, and is controlled by signals only
    "worker_prefetch_multiplier": 1,
    "worker_soft_shutdown_timeout": 20.0,
    "worker_enable_remote_control": False,
    "worker_send_task_events": False,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "enable_utc": True,
    "timezone": "UTC",
    "beat_max_loop_interval": 1,
}


def queue_of(partner: str) -> str:
    """The queue that wakes deliveries to a partner."""
    return f"wake-{partner.lower()}"


def build_app(broker_url: str, partners: Iterable[str], *, socket_s: float = SOCKET_S) -> Celery:
    """The Celery application with its queues and its timetable; it has no tasks until it is given a world."""
    app = Celery("gateway", broker=broker_url, set_as_current=False, fixups=[])
    app.conf.update(SETTINGS)
    app.conf.task_queues = [Queue(JOURNEY), *(Queue(queue_of(p)) for p in partners)]
    app.conf.task_default_queue = JOURNEY
    app.conf.broker_connection_timeout = min(CONNECT_S, socket_s)
    app.conf.broker_transport_options = {
        "visibility_timeout": 300,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_timeout": socket_s,
        "socket_connect_timeout": min(CONNECT_S, socket_s),
        "max_retries": 1,
        "interval_start": 0,
    }
    to_walkers = {"queue": JOURNEY, "expires": HINT_EXPIRES_S}
    app.conf.beat_schedule = {
        JOURNEY: {"task": JOURNEY_TASK, "schedule": JOURNEY_EVERY_S, "options": to_walkers},
        RECONCILE: {"task": RECONCILE_TASK, "schedule": RECONCILE_EVERY_S, "options": to_walkers},
    }
    app.conf.beat_scheduler = f"{__name__}:Timetable"
    return app


class Timetable(Scheduler):
    """Beat's timetable, in memory: what runs every second needs no file that remembers when it ran last."""

    def setup_schedule(self) -> None:
        """Take the timetable of the application."""
        self.merge_inplace(self.app.conf.beat_schedule)


def give_tasks(app: Celery, world: World, name: str, observer: Observer) -> None:
    """Let the application's tasks work on this world."""

    @app.task(name=WAKE_TASK, expires=HINT_EXPIRES_S, bind=True)
    def wake(task: Task[..., None], partner: str) -> None:
        observer.woken("wake")
        if partner in world.channels:
            worker = f"{name}-{partner}"
            deliver = partial(deliver_all, world, partner, worker)
            one_round(observer, f"wake-{partner}", deliver, task.request.headers)

    @app.task(name=JOURNEY_TASK, expires=HINT_EXPIRES_S)
    def journey() -> None:
        observer.woken(JOURNEY)
        while not world.stopping() and one_round(observer, JOURNEY, partial(walk, world)):
            pass

    @app.task(name=RECONCILE_TASK, expires=HINT_EXPIRES_S)
    def reconcile() -> None:
        observer.woken(RECONCILE)
        reconcile_partners(world, observer)


def work(
    broker_url: str,
    world: World,
    partners: Sequence[str],
    *,
    concurrency: int,
    alive: Callable[[], None],
    observer: Observer,
) -> None:
    """Be a worker for these partners, with the poller beside it, until SIGTERM; returns when all rounds have ended."""
    name, stop = f"{socket.gethostname()}-{os.getpid()}", threading.Event()
    app = build_app(broker_url, partners)
    give_tasks(app, replace(world, stopping=stop.is_set), name, observer)
    poller = Runner(
        world, name=f"{name}-poll", partners=partners, pause_s=POLL_S, alive=alive, observer=observer, stop=stop
    )
    app.steps["worker"].add(_beside(poller))
    with _told_when_stopping(stop):
        app.Worker(
            hostname=f"gateway-{name}",
            pool="threads",
            concurrency=concurrency,
            queues=[JOURNEY, *map(queue_of, partners)],
            loglevel="WARNING",
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            quiet=True,
        ).start()


def _beside(poller: Runner) -> type[StartStopStep]:
    """A step of the worker that runs the poller: from when signals are heard until the worker ends."""

    class Poller(StartStopStep):
        def start(self, parent: Any) -> None:
            poller.start()

        def stop(self, parent: Any) -> None:
            poller.stop()

    return Poller


def beat(broker_url: str, partners: Iterable[str]) -> None:
    """Send what the timetable says until SIGTERM. Knows no database; a dead broker is waited for."""
    setup_logging.connect(_leave_logging_alone)
    app = build_app(broker_url, partners)
    app.Beat(quiet=True, loglevel="WARNING", remote_control=False).run()


def _leave_logging_alone(**_: object) -> None:
    """Celery sets up no logging of its own when somebody listens to this signal."""


@contextmanager
def _told_when_stopping(stop: threading.Event) -> Iterator[None]:
    """Set `stop` when the worker is asked to stop, so that long rounds end after their batch."""

    def stopping(**_: object) -> None:
        stop.set()

    setup_logging.connect(_leave_logging_alone)
    worker_shutting_down.connect(stopping)
    try:
        yield
    finally:
        worker_shutting_down.disconnect(stopping)
