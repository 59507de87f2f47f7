"""The leaf of every act, written in the transaction of the act, and the keys its commitments are made with.

Rules: first the keys of the cases, then the numbers in the streams, both in the order of their names; after the numbers
nothing is waited for. So the lock of a stream is held from there to the commit only, and nobody can deadlock on it.
A key is random, kept wrapped, one a case; acts on no case share one that is derived and never destroyed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from hmac import digest
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from gateway.errors import SettingsInvalid
from gateway.exchange_log.audit import AuditEvent
from gateway.exchange_log.leaf import Leaf, commit_body, commit_event, event_key, stream_of
from gateway.ports import Ids
from gateway.store.statements import STATEMENTS as _SQL
from gateway.store.statements import Connection

KEY_BYTES = 32
SENDS_OR_TAKES = frozenset({"referral.prepared", "referral.withdrawn", "message.received"})
"""Acts that bring a message into being here; their leaves commit to its bytes too."""


class CaseKey(NamedTuple):
    """The key of a case, and its random name in leaves; acts on no case have a key without a name."""

    key: bytes
    subj: str | None


class Vault:
    """Makes, wraps and unwraps the keys of cases. `secret` is 32 bytes."""

    def __init__(self, secret: bytes, random: Callable[[int], bytes]) -> None:
        self._secret, self._random = secret, random
        self.of_no_case = CaseKey(digest(secret, b"acts on no case", sha256), None)

    def fresh(self) -> tuple[UUID, bytes]:
        """A new random name and a new wrapped key."""
        return UUID(bytes=self._random(16), version=4), aes_key_wrap(self._secret, self._random(KEY_BYTES))

    def unwrap(self, wrapped: bytes) -> bytes:
        """The key itself. Raises SettingsInvalid when it was wrapped with another secret."""
        try:
            return aes_key_unwrap(self._secret, wrapped)
        except (InvalidUnwrap, ValueError):
            raise SettingsInvalid(
                "keys/vault.secret is not the one that the keys of this database are wrapped with"
            ) from None


class Leaves:
    """Commits the transaction of a connection with its acts and their leaves."""

    def __init__(self, vault: Vault, ids: Ids) -> None:
        self.vault, self._ids = vault, ids
        self._open: set[str] = set()

    def commit(self, connection: Connection, events: Sequence[AuditEvent], made: Mapping[str, bytes]) -> None:
        """Write these acts and commit at once: their streams are locked until then.

        `made`: the digests of the messages that came into being here, by id.
        """
        keys = self._keys(connection, {e.case_no for e in events if e.case_no})
        places = self._places(connection, Counter(stream_of(e) for e in events))
        said: list[tuple[Any, ...]] = []
        for event in events:
            seq, at = places[stream_of(event)].take()
            key = keys[event.case_no] if event.case_no else self.vault.of_no_case
            body = made.get(event.mid or "") if event.act in SENDS_OR_TAKES else None
            leaf = leaf_of(event, self._ids(), seq, at, key, body)
            said.append((leaf.id, at, *_columns(event), leaf.to_bytes()))
        with connection.pipeline():  # one trip, for whoever waits for the same stream
            _SQL.add_events(connection, **dict(zip(_NAMES, map(list, zip(*said, strict=True)), strict=True)))
            connection.commit()

    def _keys(self, connection: Connection, case_nos: Iterable[str]) -> Mapping[str, CaseKey]:
        wanted = sorted(case_nos)
        found = self._found(connection, wanted)
        if missing := [case_no for case_no in wanted if case_no not in found]:
            subjs, wrapped = zip(*(self.vault.fresh() for _ in missing), strict=True)
            _SQL.add_case_keys(connection, case_nos=missing, subjs=list(subjs), wrapped=list(wrapped))
            found |= self._found(connection, missing)
        return found

    def _places(self, connection: Connection, streams: Mapping[str, int]) -> Mapping[str, _Place]:
        """Numbers in these streams. All of them are open before the first is locked: to open one may mean to wait."""
        if (new := sorted(streams.keys() - self._open)) and not _SQL.open_streams(connection, streams=new):
            self._open.update(new)  # somebody's commit has opened them, so they stay
        wanted = {"streams": list(streams), "many": list(streams.values())}
        return {stream: _Place(before, at) for stream, before, at in _SQL.take_places(connection, **wanted)}

    def _found(self, connection: Connection, case_nos: list[str]) -> dict[str, CaseKey]:
        rows = _SQL.keys_of_cases(connection, case_nos=case_nos) if case_nos else ()
        return {case_no: CaseKey(self.vault.unwrap(wrapped), str(subj)) for case_no, subj, wrapped in rows}


class _Place:
    """Numbers of a stream that this transaction has taken, and when."""

    def __init__(self, before: int, at: datetime) -> None:
        self._seq, self._at = before, at.replace(microsecond=at.microsecond // 1000 * 1000)

    def take(self) -> tuple[int, datetime]:
        self._seq += 1
        return self._seq, self._at


def leaf_of(event: AuditEvent, event_id: str, seq: int, at: datetime, case: CaseKey, body: bytes | None) -> Leaf:
    """The one leaf that an act can have."""
    key = event_key(case.key, event_id)
    return Leaf(
        act=event.act,
        at=at,
        id=event_id,
        stream=stream_of(event),
        seq=seq,
        verdict=event.verdict.value,
        code=event.code,
        mid=event.mid,
        subj=case.subj,
        event=commit_event(key, event.statement(at)),
        body=commit_body(key, body) if body else None,
    )


_NAMES = (
    "event_ids", "ats", "acts", "actors", "purposes", "verdicts", "codes", "case_nos", "ref_nos", "partners", "mids",
    "subjects", "counts", "leaves",
)  # fmt: skip


def _columns(e: AuditEvent) -> tuple[Any, ...]:
    counts = orjson.dumps(dict(e.counts)).decode() if e.counts else None
    return (
        e.act,
        e.actor,
        e.purpose,
        e.verdict.value,
        e.code,
        e.case_no,
        e.ref_no,
        e.partner,
        e.mid,
        e.subject,
        counts,
    )
