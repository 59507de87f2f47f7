"""The Merkle tree of RFC 6962: hashes, roots, and proofs of inclusion and consistency (RFC 9162 §2.1.3, §2.1.4).

Proofs are made from the hashes of complete subtrees, wherever they are kept: `hashes(level, index)` is
MTH(D[index·2^level : (index+1)·2^level]). They are checked from the proof alone.
Refuses to believe: a proof that is too short, too long or leads elsewhere is `ProofInvalid`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256

from gateway.errors import ProofInvalid

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()
MOST_HASHES = 63
"""No proof in a tree of fewer than 2^63 leaves is longer."""

Hashes = Callable[[int, int], bytes]


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf: SHA-256(0x00 ‖ leaf)."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node: SHA-256(0x01 ‖ left ‖ right)."""
    return sha256(b"\x01" + left + right).digest()


def fold(hashes: Sequence[bytes]) -> bytes:
    """The root over a power of two of hashes."""
    while len(hashes) > 1:
        hashes = [node_hash(left, right) for left, right in zip(hashes[::2], hashes[1::2], strict=True)]
    return hashes[0]


def root(size: int, hashes: Hashes) -> bytes:
    """The root of the first `size` leaves."""
    return _range(0, size, hashes) if size else EMPTY_ROOT


def prove_inclusion(index: int, size: int, hashes: Hashes) -> list[bytes]:
    """The path from leaf `index` to the root of the first `size` leaves, the leaf's sibling first."""
    if not 0 <= index < size:
        raise ProofInvalid("the leaf is outside the tree")
    low, high, path = 0, size, []
    while high - low > 1:
        middle = low + _left(high - low)
        if index < middle:
            path.append(_range(middle, high, hashes))
            high = middle
        else:
            path.append(_range(low, middle, hashes))
            low = middle
    return path[::-1]


def prove_consistency(old: int, new: int, hashes: Hashes) -> list[bytes]:
    """That the first `old` leaves of the tree of `new` are the tree of `old`; empty from nothing and to itself."""
    if not 0 <= old <= new:
        raise ProofInvalid("the older tree is larger")
    if old in (0, new):
        return []
    low, high, path, whole = 0, new, [], True
    while high != old:
        middle = low + _left(high - low)
        if old <= middle:
            path.append(_range(middle, high, hashes))
            high = middle
        else:
            path.append(_range(low, middle, hashes))
            low, whole = middle, False
    return [*([] if whole else [_range(low, high, hashes)]), *path[::-1]]


def check_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected: bytes) -> None:
    """Raise ProofInvalid unless `proof` leads from the hash `leaf` at `index` to the root of `size` leaves."""
    if not 0 <= index < size:
        raise ProofInvalid("the leaf is outside the tree")
    place, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofInvalid("the proof is too long")
        if place & 1 or place == last:
            found = node_hash(sibling, found)
            place, last = _climb(place, last)
        else:
            found = node_hash(found, sibling)
        place, last = place >> 1, last >> 1
    if last or found != expected:
        raise ProofInvalid("the leaf is not in the tree at this place")


def check_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Raise ProofInvalid unless the tree of `new` leaves begins with the tree of `old`."""
    if not 0 <= old <= new:
        raise ProofInvalid("the older tree is larger")
    if old in (0, new):
        expected = {0: EMPTY_ROOT, new: new_root}[old]
        if proof or old_root != expected:
            raise ProofInvalid("two roots for one size" if old else "nothing needs no proof")
        return
    path = [*([old_root] if old & (old - 1) == 0 else []), *proof]
    if not path:
        raise ProofInvalid("the proof is too short")
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    before = after = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofInvalid("the proof is too long")
        if place & 1 or place == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            place, last = _climb(place, last)
        else:
            after = node_hash(after, sibling)
        place, last = place >> 1, last >> 1
    if last or before != old_root or after != new_root:
        raise ProofInvalid("the newer tree does not begin with the older one")


def _left(width: int) -> int:
    """The width of the left subtree: the largest power of two below `width`."""
    return 1 << (width - 1).bit_length() - 1


def _range(low: int, high: int, hashes: Hashes) -> bytes:
    """MTH(D[low:high]), where `low` is a multiple of every power of two that fits into the range."""
    found: bytes | None = None
    while high > low:
        level = ((high - low) & -(high - low)).bit_length() - 1
        high -= 1 << level
        peak = hashes(level, high >> level)
        found = peak if found is None else node_hash(peak, found)
    assert found is not None  # noqa: S101 - callers ask for one leaf at least
    return found


def _climb(place: int, last: int) -> tuple[int, int]:
    while not place & 1 and place:
        place, last = place >> 1, last >> 1
    return place, last
