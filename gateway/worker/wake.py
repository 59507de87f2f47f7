"""Waking deliveries through the broker: a hint after the commit, never more.

Rules: a broker that is away costs at most two seconds, once; for the next ten nobody asks it. A connection that was
reset is replaced by another one at once: that the line broke does not say that the broker is away. Where a partner has
no address there is nobody to wake. Refuses to raise: whoever calls has committed already, and the poller finds the
message within a second.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

import structlog
from celery import Celery
from kombu.exceptions import KombuError, OperationalError

from gateway.ports import Observer, Unobserved
from gateway.worker.app import HINT_EXPIRES_S, JOURNEY_TASK, WAKE_TASK, build_app, queue_of
from gateway.worker.rounds import JOURNEY

PUBLISH_S = 0.4
"""Patience for one operation on the broker's socket; a publish is a handful of them."""
LEFT_ALONE_S = 10.0

log = structlog.get_logger()


class BrokerWake:
    """A `Wake` that publishes one empty task to the partner's queue."""

    def __init__(self, broker_url: str, partners: Iterable[str], observer: Observer | None = None) -> None:
        self._observer = observer or Unobserved()
        self._partners = frozenset(partners)
        self._app: Celery = build_app(broker_url, self._partners, socket_s=PUBLISH_S)
        self._lock = threading.Lock()
        self._not_before = 0.0

    def __call__(self, partner: str) -> None:
        """Wake deliveries to this partner, if anybody makes any, or log that it was not possible."""
        if partner in self._partners:
            self._hint(WAKE_TASK, (partner,), queue_of(partner))

    def journey(self) -> None:
        """Wake whoever walks the rest of the journey."""
        self._hint(JOURNEY_TASK, (), JOURNEY)

    def _hint(self, task: str, arguments: tuple[str, ...], queue: str) -> None:
        with self._lock:
            if time.monotonic() < self._not_before:
                return
            began = time.monotonic()
            failed = self._sent(task, arguments, queue)
            if failed and time.monotonic() - began < PUBLISH_S:  # a reset is heard at once, silence is not
                failed = self._sent(task, arguments, queue)
            if failed:
                self._not_before = time.monotonic() + LEFT_ALONE_S
                log.warning("broker.away", error=failed, left_alone_s=LEFT_ALONE_S)

    def _sent(self, task: str, arguments: tuple[str, ...], queue: str) -> str | None:
        """Publish once; the name of what went wrong, if anything did."""
        try:
            self._app.send_task(
                task,
                arguments,
                queue=queue,
                headers=dict(self._observer.passed_on()),
                expires=HINT_EXPIRES_S,
                retry=False,
                ignore_result=True,
            )
        except (OSError, KombuError, OperationalError) as error:
            return type(error).__name__
        return None

    def close(self) -> None:
        """Give the connection back."""
        self._app.close()
