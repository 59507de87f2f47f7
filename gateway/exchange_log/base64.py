"""Base64 with padding (RFC 4648 §4), as the lines of notes, proofs and witnesses are written in; one spelling only."""

from __future__ import annotations

from base64 import b64decode, b64encode


def decoded(text: str) -> bytes | None:
    """The octets of `text`; None for anything that is not exactly how they are spelled."""
    try:
        raw = b64decode(text, validate=True)
    except ValueError:  # also what is not ASCII
        return None
    return raw if b64encode(raw).decode("ascii") == text else None
