"""The pretend partner's keys: its own, made at the first start, and the gateway's, given to it as a file.

Rules: `own.jwk` is private, readable by its owner only, and never leaves the folder; its public half is served as a JWK
set. `gateway.jwks.json` may be replaced at any time (key rotation): it is read again when a key is not found. Keys pass
the gate of `gateway.sealing.keys`. This module refuses to fetch keys from anywhere.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import orjson
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.documents import strict_json
from gateway.errors import KeyRefused
from gateway.sealing import base64url
from gateway.sealing.keys import KeyFinder, KeyRing, SigningKey, VerifyKey, from_jwk, gate_set, generate, to_jwk

Clock = Callable[[], datetime]
EVER = datetime(2000, 1, 1, tzinfo=UTC)
GATEWAY = "comwel"


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


class GatewayKeys:
    """Finds the gateway's keys by kid in `gateway.jwks.json`; it is itself a KeyFinder."""

    def __init__(self, home: Path) -> None:
        self._path = home / "gateway.jwks.json"
        self._seen: int | None = None
        self._ring = KeyRing(())

    def __call__(self, kid: str, at: datetime) -> VerifyKey:
        """The key `kid` of the gateway. Raises KeyRefused when the file has none."""
        try:
            return self._ring.find(kid, at)
        except KeyRefused:
            self._read_again()
            return self._ring.find(kid, at)

    def _read_again(self) -> None:
        try:
            changed = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            raise KeyRefused("the gateway's keys (gateway.jwks.json) are not here yet") from None
        if changed != self._seen:
            jwks = strict_json.loads(self._path.read_bytes())
            gate_set(jwks)
            self._ring = KeyRing(from_jwk(jwk, GATEWAY, EVER) for jwk in jwks["keys"])
            self._seen = changed


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
