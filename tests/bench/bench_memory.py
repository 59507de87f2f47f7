"""Memory: the most that the gateway's process ever held while 10,000 cases go through it.

Intake, screening, referral and delivery with door, runner and three partners, in a process that does nothing else (the
driver gives each bench one of its own). The peak is the kernel's (VmHWM). Target: 300 MB.
"""

from __future__ import annotations

import time

from gateway.assembly import Gateway
from gateway.journey.refer import refer
from gateway.worker.embedded import Runner
from tests.bench import stage
from tests.bench.figure import Figure
from tests.bench.machine import peak_memory_mb

CASES = 10_000
MOST_MB = 300
LONGEST_S = 100.0


def run() -> tuple[Figure, ...]:
    """The peak after each stage; the last is the figure."""
    with stage.home() as home:
        known = stage.everybody(stage.knowledge(home))
        loaded = peak_memory_mb()
        night = stage.night(home / "night", CASES)
        invented = peak_memory_mb()
        with stage.with_partners(home, known) as (gateway, _):
            stage.taken_in(gateway, night)
            screened = peak_memory_mb()
            while refer(gateway.world):
                pass
            referred = peak_memory_mb()
            with Runner(gateway.world, name="bench"):
                _wait_until_delivered(gateway, time.perf_counter() + LONGEST_S)
            counts = stage.counts(gateway)
    delivered = counts.get("deliveries delivered", 0)
    return (
        Figure(
            f"peak memory, {CASES:,} cases, {delivered:,} messages delivered",
            "MB",
            (peak_memory_mb(),),
            MOST_MB,
            at_most=True,
        ),
        Figure("  after loading schemas and maps", "MB", (loaded,)),
        Figure("  after inventing the night", "MB", (invented,)),
        Figure("  after intake and screening", "MB", (screened,)),
        Figure("  after referral", "MB", (referred,)),
    )


def _wait_until_delivered(gateway: Gateway, until: float) -> None:
    while True:
        with gateway.store.unit() as unit:
            waiting = sum(unit.outbox.waiting().values())
        if not waiting:
            return
        if time.perf_counter() > until:
            raise RuntimeError(f"{waiting} messages are still waiting after {LONGEST_S:.0f} s")
        time.sleep(0.2)
