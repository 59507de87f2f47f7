"""Whether a consent can carry a message (R-07 … R-11)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from gateway.cases.consent import find, flaw, withdrawn
from gateway.errors import ConsentMissing
from tests.unit.cases.build import BASES, consent, record

TERMS = BASES.consent
AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
DAY = date(2026, 11, 23)


def guardian(**changes: Any) -> dict[str, Any]:
    whole = {
        "name": "김보호",
        "relation": "성년후견인",
        "from": "2026-01-01",
        "until": "2027-12-31",
        "mandateNo": "M-1",
    }
    return {k: v for k, v in (whole | changes).items() if v is not None}


@pytest.mark.rule("R-07")
@pytest.mark.parametrize(
    "element", ["no", "recipients", "purpose", "items", "from", "until", "method", "textVersion", "signer"]
)
@pytest.mark.parametrize("empty", [None, "", []])
def test_a_missing_element_makes_a_consent_unusable(element: str, empty: object) -> None:
    broken = consent() | {element: empty}
    assert flaw(broken, record(), TERMS, DAY) == f"it lacks {element}"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"thirdParty": False}, "it does not permit provision to third parties"),
        ({"method": "구두"}, "it was not given in a way decree 17② knows"),
        ({"from": "2026-11-24"}, "its period has not begun"),
        ({"until": "2026-11-22"}, "its period has passed"),
        ({"signer": "neighbour"}, "nobody known signed it"),
    ],
)
def test_each_flaw_has_its_sentence(changes: dict[str, Any], why: str) -> None:
    assert flaw(consent(**changes), record(), TERMS, DAY) == why


@pytest.mark.rule("R-07", "R-11")
@pytest.mark.parametrize(
    ("signer", "representatives", "birth", "usable"),
    [
        ("self", [], "1980-02-29", True),
        ("self", [], "2012-11-14", False),  # 13 on the day of signing, 2026-11-13
        ("self", [], "2012-11-13", True),  # 14 that day
        ("self", [guardian()], "1980-02-29", False),  # a ward
        ("self", [guardian(relation="한정후견인")], "1980-02-29", True),
        ("self", [guardian(until="2026-11-12")], "1980-02-29", True),  # guardianship was over
        ("self", [guardian(**{"from": "2026-11-14"})], "1980-02-29", True),  # and had not begun
        ("self", [guardian(**{"from": None})], "1980-02-29", False),  # nobody knows since when
        ("self", [guardian(**{"from": None, "until": "2026-11-12"})], "1980-02-29", True),
        ("self", [guardian(**{"from": None, "until": None})], "1980-02-29", False),
        ("legal-representative", [], "1980-02-29", False),
        ("legal-representative", [guardian(mandateNo=None)], "2012-11-14", True),
        ("legal-representative", [guardian(until=None)], "1980-02-29", True),
        ("legal-representative", [guardian(**{"from": None})], "1980-02-29", False),
        ("legal-representative", [guardian(**{"from": "2026-11-14"})], "1980-02-29", False),
        ("delegate", [guardian(relation="대리인")], "1980-02-29", True),
        ("delegate", [guardian(relation="대리인", mandateNo=None)], "1980-02-29", False),
    ],
)
def test_only_who_could_sign_has_signed(
    signer: str, representatives: list[dict[str, Any]], birth: str, usable: bool
) -> None:
    case = record(representative=representatives or None, birthDate=birth)
    assert (flaw(consent(signer=signer), case, TERMS, DAY) is None) is usable


def at_kst(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+09:00").astimezone(UTC)


@pytest.mark.rule("R-08")
def test_the_last_day_counts_to_its_last_second_in_korea() -> None:
    case = record()  # until 2027-02-28
    assert find(case, "KEIS", TERMS, at_kst("2027-02-28T23:59:50"))
    assert find(case, "KEIS", TERMS, at_kst("2027-02-28T23:59:59"))
    for late in ("2027-03-01T00:00:00", "2027-03-01T00:00:05"):
        with pytest.raises(ConsentMissing):
            find(case, "KEIS", TERMS, at_kst(late))


def test_the_first_day_counts_from_its_first_second_in_korea() -> None:
    case = record()  # from 2026-11-13
    assert find(case, "KEIS", TERMS, at_kst("2026-11-13T00:00:00"))
    with pytest.raises(ConsentMissing):
        find(case, "KEIS", TERMS, at_kst("2026-11-12T23:59:59"))


WITHDRAWN = "2026-11-22T09:00:00+09:00"


@pytest.mark.parametrize(
    ("consents", "moment", "found"),
    [
        ([consent(withdrawnAt=WITHDRAWN)], at_kst("2026-11-22T08:59:59"), "C2026-0001"),
        ([consent(withdrawnAt=WITHDRAWN)], at_kst("2026-11-22T09:00:00"), None),
        # an older consent does not survive the withdrawal, a younger one does
        ([consent(withdrawnAt=WITHDRAWN), consent(no="OLD", **{"from": "2026-01-01"})], AT, None),
        ([consent(withdrawnAt=WITHDRAWN), consent(no="SAME-DAY", **{"from": "2026-11-22"})], AT, None),
        ([consent(withdrawnAt=WITHDRAWN), consent(no="NEW", **{"from": "2026-11-23"})], AT, "NEW"),
        # what was withdrawn before it began stays withdrawn when it begins; others that begin later do not
        ([consent(withdrawnAt=WITHDRAWN, **{"from": "2026-11-23"})], AT, None),
        (
            [consent(withdrawnAt=WITHDRAWN, **{"from": "2026-11-23"}), consent(no="NEW", **{"from": "2026-11-23"})],
            AT,
            "NEW",
        ),
        # a withdrawal towards another recipient is another matter
        ([consent(withdrawnAt=WITHDRAWN, recipients=["TRN"]), consent(no="MINE", recipients=["KEIS"])], AT, "MINE"),
        ([consent(withdrawnAt="2026-11-22T09:00:00")], AT, None),  # without offset: Korean time
    ],
)
def test_withdrawal_takes_effect_at_its_moment(
    consents: list[dict[str, Any]], moment: datetime, found: str | None
) -> None:
    case = record(consent=consents)
    if found:
        assert find(case, "KEIS", TERMS, moment)["no"] == found
    else:
        with pytest.raises(ConsentMissing):
            find(case, "KEIS", TERMS, moment)


def test_the_youngest_usable_consent_carries() -> None:
    older, younger = consent(no="1"), consent(no="2", sensitive=False, **{"from": "2026-11-20"})
    broken = consent(no="3", thirdParty=False, **{"from": "2026-11-22"})
    for order in ([older, younger, broken], [broken, younger, older]):
        assert find(record(consent=order), "KEIS", TERMS, AT)["no"] == "2"


@pytest.mark.rule("R-10")
@pytest.mark.parametrize("consents", [[], None, [consent(recipients=["KEAD"])]])
def test_a_recipient_that_is_not_named_has_no_consent(consents: list[dict[str, Any]] | None) -> None:
    with pytest.raises(ConsentMissing, match="none names KEIS"):
        find(record(consent=consents), "KEIS", TERMS, AT)


@pytest.mark.parametrize(
    ("comwel", "usable"),
    [
        (None, True),
        ({"yn": "Y"}, True),
        ({"yn": "Y", "from": "2026-11-23", "until": "2026-11-23"}, True),
        ({"yn": "N"}, False),
        ({"yn": "Y", "until": "2026-11-22"}, False),
        ({"yn": "Y", "from": "2026-11-24"}, False),
    ],
)
def test_comwels_own_record_can_only_take_away(comwel: dict[str, str] | None, usable: bool) -> None:
    if usable:
        assert find(record(), "KEIS", TERMS, AT, comwel)
        with pytest.raises(ConsentMissing):
            find(record(consent=None), "KEIS", TERMS, AT, comwel)
    else:
        with pytest.raises(ConsentMissing):
            find(record(), "KEIS", TERMS, AT, comwel)


def test_a_refusal_names_no_person_and_no_number() -> None:
    with pytest.raises(ConsentMissing) as refused:
        find(record(consent=[consent(thirdParty=False)]), "KEIS", TERMS, AT)
    for value in ("남궁", "C2026-0001", "1980", "20260000000123"):
        assert value not in str(refused.value)


@pytest.mark.parametrize(
    ("consents", "comwel", "taken_back"),
    [
        ([], None, False),
        ([], {"yn": "N"}, True),
        ([{"recipients": ["KEIS"]}], {"yn": "Y"}, False),
        ([{"recipients": ["KEIS"], "withdrawnAt": "2026-11-22T15:00:00+09:00"}], None, True),
        ([{"recipients": ["KEAD"], "withdrawnAt": "2026-11-22T15:00:00+09:00"}], None, False),
        ([{"recipients": "all", "withdrawnAt": "2026-11-22T15:00:00+09:00"}], None, True),
        ([{"recipients": ["KEIS"], "withdrawnAt": "yesterday"}], None, True),
        ([{"recipients": ["KEIS"], "withdrawnAt": "2026-11-24T15:00:00+09:00"}], None, False),
        ([{"withdrawnAt": "2026-11-01T09:00:00+09:00"}, {"recipients": ["KEIS"], "from": "2026-11-02"}], None, False),
        ([{"withdrawnAt": "2026-11-01T09:00:00+09:00"}, {"recipients": ["KEIS"], "from": "2026-11-01"}], None, True),
        ([{"withdrawnAt": "2026-11-01T09:00:00+09:00"}, {"recipients": ["KEIS"], "from": "soon"}], None, True),
        (["a consent", 7, None], None, False),
    ],
)
def test_whether_a_consent_was_taken_back_is_read_from_what_was_handed_over(
    consents: list[Any], comwel: dict[str, str] | None, taken_back: bool
) -> None:
    assert withdrawn(consents, "KEIS", AT, comwel) is taken_back
