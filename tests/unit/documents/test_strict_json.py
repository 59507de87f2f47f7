"""Strict JSON: what the door takes, what it refuses, and that it never repeats what it read."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.documents import strict_json
from gateway.errors import DocumentTooLarge, UnreadableJson

_LARGEST = 2**53 - 1
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-_LARGEST, _LARGEST)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)

REFUSED = [
    (b'{"a":1,"a":2}', "twice"),
    (b'{"a":{"b":1,"\\u0062":2}}', "twice"),
    (b"[NaN]", "NaN"),
    (b"[-Infinity]", "Infinity"),
    (b"[1e999]", "double"),
    (b"[9007199254740992]", "2^53"),
    (b"[-9007199254740992]", "2^53"),
    (b"[" + b"9" * 5000 + b"]", "2^53"),
    (b'["\\ud800"]', "surrogate"),
    (b'{"\\udc00":1}', "surrogate"),
    (b"\xef\xbb\xbf{}", "byte order mark"),
    (b'["\xff"]', "not UTF-8"),
    (b'["\xed\xa0\x80"]', "not UTF-8"),
    (b"", "syntax"),
    (b"{'a':1}", "syntax"),
    (b'{"a":1,}', "syntax"),
    (b"[01]", "syntax"),
    (b'["\t"]', "syntax"),
    (b'{"a":1} x', "syntax"),
    (b"[" * 33 + b"]" * 33, "deeper than 32"),
    (b"[" * 1_000_000, "tokens"),
    (b"[" + b"1," * 20_000 + b"1]", "tokens"),
]


@pytest.mark.parametrize(("raw", "why"), REFUSED, ids=[f"{i}-{w}" for i, (_, w) in enumerate(REFUSED)])
def test_hostile_or_loose_json_is_refused_with_its_reason(raw: bytes, why: str) -> None:
    with pytest.raises(UnreadableJson, match=why.replace("^", r"\^")):
        strict_json.loads(raw)


def test_too_many_bytes_are_refused_before_anything_else() -> None:
    with pytest.raises(DocumentTooLarge, match="11 bytes"):
        strict_json.loads(b"\xff" * 11, max_bytes=10)


def test_a_refusal_never_repeats_what_was_read() -> None:
    with pytest.raises(UnreadableJson) as caught:
        strict_json.loads('{"nameFull":"남궁민수","nameFull":"남궁민수"}'.encode())
    assert "남궁" not in str(caught.value)
    assert "nameFull" not in str(caught.value)


def test_brackets_inside_text_do_not_count_as_depth() -> None:
    assert strict_json.loads(b'["' + b"[" * 500 + b'"]') == ["[" * 500]


def test_a_surrogate_pair_is_one_character() -> None:
    assert strict_json.loads(b'["\\ud83d\\ude00"]') == ["\U0001f600"]


def test_endless_escapes_are_scanned_in_linear_time() -> None:
    began = time.perf_counter()
    with pytest.raises(UnreadableJson):
        strict_json.loads(b'"' + b'\\"' * 500_000)
    assert time.perf_counter() - began < 2


def test_negative_integers_keep_their_sign() -> None:
    assert strict_json.loads(b"[-5,5,-0]") == [-5, 5, 0]


@settings(max_examples=80, deadline=None)
@given(VALUES)
def test_what_we_write_reads_back_and_agrees_with_the_standard_library(value: Any) -> None:
    raw = strict_json.dumps(value)
    assert strict_json.loads(raw) == json.JSONDecoder().decode(raw.decode()) == value
