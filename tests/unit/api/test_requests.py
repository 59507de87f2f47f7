"""Around every request: an id in the answer and on every line, and one line for what went wrong."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import httpx2
import orjson
import pytest
from fastapi import FastAPI, Request
from starlette.responses import Response
from structlog.contextvars import get_contextvars

from gateway.api.requests import HEADER, LEFT, Requests
from gateway.ports import Unobserved

seen: list[dict[str, Any]] = []


class Watcher(Unobserved):
    """Remembers what was answered."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, int]] = []

    def answered(self, route: str, status: int, seconds: float, mid: str | None = None) -> None:
        assert 0 <= seconds < 60
        self.answers.append((route, status))


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()


def app_of() -> FastAPI:
    app = FastAPI()
    app.add_exception_handler(Exception, lambda _request, _error: Response("sorry", 500))

    @app.get("/good")
    def good() -> Response:
        seen.append(dict(get_contextvars()))
        return Response("good")

    @app.get("/broken")
    def broken() -> Response:
        raise KeyError("홍길동")

    @app.post("/taken")
    async def taken(request: Request) -> Response:
        return Response(await request.body())

    return app


def get(path: str, watcher: Watcher, **headers: str) -> httpx2.Response:
    async def ask() -> httpx2.Response:
        transport = httpx2.ASGITransport(app=Requests(app_of(), watcher))
        async with httpx2.AsyncClient(transport=transport, base_url="http://door") as client:
            return await client.get(path, headers={HEADER: "mine"} | headers)

    return asyncio.run(ask())


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in out.getvalue().splitlines()]


def test_the_answer_names_the_request_and_what_it_causes_carries_the_same_id(
    watcher: Watcher, out: io.StringIO
) -> None:
    answer = get("/good", watcher)
    assert len(answer.headers[HEADER]) == 32
    assert seen.pop() == {"request_id": answer.headers[HEADER]}
    assert lines(out) == []
    assert watcher.answers == [("good", 200)]
    assert get_contextvars() == {}


def test_a_way_that_does_not_exist_is_one_line_without_its_path(watcher: Watcher, out: io.StringIO) -> None:
    assert get("/880101-1234567", watcher).status_code == 404
    assert [(line["event"], line["route"], line["status"]) for line in lines(out)] == [
        ("request.answered", "unknown", 404)
    ]
    assert watcher.answers == [("unknown", 404)]


def test_what_we_did_not_foresee_is_answered_named_and_logged_without_what_it_said(
    watcher: Watcher, out: io.StringIO
) -> None:
    answer, said = get("/broken", watcher), lines(out)
    assert (answer.status_code, answer.text) == (500, "sorry")
    assert HEADER in answer.headers
    assert [line["event"] for line in said] == ["request.broken", "request.answered"]
    assert said[0]["error"] == "KeyError"
    assert said[0]["at"][-1].endswith(" broken")
    assert "홍길동" not in out.getvalue()
    assert {line["request_id"] for line in said} == {answer.headers[HEADER]}
    assert watcher.answers == [("broken", 500)]


def test_a_caller_who_leaves_before_its_body_is_there_has_broken_nothing(watcher: Watcher, out: io.StringIO) -> None:
    async def leave() -> None:
        door = Requests(app_of(), watcher)
        scope = {"type": "http", "method": "POST", "path": "/taken", "headers": [], "query_string": b""}
        pieces = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])

        async def receive() -> Any:
            return next(pieces)

        async def send(_: Any) -> None: ...

        await door(scope, receive, send)

    asyncio.run(leave())
    assert [(line["event"], line["status"]) for line in lines(out)] == [("request.answered", LEFT)]
    assert watcher.answers == [("taken", LEFT)]


def test_a_request_that_brings_a_message_is_a_line_with_both_ids(watcher: Watcher, out: io.StringIO) -> None:
    mid = "019acdef-1234-7abc-8def-001122334455"
    answer = get("/good", watcher, **{"Idempotency-Key": mid})
    (line,) = lines(out)
    assert (line["event"], line["mid"], line["status"]) == ("request.answered", mid, 200)
    assert line["request_id"] == answer.headers[HEADER]


def test_a_message_id_that_is_none_is_not_taken_for_one(watcher: Watcher, out: io.StringIO) -> None:
    assert get("/good", watcher, **{"Idempotency-Key": "880101-1234567"}).status_code == 200
    assert lines(out) == []
