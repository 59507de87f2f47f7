"""The publisher: a log as files that any web server can serve (C2SP tlog-tiles), below `home/xlog/<year>`.

    checkpoint        the newest signed head, with the cosignatures it has so far; written last
    witnessed         the newest head that enough witnesses have cosigned, when there are witnesses
    tile/<level>/…    every full tile, and the partial ones of every published size
    log.vkey          the public key; auditors compare it with the one they were given
    policy            whom to believe (C2SP tlog-policy): this log, its witnesses, and how many of them are enough

Rules: a file is complete the moment it has its name: temporary file, fsync, rename, fsync of the folder. Tiles are
there before the checkpoint that needs them. What is published is never taken back, and never followed by something that
does not continue it: a database older than its own files was restored from a backup, and that is `LogStopped`.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from gateway import wholefile
from gateway.errors import LogStopped, NoteInvalid
from gateway.exchange_log import tiles, tree
from gateway.exchange_log.checkpoint import Checkpoint, open_checkpoint
from gateway.exchange_log.note import Verifier
from gateway.exchange_log.policy import Policy
from gateway.ports import Reached, nothing
from gateway.store.sequencer import (
    OLDER,
    Head,
    TilesOf,
    conceded,
    hashes_of,
    heads_of,
    in_a_row,
    must_continue,
    tiles_of,
)
from gateway.store.statements import STATEMENTS as _SQL
from gateway.store.statements import Connection
from gateway.store.witnesses import witnessed

TOGETHER = 256
"""Tiles that are in memory at a time: 2 MB."""
CHECKPOINT, WITNESSED, KEY, POLICY = "checkpoint", "witnessed", "log.vkey", "policy"


class Publisher:
    """Publishes all logs of a database below one folder."""

    def __init__(self, folder: Path, policy: Policy, reached: Reached = nothing) -> None:
        self.folder, self._policy, self._reached = folder, policy, reached
        self._seen: dict[str, tuple[str, Checkpoint]] = {}

    def guard(self, connection: Connection, head: Head) -> None:
        """Raise LogStopped unless a log in the database continues what is published of it."""
        self._before(head, hashes_of(connection, head))

    def round(self, connection: Connection) -> int:
        """Publish what is new; returns how many checkpoints. Raises LogStopped. 0 while another one publishes."""
        if not _SQL.alone(connection, what="publish"):
            return 0
        return sum(self._publish(connection, head, after) for head, after in in_a_row(heads_of(connection)))

    def _publish(self, connection: Connection, head: Head, after: Head | None) -> bool:
        signed, folder = newest_note(connection, head), self.folder / head.folder
        write_witnessed(folder, witnessed(connection, head, self._policy))
        if _text(folder / CHECKPOINT) == signed or (not head.open and self._is_ahead(head)):
            return False
        try:
            before = self._before(head, hashes_of(connection, head))
        except LogStopped:
            if self._is_conceded(connection, head, after):
                return False
            raise
        write_log(folder, before.size if before else 0, head.size, tiles_of(connection, head.shard))
        write_terms(folder, head, self._policy)
        self._reached("log.tiled")
        wholefile.write(folder / CHECKPOINT, signed.encode(), lambda: self._reached("log.naming"))
        self._reached("log.published")
        return True

    def _is_ahead(self, head: Head) -> bool:
        """A log that was replaced by the next one, because its database was older than what is published."""
        before = published(self.folder / head.folder, Verifier.parse(head.vkey))
        return before is not None and before.size > head.size

    def _is_conceded(self, connection: Connection, head: Head, after: Head | None) -> bool:
        """A log that was replaced because its database does not continue what is published: that stays as it is."""
        before = published(self.folder / head.folder, Verifier.parse(head.vkey))
        return before is not None and before.size <= conceded(connection, head, after)

    def _before(self, head: Head, hashes: tree.Hashes) -> Checkpoint | None:
        """What is published, which the log must continue; looked at closely only when it is not what it was."""
        note = _text(self.folder / head.folder / CHECKPOINT)
        if note is None:
            return None
        known, before = self._seen.get(head.origin, (None, None))
        if before is None or known != note:
            before = _open(head.folder, note, Verifier.parse(head.vkey))
            must_continue(head, before, hashes)
            self._seen[head.origin] = (note, before)
        if before.size > head.size or (before.size == head.size and before.root != head.root):
            raise LogStopped(OLDER.format(head.folder, before.size, head.size))
        return before


def newest_note(connection: Connection, head: Head) -> str:
    """The newest checkpoint of a log with its cosignatures."""
    note: str = _SQL.newest_note(connection, shard=head.shard)
    return note


def write_log(folder: Path, old: int, new: int, read: TilesOf) -> None:
    """Write the tiles that a log of `new` leaves has and one of `old` has not."""
    left = tiles.new_tiles(old, new)
    while some := list(islice(left, TOGETHER)):
        wholefile.write_all((folder / tile.path, data) for tile, data in read(some).items())


def write_terms(folder: Path, head: Head, policy: Policy) -> None:
    """Write the key of a log, and whom to believe about it."""
    _write_new(folder / KEY, f"{head.vkey}\n")
    _write_new(folder / POLICY, policy.text(Verifier.parse(head.vkey)))


def write_witnessed(folder: Path, found: tuple[int, str] | None) -> None:
    """Write the newest checkpoint that has its quorum."""
    if found:
        _write_new(folder / WITNESSED, found[1])


def _write_new(path: Path, text: str) -> None:
    """Write what is not there already: each file costs two syncs."""
    if _text(path) != text:
        wholefile.write(path, text.encode())


def published(folder: Path, key: Verifier) -> Checkpoint | None:
    """What was published last. Raises LogStopped when it is not of this log."""
    note = _text(folder / CHECKPOINT)
    return None if note is None else _open(folder.name, note, key)


def _open(name: str, note: str, key: Verifier) -> Checkpoint:
    try:
        return open_checkpoint(note, key).checkpoint
    except NoteInvalid:
        raise LogStopped(f"what is published as {name} is not signed by its key") from None


def _text(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return None
