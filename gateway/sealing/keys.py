"""Key records: whose key it is, what it may do and when; and the ring that finds the right one.

Rules:
* the algorithm belongs to the record; a message only repeats it and must repeat it exactly
* a period is half open, [not_before, not_after): a signature made at `not_after` is made too late
* a revocation outranks the period: from `revoked_at` on, nothing new is believed, whatever date it bears
* a `kid` is unique per owner; where two owners use the same `kid`, only a ring bound to one owner finds it
* RS256 needs a `legacy_until`, and ends there

This module refuses to store, to fetch and to know the time: moments arrive as aware datetimes. A private key never
shows in a repr; it is pyca's, or an object that signs like it (a PKCS#11 token).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from gateway.errors import KeyRefused, SignatureInvalid
from gateway.sealing.algorithms import ALGORITHMS, USUAL, Private, Public, Scheme, key_shape
from gateway.sealing.claims import KID
from gateway.sealing.gate import RSA_NEW, Material, gate, gate_set, public_members, thumbprint

__all__ = [
    "KeyFinder",
    "KeyRing",
    "Material",
    "SigningKey",
    "VerifyKey",
    "find",
    "from_jwk",
    "gate",
    "gate_set",
    "generate",
    "thumbprint",
    "to_jwk",
]


@dataclass(frozen=True, slots=True)
class VerifyKey:
    """A public key and its terms. Build it with `from_jwk` when it comes from outside."""

    kid: str
    alg: str
    owner: str  # partner id in lower case, as in `iss`
    public: Public = field(repr=False)
    not_before: datetime
    not_after: datetime | None = None  # None: until replaced or revoked
    revoked_at: datetime | None = None
    legacy_until: datetime | None = None  # RS256 only
    use: str = "sig"

    def __post_init__(self) -> None:
        _must_fit(self.kid, self.alg, self.public)
        if (self.alg == "RS256") != (self.legacy_until is not None):
            raise KeyRefused("RS256, and only RS256, needs a legacy_until")

    def usable(self, at: datetime) -> None:
        """Raise KeyRefused unless a signature made with this key at `at` counts."""
        if self.use != "sig":
            raise KeyRefused("the key is not for signatures")
        if self.revoked_at is not None and at >= self.revoked_at:
            raise KeyRefused("the key is revoked")
        if at < self.not_before:
            raise KeyRefused("the key is not valid yet")
        if (self.not_after is not None and at >= self.not_after) or (
            self.legacy_until is not None and at >= self.legacy_until
        ):
            raise KeyRefused("the key is no longer valid")

    def verify_jose(self, signature: bytes, data: bytes) -> None:
        """Verify a JWS signature (RFC 7515 §5.2). Raises SignatureInvalid."""
        _verify(ALGORITHMS[self.alg].jose, self.public, signature, data)

    def verify_http(self, signature: bytes, data: bytes) -> None:
        """Verify an HTTP signature (RFC 9421 §3.2). Raises SignatureInvalid."""
        _verify(ALGORITHMS[self.alg].http, self.public, signature, data)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key under the name by which others know it."""

    kid: str
    alg: str
    private: Private = field(repr=False)

    def __post_init__(self) -> None:
        _must_fit(self.kid, self.alg, self.private)

    def sign_jose(self, data: bytes) -> bytes:
        """Sign as in a JWS (RFC 7515 §5.1)."""
        return ALGORITHMS[self.alg].jose.sign(self.private, data)

    def sign_http(self, data: bytes) -> bytes:
        """Sign as in an HTTP signature (RFC 9421 §3.1)."""
        return ALGORITHMS[self.alg].http.sign(self.private, data)

    def to_pem(self, password: bytes | None = None) -> bytes:
        """Return the private key as PKCS#8 PEM, encrypted if a password is given."""
        lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        return self.private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)

    @classmethod
    def from_pem(cls, kid: str, alg: str, pem: bytes, password: bytes | None = None) -> SigningKey:
        """Read what `to_pem` wrote. Raises KeyRefused."""
        try:
            private = serialization.load_pem_private_key(pem, password)
        except (ValueError, TypeError):
            raise KeyRefused("not a PKCS#8 PEM key, or another password") from None
        if not isinstance(private, Private):
            raise KeyRefused("a key of this type does not sign here")
        return cls(kid, alg, private)


