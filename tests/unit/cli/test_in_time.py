"""A caller that is slow is let go in time, and one that is not is served as ever."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from gateway.cli.in_time import LATE, in_time
from gateway.cli.serving import listen

READ_S = 0.8
HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Read it all, think, and answer."""
    while (event := await receive()).get("more_body"):
        pass
    if event["type"] == "http.disconnect":
        return
    await asyncio.sleep(READ_S * 1.5 if scope["path"] == "/slow" else 0)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    listening = listen("127.0.0.1", 0)
    config = uvicorn.Config(app, log_config=None, lifespan="off", http=in_time(READ_S), timeout_keep_alive=5)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join()


@pytest.fixture
def caller(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=READ_S * 20) as found:
        yield found


def dripped(caller: socket.socket, raw: bytes) -> tuple[bytes, int]:
    """Say one byte after the other; what was heard in the end, and how many were said until the line was cut."""
    said = 0
    try:
        for n in range(len(raw)):
            caller.sendall(raw[n : n + 1])
            said += 1
            time.sleep(READ_S / 10)
    except OSError:
        pass
    return heard(caller), said


def heard(caller: socket.socket) -> bytes:
    raw = b""
    try:
        while piece := caller.recv(4096):
            raw += piece
    except ConnectionResetError:
        pass
    return raw


def answered(caller: socket.socket) -> bool:
    """Hear one answer out."""
    raw = b""
    while (piece := caller.recv(4096)) and not (raw := raw + piece).endswith(b"ok"):
        pass
    return raw.endswith(b"ok")


def test_who_says_nothing_is_let_go(caller: socket.socket) -> None:
    assert heard(caller) == LATE


def test_headers_that_drip_are_cut_off(caller: socket.socket) -> None:
    answer, said = dripped(caller, HEAD)
    assert answer in (LATE, b"")  # it may be reset by what was said after it
    assert said < len(HEAD)


def test_a_body_that_drips_is_cut_off(caller: socket.socket) -> None:
    caller.sendall(HEAD)
    time.sleep(READ_S / 2)
    caller.sendall(b"{")
    assert heard(caller) == LATE


def test_empty_lines_between_two_requests_do_not_keep_the_line(caller: socket.socket) -> None:
    caller.sendall(HEAD + b"{    }")
    assert answered(caller)
    _, said = dripped(caller, b"\r\n" * 20)
    assert said < 40


def test_the_next_request_has_as_long_again_and_the_time_between_does_not_count(caller: socket.socket) -> None:
    for _ in range(2):
        caller.sendall(HEAD)
        time.sleep(READ_S * 0.55)
        caller.sendall(b"{    }")
        assert answered(caller)
        time.sleep(READ_S * 0.55)


def test_how_long_the_answer_takes_is_not_the_callers_affair(caller: socket.socket) -> None:
    caller.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answered(caller)


def test_two_requests_in_one_piece_are_both_answered_and_the_half_of_a_third_is_not_waited_for(
    caller: socket.socket,
) -> None:
    caller.sendall((HEAD + b"{    }") * 2 + HEAD)
    answer = heard(caller)
    assert (answer.count(b"200 OK"), answer.endswith(LATE)) == (2, True)
