"""Hostile partners: a raw socket plays one, behind the real channels and the real `deliver`.

Whatever comes back, nothing crashes, nothing else waits, and nothing counts but the partner's signature.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from adapters.partners import channel_for
from gateway.assembly import assemble
from gateway.config import Settings
from gateway.delivery.schedule import RetrySchedule
from gateway.sealing import manifest, receipts
from gateway.sealing.receipts import Decision
from tests.fakes.memory import MemoryStore
from tests.journey.world import (
    Partner,
    Scene,
    StoppedClock,
    a_case,
    assert_nothing_personal,
    key_of,
    knowledge,
    make_scene,
    ring,
)

ATTEMPT_S = 0.5
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
Play = Callable[[socket.socket, bytes], None]


class RawPartner:
    """Accepts connections and plays its parts one after the other, the last one for ever. Never speaks by itself."""

    def __init__(self, *parts: Play) -> None:
        self.parts = list(parts)
        self.requests: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/messages"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                part = self.parts.pop(0) if len(self.parts) > 1 else self.parts[0]
                thread = threading.Thread(target=self._serve, args=(connection, part), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket, part: Play) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(5)
            request = read_request(connection)
            self.requests.append(request)
            part(connection, request)

    def __enter__(self) -> RawPartner:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(5)


def read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return data
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(int(h.split(b":")[1]) for h in head.split(b"\r\n") if h.lower().startswith(b"content-length"))
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def answers(data: bytes) -> Play:
    return lambda connection, request: connection.sendall(data)


def response(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def one_byte_a_second(connection: socket.socket, request: bytes) -> None:
    for byte in response("200 OK", b"{}"):
        connection.sendall(bytes([byte]))
        time.sleep(1)


def half_closes(connection: socket.socket, request: bytes) -> None:
    connection.shutdown(socket.SHUT_WR)
    time.sleep(ATTEMPT_S * 2)


def resets(connection: socket.socket, request: bytes) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def ten_megabytes(connection: socket.socket, request: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n")
    for _ in range(160):
        connection.sendall(b"x" * 65536)


def endless(connection: socket.socket, request: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")


def endless_headers(connection: socket.socket, request: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-More: " + b"y" * 4000 + b"\r\n")


def never_answers(connection: socket.socket, request: bytes) -> None:
    time.sleep(ATTEMPT_S * 2)


def signs(connection: socket.socket, request: bytes) -> None:
    """What a good partner does."""
    head, _, body = request.partition(b"\r\n\r\n")
    headers = dict(line.decode().split(": ", 1) for line in head.split(b"\r\n")[1:])
    jws = {k.lower(): v for k, v in headers.items()}["comwel-message-jws"]
    keys = ring("comwel").of("comwel")
    stated = manifest.open_sealed(jws, {"body": body}, keys=keys, audience="keis", sender="comwel")
    word = receipts.acknowledge(stated, jws, Decision.ACCEPTED, StoppedClock().now(), inbox_seq=1)
    answer = {"header": {"rsltCd": "0000", "rsltMsg": "정상"}, "receipt": receipts.make(word, key_of("KEIS"))}
    connection.sendall(response("200 OK", orjson.dumps(answer), "Content-Type: application/json"))


HOSTILE: dict[str, tuple[Play, str]] = {
    "a login page": (
        answers(response("200 OK", b"<html>login</html>", "Content-Type: text/html; charset=euc-kr")),
        "not-the-partner"),
    "garbage": (answers(bytes(range(256)) * 40), "unreachable"),
    "nothing, politely closed": (lambda connection, request: None, "unreachable"),
    "nothing, reset": (resets, "unreachable"),
    "nothing, for ever": (never_answers, "unreachable"),
    "half closed": (half_closes, "unreachable"),
    "one byte a second": (one_byte_a_second, "unreachable"),
    "ten megabytes": (ten_megabytes, "no-receipt"),
    "a body without end": (endless, "no-receipt"),
    "headers without end": (endless_headers, "unreachable"),
    "less than promised": (answers(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"), "no-receipt"),
    "a redirection": (
        answers(response("307 Temporary Redirect", b"", "Location: http://127.0.0.1:1/")), "not-the-partner"),
    "a bomb of brackets": (answers(response("200 OK", b"[" * 200_000, "Content-Type: application/json")), "no-receipt"),
    "a receipt that is none": (answers(response("200 OK", b"{}", "Comwel-Receipt-JWS: a.b.c")), "later"),
    "a receipt of the wrong kind": (
        answers(response("200 OK", orjson.dumps({"header": [], "receipt": {"no": 1}}))), "later"),
    "unsigned words of success": (answers(response("200 OK", b'{"header":{"rsltCd":"0000"}}')), "no-receipt"),
    "a number that is no status": (answers(b"HTTP/1.1 999999 OK\r\n\r\n"), "unreachable"),
}  # fmt: skip


def facing(tmp_path: Path, partner: RawPartner, *cases: Any) -> Scene:
    """A scene whose KEIS is a raw socket behind the real channel; KEAD is the scripted partner."""
    scene = make_scene(MemoryStore(), tmp_path)
    channel = channel_for(knowledge().profiles["KEIS"], attempt_s=ATTEMPT_S, networks=LOOPBACK)
    scene.world = replace(
        scene.world,
        channels={**scene.world.channels, "KEIS": channel},
        limits=replace(scene.world.limits, partner_urls={**scene.world.limits.partner_urls, "KEIS": partner.url}),
        retry=RetrySchedule().scaled(0.0001),
    )
    scene.refer(*(cases or (a_case(entry={"services": {"KEIS": ["01"], "KEAD": ["취업알선"]}}),)))
    return scene


def states(scene: Scene) -> dict[str, tuple[str, str | None]]:
    return {d["partner"]: (d["state"], d["error_class"]) for d in scene.rows("delivery")}


@pytest.mark.parametrize("what", HOSTILE)
def test_whatever_a_partner_answers_it_is_tried_again_until_the_partner_signs(tmp_path: Path, what: str) -> None:
    play, error_class = HOSTILE[what]
    with RawPartner(play, signs) as partner:
        scene = facing(tmp_path, partner)
        began = time.monotonic()
        scene.deliver("KEIS")
        assert time.monotonic() - began < ATTEMPT_S + 1.0
        assert states(scene)["KEIS"] == ("ready", error_class)
        assert scene.rows("receipt") == []
        scene.deliver("KEAD")
        assert states(scene)["KEAD"] == ("delivered", None)
        scene.deliver("KEIS")
        assert states(scene)["KEIS"] == ("delivered", None)
        first, second = partner.requests
        assert first.partition(b"\r\n\r\n")[2] == second.partition(b"\r\n\r\n")[2]
        assert_nothing_personal(scene)
        scene.world.channels["KEIS"].close()


@pytest.mark.parametrize("play", [endless, endless_headers, ten_megabytes])
def test_no_answer_is_taken_into_memory_beyond_the_limit(tmp_path: Path, play: Play) -> None:
    with RawPartner(play) as partner:
        scene = facing(tmp_path, partner)
        tracemalloc.start()
        scene.deliver("KEIS")
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < 4 * 1024 * 1024
        scene.world.channels["KEIS"].close()


def test_a_redirection_is_not_followed(tmp_path: Path) -> None:
    with RawPartner(answers(response("200 OK", b"{}"))) as elsewhere:
        moved = response("307 Temporary Redirect", b"", f"Location: {elsewhere.url}")
        with RawPartner(answers(moved)) as partner:
            scene = facing(tmp_path, partner)
            scene.deliver("KEIS")
            assert len(partner.requests) == 1
        assert elsewhere.requests == []
        scene.world.channels["KEIS"].close()


def test_a_partner_that_is_not_there_costs_one_attempt(tmp_path: Path) -> None:
    with RawPartner(signs) as partner:
        gone = partner.url
    scene = facing(tmp_path, partner)
    assert scene.world.limits.partner_urls["KEIS"] == gone
    scene.deliver("KEIS")
    assert states(scene)["KEIS"] == ("ready", "unreachable")
    scene.world.channels["KEIS"].close()


def test_a_slow_partner_keeps_no_other_partner_waiting(tmp_path: Path) -> None:
    cases = [a_case(n, entry={"services": {"KEIS": ["01"], "KEAD": ["취업알선"]}}) for n in range(1, 4)]
    with RawPartner(one_byte_a_second) as partner, ThreadPoolExecutor(8) as threads:
        scene = facing(tmp_path, partner, *cases)
        scene.world = replace(
            scene.world, attempts=lambda partner: threads, limits=replace(scene.world.limits, deliver_batch=3)
        )
        channel = scene.world.channels["KEIS"]
        with ThreadPoolExecutor(1) as slow:
            waiting = slow.submit(threads.submit, time.sleep, 0)  # the pool is up
            waiting.result()
            began = time.monotonic()
            scene.deliver("KEIS")
            assert time.monotonic() - began < ATTEMPT_S * 2 + 1.0  # three at once, not one after another
        scene.deliver("KEAD")
        assert [d["state"] for d in scene.rows("delivery") if d["partner"] == "KEAD"] == ["delivered"] * 3
        channel.close()


def test_a_partner_that_never_answers_holds_its_own_threads_and_no_others(database: str, tmp_path: Path) -> None:
    clock, answered = StoppedClock(), threading.Event()
    channels = {p: Partner(p, clock) for p in ("KEIS", "KEAD")}
    settings = Settings(home=tmp_path, database_url=database)
    with assemble(settings, knowledge=knowledge(), channels=channels) as gateway:
        stuck = [gateway.world.attempts("KEIS").submit(answered.wait, 30) for _ in range(64)]
        try:
            assert gateway.world.attempts("KEAD").submit(int, 7).result(timeout=5) == 7
            assert sum(one.running() for one in stuck) == settings.deliver_threads
        finally:
            answered.set()
