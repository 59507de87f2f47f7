"""A proof of inclusion that stands on its own (C2SP tlog-proof): the leaf, its place, the path, and a signed head.

    c2sp.org/tlog-proof@v1
    extra <the leaf, base64>
    index 4127
    <a hash a line, base64>

    <the checkpoint>

`extra` is left out for whoever has a promise: he knows the hash of the leaf, and the leaf itself would show him the
random name that the case has in everybody's leaves.
Refuses to trust `extra`: the leaf in it is believed because its hash leads to the signed root, or not at all.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from typing import NamedTuple

from gateway.errors import PromiseBroken, ProofInvalid
from gateway.exchange_log import tree
from gateway.exchange_log.base64 import decoded
from gateway.exchange_log.checkpoint import Checkpoint, open_checkpoint
from gateway.exchange_log.note import Verifier

FIRST = "c2sp.org/tlog-proof@v1"
_EXTRA, _YEAR = "extra ", re.compile(r"/[0-9]{4}(?:\.[1-9][0-9]{0,3})?", re.ASCII)
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})", re.ASCII)


class Proven(NamedTuple):
    """What a proof proves: this leaf stands at this place of this log."""

    leaf: bytes
    entry: int
    checkpoint: Checkpoint


class Kept(NamedTuple):
    """A promise that was kept: the leaf stands at this place of this log."""

    entry: int
    checkpoint: Checkpoint


class _Read(NamedTuple):
    """A proof in its parts; nothing of it is believed yet."""

    leaf: bytes | None
    entry: int
    path: list[bytes]
    note: str


def write(leaf: bytes | None, index: int, path: Sequence[bytes], note: str) -> str:
    """A proof as text, with its leaf or without."""
    extra = () if leaf is None else (_EXTRA + _text(leaf),)
    return "\n".join((FIRST, *extra, f"index {index}", *map(_text, path), "", note))


def check(proof: str, log: Verifier) -> Proven:
    """What it proves. Raises ProofInvalid or NoteInvalid when it proves nothing."""
    read = _read(proof)
    if read.leaf is None:
        raise ProofInvalid("not a proof with its leaf")
    signed = open_checkpoint(read.note, log).checkpoint
    tree.check_inclusion(tree.leaf_hash(read.leaf), read.entry, signed.size, read.path, signed.root)
    return Proven(read.leaf, read.entry, signed)


def keep(proof: str, log: Verifier, name: str, leaf_hash: bytes) -> Kept:
    """That the leaf of this hash, promised for the log `name` (its year left out), stands in it.

    Raises PromiseBroken when it is a proof of another leaf or log, ProofInvalid or NoteInvalid when it is none.
    """
    read = _read(proof)
    signed = open_checkpoint(read.note, log).checkpoint
    if not signed.origin.startswith(name) or not _YEAR.fullmatch(signed.origin.removeprefix(name)):
        raise PromiseBroken("another log was promised")
    try:
        tree.check_inclusion(leaf_hash, read.entry, signed.size, read.path, signed.root)
    except ProofInvalid:
        raise PromiseBroken("its hashes do not lead from this leaf to the signed root") from None
    return Kept(read.entry, signed)


def _read(proof: str) -> _Read:
    head, gap, note = proof.partition("\n\n")
    first, *lines = head.split("\n")
    leaf = _raw(lines.pop(0).removeprefix(_EXTRA)) if lines and lines[0].startswith(_EXTRA) else None
    place = _INDEX.fullmatch(lines[0]) if lines else None
    if not gap or first != FIRST or not place:
        raise ProofInvalid("not a proof")
    path = [_raw(line) for line in lines[1:]]
    if len(path) > tree.MOST_HASHES or any(len(one) != tree.HASH_BYTES for one in path):
        raise ProofInvalid("the path is not made of hashes")
    return _Read(leaf, int(place[1]), path, note)


def _text(raw: bytes) -> str:
    return b64encode(raw).decode()


def _raw(text: str) -> bytes:
    raw = decoded(text)
    if raw is None:
        raise ProofInvalid("not base64")
    return raw
