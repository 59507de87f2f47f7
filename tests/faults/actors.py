"""The processes of a round, each a function. They are forked from a server that has loaded the data already.

A process that is killed is replaced within a tenth of a second; loading maps and schemas takes seconds, and is done
once, when the fork server imports this module.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any

import structlog

from adapters.partners import egress
from gateway import failpoint
from gateway.cli.in_time import READ_S
from gateway.cli.serving import Door
from gateway.errors import GatewayError
from gateway.journey.deliver import deliver
from gateway.journey.refer import refer
from gateway.journey.rotate import rotate, turn
from gateway.journey.screen import screen_cases
from gateway.journey.track import judge_changed
from gateway.journey.world import US, World
from gateway.ports import Answer, Outgoing, PartnerChannel, Said
from gateway.telemetry.logs import log_from, where
from tests.bench.stage import staffed
from tests.faults import careless
from tests.faults.place import PARTNERS, Jumping, Place, bound
from tests.journey.world import knowledge

KNOWN = staffed(knowledge(), 100_000)
egress.trusted()
log = structlog.get_logger()
SHOWN_S = 0.5
"""So long a new key of ours is shown here before it signs."""
WIRE = ("request.half-sent", "request.sent")
"""Points inside an attempt, on the wire: no verb passes there, so the connection itself is made to pass them."""


def begin(place: Place) -> None:
    """What every process does first: say what it says into the round's file."""
    said = os.open(place.said, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(said, 2)
    log_from(logging.WARNING)
    careless.be(place.careless)


def ready() -> None:
    """Say that this process has begun its work."""
    os.write(2, b'{"event": "actor.ready"}\n')


def worker(place: Place, point: str, rest_s: float = 0.0, **parts: Any) -> None:
    """Deliver to every partner, one thread a partner, until killed; rest so long after every batch."""
    begin(place)
    with place.gateway(KNOWN, failpoint=_for_verbs(point), **parts) as gateway:
        _arm_the_wire(point)
        ready()
        world, name = gateway.world, f"w{os.getpid()}"
        for partner in PARTNERS:
            act = partial(deliver, world, partner, f"{name}-{partner}")
            threading.Thread(target=_again, args=(act, rest_s)).start()
        threading.Event().wait()


def astray(place: Place) -> None:
    """A worker on a host whose clock is what `place.ahead` says."""
    worker(place, "", 0.4, clock=Jumping(place.ahead))


def poisoned(place: Place, mids: frozenset[str]) -> None:
    """A worker that dies of these messages."""
    begin(place)
    with place.gateway(KNOWN) as gateway:
        channels = {p: _Deadly(channel, mids) for p, channel in gateway.world.channels.items()}
        world, name = replace(gateway.world, channels=channels), f"w{os.getpid()}"
        for partner in PARTNERS:
            threading.Thread(target=_again, args=(partial(deliver, world, partner, f"{name}-{partner}"),)).start()
        threading.Event().wait()


class _Deadly:
    """A channel on which some messages kill whoever sends them."""

    def __init__(self, channel: PartnerChannel, mids: frozenset[str]) -> None:
        self._channel, self._mids = channel, mids

    def send(self, message: Outgoing) -> Answer:
        """See `ports.PartnerChannel`."""
        if message.mid in self._mids:
            failpoint.die()
        return self._channel.send(message)

    def ask(self, message: Outgoing, most: int) -> Said:
        """See `ports.PartnerChannel`."""
        return self._channel.ask(message, most)

    def close(self) -> None:
        """See `ports.PartnerChannel`."""
        self._channel.close()


def sleeper(place: Place, bed: str = "attempt.judged") -> None:
    """Deliver to the first partner, but stop at a point, as by SIGSTOP, until somebody wakes it."""
    begin(place)
    once = threading.Lock()

    def reached(point: str) -> None:
        if point == bed and once.acquire(blocking=False):
            os.kill(os.getpid(), signal.SIGSTOP)

    with place.gateway(KNOWN, reached=reached) as gateway:
        _again(lambda: deliver(gateway.world, PARTNERS[0], "sleeper"))


def referrer(place: Place, point: str, rest_s: float = 0.0) -> None:
    """Screen and refer, three cases at a time."""
    begin(place)
    with place.gateway(KNOWN, failpoint=point) as gateway:
        _again(lambda: screen_cases(gateway.world) + refer(gateway.world, 3), rest_s)


def rotator(place: Place, point: str, most: int) -> None:
    """Let one key of ours follow another until there are so many, and keep as acts that they sign."""
    begin(place)
    with place.gateway(KNOWN, failpoint=point) as gateway:
        _again(partial(_rotate, gateway.world, most))


def _rotate(world: World, most: int) -> int:
    with world.store.unit() as unit:
        ours, now = unit.keys.of(US), unit.keys.moment()
    pending = any(row.signs_from and row.signs_from > now for row in ours)
    if not pending and len(ours) < most:
        rotate(world, now + timedelta(seconds=SHOWN_S), by="officer")
    return turn(world)


def judge(place: Place, point: str) -> None:
    """Judge what the partners reported, a few legs at a time."""
    begin(place)
    with place.gateway(KNOWN, failpoint=point) as gateway:
        _again(lambda: judge_changed(gateway.world, 3))


def door(place: Place, point: str, read_s: float = READ_S, **parts: Any) -> None:
    """Open the partners' door, one of several on the same port."""
    begin(place)
    listening = bound(place.door_port)
    listening.listen(2048)
    with place.gateway(KNOWN, failpoint=point, **parts) as gateway, Door(gateway, listening, read_s=read_s):
        ready()
        threading.Event().wait()


def other_door(place: Place, port: int) -> None:
    """A door of the same gateway on a port of its own, whose clock is what `place.ahead` says."""
    door(replace(place, door_port=port, front_port=place.front_port or place.door_port), "", clock=Jumping(place.ahead))


def _again(act: Callable[[], int], rest_s: float = 0.0) -> None:
    """Round after round, as an engine does it: what nobody foresaw is said, and found in what was said."""
    while True:
        done = 0
        try:
            done = act()
        except GatewayError as error:
            log.warning("round.failed", code=error.code)
        except Exception as error:  # noqa: BLE001 - as the engines do
            log.error("round.broken", error=type(error).__name__, at=where(error))  # noqa: TRY400
        time.sleep(rest_s if done else 0.05)


def _for_verbs(point: str) -> str:
    return "" if point.partition(":")[0] in WIRE else point


def _arm_the_wire(point: str) -> None:
    """Let connections write half of a body, or all of it and hear nothing, and then reach the point."""
    name, _, when = point.partition(":")
    if name not in WIRE:
        return
    reached = failpoint.armed([failpoint.Trigger(name, None, float(when))], Random())
    stream: Any = egress._Stream
    write, read = stream.write, stream.read

    def written(self: Any, buffer: bytes, timeout: float | None = None) -> None:
        if not buffer.startswith(b"POST"):
            write(self, buffer[: len(buffer) // 2], timeout)
            reached("request.half-sent")
            buffer = buffer[len(buffer) // 2 :]
        write(self, buffer, timeout)

    def heard(self: Any, most: int, timeout: float | None = None) -> bytes:
        reached("request.sent")
        found: bytes = read(self, most, timeout)
        return found

    stream.write, stream.read = written, heard
