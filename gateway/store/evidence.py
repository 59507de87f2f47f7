"""What the log can prove about some acts, all of it seen at one moment: leaves, proofs, heads, and what opens them.

Rules: proofs lead to the newest head that enough witnesses have cosigned, or, when that one does not hold the acts yet,
to the newest; it continues the first one that held any of them.
A leaf is opened with the key of its own act, which opens no other. Refuses to open what a destroyed key has closed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from gateway.exchange_log import proof, tree
from gateway.exchange_log.leaf import event_key, read
from gateway.exchange_log.note import Verifier
from gateway.exchange_log.policy import Policy
from gateway.ports import Evidence, LogSeen, ProvenAct
from gateway.store.leaves import event_of
from gateway.store.publisher import newest_note
from gateway.store.sequencer import Head, hashes_of, heads_of
from gateway.store.statements import STATEMENTS as _SQL
from gateway.store.statements import Connection
from gateway.store.vault import Vault
from gateway.store.witnesses import witnessed


class _Opening(NamedTuple):
    """An act's statement, the key of its commitments, and the name of its case in leaves."""

    statement: bytes
    key: bytes
    subj: str | None


def evidence(connection: Connection, vault: Vault, policy: Policy, ids: Sequence[str]) -> Evidence:
    """Those of these acts that have their place; `policy` says which head has witnesses enough."""
    heads = {head.shard: head for head in heads_of(connection)}
    openings = dict(_openings(connection, vault, ids))
    acts: list[ProvenAct] = []
    logs: list[LogSeen] = []
    found = _SQL.entries_of_events(connection, event_ids=list(ids))
    for shard, entries in groupby(list(found), key=lambda row: row[0]):
        head, placed = heads[shard], [row[1:] for row in entries]
        size, note = witnessed(connection, head, policy) or (0, "")
        if size <= placed[-1][0]:
            size, note = head.size, newest_note(connection, head)
        head = head._replace(size=size)  # the head that all proofs lead to
        hashes = hashes_of(connection, head)
        for index, event_id, leaf in placed:
            path = tree.prove_inclusion(index, head.size, hashes)
            text = proof.write(leaf, index, path, note)
            acts.append(ProvenAct(event_id, head.folder, index, leaf, text, *_opened(leaf, openings.get(event_id))))
        seen = _seen(connection, head, placed[0][0], note, hashes, policy)
        logs.append(seen._replace(stamped=_stamped(connection, head, placed[-1][0])))
    return Evidence(acts, logs)


def _seen(connection: Connection, head: Head, first: int, note: str, hashes: tree.Hashes, policy: Policy) -> LogSeen:
    size, earlier = _SQL.first_checkpoint_with(connection, shard=head.shard, idx=first)
    lines = "".join(line for (line,) in _SQL.cosignatures(connection, shard=head.shard, size=size))
    terms = policy.text(Verifier.parse(head.vkey))
    consistency = tree.prove_consistency(size, head.size, hashes)
    return LogSeen(head.folder, head.vkey, terms, note, f"{earlier}{lines}", consistency)


def _stamped(connection: Connection, head: Head, last: int) -> tuple[str, bytes] | None:
    found = _SQL.first_stamp_with(connection, shard=head.shard, idx=last, size=head.size)
    return (found[1], found[0]) if found else None


def _opened(leaf: bytes, opening: _Opening | None) -> tuple[bytes | None, bytes | None]:
    """What opens a leaf. A case that had another name in it has had another key: that one was destroyed."""
    if opening is None or opening.subj != read(leaf).subj:
        return None, None
    return opening.statement, opening.key


def _openings(connection: Connection, vault: Vault, ids: Sequence[str]) -> Iterator[tuple[str, _Opening]]:
    for event_id, at, *said, subj, wrapped in _SQL.acts_with_keys(connection, event_ids=list(ids)):
        key = vault.unwrap(wrapped) if wrapped else vault.of_no_case.key
        yield event_id, _Opening(event_of(said).statement(at), event_key(key, event_id), subj)
