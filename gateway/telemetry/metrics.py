"""Metrics: what this process did, counted here, and how things stand, read from SQL at every scrape.

Rules: names as Prometheus has them (base units, `_total`, `_seconds`); labels come from closed lists, never from what
somebody sends; every process counts for itself on a port of its own, and the doors alone read SQL. A registry of our
own, made in a function: two gateways in one process do not mix.
Refuses ids as labels, and to serve on the partners' door.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from itertools import product

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    start_http_server,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.delivery.judge import ErrorClass
from gateway.errors import GatewayError, SettingsInvalid
from gateway.exchange_log.audit import REQUESTS, AuditEvent, Verdict
from gateway.ports import Reading, Unobserved

ATTEMPTED = "delivery.attempted"
FAST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CALLS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 20.0)
ENDS = ("done", "idle", "failed", "broken")
OTHER = "other"


def codes() -> frozenset[str]:
    """Every reason code there is: those of the errors, and the classes of failed attempts."""
    return frozenset({error.code for error in _family(GatewayError)}) | {str(one) for one in ErrorClass}


def _family(error: type[GatewayError]) -> Iterator[type[GatewayError]]:
    yield error
    for child in error.__subclasses__():
        yield from _family(child)


def _version() -> str:
    try:
        return version("comwel-referral-gateway")
    except PackageNotFoundError:  # run from its folder, as the image does
        return "unreleased"


class Metrics(Unobserved):
    """The metrics of one process; an `Observer`.

    `rounds`, those `alone` among them, `tasks` and `refusals` (acts with codes) are what it is there for: they are
    shown as 0 before the first one, so that not even the first one is missed.
    """

    def __init__(
        self,
        *,
        log_lines_lost: Callable[[], int] = lambda: 0,
        rounds: Sequence[str] = (),
        alone: Sequence[str] = (),
        tasks: Sequence[str] = (),
        refusals: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.registry = registry = CollectorRegistry(auto_describe=False)
        self._codes = codes()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)
        build = Info("gateway_build", "what runs here", registry=registry)
        build.info({"version": _version(), "python": platform.python_version()})
        registry.register(_Lost(log_lines_lost))
        self._acts = Counter("gateway_acts", "acts of the verbs", ("act", "verdict"), registry=registry)
        self._refusals = Counter("gateway_refusals", "what was refused, by reason", ("act", "code"), registry=registry)
        self._attempts = Counter(
            "gateway_delivery_attempts", "attempts by what came of them", ("partner", "result"), registry=registry
        )
        self._calls = Histogram(
            "gateway_delivery_call_duration_seconds",
            "how long a partner took, by how far the attempt came",
            ("partner", "phase"),
            buckets=CALLS,
            registry=registry,
        )
        self._requests = Histogram(
            "gateway_request_duration_seconds",
            "how long a request at the partners' door took",
            ("route", "status"),
            buckets=FAST,
            registry=registry,
        )
        self._rounds = Counter("gateway_rounds", "rounds by how they ended", ("round", "result"), registry=registry)
        self._held = Histogram(
            "gateway_round_duration_seconds",
            "how long a round took that only one process does at a time",
            ("round",),
            buckets=FAST,
            registry=registry,
        )
        self._last = Gauge(
            "gateway_round_last_timestamp_seconds", "when such a round was last done", ("round",), registry=registry
        )
        self._wakes = Counter("gateway_wakes", "tasks the broker brought", ("task",), registry=registry)
        self._woken = Gauge("gateway_wake_last_timestamp_seconds", "when it last did", ("task",), registry=registry)
        for name, result in product(rounds, ENDS):
            self._rounds.labels(name, result)
        for name in alone:
            self._last.labels(name)
        for task in tasks:
            self._woken.labels(task)
        for act, code in refusals:
            self._refusals.labels(act, code)

    def close(self) -> None:
        """Nothing is left behind: whoever wants the numbers has asked for them."""

    # ── what the observer sees ───────────────────────────────────────────────────────────────────────────────────────
    def acted(self, events: Sequence[AuditEvent]) -> None:
        """See `ports.Observer`."""
        for event in events:
            code = self._known(event.code) if event.verdict is Verdict.REFUSED else ""
            self._acts.labels(event.act, event.verdict).inc()
            if code and REQUESTS not in event.counts:  # those were counted one by one, see below
                self._refusals.labels(event.act, code).inc()
            if event.act == ATTEMPTED and event.partner:
                self._attempts.labels(event.partner, code or "delivered").inc()

    def unproven(self, act: str, code: str) -> None:
        """See `ports.Observer`."""
        self._refusals.labels(act, self._known(code)).inc()

    def held(self, act: str, seconds: float) -> None:
        """See `ports.Observer`."""
        self._held.labels(act).observe(seconds)
        self._last.labels(act).set_to_current_time()

    def attempted(self, partner: str, phase: str, seconds: float) -> None:
        """See `ports.Observer`."""
        self._calls.labels(partner, phase).observe(seconds)

    def answered(self, route: str, status: int, seconds: float, mid: str | None = None) -> None:
        """See `ports.Observer`."""
        self._requests.labels(route, str(status)).observe(seconds)

    def rounded(self, name: str, result: str) -> None:
        """See `ports.Observer`."""
        self._rounds.labels(name, result).inc()

    def woken(self, task: str) -> None:
        """See `ports.Observer`."""
        self._wakes.labels(task).inc()
        self._woken.labels(task).set_to_current_time()

    def _known(self, code: str | None) -> str:
        return code if code in self._codes else OTHER


class _Lost(Collector):
    """Log lines that could not be written; the log counts them itself."""

    def __init__(self, lost: Callable[[], int]) -> None:
        self._lost = lost

    def collect(self) -> Iterable[Metric]:
        yield CounterMetricFamily("gateway_log_lines_lost", "log lines that could not be written", self._lost())


class Standing(Collector):
    """How things stand; `read` is asked anew at every scrape."""

    def __init__(self, read: Callable[[], Iterable[Reading]]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        """One gauge per reading."""
        for reading in self._read():
            family = GaugeMetricFamily(reading.name, reading.says, labels=reading.labels)
            for labels, number in reading.rows:
                family.add_metric(labels, number)
            yield family


@contextmanager
def served(registry: CollectorRegistry, host: str, port: int) -> Iterator[int]:
    """Serve a registry on a port of its own while the block lasts; gives the port, which 0 leaves to the system."""
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        why = f"port {port} cannot be opened ({error.strerror})"
        raise SettingsInvalid(f"GATEWAY_METRICS_HOST, GATEWAY_METRICS_PORT: {why}") from None
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
