"""What a log and a witness say to each other (C2SP tlog-witness), as bytes, the same for both sides.

    old 4127
    <a hash of the consistency proof a line, base64>

    <the checkpoint>

Rules: every number and every hash has one spelling. Refuses what is not exactly this, `NoteInvalid`.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from gateway.errors import NoteInvalid
from gateway.exchange_log import note
from gateway.exchange_log.base64 import decoded
from gateway.exchange_log.tree import HASH_BYTES, MOST_HASHES

ADD = "add-checkpoint"
SIZE_TYPE = "text/x.tlog.size"
LONGEST = note.LONGEST + 64 * 64
"""A note, 63 hashes and the size."""
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})", re.ASCII)
_SIZE = re.compile(r"(0|[1-9][0-9]{0,18})\n", re.ASCII)


class Submission(NamedTuple):
    """A checkpoint for a witness, and the proof that it continues the tree of `old` leaves."""

    old: int
    proof: Sequence[bytes]
    checkpoint: str

    def to_bytes(self) -> bytes:
        """The body of a request."""
        head = (f"old {self.old}", *(b64encode(one).decode() for one in self.proof))
        return "\n".join((*head, "", self.checkpoint)).encode()


def read(body: bytes) -> Submission:
    """The submission in a request. Raises NoteInvalid."""
    try:
        head, gap, checkpoint = body.decode().partition("\n\n")
    except UnicodeDecodeError:
        raise NoteInvalid("not UTF-8") from None
    first, *hashes = head.split("\n")
    old = _OLD.fullmatch(first)
    if not gap or not old or len(hashes) > MOST_HASHES:
        raise NoteInvalid("not a size, at most 63 hashes, an empty line and a checkpoint")
    return Submission(int(old[1]), [_hash(line) for line in hashes], checkpoint)


def read_size(body: str) -> int:
    """The size in the answer of a witness that has cosigned another one. Raises NoteInvalid."""
    found = _SIZE.fullmatch(body)
    if not found:
        raise NoteInvalid("not the size of a tree")
    return int(found[1])


def latest(origin: str) -> str:
    """Where a witness shows the newest checkpoint of a log that it cosigned."""
    return f"{sha256(origin.encode()).hexdigest()}/checkpoint"


def _hash(line: str) -> bytes:
    raw = decoded(line)
    if raw is None or len(raw) != HASH_BYTES:
        raise NoteInvalid("a line of the proof is not a hash")
    return raw
