"""Builders of sealed things, valid by default; keys are made once per test run."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import orjson

from gateway.sealing import base64url, manifest, receipts
from gateway.sealing.http import sign
from gateway.sealing.keys import KeyRing, SigningKey, VerifyKey, generate
from gateway.sealing.manifest import Manifest, digest_part
from tests.keys import public_half

NOW = datetime(2026, 11, 24, 0, 5, 6, tzinfo=UTC)  # 09:05:06 in Seoul
LATER = NOW + timedelta(days=365)
MID = "019ab3c0-7d2e-7a31-9c55-1f0e5a6b7c8d"
BODY = '{"resourceType":"Bundle","성명":"홍길동"}'.encode()
URL = "https://kead.example/v1/referrals"
NONCE = "q83vEjRWeJCrze8SNFZ4kA"
ALGS = ("ES256", "ES384", "PS256", "Ed25519", "RS256")


def key_of(owner: str, alg: str = "ES256") -> SigningKey:
    return _made_once(owner, alg)


@cache
def _made_once(owner: str, alg: str) -> SigningKey:
    return generate(f"{owner}-2026-11-{alg}", alg)


def record_of(owner: str, alg: str = "ES256", **changes: Any) -> VerifyKey:
    legacy = LATER if alg == "RS256" else None
    record = public_half(key_of(owner, alg), owner, NOW - timedelta(days=30), LATER, legacy_until=legacy)
    return replace(record, **changes)


def ring(*records: VerifyKey) -> KeyRing:
    return KeyRing(records or (record_of("comwel"), record_of("kead"), record_of("keis")))


def manifest_of(**changes: Any) -> Manifest:
    valid = Manifest(
        mid=MID,
        iss="comwel",
        aud="kead",
        iat=int(NOW.timestamp()),
        type="referral.created",
        case="c-7f3a",
        seq=3,
        profile="comwel-referral|1.0.0",
        parts=(digest_part("body", "application/fhir+json", BODY),),
    )
    return replace(valid, **changes)


def sealed(key: SigningKey | None = None, **changes: Any) -> str:
    return manifest.seal(manifest_of(**changes), key or key_of("comwel"))


def receipt_of(jws: str, **changes: Any) -> receipts.Receipt:
    valid = receipts.acknowledge(manifest_of(), jws, receipts.Decision.ACCEPTED, NOW, inbox_seq=41)
    return replace(valid, **changes)


def request_of(jws: str, key: SigningKey | None = None, **changes: Any) -> dict[str, str]:
    arguments = {"created": NOW, "nonce": NONCE, **changes}
    return sign("POST", URL, "application/fhir+json", BODY, MID, jws, key=key or key_of("comwel"), **arguments)


def stated(jws: str) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(base64url.decode(jws.split(".")[1]))
    return found


def forged(payload: bytes, header: bytes | dict[str, Any], key: SigningKey) -> str:
    """A JWS with any header over any payload, correctly signed: only the rules can refuse it."""
    octets = header if isinstance(header, bytes) else orjson.dumps(header)
    signed = f"{base64url.encode(octets)}.{base64url.encode(payload)}"
    return f"{signed}.{base64url.encode(key.sign_jose(signed.encode()))}"
