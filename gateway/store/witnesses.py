"""Witnesses: others who keep our newest checkpoint and sign that they do (C2SP tlog-witness).

    the newest checkpoint ──▶ each witness, all side by side     a head that stands still again after an hour
        200   its cosignature is verified and kept
        409   it has seen another size: once more from there; a larger one than ours is looked at
        422   it does not believe us: what it has seen is looked at
        else  left alone for a while

Rules: one process asks at a time, and nobody waits for it: no act, no leaf, no checkpoint. What a witness shows counts
only when our own key has signed it; a log that the database does not continue is then stopped, in all processes. A
witness that says what cannot be is work for a person, once. Refuses to keep a cosignature that does not hold.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from operator import itemgetter
from typing import NamedTuple

import structlog

from gateway.errors import LogStopped, NoteInvalid
from gateway.exchange_log import note, tree, witnessing
from gateway.exchange_log.audit import GATEWAY, AuditEvent
from gateway.exchange_log.checkpoint import open_checkpoint
from gateway.exchange_log.findings import TOLERANCE
from gateway.exchange_log.note import COSIGNATURE, Verifier
from gateway.exchange_log.policy import NOBODY, Policy, Witness
from gateway.exchange_log.witnessing import Submission
from gateway.ports import Reached, WitnessAnswer, WitnessChannel, nothing
from gateway.store.postgres import PostgresStore
from gateway.store.sequencer import Head, hashes_of, heads_of, must_continue, quoted
from gateway.store.statements import STATEMENTS as _SQL
from gateway.store.statements import Connection
from gateway.store.work import DOES_NOT_ADD_UP, tell_once

PURPOSE = "log-integrity"
AGAIN_AFTER = timedelta(hours=1)
LEFT_ALONE_S, CLOSED_LEFT_ALONE_S = 30.0, 3600.0
"""A witness that came later may never have been told of a log that is closed."""
LOOKED_BACK = 64
"""How many cosigned checkpoints are looked through, from the newest on, for one that enough witnesses have cosigned."""
DOUBTED = "witness-doubted"
log = structlog.get_logger()


class Asked(NamedTuple):
    """A witness, a log, the checkpoint it is to cosign, and how many leaves it has cosigned as far as we know."""

    witness: Witness
    head: Head
    note: str = ""
    old: int = 0


class Doubt(Exception):
    """A witness says what cannot be."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Witnesses:
    """The witnesses of a policy, each with a way to it."""

    def __init__(
        self,
        store: PostgresStore,
        policy: Policy | None = None,
        channels: Mapping[str, WitnessChannel] | None = None,
        left_alone_s: float = LEFT_ALONE_S,
        reached: Reached = nothing,
    ) -> None:
        self.policy = policy or Policy(quorum=NOBODY)
        self._store, self._channels, self._left_alone_s = store, channels or {}, left_alone_s
        self._reached = reached
        self._not_before: dict[tuple[str, str], float] = {}

    def __bool__(self) -> bool:
        """Whether there is anybody to ask."""
        return bool(self._channels)

    def round(self) -> int:
        """Let every witness cosign what it has not cosigned yet; returns how many cosignatures came."""
        with self._store.alone("exchange-log.witness") as mine:
            return sum(self._side_by_side(self._cosign, self._due())) if mine else 0

    def look(self, head: Head) -> None:
        """Ask every witness once what it has seen of a log; who is away shows it when it is asked to cosign."""
        asked = [Asked(witness, head) for witness in self.policy.witnesses.values()]
        list(self._side_by_side(lambda one: self._judged(self._look, one), asked))

    def silence(self) -> timedelta:
        """For how long too few witnesses have cosigned the open log; from its first checkpoint on if they never did."""
        with self._reading() as connection:
            now: datetime = _SQL.now(connection)
            for head in heads_of(connection):
                if head.open:
                    since = self._enough_at(connection, head) or _SQL.first_signed(connection, shard=head.shard)
                    return now - (since or now)
        return timedelta()

    def _enough_at(self, connection: Connection, head: Head) -> datetime | None:
        """Since when, going back, enough witnesses have cosigned."""
        last = ((_last(connection, head, witness)[1], witness.key) for witness in self.policy.witnesses.values())
        seen = list[Verifier]()
        for at, key in sorted(((at, key) for at, key in last if at), key=itemgetter(0), reverse=True):
            seen.append(key)
            if self.policy.enough(seen):
                return at
        return None

    @staticmethod
    def guard(connection: Connection, head: Head) -> None:
        """Raise LogStopped when a witness has seen what the log in the database does not continue."""
        for (shown,) in _SQL.seen_outside(connection, shard=head.shard):
            must_continue(
                head, open_checkpoint(shown, Verifier.parse(head.vkey)).checkpoint, hashes_of(connection, head)
            )

    def _side_by_side(self, act: Callable[[Asked], int], asked: Iterable[Asked]) -> Iterator[int]:
        todo = list(asked)
        if len(todo) < 2:
            return iter([act(one) for one in todo])
        with ThreadPoolExecutor(len(todo), "witness") as crew:
            return iter(list(crew.map(act, todo)))

    # ── who is asked what ────────────────────────────────────────────────────────────────────────────────────────────
    def _due(self) -> Iterator[Asked]:
        """One checkpoint for all: a quorum is of one head."""
        with self._reading() as connection:
            now = _SQL.now(connection)
            for head in heads_of(connection):
                before = quoted(connection, head)
                if before and before != (head.origin, head.size, head.root):
                    continue  # replaced after a restore: its witnesses have seen more of it than we have
                signed = _SQL.newest_checkpoint(connection, shard=head.shard)[2]
                for witness in self.policy.witnesses.values():
                    old, at = _last(connection, head, witness)
                    stale = head.open and at is not None and now - at > AGAIN_AFTER
                    if (at is None or old < head.size or stale) and not self._is_left_alone(head, witness):
                        yield Asked(witness, head, signed, old)

    def _is_left_alone(self, head: Head, witness: Witness) -> bool:
        return time.monotonic() < self._not_before.get((witness.name, head.origin), 0.0)

    def _leave_alone(self, one: Asked) -> None:
        pause = self._left_alone_s if one.head.open else CLOSED_LEFT_ALONE_S
        self._not_before[one.witness.name, one.head.origin] = time.monotonic() + pause

    # ── the conversation ─────────────────────────────────────────────────────────────────────────────────────────────
    def _cosign(self, one: Asked) -> int:
        return self._judged(self._converse, one)

    def _judged(self, act: Callable[[Asked], int], one: Asked) -> int:
        """What a witness says that cannot be is kept, and the witness left alone for a while."""
        try:
            return act(one)
        except Doubt as doubt:
            log.warning("witness.doubted", subject=one.witness.name, code=doubt.code)
            self._leave_alone(one)
            event = AuditEvent("witness.doubted", GATEWAY, PURPOSE, subject=one.witness.name)
            tell_once(self._store, DOUBTED, event, doubt.code)
            return 0

    def _converse(self, one: Asked) -> int:
        answer = self._submit(one, one.old)
        if answer.status == 409:
            seen = _size(answer)
            if seen > one.head.size:
                return self._look(one)
            if seen < one.old:
                raise Doubt("forgetful")
            answer = self._submit(one, seen)
        if answer.status == 200:
            return self._keep(one, answer)
        if answer.status == 422:
            return self._look(one)
        self._leave_alone(one)
        said = {} if answer.status is None else {"status": answer.status}
        log.warning("witness.away", subject=one.witness.name, **said)
        return 0

    def _submit(self, one: Asked, old: int) -> WitnessAnswer:
        with self._reading() as connection:
            proof = tree.prove_consistency(old, one.head.size, hashes_of(connection, one.head))
        return self._channels[one.witness.name].add_checkpoint(Submission(old, proof, one.note).to_bytes())

    def _keep(self, one: Asked, answer: WitnessAnswer) -> int:
        """Keep a cosignature that holds, over this very checkpoint, of this hour."""
        signed = one.note + answer.body
        try:
            said = open_checkpoint(signed, Verifier.parse(one.head.vkey), (one.witness.key,)).note.of(COSIGNATURE)
        except NoteInvalid:
            raise Doubt("forged") from None
        if not said or said[0].at is None:
            raise Doubt("unsigned")
        with self._store.transaction() as connection:
            if abs(said[0].at - _SQL.now(connection)) > TOLERANCE:
                raise Doubt("clock")
            [line, *_] = note.lines_of(signed, one.witness.key)
            _SQL.add_cosignature(
                connection, shard=one.head.shard, size=one.head.size, witness=one.witness.key.vkey, line=line,
                at=said[0].at,
            )  # fmt: skip
            self._reached("log.cosigned")
        return 1

    # ── when it has seen something else ──────────────────────────────────────────────────────────────────────────────
    def _look(self, one: Asked) -> int:
        """Hold what a witness has seen against the log as it is now. Raises Doubt when it cannot show it."""
        shown = self._channels[one.witness.name].latest(one.head.origin)
        if shown.status != 200:
            if one.note:
                raise Doubt("unproven")
            return 0
        key = Verifier.parse(one.head.vkey)
        try:
            seen = open_checkpoint(shown.body, key).checkpoint
        except NoteInvalid:
            raise Doubt("unproven") from None
        with self._reading() as connection:
            head = next(h for h in heads_of(connection) if h.shard == one.head.shard)
            try:
                must_continue(head, seen, hashes_of(connection, head))
            except LogStopped as error:
                stopped = error
            else:
                if one.note:
                    raise Doubt("contradicts-itself")
                return 0
        self._stop(one, note.write(seen.text, note.lines_of(shown.body, key)), stopped)
        return 0

    def _stop(self, one: Asked, shown: str, why: LogStopped) -> None:
        """From now on no process appends to this log."""
        log.error("log.stopped", subject=one.witness.name, code=why.code)
        with self._store.transaction() as connection:
            _SQL.add_outside(connection, shard=one.head.shard, witness=one.witness.key.vkey, note=shown)
        self._leave_alone(one)
        event = AuditEvent("log.checked", GATEWAY, PURPOSE, subject=one.witness.name)
        tell_once(self._store, DOES_NOT_ADD_UP, event, "outside")

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._store.transaction() as connection:
            connection.execute("set transaction isolation level repeatable read, read only")
            yield connection


def _last(connection: Connection, head: Head, witness: Witness) -> tuple[int, datetime | None]:
    found = _SQL.last_cosigned(connection, witness=witness.key.vkey, shard=head.shard)
    return (found[0], found[1]) if found else (0, None)


def _size(answer: WitnessAnswer) -> int:
    try:
        return witnessing.read_size(answer.body)
    except NoteInvalid:
        raise Doubt("malformed") from None


def witnessed(connection: Connection, head: Head, policy: Policy) -> tuple[int, str] | None:
    """The newest checkpoint of a log that enough witnesses have cosigned, with its size; None when there is none."""
    if not policy.witnesses:
        return None
    for size, vkeys in _SQL.cosigned_sizes(connection, shard=head.shard, limit=LOOKED_BACK):
        if policy.enough({Verifier.parse(vkey) for vkey in vkeys}):
            signed: str = _SQL.note_of_size(connection, shard=head.shard, size=size)
            return size, signed + "".join(
                line for (line,) in _SQL.cosignatures(connection, shard=head.shard, size=size)
            )
    return None
