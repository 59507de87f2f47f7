"""The tree: known vectors, and for every size that fits a naive tree written straight from RFC 6962 §2.1."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ProofInvalid
from gateway.exchange_log import tree
from gateway.exchange_log.tree import Hashes, check_consistency, check_inclusion, leaf_hash, prove_consistency
from gateway.exchange_log.tree import prove_inclusion as prove

# the eight leaves, roots and paths of the reference tests of Certificate Transparency
LEAVES = [
    bytes.fromhex(h)
    for h in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
A = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
B = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
C = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
D = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
E = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
F = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
INCLUSION = [  # leaf, size, path
    (0, 1, []),
    (0, 8, [A, B, C]),
    (5, 8, [D, E, ROOTS[4]]),
    (2, 3, [ROOTS[2]]),
    (1, 5, [ROOTS[1], B, D]),
]
CONSISTENCY = [(1, 1, []), (1, 8, [A, B, C]), (6, 8, [F, E, ROOTS[4]]), (2, 5, [B, D])]


def naive(leaves: Sequence[bytes]) -> bytes:
    """MTH(D[n]), word for word."""
    n = len(leaves)
    if n == 0:
        return sha256(b"").digest()
    if n == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < n:
        k *= 2
    return sha256(b"\x01" + naive(leaves[:k]) + naive(leaves[k:])).digest()


def kept(leaves: Sequence[bytes]) -> Hashes:
    """Hashes of complete subtrees, computed each time."""

    @cache
    def find(level: int, index: int) -> bytes:
        width = 1 << level
        return naive(leaves[index * width : (index + 1) * width])

    return find


def numbered(size: int) -> list[bytes]:
    return [str(n).encode() for n in range(size)]


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    assert tree.root(size, kept(LEAVES)).hex() == ROOTS[size] == naive(LEAVES[:size]).hex()


@pytest.mark.parametrize(("index", "size", "path"), INCLUSION)
def test_inclusion_proofs_are_those_of_certificate_transparency(index: int, size: int, path: list[str]) -> None:
    proof = prove(index, size, kept(LEAVES))
    assert [h.hex() for h in proof] == path
    check_inclusion(leaf_hash(LEAVES[index]), index, size, proof, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("old", "new", "path"), CONSISTENCY)
def test_consistency_proofs_are_those_of_certificate_transparency(old: int, new: int, path: list[str]) -> None:
    proof = prove_consistency(old, new, kept(LEAVES))
    assert [h.hex() for h in proof] == path
    check_consistency(old, bytes.fromhex(ROOTS[old]), new, bytes.fromhex(ROOTS[new]), proof)


SIZES = st.integers(1, 300)


@given(SIZES, st.data())
def test_every_leaf_of_every_tree_is_proven_and_at_no_other_place(size: int, data: st.DataObject) -> None:
    leaves = numbered(size)
    index = data.draw(st.integers(0, size - 1))
    proof, top = prove(index, size, kept(leaves)), naive(leaves)
    check_inclusion(leaf_hash(leaves[index]), index, size, proof, top)
    elsewhere = data.draw(st.integers(-1, size + 1).filter(lambda n: n != index))
    with pytest.raises(ProofInvalid):
        check_inclusion(leaf_hash(leaves[index]), elsewhere, size, proof, top)


@given(SIZES, st.data())
def test_every_tree_begins_with_every_smaller_one_and_with_no_other(size: int, data: st.DataObject) -> None:
    leaves = numbered(size)
    old = data.draw(st.integers(0, size))
    proof, before, after = prove_consistency(old, size, kept(leaves)), naive(leaves[:old]), naive(leaves)
    check_consistency(old, before, size, after, proof)
    if old:
        forged = naive([*leaves[: old - 1], b"another"])
        with pytest.raises(ProofInvalid):
            check_consistency(old, forged, size, after, proof)


Spoil = Callable[[list[bytes]], list[bytes]]
SPOILED: dict[str, Spoil] = {
    "a hash too few": lambda p: p[:-1],
    "a hash too many": lambda p: [*p, bytes(32)],
    "the first hash twice": lambda p: [p[0], *p],
    "a bit flipped": lambda p: [bytes([p[0][0] ^ 1]) + p[0][1:], *p[1:]],
    "upside down": lambda p: [bytes(32), *p[::-1]],
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
@given(size=st.integers(3, 200), data=st.data())
def test_a_spoiled_proof_proves_nothing(spoil: Spoil, size: int, data: st.DataObject) -> None:
    leaves = numbered(size)
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size - 1))
    hashes, top = kept(leaves), naive(leaves)
    with pytest.raises(ProofInvalid):
        check_inclusion(leaf_hash(leaves[index]), index, size, spoil(prove(index, size, hashes)), top)
    with pytest.raises(ProofInvalid):
        check_consistency(old, naive(leaves[:old]), size, top, spoil(prove_consistency(old, size, hashes)))


def test_from_nothing_and_to_itself_the_proof_is_empty_and_the_roots_are_compared() -> None:
    top = naive(LEAVES)
    check_consistency(0, tree.EMPTY_ROOT, 8, top, [])
    check_consistency(8, top, 8, top, [])
    for old, root, proof in ((0, top, []), (8, tree.EMPTY_ROOT, []), (0, tree.EMPTY_ROOT, [top]), (8, top, [top])):
        with pytest.raises(ProofInvalid):
            check_consistency(old, root, 8, top, proof)


@pytest.mark.parametrize(("old", "new"), [(9, 8), (-1, 8)])
def test_a_larger_tree_is_not_the_beginning_of_a_smaller_one(old: int, new: int) -> None:
    with pytest.raises(ProofInvalid):
        prove_consistency(old, new, kept(LEAVES))
    with pytest.raises(ProofInvalid):
        check_consistency(old, bytes(32), new, bytes(32), [])


def test_a_leaf_outside_the_tree_has_no_proof() -> None:
    for index in (-1, 8):
        with pytest.raises(ProofInvalid):
            prove(index, 8, kept(LEAVES))
