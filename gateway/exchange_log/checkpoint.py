"""A checkpoint (C2SP tlog-checkpoint): whose log, how many leaves, which root; signed as a note.

Rules: three lines and no more; the origin is also the name of the key. Whoever holds two checkpoints of one origin that
no consistency proof joins holds the proof of a fork. Refuses extension lines: nobody could audit them.
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import NamedTuple

from gateway.errors import NoteInvalid
from gateway.exchange_log import note
from gateway.exchange_log.base64 import decoded
from gateway.exchange_log.note import Note, Signer, Verifier
from gateway.exchange_log.tree import HASH_BYTES

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


class Checkpoint(NamedTuple):
    """The head of a log."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"

    def sign(self, signer: Signer) -> str:
        """The checkpoint as a note of the log."""
        return note.write(self.text, [signer.sign(self.text)])


class Opened(NamedTuple):
    """A checkpoint whose signatures hold."""

    checkpoint: Checkpoint
    note: Note


def parse(text: str) -> Checkpoint:
    """Read the text of a checkpoint; nothing is verified. Raises NoteInvalid."""
    lines = text.split("\n")
    if len(lines) != 4 or lines[3] or not lines[0] or not _SIZE.fullmatch(lines[1]) or int(lines[1]) >= 1 << 63:
        raise NoteInvalid("not the three lines of a checkpoint")
    root = decoded(lines[2])
    if root is None or len(root) != HASH_BYTES:
        raise NoteInvalid("the root is not a hash")
    return Checkpoint(lines[0], int(lines[1]), root)


def open_checkpoint(signed: str, log: Verifier, witnesses: tuple[Verifier, ...] = ()) -> Opened:
    """The checkpoint, signed by its log, with the cosignatures of these witnesses. Raises NoteInvalid."""
    opened = note.open_note(signed, (log, *witnesses))
    found = parse(opened.text)
    if found.origin != log.name or not opened.of(note.LOG):
        raise NoteInvalid("not signed by the key of this log")
    return Opened(found, opened)
