"""The acknowledgement says what was refused and why, and is the same bytes each time."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from adapters.comwel import acknowledgement, files
from adapters.comwel.acknowledgement import Acknowledgements, Row
from gateway.errors import GatewayError, HandoverRefused, WrongLength
from gateway.ports import FileHead, Problem

SCHEMAS = Path(__file__).resolve().parents[4] / "schemas"
HEAD = FileHead("RHB_CASE_20261123_00002.dat", "A1", date(2026, 11, 23), 2, 1, None, "D", "ab" * 32)
PROBLEMS = (
    Problem(1, "20260001000001", "E-ENC", "korNm", b"raw", "cd" * 32),
    Problem(7, None, "E-LEN", None, b"raw", "cd" * 32),
)


@pytest.fixture(scope="module")
def acks() -> Acknowledgements:
    return Acknowledgements.load(SCHEMAS)


def test_refused_records_come_back_row_by_row(acks: Acknowledgements, tmp_path: Path) -> None:
    path = acks.write(tmp_path, HEAD, None, PROBLEMS, 300)
    assert path.name == "RHB_ACK_20261123_00002.dat"
    assert path.with_suffix(".done").exists()
    assert files.claimed(path) == files.Sum(files.digest(path), path.stat().st_size, 2)
    answer = acks.read(path.read_bytes())
    assert (answer.accepted, answer.code, answer.total, answer.sha256) == (True, "", 300, "ab" * 32)
    assert answer.rows == (Row(1, "20260001000001", "E-ENC", "korNm"), Row(7, "", "E-LEN", ""))


def test_a_rejected_file_is_answered_with_its_code(acks: Acknowledgements) -> None:
    answer = acks.read(acks.build(HEAD, "E-TOTALS", (), 0))
    assert (answer.accepted, answer.code, answer.rows) == (False, "E-TOTALS", ())


def test_entries_are_answered_under_their_own_name(acks: Acknowledgements, tmp_path: Path) -> None:
    path = acks.write(tmp_path, HEAD._replace(way="A6"), None, (), 1)
    assert path.name == "RHB_JCACK_20261123_00002.dat"


def test_the_same_judgement_gives_the_same_bytes(acks: Acknowledgements) -> None:
    assert acks.build(HEAD, None, PROBLEMS, 300) == acks.build(HEAD, None, PROBLEMS, 300)


def test_nothing_of_the_record_but_its_number_is_repeated(acks: Acknowledgements) -> None:
    assert b"raw" not in acks.build(HEAD, None, PROBLEMS, 300)


def test_a_long_field_name_is_cut_not_refused(acks: Acknowledgements) -> None:
    built = acks.build(HEAD, None, [PROBLEMS[0]._replace(field="/consent/0/" + "가" * 60)], 1)
    assert acks.read(built).rows[0].field.startswith("/consent/0/가")


@pytest.mark.parametrize("damage", [lambda d: d[:-1], lambda d: d[202:], lambda d: d[:202], lambda d: b""])
def test_a_damaged_acknowledgement_is_refused(acks: Acknowledgements, damage: object) -> None:
    with pytest.raises(WrongLength):
        acks.read(damage(acks.build(HEAD, None, PROBLEMS, 300)))  # type: ignore[operator]


def _codes(kind: type[GatewayError]) -> set[str]:
    return {kind.code} | {code for sub in kind.__subclasses__() for code in _codes(sub)}


def test_every_code_of_the_handover_has_a_korean_sentence() -> None:
    assert _codes(HandoverRefused) - {"GW-ERROR"} == set(acknowledgement.SENTENCES)
