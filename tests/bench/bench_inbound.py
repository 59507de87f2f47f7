"""The partners' door, in a process of its own: signed outcomes in, proven, applied, receipted.

Each leg of a filled outbox is accepted by its partner, one sealed and signed message a leg in the partner's own schema.
Half of the messages come at a steady pace of 200 a second, whatever the door does (an open loop: a slow answer delays
no later one); the other half as fast as 16 kept-alive connections can carry them. The requests are made beforehand; the
client speaks HTTP over bare sockets, so that it costs the two cores little. Every answer must be 200. Last, Tasks of
the FHIR-native partner go to our door and, the same bodies with the same manifests, to one built on fhirstarter.
Targets: at 200 a second a 99th percentile of 50 ms; as fast as can be 250 a second with one of 150 ms.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import orjson

from adapters.partners.pretend.keyring import own_key
from gateway.cli.partners import free_port
from gateway.sealing.keys import to_jwk
from tests.bench import stage
from tests.bench.engine import Site, filled, process, until
from tests.bench.figure import Figure, Floor
from tests.bench.reports import PATH, Leg, keys_of, legs_of, report
from tests.bench.shoot import LINES, Shot, is_open, p99, shoot, written

CASES = 900
STEADY_PER_S, MOST_STEADY_S = 200, 0.05
LEAST_PER_S, MOST_FULL_S = 250, 0.15
WARM = 60
TASKS = 150
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
        tasks, legs = _apart(legs_of(site))
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


def _fired(site: Site, port: int, legs: Sequence[Leg], per_s: float | None = None) -> tuple[list[Shot], float]:
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
def _fhirstarter(site: Site, tasks: Sequence[Leg]) -> float:
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
def _apart(legs: list[Leg]) -> tuple[list[Leg], list[Leg]]:
    """The legs of the FHIR-native partner that both doors get, and all others."""
    tasks = [leg for leg in legs if leg.partner == "TRN"][:TASKS]
    return tasks, [leg for leg in legs if leg not in tasks]


def _requests(site: Site, legs: Sequence[Leg]) -> list[bytes]:
    """One request a leg, signed now; signatures are good for five minutes."""
    base, keys = site.settings.public_url or "", keys_of(site)
    asked = [report(base, leg, keys[leg.partner]) for leg in legs]
    return [
        written(f"POST {one.target_uri.removeprefix(base)}", base.removeprefix("http://"), one.headers, one.body)
        for one in asked
    ]
