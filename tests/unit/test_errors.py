"""The tree of refusals: every class says what it means, and nothing of a person."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from gateway import errors
from gateway.errors import Fault, GatewayError, Interfered, NotYourLeg, Place, Refused, StoreUnavailable, UnknownCode

CLASSES = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, GatewayError)]
NAMED = [c for c in CLASSES if "code" in vars(c)]
ISSUES = """
invalid structure required value invariant security login unknown expired forbidden suppressed processing not-supported
duplicate multiple-matches not-found deleted too-long code-invalid extension too-costly business-rule conflict transient
lock-error no-store exception timeout incomplete throttled informational
"""
"""All of http://hl7.org/fhir/R4/valueset-issue-type.html."""
each = pytest.mark.parametrize("error", NAMED, ids=lambda c: c.__name__)


def test_a_code_means_one_thing() -> None:
    shared = {code: n for code, n in Counter(c.code for c in NAMED).items() if n > 1}
    assert shared == {"E-RRN": 2}, (
        "only the resident number is refused in two places: a file, and a coordinator's entry"
    )


def test_every_class_has_a_sentence_of_its_own() -> None:
    assert [s for s, n in Counter(c.sentence for c in NAMED).items() if n > 1] == []
    assert [c.__name__ for c in NAMED if not {"sentence", "remedy"} <= vars(c).keys()] == []


@each
def test_a_class_can_go_out_as_http_and_as_fhir(error: type[GatewayError]) -> None:
    assert 400 <= error.status <= 599
    assert error.issue in ISSUES.split()
    assert error.fault in Fault
    assert re.fullmatch(r"[A-Z]+(-[A-Z0-9]+)+", error.code)


@each
def test_sentence_and_remedy_are_parts_of_one_line(error: type[GatewayError]) -> None:
    for text in (error.sentence, error.remedy):
        assert text
        assert text == text.strip()
        assert not text.endswith((".", ";"))
        assert "\n" not in text


@each
def test_the_text_carries_code_place_sentence_and_remedy(error: type[GatewayError]) -> None:
    said = str(error("two of them", place=Place("a.dat", 7, "jhGrade")))
    assert said == f"{error.code} [a.dat, record 7, jhGrade] {error.sentence}: two of them; {error.remedy}"


def test_without_place_and_detail_the_text_has_no_holes() -> None:
    assert str(NotYourLeg()) == f"LOOP-OWNER {NotYourLeg.sentence}; {NotYourLeg.remedy}"


def test_a_place_names_only_what_is_known() -> None:
    assert str(UnknownCode(place=Place(field="/body/sexCd"))).startswith("E-CODE [/body/sexCd] ")
    assert str(UnknownCode(place=Place("a.dat", 1))).startswith("E-CODE [a.dat, record 1] ")


def test_a_refusal_is_the_senders_to_mend_unless_it_is_our_own_data_or_we_take_nothing_now() -> None:
    ours = {c.__name__ for c in NAMED if issubclass(c, Refused) and c.fault is not Fault.SEND}
    assert ours == {"MapRefused", "PartnerStopped"}


def test_what_may_be_tried_again_unchanged_is_the_receivers() -> None:
    again = {c for c in NAMED if c.fault is Fault.REC}
    assert {StoreUnavailable, Interfered} < again
    assert all(c.status >= 500 or c is Interfered for c in again)


def test_the_tree_at_the_top_of_the_file_names_every_code() -> None:
    drawn = errors.__doc__ or ""
    families = set(re.findall(r"\b([A-Z]+)-\*", drawn))
    assert [c.code for c in NAMED if c.code not in drawn and c.code.split("-")[0] not in families] == []
