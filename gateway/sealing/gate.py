"""The key gate: which public keys are fit to be believed, before anybody is bound by a signature made with them.

Rules, for a key in JWK form (RFC 7517, RFC 7518 §6, RFC 8037), checked in this order:

    1. it is public and asymmetric: no `oct`, no private member of any key type
    2. it says what it is for: `alg` is allowed to this partner; `use` = "sig" or `key_ops` = ["verify"], agreeing
    3. `kty` and `crv` are those of `alg`
    4. its numbers are spelled one way: base64url without padding, fixed length (EC, OKP), no leading zeros (RSA)
    5. EC P-256, P-384: a point on the curve · Ed25519: not one of the points of small order ·
       RSA: 3072 to 8192 bits (2048 if the key was in use before), e = 65537, odd, no small factor, no ROCA fingerprint
    6. `kid` is the partner's text, or else the RFC 7638 thumbprint

A set is refused as a whole if one of its keys is, if it mixes symmetric with asymmetric keys, or if one of its keys has
no `kid`, by which a signature could name it, or that of another.
joserfc, like most libraries, takes small, ROCA and e = 1 keys; therefore this gate stands in front of everything.

This module refuses to fetch, to follow `x5u`, and to read certificates (`x5c` says nothing here). Keys to encrypt to
are refused too: this gate is for signatures.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import gcd, prod
from typing import Any, NamedTuple

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.errors import KeyRefused, Place
from gateway.sealing import base64url
from gateway.sealing.algorithms import ALGORITHMS, USUAL, Public, key_shape
from gateway.sealing.claims import KID

MAX_KEYS = 16
RSA_NEW, RSA_EXISTING, RSA_MOST = 3072, 2048, 8192
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
_CURVES: Mapping[str, tuple[ec.EllipticCurve, int]] = {"P-256": (ec.SECP256R1(), 32), "P-384": (ec.SECP384R1(), 48)}

# ROCA (CVE-2017-15361): a modulus of the weak generator is a power of 65537 modulo each of these primes.
_ROCA_PRIMES = tuple(p for p in range(3, 168) if all(p % q for q in range(2, p)))
_ROCA_POWERS = {p: frozenset(pow(65537, k, p) for k in range(p)) for p in _ROCA_PRIMES}
_SMALL_FACTORS = 2 * prod(_ROCA_PRIMES)

# The y coordinates, modulo 2^255 - 19, of the eight points of order 1, 2, 4 and 8 on edwards25519.
_FIELD = 2**255 - 19
_ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_SMALL_ORDER = frozenset({0, 1, _FIELD - 1, _ORDER_8, _FIELD - _ORDER_8})


class Material(NamedTuple):
    """A key that has passed the gate; a `VerifyKey` adds whose it is and when it is valid."""

    kid: str
    alg: str
    use: str
    public: Public


def gate(jwk: Mapping[str, Any], *, algs: Collection[str] = USUAL, existing: bool = False) -> Material:
    """Return the key that `jwk` describes. Raises KeyRefused with the member at fault.

    `algs` are the JOSE names allowed to this partner; `existing` lowers the RSA minimum to 2048 bits for a key that
    was in use before it came to us.
    """
    _must_be_public(jwk)
    alg = _purpose(jwk, algs)
    public = _numbers(jwk, alg, RSA_EXISTING if existing else RSA_NEW)
    return Material(_kid(jwk, public), alg, "sig", public)


def gate_set(jwks: Mapping[str, Any]) -> tuple[Material, ...]:
    """Return every key of a JWK set (RFC 7517 §5), in its order. Raises KeyRefused for the whole set."""
    keys = jwks.get("keys") if isinstance(jwks, Mapping) else None
    if not isinstance(keys, list) or not 1 <= len(keys) <= MAX_KEYS:
        raise _refused(f"a set has 1 to {MAX_KEYS} keys", "keys")
    kinds = {isinstance(key, Mapping) and key.get("kty") == "oct" for key in keys}
    if len(kinds) > 1:
        raise _refused("a set must not mix symmetric and asymmetric keys", "keys")
    found = tuple(_gate_at(index, key) for index, key in enumerate(keys))
    if len({material.kid for material in found}) != len(found):
        raise _refused("two keys of a set have the same kid", "keys")
    return found


def thumbprint(key: Public | Mapping[str, Any]) -> str:
    """Return the RFC 7638 thumbprint (SHA-256, base64url, 43 characters) of a public key or of its JWK."""
    jwk = key if isinstance(key, Mapping) else public_members(key)
    wanted = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n"), "OKP": ("crv", "kty", "x")}
    try:
        required = {name: jwk[name] for name in wanted[jwk["kty"]]}
    except (KeyError, TypeError):
        raise _refused("not a public key of a known type", "kty") from None
    return base64url.digest(orjson.dumps(required))


def public_members(public: Public) -> dict[str, str]:
    """Return the members that make up a public key: `kty` and its numbers (RFC 7518 §6, RFC 8037 §2)."""
    kty, crv = key_shape(public)
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        return {"kty": kty, "n": _uint(numbers.n), "e": _uint(numbers.e)}
    if isinstance(public, ed25519.Ed25519PublicKey):
        return {"kty": kty, "crv": str(crv), "x": base64url.encode(public.public_bytes_raw())}
    point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]
    size = len(point) // 2
    return {"kty": kty, "crv": str(crv), "x": base64url.encode(point[:size]), "y": base64url.encode(point[size:])}


def has_roca_fingerprint(modulus: int) -> bool:
    """Whether `modulus` looks as if made by the weak generator of CVE-2017-15361 (chance hit: under 2^-27)."""
    return all(modulus % p in powers for p, powers in _ROCA_POWERS.items())


def _gate_at(index: int, jwk: Any) -> Material:
    try:
        found = gate(jwk)
        if "kid" not in jwk:
            raise _refused("a key in a set needs a kid", "kid")
    except KeyRefused as error:
        raise KeyRefused(error.detail, place=Place(field=f"keys/{index}/{error.place.field}")) from None
    return found


def _refused(why: str, member: str) -> KeyRefused:
    return KeyRefused(why, place=Place(field=member))


def _must_be_public(jwk: Mapping[str, Any]) -> None:
    if not isinstance(jwk, Mapping):
        raise _refused("a key is a JSON object", "kty")
    if jwk.get("kty") == "oct":
        raise _refused("a symmetric key proves nothing to third parties", "kty")
    for member in _PRIVATE:
        if member in jwk:
            raise _refused("private members must never leave their owner; make a new key", member)


def _purpose(jwk: Mapping[str, Any], algs: Collection[str]) -> str:
    alg = jwk.get("alg")
    if not isinstance(alg, str) or alg not in algs or alg not in ALGORITHMS:
        raise _refused("alg is missing or not allowed here", "alg")
    if "use" not in jwk and "key_ops" not in jwk:
        raise _refused("use or key_ops must say what the key is for", "use")
    if jwk.get("use", "sig") != "sig":
        raise _refused("the key is not for signatures", "use")
    if jwk.get("key_ops", ["verify"]) != ["verify"]:
        raise _refused("a public signature key does exactly one thing: verify", "key_ops")
    return alg


def _numbers(jwk: Mapping[str, Any], alg: str, rsa_least: int) -> Public:
    wanted = ALGORITHMS[alg]
    if jwk.get("kty") != wanted.kty:
        raise _refused("kty is not the one of alg", "kty")
    if jwk.get("crv") != wanted.crv:
        raise _refused("crv is not the one of alg", "crv")
    try:
        if wanted.kty == "RSA":
            return _rsa(jwk, rsa_least)
        return _okp(jwk) if wanted.kty == "OKP" else _ec(jwk, str(wanted.crv))
    except (ValueError, UnsupportedAlgorithm):
        raise _refused("the numbers do not make a key", "kty") from None


def _ec(jwk: Mapping[str, Any], crv: str) -> Public:
    curve, size = _CURVES[crv]
    point = b"\x04" + _octets(jwk, "x", size) + _octets(jwk, "y", size)
    return ec.EllipticCurvePublicKey.from_encoded_point(curve, point)


def _okp(jwk: Mapping[str, Any]) -> Public:
    raw = _octets(jwk, "x", 32)
    if int.from_bytes(raw, "little") % 2**255 % _FIELD in _SMALL_ORDER:
        raise _refused("a point of small order fits many signatures", "x")
    return ed25519.Ed25519PublicKey.from_public_bytes(raw)


def _rsa(jwk: Mapping[str, Any], least: int) -> Public:
    n, e = _positive(jwk, "n"), _positive(jwk, "e")
    if not least <= n.bit_length() <= RSA_MOST:
        raise _refused(f"an RSA key has {least} to {RSA_MOST} bits", "n")
    if e != 65537:
        raise _refused("e must be 65537", "e")
    if gcd(n, _SMALL_FACTORS) != 1:
        raise _refused("the modulus has a small factor", "n")
    if has_roca_fingerprint(n):
        raise _refused("the modulus bears the ROCA fingerprint (CVE-2017-15361)", "n")
    return rsa.RSAPublicNumbers(e, n).public_key()


def _octets(jwk: Mapping[str, Any], member: str, size: int | None = None) -> bytes:
    value = jwk.get(member)
    try:
        raw = base64url.decode(value) if isinstance(value, str) else b""
    except ValueError:
        raise _refused("not base64url without padding", member) from None
    if not raw or size not in (None, len(raw)):
        raise _refused("missing or of the wrong length", member)
    return raw


def _positive(jwk: Mapping[str, Any], member: str) -> int:
    raw = _octets(jwk, member)
    if raw[0] == 0:
        raise _refused("leading zeros", member)
    return int.from_bytes(raw, "big")


def _uint(value: int) -> str:
    return base64url.encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _kid(jwk: Mapping[str, Any], public: Public) -> str:
    if "kid" not in jwk:
        return thumbprint(public)
    kid = jwk["kid"]
    if not isinstance(kid, str) or not KID(kid):
        raise _refused("kid must be 1 to 128 printable characters", "kid")
    return kid
