"""What the store knows of keys, gates and witnesses, remembered for two seconds.

Rules: what an officer or a partner changes counts within five seconds in every process, and nothing is asked of the
database for every message.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gateway.errors import KeyRefused, Place
from gateway.exchange_log.audit import AuditEvent, actor
from gateway.exchange_log.named import named
from gateway.journey.rotate import EARLY, FIRST, LIFETIME, shown
from gateway.journey.rotate import PURPOSE as TRUST
from gateway.journey.world import US
from gateway.ports import Clock, KeyRow, Store
from gateway.sealing import base64url
from gateway.sealing.keys import KeyFinder, KeyRing, SigningKey, VerifyKey, from_jwk, gate_set, thumbprint, to_jwk
from gateway.store.postgres import PostgresStore
from gateway.store.witnesses import Witnesses

KEYS_KNOWN_FOR_S = 2.0


@dataclass(slots=True)
class KeyShelf:
    """Public keys from the store, remembered for two seconds, so that a revocation counts within five."""

    store: Store
    clock: Clock
    _rings: dict[str, tuple[float, KeyRing]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def finder(self, owner: str) -> KeyFinder:
        """The key finder bound to one owner (any case)."""
        name = owner.lower()
        with self._lock:
            known = self._rings.get(name)
            if known is None or time.monotonic() - known[0] > KEYS_KNOWN_FOR_S:
                known = (time.monotonic(), KeyRing(_verify_key(row) for row in self._of(name)))
                self._rings[name] = known
        return known[1].of(name)

    def add(self, owner: str, jwk: Mapping[str, Any], *, by: str | None = None, signs: bool = False) -> None:
        """Register a public key through the key gate; one that is new is an act.

        Raises KeyRefused, also for the `kid` of another key, and for one that is known and not valid any more.

        `signs`: it is ours, and the first that we sign with; those after it come by `gateway.journey.rotate`.
        """
        now = self.clock.now()
        gate_set({"keys": [dict(jwk)]})
        begins = now - EARLY
        row = KeyRow(
            owner.lower(), str(jwk["kid"]), jwk, begins, now + LIFETIME, None, signs_from=begins if signs else None
        )
        event = _event("key.added", row, by)
        with self.store.unit(event.partner) as unit:
            if unit.keys.add(row):
                unit.commit(event)
            else:
                _must_be(unit.keys.of(row.owner), row, now)
        self._forget(row.owner)

    def revoke(self, owner: str, kid: str, *, by: str | None = None) -> None:
        """From now on believe nothing that is signed with this key. Raises KeyRefused when there is none to revoke."""
        found = next((row for row in self._of(owner.lower()) if row.kid == kid), None)
        if found is None:
            raise KeyRefused("no such key")
        event = _event("key.revoked", found, by)
        with self.store.unit(event.partner) as unit:
            if not unit.keys.revoke(found.owner, kid, self.clock.now()):
                raise KeyRefused("the key is revoked already")
            unit.commit(event)
        self._forget(found.owner)

    def jwks(self, owner: str) -> dict[str, Any]:
        """The public keys of an owner as a JWK set (RFC 7517 §5); of ours those that partners need now."""
        rows = self._of(owner.lower())
        return {"keys": [dict(row.jwk) for row in (shown(rows, self.clock.now()) if owner.lower() == US else rows)]}

    def first(self, make: Callable[[str], SigningKey]) -> None:
        """Let us have a key that signs, if we never had one."""
        if not self._of(US):
            self.add(US, to_jwk(make(FIRST)), signs=True)

    def _of(self, owner: str) -> Sequence[KeyRow]:
        with self.store.unit(owner) as unit:
            return unit.keys.of(owner)

    def _forget(self, owner: str) -> None:
        with self._lock:
            self._rings.pop(owner, None)


@dataclass(slots=True)
class Stops:
    """Which partners an officer has stopped, remembered for two seconds, so that a stop counts within five."""

    store: PostgresStore
    _known: dict[str, tuple[float, bool]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, partner: str) -> bool:
        """Whether nothing is taken from this partner."""
        with self._lock:  # of a crowd one asks the database
            stopped = self.known(partner)
            if stopped is None:
                with self.store.unit(partner) as unit:
                    stopped = unit.lines.stopped(partner)
                self._known[partner] = (time.monotonic(), stopped)
        return stopped

    def known(self, partner: str) -> bool | None:
        """The same from memory alone; None when that is too old."""
        read_at, stopped = self._known.get(partner, (-KEYS_KNOWN_FOR_S, False))
        return None if time.monotonic() - read_at > KEYS_KNOWN_FOR_S else stopped


@dataclass(slots=True)
class Unseen:
    """Whether too few witnesses have cosigned the log for longer than allowed; remembered for two seconds."""

    witnesses: Witnesses
    allowed: timedelta
    _known: tuple[float, bool] = (-KEYS_KNOWN_FOR_S, False)

    def __call__(self) -> bool:
        """Whether nothing may be sent."""
        if time.monotonic() - self._known[0] > KEYS_KNOWN_FOR_S:
            self._known = time.monotonic(), self.witnesses.silence() > self.allowed
        return self._known[1]


def _must_be(known: Sequence[KeyRow], row: KeyRow, now: datetime) -> None:
    """Raises KeyRefused unless the known key of this name is the same, and valid: a name is for one key, for ever."""
    kept = next(one for one in known if one.kid == row.kid)
    if to_jwk(_verify_key(kept)) != to_jwk(_verify_key(row)):
        raise KeyRefused("another key has this kid", place=Place(field="kid"))
    _verify_key(kept).usable(now)


def _event(act: str, row: KeyRow, by: str | None) -> AuditEvent:
    """An act about a key: whose, and its RFC 7638 thumbprint. A partner's is counted with the partner."""
    partner = None if row.owner == US else row.owner.upper()
    subject = named(row.owner, base64url.decode(thumbprint(_verify_key(row).public)))
    return AuditEvent(act=act, actor=actor(by), purpose=TRUST, partner=partner, subject=subject)


def _verify_key(row: KeyRow) -> VerifyKey:
    return from_jwk(row.jwk, row.owner, row.not_before, row.not_after, revoked_at=row.revoked_at)
