"""Policies: the example of the C2SP text, and files that would let somebody count twice."""

from __future__ import annotations

from itertools import combinations

import pytest

from gateway.errors import NoteInvalid
from gateway.exchange_log import policy
from gateway.exchange_log.note import COSIGNATURE
from tests.unit.exchange_log.test_note import LOG_KEY, signer

KEYS = {name: signer(f"{name}.example", COSIGNATURE, seed).verifier for seed, name in enumerate("ABCDEF", 10)}
A, B, C, D, E, F = (key.vkey for key in KEYS.values())
EXAMPLE = f"""
# two organisations
log {LOG_KEY.verifier.vkey} https://gateway.example/xlog
witness X1 {A}
witness X2 {B}\thttps://b.example
  witness X3 {C}
group X-witnesses 2 X1 X2 X3

witness Y1 {D}
witness Y2 {E}
group Y-witnesses any Y1 Y2

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""


def test_the_example_of_the_specification_needs_two_of_one_house_and_one_of_the_other() -> None:
    read = policy.parse(EXAMPLE)
    for count in range(6):
        for chosen in combinations("ABCDE", count):
            enough = len(set(chosen) & set("ABC")) >= 2 and bool(set(chosen) & set("DE"))
            assert read.enough([KEYS[name] for name in chosen]) is enough
    assert read.logs == [LOG_KEY.verifier]
    assert read.witnesses["X2"].url == "https://b.example"


def test_no_quorum_needs_nobody() -> None:
    assert policy.parse("quorum none\n").enough([])


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        f"witness X1 {A}",
        "quorum X1",
        f"witness X1 {A}\nquorum X1\nquorum X1",
        f"witness X1 {A}\nwitness X2 {A}\nquorum X1",
        f"witness X1 {A}\nwitness X1 {B}\nquorum X1",
        f"witness none {A}\nquorum none",
        f"witness X1 {LOG_KEY.verifier.vkey}\nquorum X1",
        f"log {A}\nquorum none",
        f"log {LOG_KEY.verifier.vkey}\nlog {LOG_KEY.verifier.vkey}\nquorum none",
        f"witness X1 {A}\ngroup G 2 X1\nquorum G",
        f"witness X1 {A}\ngroup G 0 X1\nquorum G",
        f"witness X1 {A}\ngroup G all X1 X1\nquorum G",
        f"witness X1 {A}\ngroup G all X1\ngroup H all X1\nquorum G",
        f"witness X1 {A}\ngroup G all X2\nquorum X1",
        f"group G all G\nwitness X1 {A}\nquorum X1",
        f"witness X1 {A}\ngroup G all\nquorum X1",
        f"witness X1 {A}\nquorum X1 X1",
        f"witness X1 {A}\r\nquorum X1",
        "hello",
    ],
)
def test_a_policy_that_is_not_exact_is_refused(wrong: str) -> None:
    with pytest.raises(NoteInvalid):
        policy.parse(wrong)
