"""Signing: which key of ours signs now, in every process and on every machine the same.

Rules: when each key begins and ends stands in the store, and what time it is says the store's clock; a process looks
every two seconds, and goes by what it saw for a minute when it cannot look. New keys are shown for longer than that
before they sign, so nobody misses a change; a private half that is not on this machine yet is said beforehand.
Refuses to sign with another key than the one whose turn it is: then nothing is signed here, and messages wait.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog

from gateway.errors import GatewayError, NothingSigns, StoreUnavailable
from gateway.journey.rotate import signer
from gateway.journey.world import US
from gateway.ports import KeyRow, Store
from gateway.sealing.keys import SigningKey, to_jwk

KNOWN_FOR_S, AT_MOST_S = 2.0, 60.0
"""How long what was seen is good; and how long it has to do when the store does not answer."""
NONE = "our signing key is not on the shelf, or not valid now"
ABSENT = "the private half of our signing key is not on this machine"
ANOTHER = "our signing key is another than the one of this name on the shelf"
log = structlog.get_logger()


class _Seen(NamedTuple):
    """Our keys, and what time it was for all of us when this process's ticks were so many."""

    ours: Sequence[KeyRow]
    at: datetime
    ticks: float


@dataclass(slots=True)
class Signing:
    """Call it for the key that signs now. `kept(kid)` is this machine's private half, None when it has none.

    Safe for several threads: one looks, and nobody waits for it who has seen something before.
    """

    store: Store
    kept: Callable[[str], SigningKey | None]
    ticks: Callable[[], float]
    _seen: _Seen | None = None
    _keys: dict[str, SigningKey] = field(default_factory=dict)
    _missed: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> SigningKey:
        """The key whose turn it is. Raises NothingSigns, and StoreUnavailable when that has not been known lately."""
        return self._in_turn(self._look())

    def now(self) -> SigningKey:
        """The same, and looks before it answers: for who asks whether we are ready."""
        with self._lock:
            return self._in_turn(self._read())

    def _in_turn(self, seen: _Seen) -> SigningKey:
        row = signer(seen.ours, seen.at + timedelta(seconds=self.ticks() - seen.ticks))
        if row is None:
            raise NothingSigns(NONE)
        return self._own(row)

    def _look(self) -> _Seen:
        seen = self._seen
        if seen and self.ticks() - seen.ticks < KNOWN_FOR_S:
            return seen
        if not self._lock.acquire(blocking=seen is None):
            return self._fresh_enough(seen)  # somebody else is looking
        try:
            if self._seen is seen:
                self._read()
        except StoreUnavailable:
            return self._fresh_enough(self._seen)
        finally:
            self._lock.release()
        return self._fresh_enough(self._seen)

    def _fresh_enough(self, seen: _Seen | None) -> _Seen:
        if seen is None or self.ticks() - seen.ticks > AT_MOST_S:
            raise StoreUnavailable
        return seen

    def _read(self) -> _Seen:
        with self.store.unit(US) as unit:
            ours, ticks, at = unit.keys.of(US), self.ticks(), unit.keys.moment()
        self._seen = _Seen(ours, at, ticks)
        for row in ours:
            if row.signs_from and row.signs_from > at and not row.revoked_at:
                self._say_beforehand(row)
        return self._seen

    def _say_beforehand(self, row: KeyRow) -> None:
        """A key that will sign, and could not here: people have until then to bring it."""
        try:
            self._own(row)
        except GatewayError:
            if row.kid not in self._missed:
                log.warning("key.missing", subject=row.kid)
            self._missed.add(row.kid)

    def _own(self, row: KeyRow) -> SigningKey:
        key = self._keys.get(row.kid)
        if key is None:
            key = self.kept(row.kid)
            if key is None:
                raise NothingSigns(ABSENT)
            if to_jwk(key) != dict(row.jwk):
                raise NothingSigns(ANOTHER)
            self._keys[row.kid] = key
        return key
