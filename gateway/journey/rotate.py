"""Rotate: another key of ours takes over at a stated moment; the one before stays good for what it has signed.

Rules: all moments are of the store's clock, which all processes share. The private half is a file before anybody hears
of the key. Partners are shown the key before the first signature is made with it, for longer than they may keep a set
that they fetched; the key before it ends a day after that moment, and is shown for as long as a message that it sealed
may come again. A key is valid before it signs, also when that moment is brought forward. That a key is there, from when
it signs, that it does and that it ended are acts of their own.
Refuses a second rotation while one is pending, a moment that is too soon, and more keys than a partner takes in one set
(`gateway.sealing.gate`). When no key of ours can sign any more, there is nothing to wait for, and any moment is right.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from gateway.errors import RotationRefused
from gateway.exchange_log.audit import AuditEvent, actor, moment
from gateway.exchange_log.named import named
from gateway.journey.world import US, World
from gateway.ports import KeyRow, Unit
from gateway.sealing import base64url
from gateway.sealing.gate import MAX_KEYS
from gateway.sealing.keys import thumbprint, to_jwk
from gateway.sealing.manifest import OLDEST

PURPOSE = "trust"
ALONE = "rotate"
FIRST = "comwel-1"
DAY = timedelta(days=1)
USUALLY = DAY
"""So long a new key is shown before it signs, when nobody says when it shall begin."""
OVERLAP = DAY
"""So long the key before is valid beside it: more than any attempt, lease or clock may be late."""
EARLY = timedelta(minutes=5)
"""A host whose clock is behind signs with a key before its moment, as it believes."""
LIFETIME = timedelta(days=730)
SHOWN = OLDEST + DAY
"""So long after its end a key is shown: no manifest is accepted that is older than `OLDEST`."""


class Rotation(NamedTuple):
    """The key that will sign, from when, and the one that it follows, with its end; None when none could sign."""

    kid: str
    signs_from: datetime
    before: str | None
    ends: datetime | None


def signer(ours: Sequence[KeyRow], at: datetime) -> KeyRow | None:
    """The key of ours that signs at a moment: of those that have begun and have not ended, the one that began last."""
    begun = [r for r in ours if r.signs_from and r.signs_from <= at < r.not_after and r.revoked_at is None]
    return max(begun, key=lambda r: (r.signs_from or at, r.kid), default=None)


def shown(ours: Sequence[KeyRow], at: datetime) -> list[KeyRow]:
    """The keys of ours that partners need: all that may sign, and those whose messages may still come to them."""
    return [r for r in ours if r.revoked_at is None and at < r.not_after + SHOWN]


def rotate(world: World, begins: datetime | None = None, *, by: str) -> Rotation:
    """Let a new key of ours sign from `begins` on; unset: in a day. Raises NoOfficer and RotationRefused.

    Who dies on the way leaves everything as it was, or the rotation pending; asked again, the same key is taken up.
    """
    # 1 may another key follow, and from when?
    # 2 its private half, in a file of this machine, before anybody hears of it
    # 3 the new key from its moment on, the one before until a day later, and the acts: one commit
    by = actor(by)
    with world.store.alone(ALONE) as mine, world.store.unit() as unit:
        if not mine:
            raise RotationRefused("somebody else is at it")
        ours, now = unit.keys.of(US), unit.keys.moment()
        before, begins = signer(ours, now), begins or now + USUALLY  # 1
        pending = next((r for r in ours if r.signs_from and r.signs_from > now and not r.revoked_at), None)
        _require_fit(world, ours, before, pending, begins, now)
        kid = pending.kid if pending else _next(ours)
        public = to_jwk(world.make_key(kid))  # 2
        world.reached("key.made")
        row = KeyRow(US, kid, public, begins - EARLY, begins + LIFETIME, None, begins)  # 3
        acts = [] if pending else [_event("key.added", row, by)]
        if not unit.keys.add(row):
            unit.keys.schedule(US, kid, begins, not_before=row.not_before)
        if before:
            unit.keys.end(US, before.kid, begins + OVERLAP)
        scheduled = AuditEvent("key.scheduled", by, PURPOSE, subject=f"{kid}/{moment(begins)}")
        world.reached("key.written")
        unit.commit(*acts, scheduled)
        world.reached("key.committed")
    return Rotation(kid, begins, before.kid if before else None, begins + OVERLAP if before else None)


def _require_fit(
    world: World,
    ours: Sequence[KeyRow],
    before: KeyRow | None,
    pending: KeyRow | None,
    begins: datetime,
    now: datetime,
) -> None:
    if before is None:
        return  # nothing of ours is believed any more: whatever helps is right, and right now
    if pending:
        raise RotationRefused(f"{pending.kid} is pending, it signs from {moment(pending.signs_from or now)}")
    if begins < now + timedelta(seconds=world.limits.keys_cached_s):
        raise RotationRefused(f"partners may keep the old set for {world.limits.keys_cached_s:.0f} s")
    if begins >= before.not_after:
        raise RotationRefused(f"{before.kid} ends before, on {moment(before.not_after)}")
    if len(shown(ours, now)) >= MAX_KEYS:
        raise RotationRefused(f"partners take {MAX_KEYS} keys in a set, and are shown as many")


def _next(ours: Sequence[KeyRow]) -> str:
    stem = FIRST.rpartition("-")[0]
    numbers = [int(m[1]) for r in ours if (m := re.fullmatch(rf"{stem}-([0-9]+)", r.kid))]
    return f"{stem}-{max(numbers, default=0) + 1}"


def turn(world: World) -> int:
    """Keep as acts which keys of ours began to sign or ended since somebody last looked; returns how many."""
    with world.store.unit() as unit:
        acts = _turned(unit)
        if acts:
            world.reached("key.turned")
            unit.commit(*acts)
    return len(acts)


def _turned(unit: Unit) -> list[AuditEvent]:
    began, ended = unit.keys.turn(US)
    ordered = sorted(began, key=lambda r: (r.signs_from or r.not_before, r.kid))
    return [
        *(_event("key.activated", row) for row in ordered),
        *(_event("key.ended", row) for row in sorted(ended, key=lambda r: (r.not_after, r.kid))),
    ]


def _event(act: str, row: KeyRow, by: str | None = None) -> AuditEvent:
    return AuditEvent(act, actor(by), PURPOSE, subject=named(row.owner, base64url.decode(thumbprint(row.jwk))))
