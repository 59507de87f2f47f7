"""Reconciliation lists: what one side says went between the two in a period, signed.

    {"v":1, "iss":"comwel", "aud":"kead", "at":…, "since":…, "until":…, "previous":"<digest>", "answers":null,
     "counts":{"in":1,"out":1},
     "entries":["019ab… <digest of the sealed manifest> in accepted", "019ac… <digest> out delivered"]}

Rules: a list is a compact JWS of type `comwel-list+jwt`. It names every message whose manifest was sealed in
[since, until), so both sides mean the same messages whatever their clocks say; direction is that of its author. Lists
of one author are a chain: each names the one before by its digest. One that answers another names that too, and is
about the same period.

This module refuses entries out of order or twice, counts that do not fit, and lists of somebody else, of another
period, or in answer to another list.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from gateway.errors import DigestMismatch, ManifestInvalid, NotFresh, Place, WrongAudience
from gateway.sealing import base64url, claims, compact
from gateway.sealing.keys import KeyFinder, SigningKey, find
from gateway.sealing.manifest import AHEAD
from gateway.sealing.step import Step

TYP = "comwel-list+jwt"
CONTENT_TYPE = "application/jose"
LONGEST = 16 * 1_048_576
"""Characters of a list: more than a hundred thousand messages with one partner in one day."""


class State(StrEnum):
    """How a message stands, as the author of the list knows it."""

    DELIVERED = "delivered"  # sent, and the receiver's receipt says that he has it
    WAITING = "waiting"  # sent or about to be, and no receipt yet
    GIVEN_UP = "given-up"  # not tried any more, and there is no receipt
    ACCEPTED = "accepted"  # taken in, as our receipt says
    REJECTED = "rejected"  # the receipt says no, whoever gave it


OF_DIRECTION = {
    "out": frozenset({State.DELIVERED, State.WAITING, State.GIVEN_UP, State.REJECTED}),
    "in": frozenset({State.ACCEPTED, State.REJECTED}),
}
_ENTRY = re.compile(
    r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}) ([A-Za-z0-9_-]{43}) (out|in) ([a-z-]{7,9})", re.ASCII
)


class Entry(NamedTuple):
    """One message: its id, the digest of its sealed manifest, its direction as the author sees it, and its state."""

    mid: str
    mjws_s256: str
    direction: str
    state: State

    def __str__(self) -> str:
        return " ".join(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationList:
    """What its author states. Times are seconds since 1970; `previous` and `answers` are digests of lists."""

    iss: str
    aud: str
    at: int
    since: int
    until: int
    previous: str | None
    answers: str | None
    entries: tuple[Entry, ...]

    def of(self, direction: str) -> dict[str, Entry]:
        """Its entries of one direction, by message id."""
        return {entry.mid: entry for entry in self.entries if entry.direction == direction}


def digest_list(jws: str) -> str:
    """The SHA-256 of a list as it travels: its name in later lists."""
    return base64url.encode(sha256(jws.encode()).digest())


_MEMBERS: Mapping[str, claims.Test] = {
    "v": claims.whole(1, 1),
    "iss": claims.PARTY,
    "aud": claims.PARTY,
    "at": claims.SECONDS,
    "since": claims.SECONDS,
    "until": claims.SECONDS,
    "previous": claims.maybe(base64url.is_digest),
    "answers": claims.maybe(base64url.is_digest),
    "counts": lambda value: isinstance(value, dict),
    "entries": lambda value: isinstance(value, list),
}
_COUNTS: Mapping[str, claims.Test] = {"in": claims.whole(0), "out": claims.whole(0)}


def make(stated: ReconciliationList, key: SigningKey) -> str:
    """Return the list as a compact JWS, its entries in order. Raises ManifestInvalid for what `check` would refuse."""
    entries = sorted(stated.entries, key=lambda entry: (entry.mid, entry.direction))
    said = {
        **{name: getattr(stated, name) for name in ("iss", "aud", "at", "since", "until", "previous", "answers")},
        "v": 1,
        "counts": _counted(stated.entries),
        "entries": list(map(str, entries)),
    }
    _list(said)
    return compact.seal(orjson.dumps(said, option=orjson.OPT_SORT_KEYS), typ=TYP, key=key)


def read(jws: str) -> ReconciliationList:
    """Return the list that `jws` spells, **unverified**: for one that we made or checked before."""
    return _list(claims.load(compact.read(jws, typ=TYP, most=LONGEST).payload))


def check(
    jws: str,
    *,
    keys: KeyFinder,
    author: str,
    audience: str,
    answers: str | None = None,
    received: datetime | None = None,
) -> ReconciliationList:
    """Return a list that proves what `author` says of a period.

    `answers` is the list of ours that it must answer, None when it begins the exchange. `received` is when it came to
    hand; without it (our own archive) revocation is judged by the author's word alone.

    Raises ManifestInvalid, KeyRefused, SignatureInvalid, NotFresh, WrongAudience or DigestMismatch, naming the step.
    """
    # 1. It is a compact JWS of its kind, spelled the one way.
    # 2. It states what a list states: entries in order and once, counts that fit, a period that ends after it begins.
    # 3. Its key was valid when it was made, is not revoked since, and is registered for its algorithm.
    # 4. The signature holds.
    # 5. It is from the author, who owns the key, and for us.
    # 6. It is not from the future, and not of a time before its period ended.
    # 7. It answers our list, and is about the same period; or it answers nobody.

    with Step(1, "the compact form"):
        sealed = compact.read(jws, typ=TYP, most=LONGEST)
    with Step(2, "the list"):
        stated = _list(claims.load(sealed.payload))
    made = datetime.fromtimestamp(stated.at, UTC)
    with Step(3, "the key"):
        key = find(keys, sealed.kid, sealed.alg, made=made, received=received)
    with Step(4, "the signature"):
        compact.verify(sealed, key)
    with Step(5, "author and reader"):
        if not stated.iss == key.owner == author or stated.aud != audience:
            raise WrongAudience("not from whom it should be, or not for us")
    with Step(6, "the time"):
        if received is not None and made > received + AHEAD:
            raise NotFresh("made in the future")
        if stated.at + AHEAD.total_seconds() < stated.until:
            raise NotFresh("made before its period had ended")
    with Step(7, "what it answers"):
        _must_answer(stated, answers)
    return stated


def _must_answer(stated: ReconciliationList, asked: str | None) -> None:
    if stated.answers == (digest_list(asked) if asked else None):
        first = read(asked) if asked else stated
        if (stated.since, stated.until) != (first.since, first.until):
            raise DigestMismatch("about another period", place=Place(field="/since"))
        return
    raise NotFresh("the answer to another list", place=Place(field="/answers"))


def _list(said: dict[str, Any]) -> ReconciliationList:
    claims.require(said, _MEMBERS)
    claims.require(said["counts"], _COUNTS, at="/counts")
    entries = tuple(_entries(said["entries"]))
    if said["counts"] != _counted(entries):
        raise ManifestInvalid("the counts are not those of the entries", place=Place(field="/counts"))
    if said["since"] >= said["until"]:
        raise ManifestInvalid("a period ends after it begins", place=Place(field="/until"))
    kept = {name: said[name] for name in ("iss", "aud", "at", "since", "until", "previous", "answers")}
    return ReconciliationList(**kept, entries=entries)


def _entries(lines: Sequence[Any]) -> Iterable[Entry]:
    before = ("", "")
    for index, line in enumerate(lines):
        match = _ENTRY.fullmatch(line) if isinstance(line, str) else None
        if match is None or match[4] not in OF_DIRECTION[match[3]]:
            raise ManifestInvalid("not an entry", place=Place(field=f"/entries/{index}"))
        if (match[1], match[3]) <= before:
            raise ManifestInvalid("out of order, or twice", place=Place(field=f"/entries/{index}"))
        before = (match[1], match[3])
        yield Entry(match[1], match[2], match[3], State(match[4]))


def _counted(entries: Iterable[Entry]) -> dict[str, int]:
    found = Counter(entry.direction for entry in entries)
    return {"in": found["in"], "out": found["out"]}
