"""What can be said before a body is read is said before it is read; and asking takes no connection from who brings."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import orjson
import psycopg
import pytest
from fastapi.testclient import TestClient

from gateway.api.app import ASKING, MAX_BODY, build_app
from gateway.api.gathering import Gathering
from gateway.assembly import Gateway, assemble
from gateway.config import Settings
from gateway.errors import StoreDamaged, TooBusy
from gateway.journey.gate import Gate, Reason, turn
from gateway.journey.prove import keep_unproven
from gateway.ports import ActsAsked
from tests.journey.world import knowledge

MID = "019abc00-0000-7000-8000-00000000ffff"
HEADERS = ("content-type", "content-digest", "idempotency-key", "comwel-message-jws", "signature-input", "signature")


@pytest.fixture
def gateway(tmp_path: Path, database: str) -> Iterator[Gateway]:
    with assemble(Settings(home=tmp_path, database_url=database), knowledge=knowledge()) as found:
        yield found


class Read(Exception):
    """The body was asked for."""


def post(gateway: Gateway, partner: str, *headers: str) -> tuple[int, dict[str, Any], dict[str, str]]:
    """The answer to a request whose body nobody may ask for. Raises Read."""
    said, asked = list[Any](), list[bool]()

    async def receive() -> Any:
        asked.append(True)
        raise Read

    async def send(message: Any) -> None:
        said.append(message)

    path = f"/partners/{partner}/v1/outcomes"
    scope = {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": [(name.encode(), b"x") for name in headers],
    }  # fmt: skip
    app = build_app(gateway)

    async def ask() -> None:
        await app(scope, receive, send)

    asyncio.run(ask())
    if asked:
        raise Read
    answered = {name.decode(): value.decode() for name, value in said[0]["headers"]}
    return said[0]["status"], orjson.loads(said[1]["body"]), answered


def test_who_uses_another_method_is_told_which_one_is_allowed(gateway: Gateway) -> None:
    with TestClient(build_app(gateway)) as door:
        answer = door.get("/partners/keis/v1/outcomes")
    assert (answer.status_code, answer.headers["allow"], answer.json()["status"]) == (405, "POST", 405)


def test_who_is_not_ours_or_lacks_a_header_is_told_so_unread(gateway: Gateway) -> None:
    status, said, _ = post(gateway, "NOBODY", *HEADERS)
    assert (status, said["code"]) == (403, "SEAL-AUDIENCE")
    for name in HEADERS:
        status, said, _ = post(gateway, "KEIS", *(one for one in HEADERS if one != name))
        assert (status, said["code"], said["field"]) == (401, "SEAL-SIGNATURE", name)
    with gateway.store.unit() as unit:
        acts = [k.event for k in unit.events(ActsAsked()) if k.event.act == "message.received"]
    assert [(e.partner, e.code, dict(e.counts)) for e in acts] == [
        (None, "SEAL-AUDIENCE", {"requests": 1}),
        ("KEIS", "SEAL-SIGNATURE", {"requests": 1}),
    ]


def test_a_stopped_partner_is_told_503_unread(gateway: Gateway) -> None:
    turn(gateway.world, "KEIS", Gate.STOPPED, by="kim.0417", reason=Reason.SECURITY)
    status, said, headers = post(gateway, "KEIS", *HEADERS)
    assert (status, said["code"], headers["retry-after"]) == (503, "LOOP-STOPPED", "1")


def test_a_partner_of_whom_too_many_wait_is_told_to_come_back_unread(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Gathering, partner: str) -> None:
        raise TooBusy

    monkeypatch.setattr(Gathering, "must_have_room", full)
    status, said, headers = post(gateway, "KEIS", *HEADERS)
    assert (status, said["code"], headers["retry-after"]) == (503, "GW-BUSY", "1")


def test_who_brings_more_than_is_taken_is_counted_as_everybody_who_is_turned_away(gateway: Gateway) -> None:
    with TestClient(build_app(gateway)) as door:
        for _ in range(3):
            answer = door.post(
                "/partners/keis/v1/outcomes", content=b"x" * (MAX_BODY + 1), headers=dict.fromkeys(HEADERS, "x")
            )
            assert (answer.status_code, answer.json()["code"]) == (413, "DOC-SIZE")
    keep_unproven(gateway.world, everything=True)
    with gateway.store.unit() as unit:
        acts = [k.event for k in unit.events(ActsAsked()) if k.event.act == "message.received"]
    assert [(e.partner, e.code, dict(e.counts)) for e in acts] == [
        ("KEIS", "DOC-SIZE", {"requests": 1}),
        ("KEIS", "DOC-SIZE", {"requests": 2}),
    ]


def test_who_may_be_heard_is_read(gateway: Gateway) -> None:
    with pytest.raises(Read):
        post(gateway, "KEIS", *HEADERS)


def test_asking_for_receipts_takes_few_connections_and_keeps_nobody_from_working(
    gateway: Gateway, database: str
) -> None:
    at_once, most = ASKING

    async def flood() -> list[httpx2.Response]:
        door = httpx2.ASGITransport(app=build_app(gateway))
        async with httpx2.AsyncClient(transport=door, base_url="http://door", timeout=30) as client:
            asked = [
                asyncio.create_task(client.get(f"/partners/keis/v1/messages/{MID}/receipt")) for _ in range(most + 9)
            ]
            try:
                await asyncio.sleep(0.5)
                began = time.monotonic()
                assert (await client.get("/health/ready")).status_code == 200
                await asyncio.to_thread(work)
                assert time.monotonic() - began < 2
            finally:
                blocker.rollback()
            return await asyncio.gather(*asked)

    def work() -> None:
        assert len(gateway.store._pool.lent) == at_once
        with gateway.store.unit() as unit:
            assert unit.lines.stopped("KEIS") is False

    with psycopg.connect(database) as blocker:
        blocker.execute("lock table receipt in access exclusive mode")
        said = asyncio.run(flood())
    assert [answer.status_code for answer in said] == [404] * most + [503] * 9
    assert {answer.json()["code"] for answer in said[most:]} == {"GW-BUSY"}


def test_what_is_wrong_with_a_row_is_told_in_the_line_of_the_request_and_nowhere_else(
    gateway: Gateway, out: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*_: object) -> None:
        raise StoreDamaged("case_record|record|20264243000001|3")

    monkeypatch.setattr(Gateway, "receipt", damaged)
    with TestClient(build_app(gateway)) as door:
        answer = door.get(f"/partners/keis/v1/messages/{MID}/receipt")
    assert (answer.status_code, answer.json()["code"]) == (500, "GW-DAMAGED")
    assert "20264243000001" not in answer.text
    [line] = [one for one in map(orjson.loads, out.getvalue().splitlines()) if one["event"] == "request.answered"]
    assert (line["code"], line["subject"]) == ("GW-DAMAGED", "case_record|record|20264243000001|3")
