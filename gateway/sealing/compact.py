"""The compact JWS (RFC 7515 §7.1) under manifests and receipts: tiny and strict, on pyca directly.

Rules: three parts of canonical base64url; a protected header with exactly `alg`, `kid` and `typ`; `typ` is the one
expected (RFC 8725 §3.11). The algorithm is the one of the key's record, and the header must repeat it.

This module refuses every other header member, and with it `crit`, `b64`, `jwk`, `jku`, `x5c`, `x5u`, `zip`, `cty`;
the JSON serialisation; detached payloads; `none`, which is no algorithm of any key.
"""

from __future__ import annotations

from typing import NamedTuple

import orjson

from gateway.errors import ManifestInvalid
from gateway.sealing import base64url
from gateway.sealing.algorithms import ALGORITHMS
from gateway.sealing.claims import KID, load, one_of, require
from gateway.sealing.keys import SigningKey, VerifyKey

MAX_LENGTH = 8_192  # characters; a request has 16 kB for all its headers


class Compact(NamedTuple):
    """A JWS taken apart. Nothing in it is believed yet: `verify` says whether it may be."""

    alg: str
    kid: str
    payload: bytes
    signed: bytes  # the JWS signing input, as it came
    signature: bytes


def seal(payload: bytes, *, typ: str, key: SigningKey) -> str:
    """Return the compact JWS over `payload`. ES256 is randomised: seal once, store, and send the stored text."""
    header = orjson.dumps({"alg": key.alg, "kid": key.kid, "typ": typ})
    signed = f"{base64url.encode(header)}.{base64url.encode(payload)}"
    return f"{signed}.{base64url.encode(key.sign_jose(signed.encode('ascii')))}"


def read(jws: str, *, typ: str, most: int = MAX_LENGTH) -> Compact:
    """Take `jws` apart. Raises ManifestInvalid unless it is a compact JWS of kind `typ`, spelled the one way."""
    if len(jws) > most:
        raise ManifestInvalid(f"longer than {most} characters")
    parts = jws.split(".")
    if len(parts) != 3:
        raise ManifestInvalid("not three parts")
    try:
        header, payload, signature = map(base64url.decode, parts)
    except ValueError:
        raise ManifestInvalid("not base64url without padding") from None
    found = load(header)
    require(found, {"alg": one_of(ALGORITHMS), "kid": KID, "typ": one_of([typ])})
    signed = jws[: jws.rindex(".")].encode("ascii")
    return Compact(found["alg"], found["kid"], payload, signed, signature)


def verify(jws: Compact, key: VerifyKey) -> None:
    """Raise SignatureInvalid unless `key` made this JWS. (`keys.find` has compared `alg` with the key's record.)"""
    key.verify_jose(jws.signature, jws.signed)
