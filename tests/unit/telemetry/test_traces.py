"""A message has one trace, its message id; spans hold ids and nobody's words; nothing is loaded that nobody wants."""

from __future__ import annotations

import io
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import orjson
import pytest
import structlog
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from gateway.errors import StoreUnavailable
from gateway.exchange_log.audit import AuditEvent
from gateway.ports import Answer, Outgoing, Said
from gateway.telemetry import traces
from gateway.telemetry.channel import WatchedChannel
from gateway.telemetry.traces import Traces
from gateway.worker.rounds import one_round

MID = "019acdef-1234-7abc-8def-001122334455"
TRACE = int(MID.replace("-", ""), 16)
NAME = "홍길동"


class Telling:
    """A channel that remembers the headers it was given."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}

    def send(self, message: Outgoing) -> Answer:
        self.headers = dict(message.headers)
        return Answer("after", 200, None, "ok", None, NAME)

    def ask(self, message: Outgoing, most: int) -> Said:
        return Said("after", 200, b"", NAME)

    def close(self) -> None: ...


class Watched:
    """Traces that end in a list."""

    def __init__(self) -> None:
        self._memory = InMemorySpanExporter()
        self.traces = Traces(self._memory)

    def spans(self) -> dict[str, ReadableSpan]:
        self.traces.close()
        return {span.name: span for span in self._memory.get_finished_spans()}


def above(span: ReadableSpan) -> int:
    """The span that this one hangs from."""
    assert span.parent
    return span.parent.span_id


@pytest.fixture
def watched() -> Watched:
    return Watched()


def prepared(mid: str = MID) -> AuditEvent:
    return AuditEvent("referral.prepared", "gateway", "x", partner="KEIS", mid=mid, case_no="20260000000001")


def bring(watched: Watched, channel: Telling) -> None:
    message = Outgoing(MID, "http://x", "application/json", NAME.encode(), "", {"Signature": "s"})
    WatchedChannel("KEIS", channel, watched.traces).send(message)


def test_a_message_is_followed_from_the_referral_over_the_wake_up_to_the_partner_and_back(watched: Watched) -> None:
    channel, told = Telling(), dict[str, str]()

    def refer() -> int:
        watched.traces.acted([prepared()])
        told.update(watched.traces.passed_on())
        return 1

    def deliver() -> int:
        bring(watched, channel)
        return 1

    one_round(watched.traces, "journey", refer)
    one_round(watched.traces, "wake-KEIS", deliver, told)
    with watched.traces.working("request", {"traceparent": channel.headers["traceparent"]}):
        watched.traces.answered("outcomes", 200, 0.01)

    spans = watched.spans()
    made, sent, back = spans["referral.prepared"], spans["deliver"], spans["outcomes"]
    assert {span.context.trace_id for span in (made, sent, back)} == {TRACE}
    assert (made.parent, above(sent), above(back)) == (None, made.context.span_id, sent.context.span_id)
    assert channel.headers["traceparent"] == f"00-{TRACE:032x}-{sent.context.span_id:016x}-01"
    assert channel.headers["Signature"] == "s"
    assert above(spans["wake"]) == spans["journey"].context.span_id  # through the headers of the task
    assert [link.context for link in made.links] == [spans["journey"].context]
    assert [link.context for link in sent.links] == [spans["wake"].context]


def test_another_process_that_never_saw_the_beginning_hangs_its_attempt_in_the_same_place(watched: Watched) -> None:
    bring(watched, Telling())
    (sent,) = watched.spans().values()
    first = Watched()
    first.traces.acted([prepared()])
    assert above(sent) == first.spans()["referral.prepared"].context.span_id


def test_attributes_are_ids_and_codes(watched: Watched) -> None:
    watched.traces.acted([prepared()])
    bring(watched, Telling())
    spans = watched.spans()
    assert dict(spans["referral.prepared"].attributes or {}) == {"partner": "KEIS", "mid": MID}
    assert dict(spans["deliver"].attributes or {}) == {"partner": "KEIS", "mid": MID, "phase": "after"}


@pytest.mark.parametrize("error", [KeyError(NAME), StoreUnavailable(NAME)])
def test_what_goes_wrong_marks_the_span_and_is_not_quoted(watched: Watched, error: Exception) -> None:
    def act() -> int:
        raise error

    assert one_round(watched.traces, "journey", act) == 0
    span = watched.spans()["journey"]
    assert not span.status.is_ok
    assert span.status.description is None
    assert span.events == ()
    assert NAME not in span.to_json()


def test_an_exception_that_nobody_catches_is_not_quoted_either(watched: Watched) -> None:
    with pytest.raises(KeyError), watched.traces.working("request", {}):
        raise KeyError(NAME)
    assert NAME not in watched.spans()["request"].to_json()


def test_a_round_without_work_leaves_no_span_but_counts(watched: Watched) -> None:
    one_round(watched.traces, "deliver-KEIS", lambda: 0)
    assert watched.spans() == {}
    labels = {"round": "deliver", "result": "idle"}
    assert watched.traces.registry.get_sample_value("gateway_rounds_total", labels) == 1


@pytest.mark.parametrize("header", ["", "nonsense", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", NAME, "00-zz-1-01"])
def test_a_header_that_is_no_traceparent_begins_a_trace_of_our_own(watched: Watched, header: str) -> None:
    with watched.traces.working("request", {"traceparent": header, "tracestate": f"name={NAME}", "baggage": NAME}):
        assert watched.traces.passed_on().keys() == {"traceparent"}
    (span,) = watched.spans().values()
    assert span.parent is None
    assert span.context.trace_id


def test_a_partner_cannot_switch_our_traces_off_or_write_into_them(watched: Watched) -> None:
    because = {"traceparent": f"00-{TRACE:032x}-00000000000000ff-00", "tracestate": "who=me", "baggage": "a=b"}
    with watched.traces.working("request", because):
        pass
    (span,) = watched.spans().values()
    assert (span.context.trace_id, above(span)) == (TRACE, 0xFF)
    assert not span.context.trace_state


def test_log_lines_name_the_trace(watched: Watched, out: io.StringIO) -> None:
    with watched.traces.working("request", {}), watched.traces.calling("KEIS", MID):
        structlog.get_logger().info("delivery.attempted")
    structlog.get_logger().info("delivery.attempted")
    said = [orjson.loads(line).get("trace_id") for line in out.getvalue().splitlines()]
    assert said == [f"{TRACE:032x}", None]


class Yes(BaseHTTPRequestHandler):
    """A collector that takes everything."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


