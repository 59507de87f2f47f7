"""Hostile callers: raw requests at the partners' door, over real HTTP. Nothing crashes, and nobody learns anything."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import orjson
import psycopg
import pytest

from adapters.partners.pretend.scripts import Kind
from gateway.assembly import Gateway, assemble
from gateway.cli.serving import Door, listen
from gateway.config import Settings
from gateway.exchange_log.note import Verifier
from gateway.exchange_log.proof import keep
from gateway.ports import LegRow
from gateway.sealing import base64url, http
from gateway.sealing.keys import to_jwk
from gateway.sealing.receipts import promised
from tests.conftest import TEMPLATE, in_database
from tests.journey.world import (
    TODAY,
    Letter,
    Scene,
    a_case,
    assert_nothing_personal,
    key_of,
    knowledge,
    letter,
    make_scene,
    seal,
)


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
FORGED = tuple(
    f"{name}: x"
    for name in (
        "Content-Type",
        "Content-Digest",
        "Idempotency-Key",
        "Comwel-Message-JWS",
        "Signature-Input",
        "Signature",
    )
)
"""Every header that a body is read for, and nothing behind them."""

KNOCKS: dict[str, tuple[bytes, int]] = {
    "no signature at all": (request("POST", DOOR, PERSONAL, "Content-Type: application/json"), 401),
    "no body": (request("POST", DOOR), 401),
    "a body over the limit": (request("POST", DOOR, HUGE, *FORGED), 413),
    "a body over the limit in pieces": (
        "\r\n".join([f"POST {DOOR} HTTP/1.1", "Host: x", *FORGED, "Transfer-Encoding: chunked", "", ""]).encode()
        + b"100001\r\n" + HUGE + b"\r\n0\r\n\r\n", 413),
    "a body over the limit that nobody signed": (request("POST", DOOR, HUGE), 401),
    "nobody we know": (request("POST", "/partners/NOBODY/v1/outcomes", PERSONAL), 403),
    "a name in Hangul": (request("POST", "/partners/%ED%95%9C%EA%B5%AD/v1/outcomes", PERSONAL), 403),
    "a name with a zero": (request("POST", "/partners/KEIS%00/v1/outcomes", PERSONAL), 403),
    "a name that climbs": (request("POST", "/partners/..%2f..%2fetc%2fpasswd/v1/outcomes", PERSONAL), 404),
    "another method": (request("GET", DOOR), 405),
    "a method to change": (request("PUT", DOOR, PERSONAL), 405),
    "a method to delete": (request("DELETE", DOOR), 405),
    "no such room": (request("GET", "/admin/%EC%84%A0%EC%9A%B0"), 404),
    "a receipt of no message": (
        request("GET", "/partners/keis/v1/messages/019abc00-0000-7000-8000-00000000ffff/receipt"), 404),
    "a receipt of no id": (request("GET", "/partners/keis/v1/messages/880101-1234567/receipt"), 404),
    "a receipt of a zero": (request("GET", "/partners/keis/v1/messages/%00/receipt"), 404),
    "a receipt of a quotation mark": (request("GET", "/partners/keis/v1/messages/'%20or%20'1'='1/receipt"), 404),
    "a proof of no receipt": (
        request("GET", "/partners/keis/v1/messages/019abc00-0000-7000-8000-00000000ffff/receipt.tlog-proof"), 404),
    "a proof of a zero": (request("GET", "/partners/keis/v1/messages/%00/receipt.tlog-proof"), 404),
    "a proof of a quotation mark": (
        request("GET", "/partners/keis/v1/messages/'%20or%20'1'='1/receipt.tlog-proof"), 404),
    "a receipt of nobody we know": (request("GET", "/partners/%00/v1/messages/%00/receipt"), 404),
    "a proof of nobody we know": (request("GET", "/partners/%00/v1/messages/%00/receipt.tlog-proof"), 404),
    "a receipt in Hangul": (request("GET", "/partners/keis/v1/messages/%EC%84%A0%EC%9A%B0/receipt"), 404),
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
    assert orjson.loads(raw(door.port, request("GET", f"/partners/keis/v1/messages/{one.mid}/receipt")).body) == {
        "receipt": receipt
    }
    assert door.scene.leg(door.leg.ref_no).status == "accepted"


@pytest.mark.parametrize("kind", [Kind.ACCEPT, Kind.START], ids=["taken", "refused"])
def test_what_a_receipt_promises_can_be_fetched_as_soon_as_the_log_has_it(door: Open, kind: Kind) -> None:
    one, log = letter(door.leg, kind, 1), door.gateway.log
    log.round()
    receipt = orjson.loads(raw(door.port, request("POST", DOOR, one.body, *signed(door, one))).body)["receipt"]
    asked = request("GET", f"/partners/keis/v1/messages/{one.mid}/receipt.tlog-proof")
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
