"""The partners' door, in a process of its own: signed outcomes in, proven, applied, receipted.

Each leg of a filled outbox is accepted by its partner, one sealed and signed message a leg in the partner's own schema.
Half of the messages come at a steady pace of 200 a second, whatever the door does (an open loop: a slow answer delays
no later one); the other half as fast as 16 kept-alive connections can carry them. The requests are made beforehand; the
client speaks HTTP over bare sockets, so that it costs the two cores little. Every answer must be 200 with our receipt.
Targets: at 200 a second a 99th percentile of 50 ms; as fast as can be 250 a second with one of 150 ms.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

import psycopg

from adapters.partners.pretend.dialects import Sheet
from adapters.partners.pretend.keyring import own_key
from adapters.partners.pretend.scripts import Kind
from adapters.partners.pretend.server import DIALECTS
from adapters.partners.pretend.story import Event
from gateway.assembly import RealClock, uuid7
from gateway.documents.strict_json import dumps
from gateway.sealing import http, manifest
from gateway.sealing.keys import SigningKey
from gateway.sealing.manifest import Manifest
from tests.bench import stage
from tests.bench.engine import Site, filled, process, until
from tests.bench.figure import Figure

CASES = 900
STEADY_PER_S, MOST_STEADY_S = 200, 0.05
LEAST_PER_S, MOST_FULL_S = 250, 0.15
LINES = 16
WARM = 60


def run() -> tuple[Figure, ...]:
    """Messages a second and waits at the 99th percentile."""
    with stage.home() as home, filled(home, CASES) as site:
        port = site.settings.port
        with process(sys.executable, "-m", "gateway", "serve", "--door-only", env=site.told):
            until(lambda: _open(port), "the door is open")
            legs = _legs(site)
            half = WARM + (len(legs) - WARM) // 2
            asyncio.run(_shoot(port, _requests(site, legs[:WARM]), None))
            steady = asyncio.run(_shoot(port, _requests(site, legs[WARM:half]), STEADY_PER_S))
            began = time.perf_counter()
            full = asyncio.run(_shoot(port, ready := _requests(site, legs[half:]), None))
            seconds = time.perf_counter() - began
    wrong = [shot.status for shot in (*steady, *full) if shot.status != 200]
    if wrong:
        raise RuntimeError(f"{len(wrong)} answers were not 200: {sorted(set(wrong))}")
    return (
        Figure(f"outcomes in, {STEADY_PER_S}/s: p99", "s", (_p99(steady),), MOST_STEADY_S, at_most=True),
        Figure("outcomes in, as fast as can be", "/s", (len(ready) / seconds,), target=LEAST_PER_S),
        Figure("  p99", "s", (_p99(full),), MOST_FULL_S, at_most=True),
    )


# ── what is sent ─────────────────────────────────────────────────────────────────────────────────────────────────────
class _Leg(NamedTuple):
    """A leg as its partner knows it."""

    partner: str
    ref_no: str
    person_id: str
    consent_no: str | None


def _legs(site: Site) -> list[_Leg]:
    with psycopg.connect(site.database) as connection:
        found = connection.execute("select partner, ref_no, person_id, consent_no from leg order by ref_no")
        return [_Leg(*row) for row in found]


def _requests(site: Site, legs: Sequence[_Leg]) -> list[bytes]:
    """One request a leg, signed now; signatures are good for five minutes."""
    keys = {p: own_key(site.takers / p, p.lower()) for p in stage.PARTNERS}
    return [_request(site.settings.public_url or "", leg, keys[leg.partner]) for leg in legs]


def _request(base: str, leg: _Leg, key: SigningKey) -> bytes:
    dialect, now, mid = DIALECTS[leg.partner.lower()], RealClock().now(), uuid7()
    sheet = Sheet(leg.ref_no, leg.person_id, f"F-{leg.ref_no[-7:]}", "LB-04", leg.consent_no or "-")
    body = dumps(dialect.write(Event(Kind.ACCEPT, stage.BASE), sheet, 1, mid, now))
    part = manifest.digest_part("body", dialect.content_type, body)
    stated = Manifest(
        mid=mid,
        iss=dialect.id,
        aud="comwel",
        iat=int(now.timestamp()),
        type="outcome.reported",
        case=leg.ref_no,
        seq=1,
        profile=f"{dialect.id}-outcome|1.0.0",
        parts=(part,),
    )
    path = f"/partners/{leg.partner}/v1/outcomes"
    sealed = manifest.seal(stated, key)
    head = http.sign(
        "POST",
        base + path,
        dialect.content_type,
        body,
        mid,
        sealed,
        key=key,
        created=now,
        nonce=secrets.token_urlsafe(18),
    )
    lines = [f"POST {path} HTTP/1.1", f"Host: {base.removeprefix('http://')}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in head.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


# ── sending ──────────────────────────────────────────────────────────────────────────────────────────────────────────
class _Shot(NamedTuple):
    """What came of one request: its status, and the seconds from when it was due to its last byte."""

    status: int
    seconds: float


async def _shoot(port: int, requests: Sequence[bytes], per_s: float | None) -> list[_Shot]:
    """Send all of them over 16 connections; at a pace, or each as soon as a connection is free."""
    began = time.perf_counter() + 0.05
    due = [began + n / per_s if per_s else 0.0 for n in range(len(requests))]
    work = iter(zip(requests, due, strict=True))
    found: list[_Shot] = []

    async def line() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request, at in work:
            await asyncio.sleep(max(0.0, at - time.perf_counter()))
            since = at or time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
            await reader.readexactly(length)
            found.append(_Shot(int(head[9:12]), time.perf_counter() - since))
        writer.close()

    await asyncio.gather(*(line() for _ in range(LINES)))
    return found


def _open(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
        return True
    return False


def _p99(shots: Sequence[_Shot]) -> float:
    return statistics.quantiles((shot.seconds for shot in shots), n=100)[98]