def test_a_collector_that_is_away_costs_spans_and_two_lines(
    watched: Watched, out: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traces, "PATIENCE_S", 0.2)
    one_round(watched.traces, "journey", lambda: 1)
    spans = list(watched.spans().values())
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    collector = traces._Collector(f"http://127.0.0.1:{port}/v1/traces")
    assert {collector.export(spans) for _ in range(2)} == {SpanExportResult.FAILURE}
    with HTTPServer(("127.0.0.1", port), Yes) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert {collector.export(spans) for _ in range(2)} == {SpanExportResult.SUCCESS}
        server.shutdown()
    collector.shutdown()  # type: ignore[no-untyped-call]
    said = [orjson.loads(line)["event"] for line in out.getvalue().splitlines()]
    assert [event for event in said if event != "library.said"] == ["collector.away", "collector.back"]


def test_an_end_with_a_collector_that_is_away_takes_seconds_and_not_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "PATIENCE_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    ours = traces.exported_to(f"http://127.0.0.1:{port}/v1/traces")
    one_round(ours, "journey", lambda: 1)
    began = time.monotonic()
    ours.close()
    assert time.monotonic() - began < 5


@pytest.fixture(autouse=True)
def closed(watched: Watched) -> Iterator[None]:
    yield
    watched.traces.close()


def test_nobody_loads_what_nobody_asked_for() -> None:
    program = "import sys, gateway.cli.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    loaded = done.stdout.split()
    assert "gateway.telemetry.metrics" in loaded
    assert not [m for m in loaded if m.startswith(("opentelemetry.sdk", "opentelemetry.exporter", "google.protobuf"))]
