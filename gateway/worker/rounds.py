"""The two rounds that every engine runs: deliver to one partner, and walk the rest of the journey.

Rules: a round asks the store what is due and remembers nothing, so it may run in any process, at any time, twice. The
journey is walked by one process at a time; whoever finds it taken goes on. Refuses nothing: what a round meets is said
by the verbs.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.journey.deliver import deliver
from gateway.journey.refer import refer
from gateway.journey.screen import screen_cases
from gateway.journey.track import track
from gateway.journey.withdraw import withdraw
from gateway.journey.world import World

JOURNEY = "journey"


def deliver_all(world: World, partner: str, worker: str, stopped: Callable[[], bool]) -> int:
    """Deliver batch after batch until nothing is due, or until stopped; returns how many messages were tried."""
    total = 0
    while not stopped() and (tried := deliver(world, partner, worker)):
        total += tried
    return total


def walk(world: World) -> int:
    """Screen, withdraw, refer and track once; returns how much there was to do, 0 while another process walks."""
    with world.store.alone(JOURNEY) as mine:
        return screen_cases(world) + withdraw(world) + refer(world) + track(world) if mine else 0
