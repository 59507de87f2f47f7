"""A proof that stands on its own: it holds with the key of the log, and every change of it proves nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import NoteInvalid, PromiseBroken, ProofInvalid
from gateway.exchange_log import proof, tree
from gateway.exchange_log.checkpoint import Checkpoint
from tests.unit.exchange_log.test_note import LOG_KEY, ORIGIN, OTHER
from tests.unit.exchange_log.test_tree import kept, naive, numbered

NAME = ORIGIN.rpartition("/")[0]


def proven(index: int, size: int, *, bare: bool = False) -> str:
    leaves = numbered(size)
    note = Checkpoint(ORIGIN, size, naive(leaves)).sign(LOG_KEY)
    path = tree.prove_inclusion(index, size, kept(leaves))
    return proof.write(None if bare else leaves[index], index, path, note)


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
    with pytest.raises(NoteInvalid):
        proof.keep(proven(3, 10, bare=True), OTHER.verifier, NAME, tree.leaf_hash(b"3"))


@given(st.integers(1, 100), st.data())
def test_whoever_has_the_hash_of_a_leaf_needs_no_leaf(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    text = proven(index, size, bare=True)
    assert text.startswith(f"c2sp.org/tlog-proof@v1\nindex {index}\n")
    found = proof.keep(text, LOG_KEY.verifier, NAME, tree.leaf_hash(str(index).encode()))
    assert (found.entry, found.checkpoint.size) == (index, size)
    with pytest.raises(ProofInvalid):
        proof.check(text, LOG_KEY.verifier)


@pytest.mark.parametrize("name", ["other.example/exchange-log", ORIGIN, NAME[:-1], f"{NAME}/", ""])
def test_a_proof_of_another_log_than_the_promised_one_is_refused_by_name(name: str) -> None:
    with pytest.raises(PromiseBroken, match="another log"):
        proof.keep(proven(3, 10, bare=True), LOG_KEY.verifier, name, tree.leaf_hash(b"3"))


def test_a_proof_of_another_leaf_than_the_promised_one_is_refused_by_name() -> None:
    for text in (proven(3, 10, bare=True), proven(3, 10)):  # whatever leaf comes with it
        with pytest.raises(PromiseBroken, match="LOG-PROMISE"):
            proof.keep(text, LOG_KEY.verifier, NAME, tree.leaf_hash(b"4"))


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_a_promise_is_not_kept_by_what_was_changed(spoil: Callable[[str], str]) -> None:
    changed = spoil(proven(3, 10))
    if spoil not in (SPOILED["another leaf"], SPOILED["no leaf"]):
        with pytest.raises((ProofInvalid, NoteInvalid, PromiseBroken)):
            proof.keep(changed, LOG_KEY.verifier, NAME, tree.leaf_hash(b"3"))
