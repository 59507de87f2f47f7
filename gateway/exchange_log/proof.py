"""A proof of inclusion that stands on its own (C2SP tlog-proof): the leaf, its place, the path, and a signed head.

    c2sp.org/tlog-proof@v1
    extra <the leaf, base64>
    index 4127
    <a hash a line, base64>

    <the checkpoint>

Refuses to trust `extra`: the leaf in it is believed because its hash leads to the signed root, or not at all.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import NamedTuple

from gateway.errors import ProofInvalid
from gateway.exchange_log import tree
from gateway.exchange_log.checkpoint import Checkpoint, open_checkpoint
from gateway.exchange_log.note import Verifier

FIRST = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})", re.ASCII)


class Proven(NamedTuple):
    """What a proof proves: this leaf stands at this place of this log."""

    leaf: bytes
    entry: int
    checkpoint: Checkpoint


def write(leaf: bytes, index: int, path: Sequence[bytes], note: str) -> str:
    """A proof as text."""
    head = (FIRST, f"extra {_text(leaf)}", f"index {index}", *map(_text, path))
    return "\n".join((*head, "", note))


def check(proof: str, log: Verifier) -> Proven:
    """What it proves. Raises ProofInvalid or NoteInvalid when it proves nothing."""
    head, gap, note = proof.partition("\n\n")
    first, extra, index, *hashes = [*head.split("\n"), "", ""]
    place = _INDEX.fullmatch(index)
    if not gap or first != FIRST or not extra.startswith("extra ") or not place:
        raise ProofInvalid("not a proof with its leaf")
    leaf, path = _raw(extra.removeprefix("extra ")), [_raw(line) for line in hashes[:-2]]
    if len(path) > tree.MOST_HASHES or any(len(one) != tree.HASH_BYTES for one in path):
        raise ProofInvalid("the path is not made of hashes")
    signed = open_checkpoint(note, log).checkpoint
    tree.check_inclusion(tree.leaf_hash(leaf), int(place[1]), signed.size, path, signed.root)
    return Proven(leaf, int(place[1]), signed)


def _text(raw: bytes) -> str:
    return b64encode(raw).decode()


def _raw(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ProofInvalid("not base64") from None
