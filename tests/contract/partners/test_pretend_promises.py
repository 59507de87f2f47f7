"""Promises as a pretend partner looks at them: kept, not yet, or broken, by nothing but its own eyes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from adapters.partners.pretend.promises import MOST, Found, look
from gateway.exchange_log import proof, tree
from gateway.exchange_log.checkpoint import Checkpoint
from gateway.sealing import base64url
from gateway.sealing.receipts import Promise, make
from tests.unit.exchange_log.test_note import LOG_KEY, ORIGIN, OTHER
from tests.unit.exchange_log.test_tree import kept, naive, numbered
from tests.unit.sealing.build import key_of, receipt_of, sealed

AT = datetime.fromisoformat("2026-11-23T14:02:11.302+00:00")
SENT = sealed()
LEAVES = numbered(10)


def given(leaf: int, log: str = ORIGIN.rpartition("/")[0]) -> str:
    """A receipt that promises a leaf."""
    hash_ = base64url.encode(tree.leaf_hash(str(leaf).encode()))
    promise = Promise(log, hash_, "KEAD", leaf + 1, "2026-11-23T14:02:11.302Z")
    return make(receipt_of(SENT, promise=promise), key_of("comwel"))


def proof_of(leaf: int) -> str:
    note = Checkpoint(ORIGIN, 10, naive(LEAVES)).sign(LOG_KEY)
    return proof.write(None, leaf, tree.prove_inclusion(leaf, 10, kept(LEAVES)), note)


def journal(*receipts: str) -> list[dict[str, Any]]:
    return [{"what": "answered", "mid": f"m{n}", "receipt": jws} for n, jws in enumerate(receipts)]


def test_a_promise_is_kept_by_a_proof_of_its_leaf_under_a_key_we_were_given() -> None:
    lines = [
        {"what": "clock", "today": "2026-11-23"},
        *journal(given(3)),
        {"what": "refused", "mid": "m9", "receipt": given(4)},
    ]
    proofs = {"m0": proof_of(3), "m9": proof_of(4)}
    assert look(lines, proofs.get, [OTHER.verifier, LOG_KEY.verifier], AT) == Found(2, 0, [])


@pytest.mark.parametrize(
    ("receipt", "text"),
    [
        pytest.param(given(3), proof_of(4), id="a proof of another leaf"),
        pytest.param(given(11), proof_of(3), id="a forged promise"),
        pytest.param(given(3, "other.example/xlog"), proof_of(3), id="another log"),
        pytest.param(given(3), proof_of(3).replace(ORIGIN, "x", 1), id="a head nobody signed"),
        pytest.param(given(3), "", id="nothing in it"),
    ],
)
def test_a_promise_is_broken_by_anything_else(receipt: str, text: str) -> None:
    assert look(journal(receipt), lambda _: text, [LOG_KEY.verifier], AT) == Found(0, 0, ["m0"])


def test_without_a_key_of_the_log_nothing_is_kept() -> None:
    assert look(journal(given(3)), lambda _: proof_of(3), [OTHER.verifier], AT).broken == ["m0"]


def test_what_has_no_proof_yet_waits_for_a_day() -> None:
    waited = [look(journal(given(3)), lambda _: None, [LOG_KEY.verifier], AT + timedelta(hours=h)) for h in (23, 24)]
    assert waited == [Found(0, 1, []), Found(0, 0, ["m0"])]


def test_of_many_some_are_looked_at_and_of_receipts_without_a_promise_none() -> None:
    plain = make(receipt_of(SENT), key_of("comwel"))
    many = journal(plain, *[given(3)] * (MOST * 3))
    assert look(many, lambda _: proof_of(3), [LOG_KEY.verifier], AT) == Found(MOST, 0, [])
