"""Base64url without padding, exactly one spelling for every value (RFC 7515 §2, RFC 4648 §3.5).

Refuses padding, white space, the other alphabet and unused bits that are not zero: what was signed in one spelling
must not be readable in another.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256


def encode(raw: bytes) -> str:
    """Return `raw` as base64url text without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """Return the octets of `text`. Raises ValueError unless `text` is exactly what `encode` gives for them."""
    raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encode(raw) != text:
        raise ValueError("not canonical base64url")
    return raw


def digest(raw: bytes) -> str:
    """Return the SHA-256 of `raw` as 43 characters of base64url."""
    return encode(sha256(raw).digest())


def is_digest(value: object) -> bool:
    """Whether `value` is text that `digest` could have made."""
    try:
        return isinstance(value, str) and len(decode(value)) == sha256().digest_size
    except ValueError:
        return False
