"""Memory: the most that the gateway's process ever held while 10,000 cases go through it.

Intake, screening, referral and delivery with door, runner and three partners, in a process that does nothing else (the
driver gives each bench one of its own, and the night comes from another). Two Job Coordinators a branch: who gets a
seat is referred. The peak is the kernel's (VmHWM). Target: 300 MB.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from gateway.assembly import Gateway
from gateway.journey.refer import refer
from gateway.worker.embedded import Runner
from tests.bench import stage
from tests.bench.figure import Figure
from tests.bench.machine import peak_memory_mb

ROOT = Path(__file__).resolve().parents[2]
CASES = 10_000
COORDINATORS = 2
MOST_MB = 300
LONGEST_S = 100.0


def run() -> tuple[Figure, ...]:
    """The peak after each stage; the last is the figure."""
    with stage.home() as home:
        known = stage.staffed(stage.knowledge(home), COORDINATORS)
        loaded = peak_memory_mb()
        night = _night(home / "night")
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
        Figure("  after intake and screening", "MB", (screened,)),
        Figure("  after referral", "MB", (referred,)),
    )


def _night(folder: Path) -> Path:
    """A night that another process invents."""
    subprocess.run([sys.executable, "-m", "tests.bench.bench_memory", folder], check=True, cwd=ROOT)
    return folder


def _wait_until_delivered(gateway: Gateway, until: float) -> None:
    while True:
        with gateway.store.unit() as unit:
            waiting = sum(unit.outbox.waiting().values())
        if not waiting:
            return
        if time.perf_counter() > until:
            raise RuntimeError(f"{waiting} messages are still waiting after {LONGEST_S:.0f} s")
        time.sleep(0.2)


if __name__ == "__main__":
    stage.night(Path(sys.argv[1]), CASES)
