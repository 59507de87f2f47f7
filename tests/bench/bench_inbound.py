"""The partners' door, in a process of its own: signed outcomes in, proven, applied, receipted.

Each leg of a filled outbox is accepted by its partner, one sealed and signed message a leg in the partner's own schema.
Half of the messages come at a steady pace of 200 a second, whatever the door does (an open loop: a slow answer delays
no later one); the other half as fast as 16 kept-alive connections can carry them. The requests are made beforehand; the
client speaks HTTP over bare sockets, so that it costs the two cores little. Every answer must be 200. Last, Tasks of
the FHIR-native partner go to our door and, the same bodies with the same manifests, to one built on fhirstarter.
Targets: at 200 a second a 99th percentile of 50 ms; as fast as can be 250 a second with one of 150 ms.
"""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import orjson
import psycopg

from adapters.partners.pretend.dialects import Sheet
from adapters.partners.pretend.keyring import own_key
from adapters.partners.pretend.scripts import Kind
from adapters.partners.pretend.server import DIALECTS
from adapters.partners.pretend.story import Event
from gateway.assembly import RealClock, uuid7
from gateway.cli.partners import free_port
from gateway.documents.strict_json import dumps
from gateway.sealing import http, manifest
from gateway.sealing.keys import SigningKey, to_jwk
from gateway.sealing.manifest import Manifest
from tests.bench import stage
from tests.bench.engine import Site, filled, process, until
from tests.bench.figure import Figure, Floor
from tests.bench.shoot import LINES, Shot, is_open, p99, shoot, written

CASES = 900
STEADY_PER_S, MOST_STEADY_S = 200, 0.05
LEAST_PER_S, MOST_FULL_S = 250, 0.15
WARM = 60
TASKS = 150
PATH = "/partners/{}/v1/outcomes"
PEERS = Path(__file__).parent / "peers"
PYTHON = PEERS.parents[2] / ".venv-bench" / "bin" / "python"
FHIRSTARTER = next(
    line.split("==")[1].rstrip(" \\")
    for line in (PEERS / "requirements.lock").read_text().splitlines()
    if line.startswith("fhirstarter==")
)


def run() -> tuple[Figure, ...]:
    """Messages a second and waits at the 99th percentile; then the same Tasks to our door and to fhirstarter."""
    with stage.home() as home, filled(home, CASES) as site:
        port = site.settings.port
        tasks, legs = _apart(_legs(site))
        with process(sys.executable, "-m", "gateway", "serve", "--door-only", env=site.told):
            until(lambda: is_open(port), "the door is open")
            half = WARM + (len(legs) - WARM) // 2
            _fired(site, port, legs[:WARM])
            steady, _ = _fired(site, port, legs[WARM:half], STEADY_PER_S)
            full, rate = _fired(site, port, legs[half:])
            _, ours = _fired(site, port, tasks)
        theirs = _fhirstarter(site, tasks)
    floor = Floor("our door, the same Tasks", ours)
    return (
        Figure(f"outcomes in, {STEADY_PER_S}/s: p99", "s", (p99(steady),), MOST_STEADY_S, at_most=True),
        Figure("outcomes in, as fast as can be", "/s", (rate,), target=LEAST_PER_S),
        Figure("  p99", "s", (p99(full),), MOST_FULL_S, at_most=True),
        Figure(f"Tasks in over fhirstarter {FHIRSTARTER}: proven, stored", "/s", (theirs,), floor=floor),
    )


def _fired(site: Site, port: int, legs: Sequence[_Leg], per_s: float | None = None) -> tuple[list[Shot], float]:
    """What came of one request a leg, signed now, and how many a second; each must be taken."""
    requests = _requests(site, legs)
    began = time.perf_counter()
    shots = shoot(port, requests, per_s)
    return _taken(shots, 200), len(shots) / (time.perf_counter() - began)


def _taken(shots: list[Shot], status: int) -> list[Shot]:
    wrong = [shot.status for shot in shots if shot.status != status]
    if wrong:
        raise RuntimeError(f"{len(wrong)} answers were not {status}: {sorted(set(wrong))}")
    return shots


# ── beside us ────────────────────────────────────────────────────────────────────────────────────────────────────────
def _fhirstarter(site: Site, tasks: Sequence[_Leg]) -> float:
    """Tasks a second at the door of `peers/fhirstarter_door.py`: the same bodies and manifests, one process too."""
    port, key = free_port(), site.settings.home / "trn.public.jwk"
    key.write_bytes(orjson.dumps(to_jwk(own_key(site.takers / "TRN", "trn"))))
    site.ask("create table fhirstarter_task (id bigint generated always as identity primary key, body jsonb not null)")
    script = (str(PEERS / "fhirstarter_door.py"), str(port), site.database, str(key))
    with process(str(PYTHON), *script, env={"FHIR_SEQUENCE": "R4B"}):
        until(lambda: is_open(port), "the door over fhirstarter is open")
        path = f"POST {PATH.format('TRN')} "
        requests = [one.replace(path.encode(), b"POST /Task ", 1) for one in _requests(site, tasks)]
        _taken(shoot(port, requests[:LINES]), 201)
        began = time.perf_counter()
        _taken(shoot(port, requests), 201)
        return len(requests) / (time.perf_counter() - began)


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


def _apart(legs: list[_Leg]) -> tuple[list[_Leg], list[_Leg]]:
    """The legs of the FHIR-native partner that both doors get, and all others."""
    tasks = [leg for leg in legs if leg.partner == "TRN"][:TASKS]
    return tasks, [leg for leg in legs if leg not in tasks]


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
    path = PATH.format(leg.partner)
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
    return written(f"POST {path}", base.removeprefix("http://"), head, body)
