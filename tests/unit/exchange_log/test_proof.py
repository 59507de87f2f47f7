"""A proof that stands on its own: it holds with the key of the log, and every change of it proves nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import NoteInvalid, ProofInvalid
from gateway.exchange_log import proof, tree
from gateway.exchange_log.checkpoint import Checkpoint
from tests.unit.exchange_log.test_note import LOG_KEY, ORIGIN, OTHER
from tests.unit.exchange_log.test_tree import kept, naive, numbered


def proven(index: int, size: int) -> str:
    leaves = numbered(size)
    note = Checkpoint(ORIGIN, size, naive(leaves)).sign(LOG_KEY)
    return proof.write(leaves[index], index, tree.prove_inclusion(index, size, kept(leaves)), note)


@given(st.integers(1, 100), st.data())
def test_a_proof_gives_back_its_leaf_and_place(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    found = proof.check(proven(index, size), LOG_KEY.verifier)
    assert (found.leaf, found.entry, found.checkpoint.size) == (str(index).encode(), index, size)


def test_it_is_written_as_the_specification_says() -> None:
    lines = proven(1, 3).split("\n")
    assert lines[:3] == ["c2sp.org/tlog-proof@v1", "extra MQ==", "index 1"]
    assert lines[5:8] == ["", ORIGIN, "3"]


SPOILED: dict[str, Callable[[str], str]] = {
    "another leaf": lambda p: p.replace("extra Mw==", "extra NA=="),
    "another place": lambda p: p.replace("index 3", "index 4"),
    "a place in another spelling": lambda p: p.replace("index 3", "index 03"),
    "no leaf": lambda p: p.replace("extra Mw==\n", ""),
    "another version": lambda p: p.replace("@v1", "@v2"),
    "a hash too few": lambda p: "\n".join(p.split("\n")[:3] + p.split("\n")[4:]),
    "no hash": lambda p: p.replace("index 3\n", "index 3\nAAAA\n"),
    "no base64": lambda p: p.replace("index 3\n", "index 3\n*\n"),
    "another root": lambda p: p.replace(p.split("\n\n")[1].split("\n")[2], "A" * 43 + "="),
    "nothing": lambda _: "",
    "only a checkpoint": lambda p: p.partition("\n\n")[2],
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_a_proof_that_was_changed_proves_nothing(spoil: Callable[[str], str]) -> None:
    with pytest.raises((ProofInvalid, NoteInvalid)):
        proof.check(spoil(proven(3, 10)), LOG_KEY.verifier)


def test_another_key_proves_nothing() -> None:
    with pytest.raises(NoteInvalid):
        proof.check(proven(3, 10), OTHER.verifier)
