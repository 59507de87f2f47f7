"""Public keys with their validity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol


class KeyRow(NamedTuple):
    """A public key and its validity."""

    owner: str
    kid: str
    jwk: Mapping[str, Any]
    not_before: datetime
    not_after: datetime
    revoked_at: datetime | None
    signs_from: datetime | None = None
    """From when we sign with it ourselves; None: its owner does, or nobody any more."""


class TurnedKeys(NamedTuple):
    """Keys of ours that began to sign, and those whose time is over, since somebody last looked."""

    began: Sequence[KeyRow]
    ended: Sequence[KeyRow]


class Keys(Protocol):
    """Public keys with their validity. A unit for one partner sees that partner's."""

    def add(self, row: KeyRow) -> bool:
        """False when the owner has a key of this kid already; it stays as it is."""
        ...

    def of(self, owner: str) -> Sequence[KeyRow]: ...

    def revoke(self, owner: str, kid: str, at: datetime) -> bool:
        """Nothing signed after `at` counts. False when there is no such key, or it is revoked already."""
        ...

    def moment(self) -> datetime:
        """Now, by the clock that all processes share: the store's."""
        ...

    def schedule(self, owner: str, kid: str, signs_from: datetime, *, not_before: datetime) -> None:
        """Let a key that has not begun to sign begin at another moment, valid from `not_before` at the latest."""
        ...

    def end(self, owner: str, kid: str, not_after: datetime) -> None:
        """Let the validity of a key end at this moment, if it does not end before."""
        ...

    def turn(self, owner: str) -> TurnedKeys:
        """What began to sign and what ended up to now; each key is named once for either."""
        ...
