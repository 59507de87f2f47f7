"""The forms of the primitive types: the same texts as in the standard, in time that grows with the text."""

from __future__ import annotations

import re
from time import process_time

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.documents.fhir.primitives import SCHEMAS, has_form

AS_THE_STANDARD_SAYS_IT = {
    "string": r"[^\x00-\x08\x0b\x0c\x0e-\x1f]*[^\s\x00-\x1f][^\x00-\x08\x0b\x0c\x0e-\x1f]*",
    "base64Binary": r"[0-9a-zA-Z+/\s]+={0,2}\s*",
}
SHORT = st.text(st.sampled_from("aZ9+/= \t\r\n\x00\x0b\x0c\x1c\x1f\x7f\x85\xa0\u3000\ufeff가-<"), max_size=8)


@pytest.mark.parametrize("name", AS_THE_STANDARD_SAYS_IT)
@given(SHORT)
@settings(max_examples=400, deadline=None)
def test_a_form_lets_through_what_the_standard_lets_through(name: str, text: str) -> None:
    told = re.fullmatch(AS_THE_STANDARD_SAYS_IT[name], text) is not None
    assert has_form(name, text) is told


@pytest.mark.parametrize("name", AS_THE_STANDARD_SAYS_IT)
@given(SHORT)
@settings(max_examples=400, deadline=None)
def test_so_does_its_schema(name: str, text: str) -> None:
    standard = jsonschema_rs.Draft202012Validator({"pattern": f"^{AS_THE_STANDARD_SAYS_IT[name]}$"})
    assert jsonschema_rs.Draft202012Validator(SCHEMAS[name]).is_valid(text) is standard.is_valid(text)


def test_every_character_alone_is_judged_as_before() -> None:
    standard = re.compile(AS_THE_STANDARD_SAYS_IT["string"])
    characters = [chr(point) for point in (*range(0xD800), *range(0xE000, 0x10000))]
    assert [c for c in characters if has_form("string", c) is not bool(standard.fullmatch(c))] == []


def _seconds(name: str, text: str) -> float:
    """Time of this process that looking at the text takes at best."""
    taken = []
    for _ in range(3):
        begun = process_time()
        has_form(name, text)
        taken.append(process_time() - begun)
    return min(taken)


@pytest.mark.parametrize("name", [name for name, schema in SCHEMAS.items() if "pattern" in schema])
@pytest.mark.parametrize("text", ["a", " ", "a ", "=", "a=", "1", ".0", "<div", "</div> "], ids=repr)
def test_a_long_text_takes_time_that_grows_with_its_length_alone(name: str, text: str) -> None:
    start = {"xhtml": "<div", "time": "00:00:00."}.get(name, "")
    short, long = (_seconds(name, start + text * (n // len(text)) + "\x01") for n in (4_000, 32_000))
    assert long < 24 * max(short, 0.000_5)  # eight times as long: 8 when it is linear, 64 when it is quadratic
