"""Profiles, dictionary and legal bases fit together: nothing allowed is dead, nothing is kept without a reason."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from gateway.cases.forms import FORMS
from gateway.cases.legal_basis import LegalBases
from gateway.partners.profile import Profile, load_all

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "schemas"
PROFILES = load_all(ROOT / "mappings" / "partners", SCHEMAS)
BASES = LegalBases.load(ROOT / "mappings" / "rules" / "legal-basis" / "2026.3.yaml", SCHEMAS)
with (SCHEMAS / "comwel" / "dictionary.csv").open(encoding="utf-8", newline="") as _rows:
    ROWS = {row["name"]: row for row in csv.DictReader(_rows)}

each = pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)


@each
def test_the_allow_list_is_within_the_partners_column(profile: Profile) -> None:
    assert {name: ROWS[name][profile.id] for name in profile.allow} == dict(profile.allow)


@each
def test_what_the_column_permits_is_allowed_taken_or_withheld_with_a_reason(profile: Profile) -> None:
    permitted = {name for name, row in ROWS.items() if row[profile.id] != "-"}
    assert permitted <= profile.allow.keys() | profile.take | profile.withhold.keys()


@pytest.mark.rule("R-05")
@each
def test_every_form_is_one_the_gateway_can_narrow_to(profile: Profile) -> None:
    assert set(profile.allow.values()) <= FORMS.keys()


@each
def test_no_allowed_field_is_dead(profile: Profile) -> None:
    basis = BASES.ground(profile.legal_basis_out, profile.kind)
    dead = [n for n, form in profile.allow.items() if form != "C2" and not basis.allows(n, BASES.classes[n])]
    assert dead == []


@each
def test_every_allowed_field_is_covered_by_a_word_of_consent(profile: Profile) -> None:
    assert profile.allow.keys() <= BASES.consent.covered(BASES.consent.items)


@each
def test_the_answer_has_a_legal_basis_of_its_own(profile: Profile) -> None:
    basis = BASES.bases[profile.legal_basis_in]
    assert basis.active
    assert profile.kind in basis.senders
    assert "comwel" in basis.recipients


@pytest.mark.rule("R-06")
@each
def test_memo_and_diagnosis_and_death_never_leave_and_say_why(profile: Profile) -> None:
    for name in ("memo", "diagnoses", "deceasedDate"):
        assert name not in profile.allow
        assert profile.withhold[name]


@each
def test_every_pinned_map_and_schema_is_there(profile: Profile) -> None:
    assert profile.mappings.keys() == {"referral", "cancel", "outcome"}
    assert {"outcome"} <= profile.schemas.keys() <= {"referral", "outcome"}
    for pin in profile.mappings.values():
        name, version = pin.split("|")
        kind = name.removeprefix(f"{profile.iss}-")
        assert (ROOT / "mappings" / "partners" / profile.iss / kind / version / "map.yaml").is_file()
    for urn in profile.schemas.values():
        _, partner, _, kind, version = urn.split(":")
        assert (SCHEMAS / "partners" / partner / kind / f"{version}.json").is_file()


def test_no_word_of_consent_covers_what_another_covers() -> None:
    groups = [*BASES.consent.items.values(), BASES.consent.always]
    assert sum(map(len, groups)) == len(frozenset().union(*groups))
