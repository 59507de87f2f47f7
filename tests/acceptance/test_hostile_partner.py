"""Hostile partners: whatever comes out of a socket, at either end, nothing crashes, nothing else waits, nobody learns.

The first half is a raw socket that plays a partner, behind the real channels and the real `deliver`; the second half
are raw requests at the partners' door, over real HTTP.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import psycopg
import pytest

from adapters.partners import channel_for
from adapters.partners.pretend.scripts import Kind
from gateway.assembly import Gateway, assemble
from gateway.cli.serving import Door, listen
from gateway.config import Settings
from gateway.delivery.schedule import RetrySchedule
from gateway.exchange_log.note import Verifier
from gateway.exchange_log.proof import keep
from gateway.ports import LegRow
from gateway.sealing import base64url, http, manifest, receipts
from gateway.sealing.keys import to_jwk
from gateway.sealing.receipts import Decision, promised
from tests.conftest import TEMPLATE, in_database
from tests.fakes.memory import MemoryStore
from tests.journey.world import (
    TODAY,
    Letter,
    Partner,
    Scene,
    StoppedClock,
    a_case,
    assert_nothing_personal,
    key_of,
    knowledge,
    letter,
    make_scene,
    ring,
    seal,
)

ATTEMPT_S = 0.5
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
Play = Callable[[socket.socket, bytes], None]


# ── a partner as a raw socket ────────────────────────────────────────────────────────────────────────────────────────
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
    "a login page": (answers(response("200 OK", b"<html>login</html>", "Content-Type: text/html")), "no-receipt"),
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


# ── the partners' door ───────────────────────────────────────────────────────────────────────────────────────────────
class Open(NamedTuple):
    """A gateway behind an open door, with one delivered leg of KEIS."""

    gateway: Gateway
    scene: Scene
    leg: LegRow
    port: int


@contextlib.contextmanager
def opened(database: str, folder: Path) -> Iterator[Open]:
    listening = listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    settings = Settings(home=folder / "home", database_url=database, public_url=f"http://127.0.0.1:{port}")
    with assemble(settings, knowledge=knowledge()) as gateway, Door(gateway, listening):
        gateway.shelf.add("KEIS", to_jwk(key_of("KEIS")))
        scene = make_scene(gateway.store, folder)
        yield Open(gateway, scene, scene.referred(a_case())["KEIS"], port)


@pytest.fixture
def door(database: str, tmp_path: Path) -> Iterator[Open]:
    """A door of one's own."""
    with opened(database, tmp_path) as found:
        yield found


