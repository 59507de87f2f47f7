"""The self-check: everything the database and the published files say about the log, held against each other.

    leaves → canonical? → hashes → tiles → roots → checkpoints → signatures
           → numbers and times of the streams
           → the acts and messages that they commit to, as auditors read them today

Rules: one snapshot, entry by entry, in memory that does not grow with the log. It proves what the operator's own
machine can prove (level L0): whoever has the machine and the key may have changed both sides. For more, compare with a
checkpoint that somebody else has kept. Refuses to stop at the first finding, or at what nobody can read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.x509 import Certificate

from gateway.ahead import ahead
from gateway.errors import LeafInvalid, LogStopped, ManifestInvalid, NoteInvalid, SettingsInvalid, StampInvalid
from gateway.exchange_log import leaf, stamp, tree
from gateway.exchange_log.checkpoint import Checkpoint, open_checkpoint
from gateway.exchange_log.findings import PROMISE, Check, Finding, Streams, seen
from gateway.exchange_log.leaf import BRINGS_A_MESSAGE, TAKES, Leaf
from gateway.exchange_log.note import COSIGNATURE, Verifier, open_note
from gateway.exchange_log.tiles import WIDTH, Edge, Tile, new_tiles
from gateway.sealing import base64url
from gateway.sealing.receipts import Promise, promised
from gateway.store.leaves import event_of, leaf_of
from gateway.store.publisher import TOGETHER, published
from gateway.store.sequencer import Head, conceded, hashes_of, heads_of, in_a_row, must_continue, quoted
from gateway.store.statements import STATEMENTS as _SQL
from gateway.store.statements import Connection
from gateway.store.vault import CaseKey, Vault

BATCH = 2048


def self_check(
    connection: Connection, vault: Vault, folder: Path, roots: Sequence[Certificate] = ()
) -> Iterator[Finding]:
    """Everything that does not add up, log by log; nothing when all is well. Without roots no stamp is looked at."""
    streams = Streams()
    heads = heads_of(connection)
    for head, after in in_a_row(heads):
        yield from _one_log(connection, head, streams, vault)
        yield from _stamped(connection, head, roots) if roots else ()
        yield from _outside(connection, head, after, folder)
    yield from _rest(connection)


def _one_log(connection: Connection, head: Head, streams: Streams, vault: Vault) -> Iterator[Finding]:
    signed = _Signed(connection, head)
    edge, tiles = Edge(), _Tiles(connection, head)
    due = 0  # the place of the next entry: further on than the tree has grown, once something is missing
    for batch in ahead(_batches(connection, head.shard)):  # the database reads the next one meanwhile
        if batch.first != due:
            yield Finding(Check.LEAF, head.folder, due, f"{batch.first - due} entries are missing")
        due = batch.first + len(batch.leaves)
        read, latest = [], dict[int, datetime | None]()
        for index, raw in enumerate(batch.leaves, batch.first):
            found = _read(head, index, raw)
            if isinstance(found, Finding):
                yield found
                continue
            yield from streams.take(head.folder, index, found)
            read.append((index, found))
            latest[index + 1] = streams.latest
        yield from _behind(connection, head, read, batch.acts, vault)
        yield from _promised(connection, head, read)
        hashes = [tree.leaf_hash(raw) for raw in batch.leaves]
        while hashes:
            many = signed.until(edge.size, len(hashes))
            yield from tiles.compare(edge.extend(hashes[:many]))
            yield from signed.judge(edge, latest.get(edge.size))
            hashes = hashes[many:]
    yield from signed.beyond(edge.size)
    yield from signed.of_the_head()
    yield from tiles.rest()
    if (edge.size, edge.root()) != (head.size, head.root):
        yield Finding(Check.ROOT, head.folder, None, "the leaves do not give the root at the head of the log")


class _Act(NamedTuple):
    """An act as auditors read it, the name and the key of its case, and what is left of a message that it brought."""

    at: datetime | None
    said: Sequence[Any]  # EVENT_COLUMNS
    subj: str | None
    wrapped: bytes | None
    body: bytes | None
    destroyed: bool


def _act(at: datetime | None, *columns: Any) -> _Act:
    *said, subj, wrapped, body, destroyed = columns
    return _Act(at, said, subj, wrapped, body, destroyed)


class _Batch(NamedTuple):
    """Entries in a run without a hole, the place of the first, and the acts behind them by their ids."""

    first: int
    leaves: list[bytes]
    acts: dict[str, _Act]


def _batches(connection: Connection, shard: int) -> Iterator[_Batch]:
    first = 0
    while rows := list(_SQL.entries(connection, shard=shard, first=first, limit=BATCH)):
        start, last = rows[0][0], rows[-1][0]
        run = [raw for n, (idx, raw) in enumerate(rows) if idx == start + n]
        acts = _SQL.events_behind(connection, shard=shard, first=start, last=last, moving=sorted(BRINGS_A_MESSAGE))
        yield _Batch(start, run, {event_id: _act(*columns) for event_id, *columns in acts})
        first = start + len(run)


def _read(head: Head, index: int, raw: bytes) -> Leaf | Finding:
    try:
        return leaf.read(raw)
    except LeafInvalid as error:
        return Finding(Check.LEAF, head.folder, index, f"it is not a leaf: {error.detail}")


class _Signed:
    """The checkpoints of a log with their cosignatures, in order, beside the tree that grows."""

    def __init__(self, connection: Connection, head: Head) -> None:
        self._connection, self._head = connection, head
        self._key = _key_of(head)
        self._rows = _checkpoints(connection, head.shard)
        self._next = next(self._rows, None)

    def until(self, size: int, many: int) -> int:
        """How many of the next leaves to append before a checkpoint is due."""
        due = self._next[0] - size if self._next else many
        return min(many, due) if due > 0 else many

    def judge(self, edge: Edge, latest: datetime | None) -> Iterator[Finding]:
        """Hold the tree against the checkpoint of its size, if there is one; `latest` is what its leaves say."""
        if self._next is None or self._next[0] != edge.size:
            return
        size, root, note, witnesses, lines = self._next
        self._next = next(self._rows, None)
        if root != edge.root():
            yield self._found(Check.ROOT, f"the first {size} leaves do not give the root that was signed for them")
        try:
            said = open_checkpoint(note, self._key).checkpoint if self._key else None
        except NoteInvalid:
            said = None
        if said is None:
            yield self._found(Check.SIGNATURE, f"the checkpoint of {size} leaves is not signed by the log")
            return
        if said != Checkpoint(self._head.origin, size, root):
            yield self._found(Check.SIGNATURE, f"the checkpoint that is kept for {size} leaves says something else")
        for vkey, line in zip(witnesses, lines, strict=True):
            yield from self._cosigned(size, latest, note, vkey, line)

    def _cosigned(self, size: int, latest: datetime | None, note: str, vkey: str, line: str) -> Iterator[Finding]:
        """Hold a cosignature against the checkpoint, and its time against the leaves below."""
        try:
            [said] = open_note(note + line, (Verifier.parse(vkey),)).of(COSIGNATURE)
        except (NoteInvalid, ValueError):
            yield self._found(Check.COSIGNATURE, f"a cosignature of the checkpoint of {size} leaves does not hold")
            return
        if said.at:
            yield from seen(self._head.folder, size, latest, said.at)

    def beyond(self, size: int) -> Iterator[Finding]:
        """Checkpoints of leaves that are not there."""
        if self._next is not None:
            yield self._found(Check.ROOT, f"a checkpoint of {self._next[0]} leaves is signed, and there are {size}")

    def of_the_head(self) -> Iterator[Finding]:
        """Whether what is said to be the head of the log is the newest that was signed."""
        newest = _SQL.newest_checkpoint(self._connection, shard=self._head.shard)
        if newest is None or newest[0] != self._head.size:
            yield self._found(Check.SIGNATURE, f"no checkpoint is kept for the {self._head.size} leaves that it has")

    def _found(self, check: Check, sentence: str) -> Finding:
        return Finding(check, self._head.folder, None, sentence)


def _key_of(head: Head) -> Verifier | None:
    """The key of a log, if it is one: nobody has signed with what is none."""
    try:
        return Verifier.parse(head.vkey)
    except NoteInvalid:
        return None


_Row = tuple[int, bytes, str, list[str], list[str]]


def _checkpoints(connection: Connection, shard: int) -> Iterator[_Row]:
    after = -1
    while rows := list(_SQL.checkpoints(connection, shard=shard, after=after, limit=BATCH)):
        yield from rows
        after = rows[-1][0]


class _Tiles:
    """The tiles of a log in the database, held against those that its leaves make."""

    def __init__(self, connection: Connection, head: Head) -> None:
        self._connection, self._head, self._last = connection, head, dict[tuple[int, int], bytes]()

    def compare(self, made: Iterable[tuple[Tile, bytes]]) -> Iterator[Finding]:
        """Full tiles at once; partial ones may still grow."""
        for tile, data in made:
            if tile.full:
                self._last.pop((tile.level, tile.n), None)
                yield from self._judge(tile, data)
            else:
                self._last[tile.level, tile.n] = data

    def rest(self) -> Iterator[Finding]:
        """The right edge, when there are no more leaves, and tiles that no log of this size has."""
        for (level, n), data in self._last.items():
            yield from self._judge(Tile(level, n, len(data) // tree.HASH_BYTES), data)
        for level, n in _SQL.tiles_beyond(self._connection, shard=self._head.shard, size=self._head.size):
            yield Finding(Check.TILE, self._head.folder, None, f"{Tile(level, n).path} was added")

    def _judge(self, tile: Tile, data: bytes) -> Iterator[Finding]:
        kept = _SQL.tile(self._connection, shard=self._head.shard, level=tile.level, n=tile.n)
        if kept != data:
            what = "is missing" if kept is None else "is cut" if data.startswith(kept) else "has other hashes"
            yield _of_tile(self._head, tile, what)


def _of_tile(head: Head, tile: Tile, what: str) -> Finding:
    return Finding(Check.TILE, head.folder, tile.n * WIDTH ** (tile.level + 1), f"{tile.path} {what}")


# ── what leaves commit to ────────────────────────────────────────────────────────────────────────────────────────────
def _behind(
    connection: Connection,
    head: Head,
    read: Sequence[tuple[int, Leaf]],
    acts: Mapping[str, _Act],
    vault: Vault,
) -> Iterator[Finding]:
    committed = [(index, one, acts.get(one.id)) for index, one in read if one.event]
    unclear = {one.subj for _, one, act in committed if one.subj and not (act and act.subj == one.subj)}
    gone = unclear - {subj for (subj,) in _SQL.subjs_alive(connection, subjs=list(unclear))} if unclear else unclear
    for index, one, act in committed:
        if one.subj not in gone:  # a key that was destroyed takes what it opened with it
            yield from _compare(head, index, one, act, vault)


def _compare(head: Head, index: int, one: Leaf, act: _Act | None, vault: Vault) -> Iterator[Finding]:
    """Make the leaf anew from what auditors read, and hold it against the one in the log."""
    if act is None:
        yield Finding(Check.EVENT, head.folder, index, "the act that it commits to is gone")
        return
    try:
        key = CaseKey(vault.acts(act.wrapped), act.subj) if act.wrapped else vault.of_no_case
    except SettingsInvalid:
        sentence = "the key of its case was changed, or keys/vault.secret is not the one it is wrapped with"
        yield Finding(Check.EVENT, head.folder, index, sentence)
        return
    made = _made(act, one, key, act.body if one.body else None)
    if made == one:
        return
    if made is None or made._replace(body=one.body) != one:
        yield Finding(Check.EVENT, head.folder, index, "the act was changed after it was logged")
    elif not (act.body is None and act.destroyed):  # of a case that was destroyed whole, the acts remain
        yield Finding(Check.BODY, head.folder, index, "the message was changed or taken away after it was logged")


def _made(act: _Act, one: Leaf, key: CaseKey, body: bytes | None) -> Leaf | None:
    """None when the row holds what no act may hold."""
    try:
        event = event_of(act.said)
    except ValueError:
        return None
    return leaf_of(event, one.id, one.seq, act.at, key, body) if act.at else None


# ── what receipts promise ────────────────────────────────────────────────────────────────────────────────────────────
def _promised(connection: Connection, head: Head, read: Sequence[tuple[int, Leaf]]) -> Iterator[Finding]:
    """Hold the leaves of messages that came in against what our receipts promise of them."""
    taken = {(one.stream, one.mid): (index, one) for index, one in read if one.act == TAKES and one.mid}
    partners, mids = map(list, zip(*taken, strict=True)) if taken else ([], [])
    for partner, mid, jws in _SQL.receipts_of(connection, partners=partners, mids=mids) if taken else ():
        index, one = taken[partner, mid]
        said = _promise(jws)
        if said and said.leaf != base64url.encode(tree.leaf_hash(one.to_bytes())):
            yield Finding(Check.PROMISE, head.folder, index, "it is not the leaf that our receipt promised")


def _promise(jws: str) -> Promise | None:
    """None for a receipt that promises nothing, or nothing that anybody can read."""
    try:
        said = promised(jws)
        return said if said and datetime.fromisoformat(said.at) else None
    except (ManifestInvalid, ValueError):
        return None


def _broken(connection: Connection) -> Iterator[Finding]:
    """Promises whose time is over, and whose leaf has no place."""
    now = _SQL.now(connection)
    unplaced = ((mid, _promise(jws)) for _, mid, jws in _SQL.receipts_unplaced(connection))
    late = [mid for mid, said in unplaced if said and datetime.fromisoformat(said.at) < now - PROMISE]
    if late:
        sentence = f"{len(late)} leaves that receipts promise have no place, the first is of message {late[0]}"
        yield Finding(Check.PROMISE, "database", None, sentence)


# ── what an authority has stamped ────────────────────────────────────────────────────────────────────────────────────
def _stamped(connection: Connection, head: Head, roots: Sequence[Certificate]) -> Iterator[Finding]:
    """Hold each stamp against its checkpoint, the time that is kept beside it, and whom we were told to believe."""
    after = -1
    while rows := list(_SQL.stamps(connection, shard=head.shard, after=after, limit=BATCH)):
        for size, at, response, note in rows:
            try:
                why = None if stamp.check(response, note, roots) == at else "of another time than is kept beside it"
            except StampInvalid as error:
                why = error.detail
            if why:
                sentence = f"the time stamp of the checkpoint of {size} leaves does not hold: {why}"
                yield Finding(Check.STAMP, head.folder, None, sentence)
        after = rows[-1][0]


# ── around the log ───────────────────────────────────────────────────────────────────────────────────────────────────
def _outside(connection: Connection, head: Head, after: Head | None, folder: Path) -> Iterator[Finding]:
    """What was published, what witnesses have shown, and what the next log quotes: where that one begins a year, its
    end; where it was opened in place of this one, a break that is on record."""
    excused = conceded(connection, head, after)
    if after and not after.replaces and quoted(connection, head) != (head.origin, head.size, head.root):
        sentence = f"it does not end with the checkpoint that the first leaf of {after.folder} quotes"
        yield Finding(Check.OUTSIDE, head.folder, None, sentence)
    try:
        key = Verifier.parse(head.vkey)
        files = published(folder / head.folder, key)
        shown = [open_checkpoint(note, key).checkpoint for (note,) in _SQL.seen_outside(connection, shard=head.shard)]
        for before in filter(None, [files, *shown]):
            if before.size > excused:
                must_continue(head, before, hashes_of(connection, head))
    except (LogStopped, NoteInvalid) as error:
        yield Finding(Check.OUTSIDE, head.folder, None, error.detail)
        return
    if files and files.size > excused:
        yield from _published_tiles(connection, head, folder / head.folder, files.size)


def _published_tiles(connection: Connection, head: Head, folder: Path, size: int) -> Iterator[Finding]:
    """Hold the files of a published log of `size` leaves against the tiles in the database."""
    left = new_tiles(0, size)
    while some := list(islice(left, TOGETHER)):
        rows = _SQL.tiles(connection, shard=head.shard, levels=[t.level for t in some], ns=[t.n for t in some])
        kept = {(level, n): data for level, n, data in rows}
        for tile in some:
            data = kept.get((tile.level, tile.n))  # without it that is a finding already
            file = folder / tile.path
            if data is not None and not file.is_file():
                yield _of_tile(head, tile, "is missing among the files")
            elif data is not None and file.read_bytes() != data[: tile.width * tree.HASH_BYTES]:
                yield _of_tile(head, tile, "has other hashes among the files")


def _rest(connection: Connection) -> Iterator[Finding]:
    [(many, first)] = _SQL.unlogged(connection)
    if many:
        sentence = f"{many} acts have no leaf, the first is row {first} of audit_event"
        yield Finding(Check.UNLOGGED, "database", None, sentence)
    if waiting := _SQL.overdue(connection, seconds=PROMISE.total_seconds()):
        yield Finding(Check.PROMISE, "database", None, f"{waiting} leaves wait for longer than {PROMISE.seconds} s")
    yield from _broken(connection)
