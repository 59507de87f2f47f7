"""Traces: what happened to a message, from the referral to the partner's outcome, over all processes (OpenTelemetry).

Rules: the trace of a message is its message id, so nothing has to be kept with it, and every process knows where to
hang what it did (decision 0018). Spans are named by what is done; their attributes are ids and codes and pass the same
closed list as log lines. A round that found nothing to do leaves no span. W3C `traceparent` goes out with every attempt
and every wake-up, and is taken from requests; `tracestate` and baggage, in which anybody could write anything, are not.
Refuses automatic instrumentation, which records addresses, paths, SQL and the sentences of exceptions. This module is
loaded only when somebody wants traces.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID

import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    get_current_span,
    set_span_in_context,
    use_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from structlog.contextvars import bound_contextvars

from gateway.exchange_log.audit import AuditEvent, Verdict
from gateway.telemetry.fields import cleared
from gateway.telemetry.metrics import Metrics

TRACEPARENT = "traceparent"
PATIENCE_S = 2.0
"""For one batch of spans on its way to the collector."""
log = structlog.get_logger()
_W3C = TraceContextTextMapPropagator()
_root: ContextVar[int | None] = ContextVar("_root", default=None)
_kept: ContextVar[list[bool] | None] = ContextVar("_kept", default=None)


class _Ids(RandomIdGenerator):
    """Random ids, but for the first span of a message: its ids are those of the message."""

    def generate_trace_id(self) -> int:
        return _root.get() or super().generate_trace_id()

    def generate_span_id(self) -> int:
        mid = _root.get()
        return mid & (2**64 - 1) if mid else super().generate_span_id()


def first_span(mid: str) -> SpanContext:
    """The ids of a message's first span, in whichever process it was made."""
    number = UUID(mid).int
    return SpanContext(number, number & (2**64 - 1), is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


class Traces(Metrics):
    """An `Observer` that counts, and traces besides."""

    def __init__(self, exporter: SpanExporter, **counted: Any) -> None:
        super().__init__(**counted)
        instance = f"{socket.gethostname()}-{os.getpid()}"
        who = Resource({"service.name": "comwel-referral-gateway", "service.instance.id": instance})
        self._provider = TracerProvider(ALWAYS_ON, who, shutdown_on_exit=False, id_generator=_Ids())
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("gateway")

    def close(self) -> None:
        """Send what is left, or lose it after a few seconds."""
        self._provider.shutdown()

    def acted(self, events: Sequence[AuditEvent]) -> None:
        """Begin the trace of every message that was made."""
        super().acted(events)
        here = get_current_span().get_span_context()
        for event in events:
            if event.act.startswith("referral.") and event.mid and event.verdict is Verdict.DONE:
                token = _root.set(UUID(event.mid).int)
                try:
                    links = [Link(here)] if here.is_valid else []
                    self._tracer.start_span(event.act, Context(), attributes=_ids_of(event), links=links).end()
                finally:
                    _root.reset(token)

    @contextmanager
    def working(self, name: str, because: Mapping[str, str]) -> Iterator[None]:
        """See `ports.Observer`."""
        told = {TRACEPARENT: because[TRACEPARENT]} if TRACEPARENT in because else {}
        span = self._tracer.start_span(name, _W3C.extract(told, Context()), SpanKind.SERVER)
        kept = [True]
        token = _kept.set(kept)
        try:
            with _current(span):
                yield
        finally:
            _kept.reset(token)
            if kept[0]:
                span.end()

    @contextmanager
    def calling(self, partner: str, mid: str) -> Iterator[Mapping[str, str]]:
        """See `ports.Observer`."""
        here = get_current_span().get_span_context()
        links = [Link(here)] if here.is_valid else []
        parent = set_span_in_context(NonRecordingSpan(first_span(mid)), Context())
        attributes = cleared({"partner": partner, "mid": mid})
        span = self._tracer.start_span("deliver", parent, SpanKind.CLIENT, attributes, links)
        try:
            with _current(span):
                yield self.passed_on()
        finally:
            span.end()

    def passed_on(self) -> Mapping[str, str]:
        """See `ports.Observer`."""
        carrier: dict[str, str] = {}
        _W3C.inject(carrier)
        carrier.pop("tracestate", None)
        return carrier

    # ── what is learnt while it is worked on ─────────────────────────────────────────────────────────────────────────
    def attempted(self, partner: str, phase: str, seconds: float) -> None:
        """See `ports.Observer`."""
        super().attempted(partner, phase, seconds)
        get_current_span().set_attribute("phase", phase)

    def answered(self, route: str, status: int, seconds: float, mid: str | None = None) -> None:
        """See `ports.Observer`."""
        super().answered(route, status, seconds, mid)
        span = get_current_span()
        span.update_name(route)
        span.set_attributes({"status": status} | ({"mid": mid} if mid else {}))
        if status >= 500:
            span.set_status(Status(StatusCode.ERROR))

    def rounded(self, name: str, result: str) -> None:
        """See `ports.Observer`."""
        super().rounded(name, result)
        span, kept = get_current_span(), _kept.get()
        span.set_attribute("round", name)
        if result in ("failed", "broken"):
            span.set_status(Status(StatusCode.ERROR))
        elif result == "idle" and kept:
            kept[0] = False


@contextmanager
def _current(span: Span) -> Iterator[None]:
    """Everything done in here belongs to this span, and its log lines name the trace. What is raised is not quoted."""
    trace_id = f"{span.get_span_context().trace_id:032x}"
    with (
        bound_contextvars(trace_id=trace_id),
        use_span(span, end_on_exit=False, record_exception=False, set_status_on_exception=False),
    ):
        yield


def _ids_of(event: AuditEvent) -> dict[str, Any]:
    given = {"mid": event.mid, "ref_no": event.ref_no, "partner": event.partner}
    return cleared({name: value for name, value in given.items() if value})


class _Collector(OTLPSpanExporter):
    """A collector, which may be away: two lines say since when and until when, not one for every try."""

    def __init__(self, url: str) -> None:
        super().__init__(endpoint=url, timeout=PATIENCE_S)
        self._away = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See `SpanExporter`."""
        result = super().export(spans)
        away = result is not SpanExportResult.SUCCESS
        if away is not self._away:
            self._away = away
            log.warning("collector.away" if away else "collector.back")
        return result


def exported_to(url: str, **counted: Any) -> Traces:
    """Traces that are sent to a collector (OTLP over HTTP)."""
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    return Traces(_Collector(url), **counted)
