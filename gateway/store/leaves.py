"""The leaf of every act, written in the transaction of the act, and the keys its commitments are made with.

Rules: first the keys of the cases, then the numbers in the streams, both in the order of their names; after the numbers
nothing is waited for but the signatures of receipts, which promise these leaves and are written with them, in the same
trip as the commit. So the lock of a stream is held from there to the commit only, and nobody can deadlock on it.
Keys are the vault's (`gateway.store.vault`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from gateway.exchange_log import tree
from gateway.exchange_log.audit import AuditEvent, Verdict, moment
from gateway.exchange_log.leaf import BRINGS_A_MESSAGE, Leaf, commit_body, commit_event, event_key, stream_of
from gateway.ports import Ids
from gateway.sealing import base64url
from gateway.sealing.receipts import Promise
from gateway.store.statements import STATEMENTS as _SQL
from gateway.store.statements import Connection
from gateway.store.vault import CaseKey, CaseKeys, Vault

MOST = 2**53
"""Whole numbers that JSON holds to the last digit are smaller."""
TOGETHER = 64
"""Acts that are written in one trip with their commit: some 50 kB, and as much for their receipts."""


class Numbered(NamedTuple):
    """An act with its number: its leaf, as bytes too, and the row that auditors read."""

    leaf: Leaf
    raw: bytes
    row: Mapping[str, Any]


class Leaves:
    """Commits the transaction of a connection with its acts and their leaves; `name` is the log's, without the year."""

    def __init__(self, vault: Vault, ids: Ids, name: str) -> None:
        self.vault, self._ids, self._name = vault, ids, name
        self._open: set[str] = set()

    def number(
        self, connection: Connection, events: Sequence[AuditEvent], made: Mapping[str, bytes], keys: CaseKeys
    ) -> list[Numbered]:
        """Give these acts their numbers and leaves. Their streams are locked until `commit`, which comes next.

        `made`: the digests of the messages that came into being here, by id; `keys`: those met on the way.
        """
        of_acts = keys.of_acts(e.case_no for e in events if e.case_no)
        places = self._places(connection, Counter(stream_of(e) for e in events))
        numbered: list[Numbered] = []
        for event in events:
            seq, at = places[stream_of(event)].take()
            key = of_acts[event.case_no] if event.case_no else self.vault.of_no_case
            body = made.get(event.mid or "") if event.act in BRINGS_A_MESSAGE else None
            leaf = leaf_of(event, self._ids(), seq, at, key, body)
            numbered.append(Numbered(leaf, leaf.to_bytes(), _row(event, leaf)))
        return numbered

    def promise(self, one: Numbered) -> Promise:
        """What a receipt may promise of this act."""
        hash_ = base64url.encode(tree.leaf_hash(one.raw))
        return Promise(self._name, hash_, one.leaf.stream, one.leaf.seq, moment(one.leaf.at))

    def commit(self, connection: Connection, numbered: Sequence[Numbered], receipts: str | None) -> None:
        """Write acts, leaves and `receipts` (rows as JSON) and commit: one trip, for whoever waits for the stream.

        Of many acts only the last go with the commit: what does not fit into the socket's buffer is not sent on while
        the driver waits for the answers to all of it.
        """
        *before, last = [numbered[at : at + TOGETHER] for at in range(0, len(numbered), TOGETHER)]
        for some in before:
            _add(connection, some)
        if before and receipts:
            _SQL.add_receipts(connection, receipts=receipts)
        with connection.pipeline():
            if receipts and not before:
                _SQL.add_receipts(connection, receipts=receipts)
            _add(connection, last)
            connection.commit()

    def _places(self, connection: Connection, streams: Mapping[str, int]) -> Mapping[str, _Place]:
        """Numbers in these streams. All of them are open before the first is locked: to open one may mean to wait."""
        if (new := sorted(streams.keys() - self._open)) and not _SQL.open_streams(connection, streams=new):
            self._open.update(new)  # somebody's commit has opened them, so they stay
        return {stream: _Place(before, at) for stream, before, at in take_places(connection, streams)}


class _Place:
    """Numbers of a stream that this transaction has taken, and when."""

    def __init__(self, before: int, at: datetime) -> None:
        self._seq, self._at = before, at.replace(microsecond=at.microsecond // 1000 * 1000)

    def take(self) -> tuple[int, datetime]:
        self._seq += 1
        return self._seq, self._at


def take_places(connection: Connection, streams: Mapping[str, int]) -> Sequence[tuple[str, int, datetime]]:
    """So many numbers in each of these open streams: the stream, the number before them, and when they were taken."""
    if len(streams) == 1:
        [(stream, many)] = streams.items()
        return [_SQL.take_place(connection, stream=stream, many=many)]
    found: Sequence[tuple[str, int, datetime]] = _SQL.take_places(connection, wanted=orjson.dumps(streams).decode())
    return found


def _add(connection: Connection, numbered: Sequence[Numbered]) -> None:
    rows = [{**one.row, "leaf": one.raw.decode()} for one in numbered]
    _SQL.add_events(connection, events=orjson.dumps(rows).decode())


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


_TEXTS = ("act", "actor", "purpose", "verdict", "code", "case_no", "ref_no", "partner", "mid", "subject")
EVENT_COLUMNS = (*_TEXTS, "counts")
"""What `audit_event` holds of an act beside its time and its id, in the order in which every statement selects it."""


def event_of(columns: Sequence[Any]) -> AuditEvent:
    """The act in `EVENT_COLUMNS`. Raises ValueError when they hold what no act may hold."""
    act, actor, purpose, verdict, code, case_no, ref_no, partner, mid, subject, counts = columns
    if not _are_counts(counts or {}):
        raise ValueError("an act counts in whole numbers")
    about = (code, case_no, ref_no, partner, mid, subject)
    return AuditEvent(act, actor, purpose, Verdict(verdict), *about, counts or {})


def _are_counts(found: object) -> bool:
    return isinstance(found, dict) and all(type(number) is int and abs(number) < MOST for number in found.values())


def _row(event: AuditEvent, leaf: Leaf) -> dict[str, Any]:
    """The columns of `audit_event`; what is left out is null."""
    said = {name: value for name in _TEXTS if (value := getattr(event, name)) is not None}
    if event.counts:
        said["counts"] = dict(event.counts)
    return {**said, "event_id": leaf.id, "at": leaf.at}
