"""Names that only one partner knows (R-03)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import SettingsInvalid
from gateway.partners.pseudonym import pairwise_case, partner_person_id

KEY = bytes(range(32))
SHAPE = re.compile(r"P[0-9A-Z]{2}-[A-Z2-7]{26}")


@pytest.mark.parametrize(("code", "prefix"), [("KE", "PKE-"), ("KD", "PKD-"), ("TR", "PTR-")])
def test_an_id_has_the_partners_prefix_and_the_shape_its_schema_wants(code: str, prefix: str) -> None:
    name = partner_person_id(KEY, code, "P000000000042")
    assert name.startswith(prefix)
    assert SHAPE.fullmatch(name)


def test_an_id_never_changes_by_accident() -> None:
    # printf 'comwel-referral-gateway\\037person\\037KE\\037P000000000042' |
    #   openssl dgst -sha256 -mac HMAC -macopt hexkey:000102…1f -binary | base32
    assert partner_person_id(KEY, "KE", "P000000000042") == "PKE-WX3FRMYXV7M7VZI2ZRMW5J7OJY"


@pytest.mark.rule("R-03")
@given(st.text(min_size=1, max_size=13), st.text(min_size=1, max_size=13))
def test_two_persons_never_share_an_id_and_two_partners_never_share_a_part(one: str, other: str) -> None:
    assert (partner_person_id(KEY, "KE", one) == partner_person_id(KEY, "KE", other)) is (one == other)
    assert partner_person_id(KEY, "KE", one)[4:] != partner_person_id(KEY, "KD", one)[4:]


def test_ten_thousand_persons_do_not_collide() -> None:
    assert len({partner_person_id(KEY, "KE", f"P{n:012d}") for n in range(10_000)}) == 10_000


def test_the_cases_name_is_another_matter_than_the_persons() -> None:
    assert pairwise_case(KEY, "KE", "X")[4:] != partner_person_id(KEY, "KE", "X")[4:]
    assert pairwise_case(KEY, "KE", "X") != pairwise_case(KEY, "KD", "X")


def test_parts_cannot_be_shifted_into_one_another() -> None:
    assert partner_person_id(KEY, "KE", "1P")[4:] != partner_person_id(KEY, "KE1", "P")[5:]


def test_a_short_key_is_refused() -> None:
    with pytest.raises(SettingsInvalid):
        partner_person_id(b"x" * 31, "KE", "P1")
