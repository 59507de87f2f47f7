"""Referrals built: permission, the FHIR request, one mapped, checked and sealed message a leg, one commit a batch.

`refer(world, 256)` until no case is left, each full batch a round. One thread of one process, the database beside it.
A referral is one message to one partner, with its own referral number and our own FHIR record of it; a case makes 2.3.
The floor: as many ES256 signatures, and nothing else. Target: 400 referrals a second.
"""

from __future__ import annotations

import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.assembly import Gateway
from gateway.journey.refer import refer
from tests.bench import stage
from tests.bench.figure import Figure, Floor, per_second

CASES = 2_500
COORDINATORS = 100_000  # nobody waits for a seat
BATCH = 256
LEAST_PER_S = 400


def run() -> tuple[Figure, ...]:
    """Requests and messages a second, and processor time a request."""
    with stage.home() as home:
        known = stage.staffed(stage.knowledge(home), COORDINATORS)
        night = stage.night(home / "night", CASES)
        with stage.alone(home, known) as gateway:
            stage.taken_in(gateway, night)
            rounds = list(_batches(gateway))
    requests, messages, cpu = zip(*rounds, strict=True)
    floor = Floor("ES256 signatures alone, as many", _signatures())
    return (
        Figure(f"referrals built, {BATCH} cases a batch", "referrals/s", messages, target=LEAST_PER_S, floor=floor),
        Figure("  cases they are for", "cases/s", requests),
        Figure("  processor time of this process", "µs a case", cpu),
    )


def _batches(gateway: Gateway) -> list[tuple[float, float, float]]:
    """(requests/s, messages/s, µs a request) of every full batch."""
    found: list[tuple[float, float, float]] = []
    while True:
        before = _made(gateway)
        began, spent = time.perf_counter(), time.process_time()
        cases = refer(gateway.world, BATCH)
        seconds, used = time.perf_counter() - began, time.process_time() - spent
        if cases < BATCH:
            return found
        requests, messages = (now - then for now, then in zip(_made(gateway), before, strict=True))
        found.append((requests / seconds, messages / seconds, used / requests * 1e6))


def _made(gateway: Gateway) -> tuple[int, int]:
    counts = stage.counts(gateway)
    return counts.get("referrals", 0), counts.get("messages out", 0)


def _signatures() -> float:
    key, scheme = ec.generate_private_key(ec.SECP256R1()), ec.ECDSA(hashes.SHA256())
    (rates,) = per_second([lambda: key.sign(b"a manifest" * 50, scheme)], rounds=3)
    return Figure("", "", rates).median
