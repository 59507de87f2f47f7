"""The sequencer: puts committed leaves into the tree and signs the new head. Any number may run; one works.

    lock the open log's row; read the right edge of the tree; is it what was signed last?
    take what is pending, append, write tiles, entries, checkpoint and head; commit

Rules: nothing leaves the process before the commit; a size is signed once. A year (UTC) has a log of its own: the last
leaf of the old one is `log.closed`, the first of the next is `log.opened` with the old one's last checkpoint. After an
hour without a checkpoint there is a heartbeat, so that silence can be told from a log that stands still.
Refuses to go on where the database does not continue what was published: `LogStopped`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog

from gateway.errors import LeafInvalid, LogStopped, NoteInvalid, ProofInvalid
from gateway.exchange_log import tiles, tree
from gateway.exchange_log.checkpoint import Checkpoint, parse
from gateway.exchange_log.leaf import CLOSED, HEARTBEAT, LOG, OPENED, Leaf, read
from gateway.exchange_log.note import Signer
from gateway.exchange_log.tiles import Edge, Tile, right_edge
from gateway.ports import Ids, Reached, nothing
from gateway.store.statements import STATEMENTS as _SQL
from gateway.store.statements import Connection

BATCH = 16_384
"""More leaves than come in a second: a round that may not take all of them leaves a queue that only grows."""
HEARTBEAT_AFTER = timedelta(hours=1)
log = structlog.get_logger()


class Head(NamedTuple):
    """A log: its number, its name, its key as text, its size and root, and whether it still grows."""

    shard: int
    origin: str
    vkey: str
    size: int
    root: bytes
    open: bool = True

    @property
    def folder(self) -> str:
        """The last part of its name: the year, and which log of it."""
        return self.origin.rpartition("/")[2]

    @property
    def replaces(self) -> bool:
        """Whether it was opened in place of one that must not be continued, and not because a year was over."""
        return "." in self.folder


def heads_of(connection: Connection) -> list[Head]:
    """All logs, oldest first."""
    return [Head(*row) for row in _SQL.heads(connection)]


def in_a_row(heads: Sequence[Head]) -> Iterator[tuple[Head, Head | None]]:
    """Each of all logs with the one that follows it."""
    return zip(heads, [*heads[1:], None], strict=False)


def open_of(connection: Connection) -> Head | None:
    """The log that still grows; none before the first."""
    return next((head for head in heads_of(connection) if head.open), None)


TilesOf = Callable[[Sequence[Tile]], dict[Tile, bytes]]


def tiles_of(connection: Connection, shard: int) -> TilesOf:
    """Reads tiles of a log together; of a wider one, as much as is asked for. Raises LogStopped when one is missing."""

    def read(wanted: Sequence[Tile]) -> dict[Tile, bytes]:
        levels, ns = [tile.level for tile in wanted], [tile.n for tile in wanted]
        rows = _SQL.tiles(connection, shard=shard, levels=levels, ns=ns) if wanted else ()
        found = {(level, n): data for level, n, data in rows}
        for tile in wanted:
            if (tile.level, tile.n) not in found:
                raise LogStopped(f"{tile.path} is missing in the database")
        return {tile: found[tile.level, tile.n][: tile.width * tree.HASH_BYTES] for tile in wanted}

    return read


Guard = Callable[[Connection, Head], None]


class Sequencer:
    """Appends to the open log.

    `prefix` begins every log's name, `signer(origin)` has the private key of a log, `guard` raises LogStopped when the
    database does not continue what was seen of a log outside.
    """

    def __init__(
        self, prefix: str, signer: Callable[[str], Signer], ids: Ids, guard: Guard, reached: Reached = nothing
    ) -> None:
        self._prefix, self._signer, self._ids, self._guard, self._reached = prefix, signer, ids, guard, reached

    def round(self, connection: Connection) -> int:
        """Append what is pending, in this transaction; returns how many leaves. 0 while another one works."""
        if not _SQL.is_due(connection, silence=HEARTBEAT_AFTER):
            return 0
        self._reached("log.waiting")
        if not _SQL.alone(connection, what="sequence"):
            return 0
        row = _SQL.open_head(connection)
        if row is None:
            return self._open(connection, f"{_SQL.now(connection):%Y}", None)
        head = Head(*row)
        now, signed_at = _SQL.moment(connection, shard=head.shard)
        if head.folder[:4] != f"{now:%Y}":
            return self._next_year(connection, head, now)
        placed = _SQL.place_pending(connection, shard=head.shard, first=head.size, limit=BATCH)
        leaves = [leaf for _, leaf in placed]
        self._reached("log.taken")
        if not leaves and now - signed_at < HEARTBEAT_AFTER:
            return 0
        return self._append(connection, head, leaves or [self._own(connection, head, HEARTBEAT)])

    def open_next(self, connection: Connection, previous: str) -> str:
        """Open another log instead of one that must not be continued; its first leaf quotes what was published of that.

        Returns its name. Raises LogStopped for one that is closed: another has followed it, and would be closed here.
        """
        row, origin = _SQL.open_head(connection), previous.partition("\n")[0]
        for head in heads_of(connection):
            if head.origin == origin and not head.open:
                raise LogStopped(f"{head.folder} is closed, and another log has followed it")
        if row:
            _SQL.close_head(connection, shard=row[0])
        year, _, number = origin.rpartition("/")[2].partition(".")
        folder = f"{year}.{int(number or 1) + 1}"
        self._open(connection, folder, previous)
        return f"{self._prefix}/{folder}"

    def _next_year(self, connection: Connection, head: Head, now: datetime) -> int:
        self._append(connection, head, [self._own(connection, head, CLOSED)])
        _SQL.close_head(connection, shard=head.shard)
        last = _SQL.newest_checkpoint(connection, shard=head.shard)
        return 1 + self._open(connection, f"{now:%Y}", last[2])

    def _open(self, connection: Connection, folder: str, previous: str | None) -> int:
        origin = f"{self._prefix}/{folder}"
        vkey = self._signer(origin).verifier.vkey
        shard = _SQL.add_head(connection, origin=origin, vkey=vkey, root=tree.EMPTY_ROOT)
        log.info("log.opened", subject=folder)
        head = Head(shard, origin, vkey, 0, tree.EMPTY_ROOT)
        return self._append(connection, head, [self._own(connection, head, OPENED, previous)])

    def _append(self, connection: Connection, head: Head, leaves: Sequence[bytes]) -> int:
        """Grow the tree by leaves that have their places, and sign it."""
        self._guard(connection, head)
        known = tiles_of(connection, head.shard)(list(right_edge(head.size)))
        edge = Edge.read(head.size, known.__getitem__)
        _must_be_whole(connection, head, edge.root())
        grown = edge.extend(map(tree.leaf_hash, leaves))
        new = Checkpoint(head.origin, edge.size, edge.root())
        signer = self._signer(head.origin)
        if signer.verifier.vkey != head.vkey:
            raise LogStopped(f"the key of {head.folder} is not the one it was opened with")
        levels, ns, datas = map(list, zip(*((tile.level, tile.n, data) for tile, data in grown), strict=True))
        _SQL.grow_tiles(connection, shard=head.shard, levels=levels, ns=ns, datas=datas)
        self._reached("log.grown")
        with connection.pipeline():
            _SQL.add_checkpoint(connection, shard=head.shard, size=new.size, root=new.root, note=new.sign(signer))
            _SQL.move_head(connection, shard=head.shard, size=new.size, root=new.root)
        self._reached("log.signed")
        return len(leaves)

    def _own(self, connection: Connection, head: Head, act: str, previous: str | None = None) -> bytes:
        """A leaf about the log itself, in the next place of it."""
        _SQL.open_streams(connection, streams=[LOG])
        _, before, at = _SQL.take_place(connection, stream=LOG, many=1)
        leaf = Leaf(act, at, self._ids(), LOG, before + 1, previous=previous)
        raw = leaf.to_bytes()
        _SQL.add_entry(connection, shard=head.shard, idx=head.size, event_id=leaf.id, leaf=raw)
        return raw


def _must_be_whole(connection: Connection, head: Head, root: bytes) -> None:
    """The tiles lead to the root of the head, and the newest checkpoint says the same. Raises LogStopped."""
    signed = _SQL.newest_checkpoint(connection, shard=head.shard)
    if root != head.root or (head.size, head.root) != (signed[:2] if signed else (0, tree.EMPTY_ROOT)):
        raise LogStopped(f"tiles, head and newest checkpoint of {head.folder} do not say the same")


def hashes_of(connection: Connection, head: Head) -> tree.Hashes:
    """The hashes of a log, from the tiles in the database."""
    read = tiles_of(connection, head.shard)
    return tiles.hashes_of(head.size, lambda tile: read([tile])[tile])


def must_continue(head: Head, before: Checkpoint, hashes: tree.Hashes) -> None:
    """Raise LogStopped unless the log as it is begins with the log as it was seen outside."""
    if before.size > head.size:
        raise LogStopped(OLDER.format(head.folder, before.size, head.size))
    try:
        proof = tree.prove_consistency(before.size, head.size, hashes)
        tree.check_consistency(before.size, before.root, head.size, head.root, proof)
    except ProofInvalid:
        raise LogStopped(f"{head.folder} does not begin with what was seen of it outside") from None


OLDER = "{} has {} leaves outside, and {} or others in the database"


def quoted(connection: Connection, head: Head) -> Checkpoint | None:
    """The checkpoint of a log that the first leaf of the next one quotes; not its end when it was replaced."""
    raw = _SQL.first_of_next(connection, shard=head.shard)
    try:
        text, *_ = ((read(raw).previous if raw else None) or "").partition("\n\n")
        return parse(f"{text}\n") if text else None
    except (LeafInvalid, NoteInvalid):
        return None


def conceded(connection: Connection, head: Head, after: Head | None) -> int:
    """Up to which size a log need not continue what was seen of it: another was opened in its place, and the break is
    on record in what that one quotes. -1: it must continue all of it."""
    found = quoted(connection, head) if after and after.replaces else None
    return found.size if found and found != (head.origin, head.size, head.root) else -1
