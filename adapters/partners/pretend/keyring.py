"""The pretend partner's keys: its own, made at the first start, and the gateway's, given to it once and fetched since.

Rules: `own.jwk` is private, readable by its owner only, and never leaves the folder; its public half is served as a JWK
set. `gateway.jwks.json` is what the partner was given when it was introduced. A newer set is fetched from the gateway
when a key is not found or the set is older than the gateway said it may become, and takes the place of the file; so a
rotation over there needs nobody here. Keys pass the gate of `gateway.sealing.keys`.
Refuses to be driven: who sends unknown kids makes it fetch once in five seconds, and what is no good set is not kept.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import orjson
from cryptography.hazmat.primitives.asymmetric import ec

from gateway import wholefile
from gateway.documents import strict_json
from gateway.errors import DocumentRefused, KeyRefused
from gateway.sealing import base64url
from gateway.sealing.keys import KeyFinder, KeyRing, SigningKey, VerifyKey, from_jwk, gate_set, generate, to_jwk

Clock = Callable[[], datetime]
EVER = datetime(2000, 1, 1, tzinfo=UTC)
GATEWAY = "comwel"
AGAIN_S, KEEP_S = 5.0, 3600.0
"""The gateway is asked no sooner again than this; and so long a set is good that says nothing about it."""


class Seals(NamedTuple):
    """What sealing needs: our key, the gateway's keys, the real time."""

    own: SigningKey
    gateway: KeyFinder
    now: Clock


def own_key(home: Path, partner: str) -> SigningKey:
    """Read `own.jwk`, or make it. The kid is the partner's id and the beginning of the key's thumbprint."""
    path = home / "own.jwk"
    if not path.exists():
        _keep(path, _generated(partner))
    jwk = strict_json.loads(path.read_bytes())
    private = ec.derive_private_key(int.from_bytes(base64url.decode(jwk["d"]), "big"), ec.SECP256R1())
    return SigningKey(jwk["kid"], jwk["alg"], private)


def public_set(key: SigningKey) -> bytes:
    """The JWK set (RFC 7517 §5) with the public half of `key`."""
    return orjson.dumps({"keys": [to_jwk(key)]})


class Fetched(NamedTuple):
    """A JWK set as it came, and for how long it may be kept, in seconds."""

    jwks: bytes
    keep_s: float


Fetch = Callable[[], Fetched | None]
"""Asks the gateway for its keys; None when there was no answer."""


def nowhere() -> Fetched | None:
    """There is nobody to ask."""
    return None


class GatewayKeys:
    """Finds the gateway's keys by kid; it is itself a KeyFinder. `ticks` counts seconds."""

    def __init__(
        self,
        home: Path,
        fetch: Fetch = nowhere,
        *,
        ticks: Callable[[], float] = time.monotonic,
        again_s: float = AGAIN_S,
    ) -> None:
        self._path, self._fetch, self._ticks, self._again_s = home / "gateway.jwks.json", fetch, ticks, again_s
        self._seen: int | None = None
        self._ring = KeyRing(())
        self._asked_at, self._old_at = -again_s, ticks() + KEEP_S

    def __call__(self, kid: str, at: datetime) -> VerifyKey:
        """The key `kid` of the gateway. Raises KeyRefused when neither file nor gateway has one."""
        if self._ticks() >= self._old_at:
            with contextlib.suppress(KeyRefused):
                self._ask()
        for look_again in (self._read_again, self._ask):
            with contextlib.suppress(KeyRefused):
                return self._ring.find(kid, at)
            with contextlib.suppress(KeyRefused):
                look_again()
        return self._ring.find(kid, at)

    def _read_again(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            changed = self._path.stat().st_mtime_ns
            if changed != self._seen:
                self._take(self._path.read_bytes())
                self._seen = changed

    def _ask(self) -> None:
        now = self._ticks()
        if now - self._asked_at < self._again_s:
            return
        self._asked_at = now
        found = self._fetch()
        if found is None:
            return
        self._take(found.jwks)
        self._old_at = now + found.keep_s
        wholefile.write(self._path, found.jwks)

    def _take(self, raw: bytes) -> None:
        """Believe a set. Raises KeyRefused, and goes by the one before, when it is no good."""
        try:
            jwks = strict_json.loads(raw)
        except DocumentRefused:
            raise KeyRefused("not a JWK set") from None
        gate_set(jwks)
        self._ring = KeyRing(from_jwk(jwk, GATEWAY, EVER) for jwk in jwks["keys"])


def _generated(partner: str) -> SigningKey:
    key = generate()
    return SigningKey(f"{partner}-{key.kid[:8]}", key.alg, key.private)


def _keep(path: Path, key: SigningKey) -> None:
    private = key.private
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise KeyRefused("own.jwk holds an EC key")
    secret = base64url.encode(private.private_numbers().private_value.to_bytes(32, "big"))
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "wb") as out:
        out.write(orjson.dumps({**to_jwk(key), "d": secret}))
