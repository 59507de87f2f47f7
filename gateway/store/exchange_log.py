"""The exchange log as a whole: what the engines run every second, and what the doors and the command line ask.

Rules: sequencing and publishing are two transactions, so that files never show what might still be undone.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import structlog
from cryptography.x509 import Certificate
from psycopg import DataError

from gateway import wholefile
from gateway.errors import LeafInvalid, LogStopped, NoteInvalid, NothingProven, NotInTheTreeYet, Place
from gateway.exchange_log import note, proof, tree
from gateway.exchange_log.audit import GATEWAY, AuditEvent
from gateway.exchange_log.checkpoint import open_checkpoint
from gateway.exchange_log.findings import CHECKS, Check, Finding
from gateway.exchange_log.leaf import BRINGS_A_MESSAGE, Leaf, read
from gateway.exchange_log.note import Signer, Verifier
from gateway.exchange_log.tiles import WIDTH, Tile, new_tiles, pack
from gateway.ports import Evidence, Ids, Reached, Stretch, nothing
from gateway.sealing.receipts import promised
from gateway.store.connections import WHOLE_JOURNEY
from gateway.store.evidence import evidence
from gateway.store.parts.messages import is_id
from gateway.store.postgres import PostgresStore
from gateway.store.publisher import CHECKPOINT, Publisher, newest_note, write_log, write_terms, write_witnessed
from gateway.store.self_check import self_check
from gateway.store.sequencer import Head, Sequencer, hashes_of, heads_of, must_continue, open_of, tiles_of
from gateway.store.statements import STATEMENTS as _SQL
from gateway.store.statements import Connection
from gateway.store.witnesses import Witnesses, witnessed
from gateway.store.work import DOES_NOT_ADD_UP, untold

CHECK_EVERY = timedelta(days=1)
MOST_LINES = 100
LOOK_S = 0.05
_YEAR = re.compile(r"[0-9]{4}(\.[1-9][0-9]{0,3})?", re.ASCII)
log = structlog.get_logger()


class Proof(NamedTuple):
    """A leaf, where it stands, and the proof of it as text."""

    leaf: Leaf
    raw: bytes
    log: str
    entry: int
    proof: str


class Compared(NamedTuple):
    """A log that begins with the checkpoint somebody kept: its name, the size kept, the size now."""

    origin: str
    kept: int
    size: int


class ExchangeLog:
    """The log of one database, published below `folder`."""

    def __init__(
        self,
        store: PostgresStore,
        folder: Path,
        prefix: str,
        signer: Callable[[str], Signer],
        ids: Ids,
        witnesses: Witnesses | None = None,
        reached: Reached = nothing,
        roots: Sequence[Certificate] = (),
    ) -> None:
        self.witnesses = Witnesses(store) if witnesses is None else witnesses
        self._store, self.publisher = store, Publisher(folder, self.witnesses.policy, reached)
        self._prefix, self._signer = prefix, signer
        self._sequencer = Sequencer(prefix, signer, ids, self._guard, reached)
        self._reached, self._looked, self._roots = reached, False, roots

    def round(self) -> int:
        """Give pending leaves their place and publish; returns how many leaves. Raises LogStopped."""
        if not self._looked:
            self._look_around()
        with self._store.transaction() as connection:
            many = self._sequencer.round(connection)
        if many:
            self._reached("log.committed")
        with self._store.transaction() as connection:
            connection.execute("set transaction isolation level repeatable read")
            self.publisher.round(connection)
        return many

    def _look_around(self) -> None:
        """Before this process appends for the first time: what have the witnesses seen?"""
        for head in self.heads() if self.witnesses else ():
            if head.open:
                self.witnesses.look(head)
        self._looked = True

    def _guard(self, connection: Connection, head: Head) -> None:
        self.publisher.guard(connection, head)
        self.witnesses.guard(connection, head)

    def nightly(self) -> int:
        """Check the log once a day; what was found is an act of the log, and work for a person. Returns how many."""
        with self._store.alone("exchange-log.check") as mine, self.reading() as connection:
            if not mine or not _SQL.check_is_due(connection, every=CHECK_EVERY):
                return 0
            found = list(self_check(connection, self._store.vault, self.publisher.folder, self._roots))
        for finding in found[:MOST_LINES]:
            log.error("log.finding", subject=f"{finding.log}/{finding.entry}", code=finding.check.value)
        self._keep(Counter(finding.check.value for finding in found))
        return len(found)

    def _keep(self, found: Counter[str]) -> None:
        """The act says every night what was found; a person is told once, until he is done with it."""
        event = AuditEvent("log.checked", GATEWAY, "log-integrity", counts=found)
        new = untold(self._store, DOES_NOT_ADD_UP, found)
        with self._store.unit() as unit:
            unit.add_work(new)
            unit.commit(event.refused(min(found)) if found else event)

    def catch_up(self) -> None:
        """Rounds until nothing waits."""
        while self.round():
            pass

    def settle(self, patience_s: float) -> None:
        """Until nothing waits and, if there are witnesses, enough of them have cosigned what there is now."""
        until = time.monotonic() + patience_s
        self.catch_up()
        while self.witnesses and not self._is_witnessed() and time.monotonic() < until:
            self.witnesses.round()
            time.sleep(LOOK_S)
        self.round()

    def _is_witnessed(self) -> bool:
        with self.reading() as connection:
            heads = heads_of(connection)
            newest = [witnessed(connection, head, self.witnesses.policy) or (-1, "") for head in heads]
        return all(size == head.size for head, (size, _) in zip(heads, newest, strict=True))

    def open_next(self, previous: str) -> str:
        """Replace a log that must not be continued; `previous` is its last published or witnessed checkpoint.

        Raises NoteInvalid unless that log signed it, LogStopped when it is closed already.
        """
        origin = previous.partition("\n")[0]
        if not _YEAR.fullmatch(origin.rpartition("/")[2]):  # or a key would be made for it
            raise NoteInvalid("not a checkpoint of a log of a year")
        open_checkpoint(previous, self._signer(origin).verifier)
        with self._store.transaction() as connection:
            return self._sequencer.open_next(connection, previous)

    def keys(self) -> list[str]:
        """The keys of all logs, this year's and the next one's before they are opened: for who is to watch them."""
        with self.reading() as connection:
            known = {head.origin: head.vkey for head in heads_of(connection)}
            year = _SQL.now(connection).year
        soon = (f"{self._prefix}/{one}" for one in (year, year + 1))
        return [*known.values(), *(self._signer(origin).verifier.vkey for origin in soon if origin not in known)]

    def findings(self) -> Iterator[Finding]:
        """What the self-check finds; nothing when all is well."""
        with self.reading() as connection:
            yield from self_check(connection, self._store.vault, self.publisher.folder, self._roots)

    @property
    def checks(self) -> list[Check]:
        """What the self-check checks here: stamps only where a root was named to believe them by."""
        return [check for check in CHECKS if self._roots or check is not Check.STAMP]

    def stamps_kept(self) -> int:
        """How many time stamps there are, of all logs."""
        with self.reading() as connection:
            kept: int = _SQL.stamps_kept(connection)
            return kept

    def prove(self, act: str) -> list[Proof]:
        """A proof for each leaf of a message, or for the one leaf of an act, by its id."""
        with self.reading() as connection:
            ids = [event_id for (event_id,) in _SQL.events_of_message(connection, mid=act)] or [act]
            found = (_SQL.entry_of_event(connection, event_id=event_id) for event_id in ids)
            heads = {head.shard: head for head in heads_of(connection)}
            return [self._prove(connection, heads[row[0]], *row[1:]) for row in found if row]

    def _prove(self, connection: Connection, head: Head, index: int, raw: bytes) -> Proof:
        text = proof.write(raw, index, *self._path(connection, head, index))
        return Proof(read(raw), raw, head.origin, index, text)

    def _path(self, connection: Connection, head: Head, index: int) -> tuple[list[bytes], str]:
        """Under the newest head that enough witnesses have cosigned, if it covers the leaf; else under the newest."""
        size, signed = witnessed(connection, head, self.witnesses.policy) or (0, "")
        if size <= index:
            size, signed = head.size, newest_note(connection, head)
        return tree.prove_inclusion(index, size, hashes_of(connection, head._replace(size=size))), signed

    def prove_promise(self, partner: str, mid: str) -> str:
        """The proof of the leaf that our receipt for a message of a partner promises, without the leaf.

        Raises NothingProven when there is no such receipt or promise, NotInTheTreeYet.
        """
        with self.reading() as connection:
            found = _SQL.promised_entry(connection, partner=partner, mid=mid) if is_id(mid) else None
            if not found or not promised(found[0]):
                raise NothingProven
            _, shard, index, raw = found
            if raw is None:
                raise NotInTheTreeYet
            head = next(head for head in heads_of(connection) if head.shard == shard)
            return proof.write(None, index, *self._path(connection, head, index))

    def stretch(self, stream: str, since: datetime, until: datetime) -> Stretch:
        """What the log holds of one stream in a period, those leaves among it that still wait for their place.

        Raises LeafInvalid, with its place, when the log holds something that is no leaf: it may be one of this stream.
        """
        asked = {"stream": stream, "since": since, "until": until, "moving": sorted(BRINGS_A_MESSAGE)}
        try:
            with self.reading() as connection:
                rows = list(_SQL.stretch(connection, **asked))
                head = open_of(connection)
                note = newest_note(connection, head) if head and head.size else ""
        except DataError:
            self._read_all()
            raise
        gaps = [(before, seq) for seq, before, *_ in rows if seq > before + 1]
        inside = [row for row in rows if row[2]]  # one more may come from behind, to show what is missing before it
        return Stretch(
            leaves=len(inside),
            first=inside[0][0] if inside else None,
            last=inside[-1][0] if inside else None,
            gaps=tuple(gaps),
            acts_gone=sum(1 for *_, act_gone, _ in inside if act_gone),
            messages_gone=tuple(dict.fromkeys(mid for *_, mid, _, gone in inside if gone)),
            checkpoint=note,
        )

    def _read_all(self) -> None:
        """Read every leaf there is. Raises LeafInvalid with the place of the first that is none."""
        with self.reading() as connection:
            for log, entry, raw in _SQL.leaves(connection):
                try:
                    read(raw)
                except LeafInvalid as invalid:
                    where = Place(log, field="a leaf that waits" if entry is None else f"entry {entry}")
                    raise LeafInvalid(invalid.detail, place=where) from None

    def evidence(self, ids: Sequence[str]) -> Evidence:
        """See `ports.Prover`."""
        with self.reading() as connection:
            return evidence(connection, self._store.vault, self.witnesses.policy, ids)

    def sign(self, log: str, text: str) -> str:
        """See `ports.Prover`."""
        origin = next(head.origin for head in self.heads() if head.folder == log)
        return note.write(text, [self._signer(origin).sign(text)])

    def compare(self, kept: str, vkey: str | None) -> Compared:
        """Whether the log still begins with a checkpoint that somebody kept. Raises LogStopped, NoteInvalid."""
        origin = kept.partition("\n")[0]
        head = next((head for head in self.heads() if head.origin == origin), None)
        if head is None:
            raise LogStopped(f"there is no log of the name {origin}")
        before = open_checkpoint(kept, Verifier.parse(vkey or head.vkey)).checkpoint
        with self.reading() as connection:
            must_continue(head, before, hashes_of(connection, head))
        return Compared(origin, before.size, head.size)

    def export(self, folder: Path, *, entries: bool) -> list[Head]:
        """Write every log as static files, with its leaves if asked for; returns the logs."""
        with self.reading() as connection:
            heads = heads_of(connection)
            for head in heads:
                write_log(folder / head.folder, 0, head.size, tiles_of(connection, head.shard))
                write_terms(folder / head.folder, head, self.witnesses.policy)
                write_witnessed(folder / head.folder, witnessed(connection, head, self.witnesses.policy))
                for tile in new_tiles(0, head.size) if entries else ():
                    if tile.level == 0:
                        wholefile.write(folder / head.folder / tile.bundle, _bundle(connection, head, tile))
                wholefile.write(folder / head.folder / CHECKPOINT, newest_note(connection, head).encode())
        return heads

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One snapshot of everything, to read from."""
        with self._store.transaction(WHOLE_JOURNEY) as connection:
            connection.execute("set transaction isolation level repeatable read, read only")
            yield connection

    def heads(self) -> list[Head]:
        """All logs, oldest first."""
        with self.reading() as connection:
            return heads_of(connection)

    def head(self) -> Head:
        """The open log. Raises LogStopped when there is none."""
        for head in self.heads():
            if head.open:
                return head
        raise LogStopped("no log is open yet; `gateway run` or a worker opens it")


def _bundle(connection: Connection, head: Head, tile: Tile) -> bytes:
    rows = _SQL.entries(connection, shard=head.shard, first=tile.n * WIDTH, limit=tile.width)
    return pack(raw for _, raw in rows)
