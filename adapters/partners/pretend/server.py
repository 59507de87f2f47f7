"""One pretend partner as an HTTP server: FastAPI on uvicorn, raw bytes in and out.

    POST /pretend/clock {"today": "YYYY-MM-DD"}   do everything due by that business date, wait for its receipts
    POST /pretend/promises {"logs": [key, …]}     look whether the gateway's log holds what its receipts promised
    GET  /pretend/status                          counters
    GET  /.well-known/jwks.json                   our public keys
    POST …/reconciliation                         the gateway's list of a period; answered with ours
    POST anything else                            a message from the gateway, judged by the door

Every answer carries `X-Pretend-Partner`. Messages are judged one after the other on the event loop; reports are written
and delivered by other threads. Refuses the clock to run backwards.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool

from adapters.partners.pretend import door, promises, story
from adapters.partners.pretend.books import Clerk
from adapters.partners.pretend.desk import Desk, Task, Voice
from adapters.partners.pretend.dialects import Dialect
from adapters.partners.pretend.dialects.kead import KEAD
from adapters.partners.pretend.dialects.keis import KEIS
from adapters.partners.pretend.dialects.trn import TRN
from adapters.partners.pretend.journal import Journal
from adapters.partners.pretend.keyring import GatewayKeys, Seals, own_key, public_set
from adapters.partners.pretend.postman import Postman, Writer, client_context
from adapters.partners.pretend.scripts import Mishap
from adapters.partners.pretend.story import Story
from adapters.partners.pretend.well_known import WellKnown
from gateway.documents import strict_json
from gateway.documents.schemas import Schemas
from gateway.errors import DocumentRefused, NoteInvalid, SealRefused
from gateway.exchange_log.note import Verifier
from gateway.sealing import lists

DIALECTS = {d.id: d for d in (KEIS, KEAD, TRN)}
SCHEMAS = Path(__file__).resolve().parents[3] / "schemas"
LARGEST = 1_048_576
MAINTENANCE = "<!DOCTYPE html><title>PRETEND</title><h1>서비스 점검 중입니다 (가상 기관)</h1>"


@dataclass(frozen=True, slots=True)
class Options:
    """How a pretend partner is started. `pace` is calendar|bench; `slow_s` how late a slow answer comes."""

    partner: str
    gateway: str
    home: Path
    seed: int
    base: str
    base_date: date
    pace: str = "calendar"
    slow_s: float = 16.0
    threads: int = 16
    wait_s: float = 120.0
    schemas: Path = SCHEMAS
    tls: Path | None = None


class Partner:
    """Everything a pretend partner is made of, put together."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.dialect: Dialect = DIALECTS[options.partner]
        self.own = own_key(options.home, options.partner)
        ours = client_context(options.tls, options.partner) if options.tls else True
        seals = Seals(self.own, GatewayKeys(options.home, WellKnown(options.gateway, ours)), now)
        schemas = Schemas.load(options.schemas / "partners")
        voice = Voice(self._tell, self.dialect.speaks)
        self._journal = Journal(options.home / "journal.ndjson")
        self.desk = Desk(self._journal, voice, options.base_date, now)
        self.door = door.Door(self.dialect, self.desk, schemas, seals)
        self.clerk = Clerk(self.dialect.id, self.desk, seals)
        self.writer = Writer(self.dialect, self.desk, schemas, seals)
        self.postman = Postman(self.dialect, self.desk, seals, options.gateway, options.threads, ours)
        self._to_report: queue.Queue[str | None] = queue.Queue()
        self._reporter = threading.Thread(target=self._report_at_once, daemon=True)
        self._clock = threading.Lock()

    def start(self) -> None:
        """Begin to deliver, and take up what an earlier life should have said at once."""
        self.postman.start()
        self._reporter.start()
        for ref_no in filter(self._speaks_at_once, self.desk.cases_due()):
            self._to_report.put(ref_no)

    def close(self) -> None:
        """Stop delivering; what is undelivered stays in the journal."""
        self._to_report.put(None)
        self._reporter.join()
        self.postman.close()

    def judge(self, request: door.Request) -> door.Judged:
        """Judge one message, and hand over what is to be reported because of it."""
        judged = self.door.judge(request)
        if judged.touched and self._speaks_at_once(judged.touched):
            self._to_report.put(judged.touched)
        return judged

    def advance(self, today: date) -> dict[str, object]:
        """Do all acts due up to a business date and wait until they are delivered.

        While the gateway takes nothing, the rest is left to the next time.
        """
        with self._clock:
            before = self.postman.delivered
            self._to_report.join()
            self.desk.record("clock", today=today.isoformat())
            for ref_no in self.desk.cases_due():
                if not self.postman.wait_for_room(self.options.wait_s):
                    break
                self._report_case(ref_no)
            self.postman.wait_until_idle(self.options.wait_s)
            ahead, following = self.desk.ahead()
            return {
                "today": today.isoformat(),
                "sent": self.postman.delivered - before,
                "pending": self.postman.waiting(),
                "ahead": ahead,
                "next": following.isoformat() if following else None,
            }

    def promises(self, logs: Sequence[Verifier]) -> promises.Found:
        """Look at what the gateway's receipts promised."""
        return promises.look(self._journal.lines(), self.postman.promised, logs, now())

    def status(self) -> dict[str, object]:
        """Counters since the journal began."""
        ahead, following = self.desk.ahead()
        counts = dict(sorted(self.desk.counts.items()))
        return {
            "pretend": True,
            "partner": self.dialect.id,
            "today": self.desk.today.isoformat(),
            "pace": self.options.pace,
            "received": counts.get("received", 0),
            "duplicates": counts.get("duplicate", 0),
            "refused": counts.get("unproven", 0) + counts.get("reused", 0),
            "cases": counts.get("opened", 0),
            "outcomes": {k.removeprefix("sent "): n for k, n in counts.items() if k.startswith("sent ")},
            "receipts": counts.get("answered", 0),
            "refused_by_gateway": counts.get("refused", 0),
            "pending": self.postman.waiting(),
            "ahead": ahead,
            "next": following.isoformat() if following else None,
            "counts": counts,
        }

    def _speaks_at_once(self, ref_no: str) -> bool:
        """Reports wait for the clock, except at bench pace, and the last word about a cancelled case."""
        case = self.desk.case(ref_no)
        return self.options.pace == "bench" or (case is not None and case.stopped is not None)

    def _tell(self, ref_no: str, received: date) -> Story:
        partner, speaks = self.options.partner, DIALECTS[self.options.partner].speaks
        if self.options.pace == "bench":
            return story.tell_bench(ref_no, received, partner=partner, speaks=speaks)
        return story.tell(ref_no, received, partner=partner, seed=self.options.seed, speaks=speaks)

    def _report_case(self, ref_no: str) -> None:
        with self.desk.lock:
            for task in self.desk.due(ref_no):
                self._report(task)

    def _report(self, task: Task) -> None:
        if letter := self.writer.write(task):
            self.postman.put(letter)

    def _report_at_once(self) -> None:
        while (ref_no := self._to_report.get()) is not None:
            self.postman.wait_for_room(self.options.wait_s)
            self._report_case(ref_no)
            self._to_report.task_done()


