"""The signature schemes the gateway knows, each under its JOSE name and its name in HTTP signatures.

Rules: a scheme is chosen by the key's record, never by what a message claims. ECDSA signatures travel as r‖s of fixed
length (RFC 7518 §3.4), never as DER. RSASSA-PSS has a salt as long as its hash (RFC 7518 §3.5).

This module refuses to know `none`, HMAC, RSA with SHA-1, ES512, ES256K and the deprecated name `EdDSA` (RFC 9864).
RS256 is here only for keys whose record carries a `legacy_until`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

Private = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
Public = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey


class Scheme(NamedTuple):
    """`sign(private, data)` gives a signature, `verify(public, signature, data)` an error unless it holds.

    The errors are InvalidSignature and ValueError and stay in this room: `keys` turns them into SignatureInvalid.
    """

    sign: Callable[[Any, bytes], bytes]
    verify: Callable[[Any, bytes, bytes], None]


class Algorithm(NamedTuple):
    """One row of the table: a JOSE algorithm, the key it needs, and what the same key does in an HTTP signature."""

    kty: str  # JWK key type (RFC 7518 §6.1, RFC 8037 §2)
    crv: str | None  # JWK curve, None for RSA
    jose: Scheme
    http_name: str  # RFC 9421 §6.2.2 registry
    http: Scheme


def _ecdsa(size: int, digest: hashes.HashAlgorithm) -> Scheme:
    """ECDSA with signatures r‖s, each `size` octets big-endian (RFC 7518 §3.4, RFC 9421 §3.3.4)."""
    scheme = ec.ECDSA(digest)

    def sign(private: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
        r, s = decode_dss_signature(private.sign(data, scheme))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    def verify(public: ec.EllipticCurvePublicKey, signature: bytes, data: bytes) -> None:
        r, s = signature[:size], signature[size:]
        if len(s) != size:
            raise ValueError("length")
        public.verify(encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big")), data, scheme)

    return Scheme(sign, verify)


def _rsa(pad: padding.AsymmetricPadding, digest: hashes.HashAlgorithm) -> Scheme:
    return Scheme(
        lambda private, data: private.sign(data, pad, digest),
        lambda public, signature, data: public.verify(signature, data, pad, digest),
    )


def _pss(digest: hashes.HashAlgorithm) -> Scheme:
    return _rsa(padding.PSS(padding.MGF1(digest), digest.digest_size), digest)


_P256 = _ecdsa(32, hashes.SHA256())
_P384 = _ecdsa(48, hashes.SHA384())
_ED25519 = Scheme(
    lambda private, data: private.sign(data),
    lambda public, signature, data: public.verify(signature, data),
)
_RS256 = _rsa(padding.PKCS1v15(), hashes.SHA256())

ALGORITHMS: Mapping[str, Algorithm] = {
    #                    kty    crv        in a JWS              name in RFC 9421     in an HTTP signature
    "ES256": Algorithm("EC", "P-256", _P256, "ecdsa-p256-sha256", _P256),
    "ES384": Algorithm("EC", "P-384", _P384, "ecdsa-p384-sha384", _P384),
    "PS256": Algorithm("RSA", None, _pss(hashes.SHA256()), "rsa-pss-sha512", _pss(hashes.SHA512())),
    "Ed25519": Algorithm("OKP", "Ed25519", _ED25519, "ed25519", _ED25519),
    "RS256": Algorithm("RSA", None, _RS256, "rsa-v1_5-sha256", _RS256),
}

USUAL = frozenset({"ES256", "ES384", "PS256"})
"""What a partner may use without being asked. `Ed25519` is opt-in; `RS256` needs a `legacy_until` besides."""

_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384"}


def key_shape(key: Private | Public) -> tuple[str, str | None]:
    """Return (`kty`, `crv`) of a key; `crv` is None for RSA and OpenSSL's own name for a curve we do not use."""
    if isinstance(key, (rsa.RSAPrivateKey, rsa.RSAPublicKey)):
        return "RSA", None
    if isinstance(key, (ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey)):
        return "EC", _CURVES.get(key.curve.name, key.curve.name)
    return "OKP", "Ed25519"