KeyFinder = Callable[[str, datetime], VerifyKey]
"""(kid, moment of signing) → the key that was valid then. Raises KeyRefused."""


class KeyRing:
    """All keys known to a process, in memory. A ring is itself a KeyFinder. Immutable."""

    __slots__ = ("_by_kid",)

    def __init__(self, keys: Iterable[VerifyKey]) -> None:
        self._by_kid: dict[str, dict[str, VerifyKey]] = {}
        for key in keys:
            if self._by_kid.setdefault(key.kid, {}).setdefault(key.owner, key) is not key:
                raise KeyRefused("an owner has two keys with the same kid")

    def find(self, kid: str, at: datetime) -> VerifyKey:
        """Return the key `kid`, whoever's it is. Raises KeyRefused if unknown, shared by two owners or not valid."""
        found = self._by_kid.get(kid, {})
        if len(found) != 1:
            raise KeyRefused("several owners have a key of this kid" if found else "no such key")
        return _usable(next(iter(found.values())), at)

    __call__ = find

    def of(self, owner: str) -> KeyFinder:
        """Return a finder that knows the keys of `owner` only."""

        def find_of_owner(kid: str, at: datetime) -> VerifyKey:
            key = self._by_kid.get(kid, {}).get(owner)
            if key is None:
                raise KeyRefused("no such key")
            return _usable(key, at)

        return find_of_owner


def find(keys: KeyFinder, kid: str, alg: str, *, made: datetime, received: datetime | None = None) -> VerifyKey:
    """Return the key for a signature said to be made at `made`, and at hand since `received`. Raises KeyRefused.

    The period is judged at `made`; the revocation also at `received`, so that a thief cannot date a signature back.
    Whatever the finder says is checked again: `kid`, period, and the algorithm, which must be the record's.
    """
    key = _usable(keys(kid, made), made)
    if key.kid != kid:
        raise KeyRefused("the finder gave another key")
    if key.revoked_at is not None and received is not None and received >= key.revoked_at:
        raise KeyRefused("the key is revoked")
    if key.alg != alg:
        raise KeyRefused("alg is not the one this key is registered for")
    return key


def generate(kid: str | None = None, alg: str = "ES256") -> SigningKey:
    """Make a new key from the operating system's randomness. Without `kid` it is named by its thumbprint."""
    if alg not in ALGORITHMS:
        raise KeyRefused("no such algorithm")
    makers: Mapping[str, Callable[[], Private]] = {
        "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "Ed25519": ed25519.Ed25519PrivateKey.generate,
    }
    private = makers.get(alg, lambda: rsa.generate_private_key(65537, RSA_NEW))()
    return SigningKey(thumbprint(private.public_key()) if kid is None else kid, alg, private)


def from_jwk(
    jwk: Mapping[str, Any],
    owner: str,
    not_before: datetime,
    not_after: datetime | None = None,
    *,
    algs: Collection[str] = USUAL,
    revoked_at: datetime | None = None,
    legacy_until: datetime | None = None,
) -> VerifyKey:
    """Take a partner's key through the gate and give it its terms. Raises KeyRefused."""
    found = gate(jwk, algs=algs)
    terms = (not_before, not_after, revoked_at, legacy_until)
    return VerifyKey(found.kid, found.alg, owner, found.public, *terms, use=found.use)


def to_jwk(key: VerifyKey | SigningKey) -> dict[str, str]:
    """Return the public half as a JWK that passes the gate: its numbers with `kid`, `alg`, `use`."""
    public = key.public if isinstance(key, VerifyKey) else key.private.public_key()
    return {**public_members(public), "kid": key.kid, "alg": key.alg, "use": "sig"}


def _must_fit(kid: str, alg: str, key: Private | Public) -> None:
    if not KID(kid):
        raise KeyRefused("kid must be 1 to 128 printable characters")
    if alg not in ALGORITHMS or key_shape(key) != (ALGORITHMS[alg].kty, ALGORITHMS[alg].crv):
        raise KeyRefused("the algorithm is unknown or does not fit the key")


def _usable(key: VerifyKey, at: datetime) -> VerifyKey:
    key.usable(at)
    return key


def _verify(scheme: Scheme, public: Public, signature: bytes, data: bytes) -> None:
    try:
        scheme.verify(public, signature, data)
    except (InvalidSignature, ValueError):
        raise SignatureInvalid("not by this key over these bytes") from None
