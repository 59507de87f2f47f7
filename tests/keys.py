"""The public half of a key, as whoever knows its owner keeps it."""

from __future__ import annotations

from datetime import datetime

from gateway.sealing.keys import SigningKey, VerifyKey


def public_half(
    key: SigningKey,
    owner: str,
    not_before: datetime,
    not_after: datetime | None = None,
    *,
    legacy_until: datetime | None = None,
) -> VerifyKey:
    """A record of `owner`. Raises KeyRefused where the record itself does: an RS256 key without `legacy_until`."""
    public = key.private.public_key()
    return VerifyKey(key.kid, key.alg, owner, public, not_before, not_after, legacy_until=legacy_until)
