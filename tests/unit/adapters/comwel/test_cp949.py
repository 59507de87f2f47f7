"""CP949: rare syllables survive, look-alikes do not."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.comwel import cp949
from gateway.errors import Undecodable


@pytest.mark.parametrize(
    "text", ["남궁민수", "이설믜", "김펲", "박쀼", "NGUYEN THI HOA", "\uf9e1民守", "李民守", "김　훈"]
)
def test_names_come_back_as_they_were(text: str) -> None:
    assert cp949.decode(cp949.encode(text).ljust(50)) == text


@pytest.mark.parametrize(
    "raw",
    [
        b"\xb1\xe8\xff\xfe",
        "김".encode("cp949")[:1] + b" ",
        b"\xb1\xe8" * 24 + b"\xb1",
        "이설믜".encode("euc_kr"),
        b"\xa2\xe8",
        b"\xc9\xa1",
        b"\xfe\xfe",
        b"\x00\x00",
        b"A\nB",
        b"\x80",
    ],
)
def test_bytes_that_are_no_text_are_none(raw: bytes) -> None:
    assert cp949.decode(raw) is None


def test_a_site_may_publish_its_own_characters() -> None:
    site = {b"\xa2\xe8": "㉾", b"\xc9\xa1": "\ue000"}
    assert cp949.decode("우편".encode("cp949") + b"\xa2\xe8 \xc9\xa1", site) == "우편㉾ \ue000"
    assert cp949.decode(b"\xc9\xa2", site) is None


@pytest.mark.parametrize(
    ("text", "bytes_text"), [("₩1,000", "￦1,000"), ("가・나", "가ㆍ나"), ("1–2", "1-2"), ("가\u00a0나", "가 나")]
)
def test_known_substitutes_are_written(text: str, bytes_text: str) -> None:
    assert cp949.encode(text) == bytes_text.encode("cp949")


def test_decomposed_hangul_is_composed_before_it_is_written() -> None:
    assert cp949.encode(unicodedata.normalize("NFD", "김철수")) == "김철수".encode("cp949")


def test_compatibility_hanja_keep_their_own_bytes() -> None:
    assert cp949.encode("\uf9e1") != cp949.encode("李")


@pytest.mark.parametrize(("text", "point"), [("Müller", "U+00FC"), ("José", "U+00E9"), ("😀", "U+1F600")])
def test_what_has_no_place_is_refused_with_its_code_point(text: str, point: str) -> None:
    with pytest.raises(Undecodable, match=point.replace("+", r"\+")):
        cp949.encode(text)


@given(st.text(st.sampled_from("가믜펲A1 李"), max_size=30), st.integers(0, 60))
def test_cutting_never_splits_a_character(text: str, width: int) -> None:
    cut = cp949.fit(cp949.encode(text), width)
    assert len(cut) <= width
    assert text.startswith(cut.decode("cp949"))
    assert len(cut) >= min(width, len(cp949.encode(text))) - 1
