"""A partner is a folder of data; what it may be told is checked at load."""

from __future__ import annotations

import shutil
from datetime import time
from pathlib import Path

import pytest

from gateway.errors import DataFileInvalid
from gateway.partners.profile import Hours, Profile, load_all

ROOT = Path(__file__).parents[3]
PARTNERS, SCHEMAS = ROOT / "mappings" / "partners", ROOT / "schemas"


def test_three_partners_are_known_by_id_wire_name_and_code() -> None:
    profiles = load_all(PARTNERS, SCHEMAS)
    assert {(p.id, p.iss, p.code) for p in profiles.values()} == {
        ("KEIS", "keis", "KE"),
        ("KEAD", "kead", "KD"),
        ("TRN", "trn", "TR"),
    }
    assert profiles["KEIS"].mappings["referral"] == "keis-referral-out|1.0.0"
    assert profiles["KEAD"].schemas["outcome"] == "urn:kead:schema:outcome:1.0.0"
    assert "referral" not in profiles["TRN"].schemas
    assert profiles["TRN"].clocks.first_answer_days == 14


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('nameFull: "Y"', 'diagnoses: "Y"'),  # the dictionary says never
        ("funcProfile: C1", 'funcProfile: "Y"'),  # health without the separate consent
        ('nameFull: "Y"', 'employments: "Y"'),  # inbound only
        ('nameFull: "Y"', 'residentNumber: "Y"'),  # in no dictionary
        ('nameFull: "Y"', 'memo: "Y"'),  # allowed and withheld
        ("take: [employments", "take: [outcome, employments"),
        ("uniqueIds: false", "uniqueIds: maybe"),
        ("code: KE", "code: KEI"),
        ("code: KE", "code: KE\ncode: KD"),
        ("max_in_flight: 4", "max_in_flight: 0"),
        ("delivery:", 'hours: {calendar: KR, days: [mon], opens: "20:00", closes: "08:00"}\ndelivery:'),  # over
        ("delivery:", 'hours: {calendar: KR, days: [], opens: "08:00", closes: "20:00"}\ndelivery:'),  # never
        ("delivery:", 'hours: {calendar: KR, days: [mon], opens: "8:00", closes: "20:00"}\ndelivery:'),
        ("partner: KEIS", "partner: ABC"),  # no column of its own
        ("iss: keis", "iss: kead"),  # in somebody else's folder
    ],
)
def test_a_profile_that_says_too_much_is_refused(old: str, new: str, tmp_path: Path) -> None:
    text = (PARTNERS / "keis" / "profile.yaml").read_text("utf-8")
    assert old in text
    path = tmp_path / "keis" / "profile.yaml"
    path.parent.mkdir()
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(DataFileInvalid):
        Profile.load(path, SCHEMAS)


def test_another_name_on_the_wire_than_the_id_is_refused_for_nothing_it_signs_would_be_believed(tmp_path: Path) -> None:
    path = tmp_path / "keisx" / "profile.yaml"
    path.parent.mkdir()
    text = (PARTNERS / "keis" / "profile.yaml").read_text("utf-8")
    path.write_text(text.replace("iss: keis", "iss: keisx", 1), "utf-8")
    with pytest.raises(DataFileInvalid, match="by its id in small letters"):
        Profile.load(path, SCHEMAS)


def test_two_partners_cannot_share_a_code(tmp_path: Path) -> None:
    shutil.copytree(PARTNERS, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "kead" / "profile.yaml"
    path.write_text(path.read_text("utf-8").replace("code: KD", "code: KE"), "utf-8")
    with pytest.raises(DataFileInvalid, match="share the code KE"):
        load_all(tmp_path, SCHEMAS)


def test_a_file_that_is_not_there_is_a_data_fault(tmp_path: Path) -> None:
    with pytest.raises(DataFileInvalid):
        Profile.load(tmp_path / "profile.yaml", SCHEMAS)


def test_a_partner_takes_messages_at_any_time_or_in_its_hours(tmp_path: Path) -> None:
    text = (PARTNERS / "keis" / "profile.yaml").read_text("utf-8")
    path = tmp_path / "keis" / "profile.yaml"
    path.parent.mkdir()
    hours = 'hours: {calendar: KR, days: [mon, fri], opens: "08:00", closes: "20:30"}\n'
    path.write_text(text + hours, "utf-8")
    assert Profile.load(PARTNERS / "keis" / "profile.yaml", SCHEMAS).hours is None
    assert Profile.load(path, SCHEMAS).hours == Hours("KR", frozenset({0, 4}), time(8), time(20, 30))
