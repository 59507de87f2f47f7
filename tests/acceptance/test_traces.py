"""The trace of a referral, as a collector gets it from real processes: door, Celery worker, partner and back."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import orjson
import psycopg
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from gateway.telemetry.fields import cleared
from tests.faults.stage import Stage, set_up

RRN = "880101-1234567"


class Span(NamedTuple):
    """A span as it came over the wire."""

    process: str
    name: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, Any]
    links: tuple[str, ...]
    events: int


class Collector:
    """An OTLP collector that keeps what it gets: a port, and the spans."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.raw: list[bytes] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                collector.take(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1/traces"

    def take(self, body: bytes) -> None:
        self.raw.append(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            who = {a.key: a.value.string_value for a in resource.resource.attributes}["service.instance.id"]
            self.spans += [_span(who, one) for scope in resource.scope_spans for one in scope.spans]

    def __enter__(self) -> Collector:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _span(process: str, one: Any) -> Span:
    attributes = {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in one.attributes}
    ids = one.trace_id.hex(), one.span_id.hex(), one.parent_span_id.hex()
    return Span(process, one.name, *ids, attributes, tuple(link.span_id.hex() for link in one.links), len(one.events))


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as found:
        yield found


@pytest.fixture
def stage(home: Path, database: str) -> Iterator[Stage]:
    with set_up(home, database) as found:
        yield found


def test_one_trace_runs_from_the_referral_through_celery_to_the_partner_and_back(
    stage: Stage, collector: Collector
) -> None:
    stage.env["GATEWAY_TRACES_URL"] = collector.url
    stage.start_broker()
    stage.start_workers("worker")
    port = stage.start_door()
    stage.hand_over()
    stage.until_quiet()
    # a partner reports at the door's process, with the traceparent of the attempt that brought the referral
    report(stage, port)
    stage.close()

    by_trace: dict[str, list[Span]] = defaultdict(list)
    by_id = {span.id: span for span in collector.spans}
    for span in collector.spans:
        by_trace[span.trace].append(span)
    with psycopg.connect(stage.database) as connection:
        sent = connection.execute("select mid::text from delivery where state = 'delivered'").fetchall()
    assert len(sent) > 20
    through_celery = 0
    for (mid,) in sent:
        spans = {span.name: span for span in by_trace[mid.replace("-", "")]}
        made, tried = spans["referral.prepared"], spans["deliver"]
        assert (made.parent, tried.parent) == ("", made.id)
        assert tried.attributes["mid"] == made.attributes["mid"] == mid
        (because,) = (by_id[link] for link in tried.links)
        assert because.name in ("wake", "deliver")
        if because.name == "wake":
            through_celery += 1
            assert by_id[because.parent].name == "journey"
    assert through_celery > 10  # the rest was found by the poller, which needs no broker

    (back,) = [span for span in collector.spans if span.name == "outcomes"]
    assert by_id[back.parent].name == "deliver"
    assert back.process != by_id[back.parent].process

    for span in collector.spans:
        assert cleared(span.attributes) == span.attributes
        assert span.attributes.keys() <= {"mid", "ref_no", "partner", "phase", "status", "round"}
        assert span.events == 0
    assert not [raw for raw in collector.raw if RRN.encode() in raw or "홍".encode() in raw]
    assert len(by_trace) < len(sent) * 3 + 100  # idle looks leave nothing


def report(stage: Stage, port: int) -> None:
    """What a partner would send back; unsigned, so it is refused, and traced all the same."""
    lines = (stage.home / "partners" / "keis" / "journal.ndjson").read_bytes().splitlines()
    trace = next(line["trace"] for line in map(orjson.loads, lines) if line["what"] == "opened")
    headers = {"traceparent": trace, "tracestate": f"rrn={RRN}", "baggage": RRN, "X-Name": "홍길동".encode()}
    answer = httpx2.post(
        f"http://127.0.0.1:{port}/partners/KEIS/v1/outcomes", content=RRN, headers=headers, trust_env=False
    )
    assert answer.status_code == 401
