"""Failpoints: named places on the way of a message at which a test lets this process die, as by kill -9.

Rules: the list is closed; a point that is hit says so in one line on the standard error stream, with one system call,
before the process is gone, so that hits can be counted and need not be assumed. Which points are armed is read by
`gateway.config`, and only where the environment says that this is a test.
Refuses to do anything else than die: no errors, no delays, nothing that a verb could handle.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import NamedTuple

POINTS = {
    # outbound
    "refer.written": "referrals and messages are written, not committed",
    "refer.committed": "they are committed, and nobody is woken yet",
    "refer.woken": "deliveries are woken, and nothing is claimed yet",
    "outbox.claimed": "the lease is committed, and nothing is tried yet",
    "attempt.answered": "the partner has answered, and its receipt is not verified",
    "attempt.judged": "the receipt is verified, and nothing is written",
    "delivery.written": "what became of a batch is written, not committed",
    "delivery.retried": "another attempt is due, written, not committed",
    "delivery.buried": "a message is given up, written, not committed",
    "line.turned": "the line to a partner is opened or closed by the breaker, written, not committed",
    "delivery.committed": "what became of a batch is committed",
    # inbound
    "request.read": "a partner's request is read",
    "inbound.proven": "it is proven, and no transaction has begun",
    "inbound.fresh": "its nonce is used",
    "inbound.remembered": "its message id is in the inbox",
    "inbound.written": "everything it changes is written, not committed",
    "inbound.committed": "it is committed, and the receipt has not left",
    "request.answered": "the answer has left",
    "receipt.found": "a partner asks for a receipt again; it is found and has not left",
    "outcome.judged": "what outcomes mean is written, not committed",
    # our signing key
    "key.made": "the private half of a new key of ours is a file, and nobody has heard of the key",
    "key.written": "the new key and the end of the one before are written, not committed",
    "key.committed": "they are committed: the new key is shown, and signs later",
    "key.turned": "that it began to sign, or that one ended, is written as an act, not committed",
    # exchange log
    "log.waiting": "leaves are due, and the log is not locked",
    "log.taken": "they are taken out of the queue and put in their places",
    "log.grown": "the tiles are written, not the checkpoint",
    "log.signed": "the checkpoint and the new head are written, not committed",
    "log.committed": "it is committed, and nothing is published",
    "log.tiled": "the tiles are published, not the checkpoint",
    "log.naming": "the new checkpoint is a whole file without its name",
    "log.published": "it is published, and no witness is asked",
    "log.cosigned": "a witness has cosigned it, which is written, not committed",
}


class Trigger(NamedTuple):
    """When a point is hit: at its `nth` passing, or each time with a probability."""

    point: str
    nth: int | None
    probability: float


def read(text: str) -> list[Trigger]:
    """Triggers from `point:probability|nth`, separated by commas; `0.1` is a probability, `3` a count.

    Raises ValueError for a point that is not in the list and for a number that is neither.
    """
    return [_trigger(*one.partition(":")) for one in text.split(",") if one]


def _trigger(point: str, _: str, when: str) -> Trigger:
    if point not in POINTS:
        raise ValueError("no such failpoint")
    if when.isdecimal() and int(when) > 0:
        return Trigger(point, int(when), 0.0)
    if not 0.0 < float(when) <= 1.0:
        raise ValueError("neither a probability nor a count")
    return Trigger(point, None, float(when))


def die() -> None:
    """End this process at once: no handler runs, no buffer is written."""
    os.kill(os.getpid(), signal.SIGKILL)


def armed(triggers: list[Trigger], rng: Random, end: Callable[[], None] = die) -> Callable[[str], None]:
    """What verbs tell which point they have reached; the right one ends the process. Safe for several threads."""
    by_point, passed, lock = {t.point: t for t in triggers}, Counter[str](), threading.Lock()

    def reached(point: str) -> None:
        trigger = by_point.get(point)
        if trigger is None:
            return
        with lock:
            passed[point] += 1
            if passed[point] == trigger.nth or rng.random() < trigger.probability:
                os.write(2, f'{{"event": "failpoint.hit", "subject": "{point}"}}\n'.encode())
                end()

    return reached