@pytest.fixture(scope="module")
def same_door(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    """One door for everybody who gets nowhere anyway."""
    name = f"hostile{os.getpid()}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"create database {name} template {TEMPLATE}")
    with opened(in_database(postgres, name), tmp_path_factory.mktemp("door")) as found:
        yield found
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


class Said(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def raw(port: int, data: bytes, *, wait: float = 5.0) -> Said:
    """Send exactly these bytes and read the answer to its end."""
    with socket.create_connection(("127.0.0.1", port), timeout=wait) as connection:
        with contextlib.suppress(OSError):  # it may have answered and hung up while we were still talking
            connection.sendall(data)
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := connection.recv(65536):
                received += piece
                if _complete(received):
                    break
    head, _, body = received.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    return Said(int(status.split(" ")[1]), headers, body)


def _complete(data: bytes) -> bool:
    head, end, body = data.partition(b"\r\n\r\n")
    lengths = [int(h.split(b":")[1]) for h in head.lower().split(b"\r\n") if h.startswith(b"content-length")]
    return bool(end) and bool(lengths) and len(body) >= lengths[0]


def request(method: str, path: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def signed(
    opened: Open, one: Letter, *, base: str | None = None, path: str = "/partners/KEIS/v1/outcomes"
) -> list[str]:
    now = opened.gateway.world.clock.now()
    headers = http.sign(
        "POST",
        (base or opened.gateway.public_url) + path,
        "application/json",
        one.body,
        one.mid,
        seal(one, now),
        key=key_of("KEIS"),
        created=now,
        nonce=f"a-nonce-of-its-own-{one.mid}",
    )
    return [f"{name}: {value}" for name, value in headers.items()]


DOOR = "/partners/KEIS/v1/outcomes"
PERSONAL = '{"이름":"선우진영","주민번호":"880101-1234567","전화":"010-1234-5678"}'.encode()
HUGE = b"x" * (1_048_576 + 1)

KNOCKS: dict[str, tuple[bytes, int]] = {
    "no signature at all": (request("POST", DOOR, PERSONAL, "Content-Type: application/json"), 401),
    "no body": (request("POST", DOOR), 401),
    "a body over the limit": (request("POST", DOOR, HUGE), 413),
    "a body over the limit in pieces": (
        f"POST {DOOR} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n".encode()
        + HUGE + b"\r\n0\r\n\r\n", 413),
    "nobody we know": (request("POST", "/partners/NOBODY/v1/outcomes", PERSONAL), 403),
    "a name in Hangul": (request("POST", "/partners/%ED%95%9C%EA%B5%AD/v1/outcomes", PERSONAL), 403),
    "a name with a zero": (request("POST", "/partners/KEIS%00/v1/outcomes", PERSONAL), 403),
    "a name that climbs": (request("POST", "/partners/..%2f..%2fetc%2fpasswd/v1/outcomes", PERSONAL), 404),
    "another method": (request("GET", DOOR), 405),
    "a method to change": (request("PUT", DOOR, PERSONAL), 405),
    "a method to delete": (request("DELETE", DOOR), 405),
    "no such room": (request("GET", "/admin/%EC%84%A0%EC%9A%B0"), 404),
    "a receipt of no message": (request("GET", "/v1/messages/019abc00-0000-7000-8000-00000000ffff/receipt"), 404),
    "a receipt of no id": (request("GET", "/v1/messages/880101-1234567/receipt"), 404),
    "a receipt of a zero": (request("GET", "/v1/messages/%00/receipt"), 404),
    "a receipt of a quotation mark": (request("GET", "/v1/messages/'%20or%20'1'='1/receipt"), 404),
    "a proof of no receipt": (
        request("GET", "/v1/messages/019abc00-0000-7000-8000-00000000ffff/receipt.tlog-proof"), 404),
    "a proof of a zero": (request("GET", "/v1/messages/%00/receipt.tlog-proof"), 404),
    "a proof of a quotation mark": (request("GET", "/v1/messages/'%20or%20'1'='1/receipt.tlog-proof"), 404),
    "a receipt in Hangul": (request("GET", "/v1/messages/%EC%84%A0%EC%9A%B0/receipt"), 404),
}  # fmt: skip


@pytest.mark.parametrize("knock", KNOCKS)
def test_a_hostile_request_gets_a_problem_and_learns_nothing(same_door: Open, knock: str) -> None:
    door = same_door
    data, status = KNOCKS[knock]
    before = door.scene.dump()
    said = raw(door.port, data)
    assert said.status == status
    assert said.headers["content-type"] == "application/problem+json"
    assert orjson.loads(said.body)["status"] == status
    assert_learns_nothing(said)
    assert door.scene.dump() == before
    assert_nothing_personal(door.scene)


def assert_learns_nothing(said: Said) -> None:
    text = said.body.decode() + repr(said.headers)
    for secret in ("선우진영", "1234567", "Traceback", "psycopg", ".py", "site-packages", "uvicorn"):
        assert secret not in text


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /\xed\x95\x9c HTTP/1.1\r\nHost: x\r\n\r\n",
        b"NONSENSE\r\n\r\n",
        b"POST " + DOOR.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST " + DOOR.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 200_000 + b"\r\n\r\n",
    ],
)
def test_what_is_not_http_is_turned_away(same_door: Open, nonsense: bytes) -> None:
    try:
        said = raw(same_door.port, nonsense, wait=2.0)
    except (OSError, ValueError):
        pass  # hung up, without a word
    else:
        assert 400 <= said.status < 500
        assert_learns_nothing(said)
    assert raw(same_door.port, request("GET", "/health/ready")).status == 200


def test_a_good_message_passes_and_its_receipt_can_be_fetched(door: Open) -> None:
    one = letter(door.leg, Kind.ACCEPT, 1)
    said = raw(door.port, request("POST", DOOR, one.body, *signed(door, one)))
    assert said.status == 200
    receipt = orjson.loads(said.body)["receipt"]
    assert said.headers["comwel-receipt-jws"] == receipt
    assert orjson.loads(raw(door.port, request("GET", f"/v1/messages/{one.mid}/receipt")).body) == {"receipt": receipt}
    assert door.scene.leg(door.leg.ref_no).status == "accepted"


@pytest.mark.parametrize("kind", [Kind.ACCEPT, Kind.START], ids=["taken", "refused"])
def test_what_a_receipt_promises_can_be_fetched_as_soon_as_the_log_has_it(door: Open, kind: Kind) -> None:
    one, log = letter(door.leg, kind, 1), door.gateway.log
    log.round()
    receipt = orjson.loads(raw(door.port, request("POST", DOOR, one.body, *signed(door, one))).body)["receipt"]
    asked = request("GET", f"/v1/messages/{one.mid}/receipt.tlog-proof")
    early = raw(door.port, asked)
    assert (early.status, orjson.loads(early.body)["code"], early.headers["retry-after"]) == (404, "LOG-SOON", "1")
    log.round()
    said, promise = raw(door.port, asked), promised(receipt)
    assert said.headers["content-type"] == "text/plain; charset=utf-8"
    assert promise is not None
    kept = keep(said.body.decode(), Verifier.parse(log.head().vkey), promise.log, base64url.decode(promise.leaf))
    assert kept.checkpoint.size == log.head().size
    assert said.body.split(b"\n")[1].startswith(
        b"index "
    )  # no leaf: the leaf has the name of the case that other partners would know again


def test_a_refusal_at_the_door_carries_our_receipt_when_the_sender_is_proven(door: Open) -> None:
    one = letter(door.leg, Kind.START, 1)
    said = raw(door.port, request("POST", DOOR, one.body, *signed(door, one)))
    problem = orjson.loads(said.body)
    assert (said.status, problem["code"]) == (409, "LOOP-STATE")
    assert problem["receipt"] == said.headers["comwel-receipt-jws"]


@pytest.mark.parametrize("name", ["Signature", "Signature-Input", "Content-Digest", "Idempotency-Key"])
def test_a_header_that_comes_twice_proves_nothing(door: Open, name: str) -> None:
    one = letter(door.leg, Kind.ACCEPT, 1)
    headers = signed(door, one)
    twice = next(h for h in headers if h.startswith(f"{name}: "))
    said = raw(door.port, request("POST", DOOR, one.body, *headers, twice))
    assert said.status == 401
    assert orjson.loads(said.body)["code"] in ("SEAL-SIGNATURE", "SEAL-DIGEST")
    assert door.scene.rows("outcome_fact") == []


@pytest.mark.parametrize("base", ["http://other.example", "https://127.0.0.1"])
def test_a_request_signed_for_another_address_proves_nothing(door: Open, base: str) -> None:
    one = letter(door.leg, Kind.ACCEPT, 1)
    said = raw(door.port, request("POST", DOOR, one.body, *signed(door, one, base=base), f"Host: {base[8:]}"))
    assert said.status in (400, 401)
    assert door.scene.rows("outcome_fact") == []


def test_the_same_path_in_another_spelling_or_with_a_query_is_another_target(door: Open) -> None:
    for path in ("/partners/keis/v1/outcomes", "/partners/%4BEIS/v1/outcomes", DOOR + "?x=1"):
        one = letter(door.leg, Kind.ACCEPT, 1)
        said = raw(door.port, request("POST", path, one.body, *signed(door, one)))
        assert (said.status, orjson.loads(said.body)["code"]) == (401, "SEAL-SIGNATURE")


def test_callers_that_never_finish_keep_nobody_else_out(door: Open) -> None:
    idle = [socket.create_connection(("127.0.0.1", door.port)) for _ in range(60)]
    try:
        for connection in idle:
            connection.sendall(f"POST {DOOR} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n".encode() + b"x")
        one = letter(door.leg, Kind.ACCEPT, 1)
        began = time.monotonic()
        assert raw(door.port, request("POST", DOOR, one.body, *signed(door, one))).status == 200
        assert time.monotonic() - began < 2.0
    finally:
        for connection in idle:
            connection.close()


def test_when_the_database_is_gone_the_door_says_come_back(door: Open) -> None:
    door.gateway.store.close()
    one = letter(door.leg, Kind.ACCEPT, 1, on=TODAY)
    said = raw(door.port, request("POST", DOOR, one.body, *signed(door, one)), wait=15.0)
    assert said.status == 503
    assert said.headers["retry-after"] == "1"
    assert orjson.loads(said.body)["code"] == "GW-STORE"
    assert_learns_nothing(said)