def now() -> datetime:
    """Protocol time, aware, UTC."""
    return datetime.fromtimestamp(time.time(), UTC)


Message = MutableMapping[str, Any]  # ASGI 3.0
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class Shouting:
    """Says in every answer that it is pretend."""

    def __init__(self, app: App, text: str) -> None:
        self._app = app
        self._header = (b"x-pretend-partner", text.encode())

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass everything on; add one header."""

        async def louder(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], self._header]
            await send(message)

        await self._app(scope, receive, louder)


def build(partner: Partner) -> FastAPI:
    """The application of one pretend partner."""
    app = FastAPI(title=f"PRETEND {partner.dialect.name}", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Shouting, text=f"yes, this is not {partner.dialect.name}")
    _pretend(app, partner)
    _partner(app, partner)
    return app


def _pretend(app: FastAPI, partner: Partner) -> None:
    """What a demo and tests ask of it, and no real partner knows."""

    @app.get("/pretend/status")
    async def status() -> Response:
        return _json(partner.status())

    @app.post("/pretend/clock")
    async def clock(request: Request) -> Response:
        try:
            today = date.fromisoformat(strict_json.loads(await request.body())["today"])
        except (DocumentRefused, KeyError, TypeError, ValueError):
            return _json({"error": 'expected {"today": "YYYY-MM-DD"}'}, 400)
        if today < partner.desk.today:
            return _json({"error": "the business clock does not run backwards"}, 409)
        return _json(await run_in_threadpool(partner.advance, today))

    @app.post("/pretend/promises")
    async def promised(request: Request) -> Response:
        try:
            logs = [Verifier.parse(vkey) for vkey in strict_json.loads(await request.body())["logs"]]
        except (DocumentRefused, NoteInvalid, KeyError, TypeError, AttributeError):
            return _json({"error": 'expected {"logs": ["<key of the log>", …]}'}, 400)
        return _json((await run_in_threadpool(partner.promises, logs))._asdict())


def _partner(app: FastAPI, partner: Partner) -> None:
    """What every partner has: its keys, and a door for lists and messages."""

    @app.get("/.well-known/jwks.json")
    async def keys() -> Response:
        return Response(public_set(partner.own), media_type="application/jwk-set+json")

    @app.post("/{path:path}/reconciliation")
    async def reconciliation(request: Request) -> Response:
        body = await _limited(request, lists.LONGEST)
        if body is None:
            return _json({"error": "larger than a list may be"}, 413)
        try:
            partner.door.prove(door.Request(_target(partner.options.base, request), request.headers, body))
            answer = await run_in_threadpool(partner.clerk.answer, body.decode("ascii", "replace"))
        except SealRefused as error:
            return _json({"error": error.code}, error.status)
        return Response(answer, 200, media_type=lists.CONTENT_TYPE)

    @app.post("/{path:path}")
    async def message(request: Request) -> Response:
        body = await _limited(request)
        if body is None:
            return _json({"error": "larger than 1 MiB"}, 413)
        judged = partner.judge(door.Request(_target(partner.options.base, request), request.headers, body))
        if judged.mishap is Mishap.HTML:
            return Response(MAINTENANCE, 200, media_type="text/html; charset=utf-8")
        if judged.mishap is Mishap.SLOW:
            await asyncio.sleep(partner.options.slow_s)
        headers = {"Comwel-Receipt-JWS": judged.receipt} if judged.receipt else {}
        if judged.mishap is Mishap.BUSY:
            headers["Retry-After"] = "1"
        return Response(judged.reply.body, judged.reply.status, headers, judged.reply.content_type)


async def _limited(request: Request, largest: int = LARGEST) -> bytes | None:
    """The body, or None as soon as it is larger than we take."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > largest:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


def _target(base: str, request: Request) -> str:
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    query: bytes = request.scope.get("query_string", b"")
    return base + raw.decode("ascii", "replace") + ("?" + query.decode("ascii", "replace") if query else "")


def _json(value: object, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")
