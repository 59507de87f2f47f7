"""How acts name what has a content of its own — a key, a map, a set of rules, a partner's profile: with its digest.

    keis-referral-out|1.0.0/sha256-wAHW3vXkJTDwL7iTuQ0V8VWN7GLR6lmn3FCuOqa1mVQ

The digest is SHA-256 in base64 without padding: in hexadecimal, one in seventy would hold thirteen digits in a row, and
be refused as a resident registration number.
"""

from __future__ import annotations

from base64 import b64encode

_MARK = "/sha256-"


def named(name: str, digest: bytes) -> str:
    """The subject of an act about something with this name and this SHA-256."""
    return f"{name}{_MARK}{b64encode(digest).decode().rstrip('=')}"
