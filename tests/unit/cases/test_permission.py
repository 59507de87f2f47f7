"""What may leave, and in which form (R-02, R-05, R-06)."""

from __future__ import annotations

import copy
import csv
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cases.legal_basis import LegalBases
from gateway.cases.permission import holds_until, may_refer, narrow, permit, verdict, withheld
from gateway.errors import (
    ConsentMissing,
    DataFileInvalid,
    EntryHoldsResidentNumber,
    EntryMissing,
    LegalBasisMissing,
    PermissionRefused,
)
from tests.unit.cases.build import BASES, KEAD, KEIS, RULES, SCHEMAS, Terms, consent, record

AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
LEG = {
    "partnerPersonId": "PKE-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "referral": {"no": "R20261123-0000001", "partner": "KEIS", "services": ["01"]},
}


INJURY = {"kcdVersion": "9", "code": "S61.8", "role": "main"}
SUFFOCATION = {"kcdVersion": "9", "code": "T71", "role": "main"}


def allowed(case: dict[str, Any], partner: Terms = KEIS, **how: Any) -> Any:
    told: dict[str, Any] = {"entry_state": "present", "partner": partner, "bases": BASES, "at": AT}
    return permit(case, **(told | how))


def kept_back(case: dict[str, Any], partner: Terms = KEIS, **how: Any) -> dict[str, str]:
    told: dict[str, Any] = {"entry_state": "present", "partner": partner, "bases": BASES, "at": AT}
    return withheld(case, **(told | how))


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("case", "how", "refusal"),
    [
        (record(), {"entry_state": "held-rrn"}, EntryHoldsResidentNumber),
        (record(), {"entry_state": "missing"}, EntryMissing),
        (record(consent=None), {}, ConsentMissing),
        (record(), {"a1_consent": {"yn": "N"}}, ConsentMissing),
        (record(approvalDate=None), {}, LegalBasisMissing),
        (record(approvalDate="2026-11-24"), {}, LegalBasisMissing),
        (record(), {"partner": replace(KEIS, legal_basis_out="LB-99")}, LegalBasisMissing),
        (record(), {"partner": replace(KEIS, legal_basis_out="LB-01")}, LegalBasisMissing),  # another recipient's
        (record(), {"partner": replace(KEIS, legal_basis_out="LB-03")}, LegalBasisMissing),  # the other direction
        (record(), {"partner": replace(KEIS, legal_basis_out="LB-10")}, LegalBasisMissing),  # switched off
        (record(consent=None, approvalDate=None), {"entry_state": "held-rrn"}, EntryHoldsResidentNumber),
        (record(consent=None, approvalDate=None), {}, ConsentMissing),
    ],
)
def test_the_first_reason_that_holds_refuses(
    case: dict[str, Any], how: dict[str, Any], refusal: type[PermissionRefused]
) -> None:
    for asked in (allowed, kept_back):
        with pytest.raises(refusal):
            asked(case, **how)


@pytest.mark.rule("R-09")
def test_a_basis_that_needs_no_consent_goes_on_after_a_withdrawal() -> None:
    internal = Terms("COMWEL", "comwel", "LB-06", {"nameFull": "Y", "phone": "Y"})
    case = record(consent=[consent(withdrawnAt="2026-11-22T09:00:00+09:00")])
    permission = allowed(case, internal)
    assert (permission.consent_no, permission.fields) == (None, {"nameFull"})
    assert kept_back(case, internal)["phone"] == "LB-06 does not cover it"
    assert narrow(record(), permission, LEG) == {"nameFull": "남궁민수"}


# ── which fields ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_every_field_the_case_has_leaves_or_is_withheld_with_a_reason() -> None:
    case = record()
    permission, reasons = allowed(case), kept_back(case)
    assert set(case) <= permission.fields | reasons.keys()
    assert not permission.fields & reasons.keys()
    assert reasons["diagnoses"] == "R-06"
    assert reasons["memo"] == "the agreement with KEIS does not name it"


def test_without_the_separate_consent_health_stays() -> None:
    case = record(consent=[consent(sensitive=False)])
    permission = allowed(case, KEAD)
    assert not {"grade", "bodyPart"} & permission.fields
    assert "disabReg" in permission.fields
    assert kept_back(case, KEAD)["grade"] == "health needs a separate consent (PIPA 23①1)"


@pytest.mark.rule("R-10")
def test_the_consents_items_limit_the_fields() -> None:
    permission = allowed(record(consent=[consent(items=["identity", "unknown-word"])]))
    assert {"nameFull", "coordinator", "referral"} <= permission.fields
    assert not {"phone", "jobWish", "funcProfile"} & permission.fields


@pytest.mark.rule("R-04")
@pytest.mark.parametrize(("on", "given_"), [(False, True), (True, False), (False, False), (True, True)])
def test_a_unique_identifier_never_leaves_on_the_bases_we_ship(on: bool, given_: bool) -> None:
    case = record(foreignRegNo="enc:…", consent=[consent(uniqueId=given_, items=["identity", "uniqueId"])])
    assert "foreignRegNo" not in allowed(case, replace(KEIS, unique_ids=on)).fields


@pytest.mark.parametrize(
    ("changes", "signed", "leaves"),
    [
        ({}, "2026-01-13", True),
        ({"diagnoses": [{"kcdVersion": "9", "code": "F43.1", "role": "sub"}]}, "2026-10-23", False),  # 31 days
        ({"diagnoses": [{"kcdVersion": "9", "code": "F43.1", "role": "sub"}]}, "2026-10-24", True),
        # self-harm is told by the external cause, which stands beside the injury
        ({"diagnoses": [INJURY, {"kcdVersion": "9", "code": "X78", "role": "additional"}]}, "2026-10-23", False),
        ({"diagnoses": [INJURY, {"kcdVersion": "9", "code": "X78.9", "role": "sub"}]}, "2026-10-24", True),
        ({"diagnoses": [SUFFOCATION, {"kcdVersion": "9", "code": "X70", "role": "additional"}]}, "2026-10-23", False),
        ({"diagnoses": [INJURY, {"kcdVersion": "9", "code": "X60", "role": "additional"}]}, "2026-10-23", False),
        ({"diagnoses": [INJURY, {"kcdVersion": "9", "code": "X84.1", "role": "additional"}]}, "2026-10-23", False),
        ({"diagnoses": [INJURY, {"kcdVersion": "9", "code": "Y87.0", "role": "additional"}]}, "2026-10-23", False),
        # so do a suicide that was thought of, and self-harm in the past
        ({"diagnoses": [INJURY, {"kcdVersion": "8", "code": "R45.8", "role": "sub"}]}, "2026-10-23", False),
        ({"diagnoses": [INJURY, {"kcdVersion": "9", "code": "Z91.5", "role": "sub"}]}, "2026-10-23", False),
        ({"diagnoses": [INJURY, {"kcdVersion": "9", "code": "Z91.5", "role": "sub"}]}, "2026-10-24", True),
        ({"diagnoses": [INJURY, {"kcdVersion": "9", "code": "Z91.1", "role": "sub"}]}, "2026-01-13", True),
        ({"diagnoses": [INJURY, {"kcdVersion": "9", "code": "X59", "role": "additional"}]}, "2026-01-13", True),
        ({"diagnoses": [INJURY, {"kcdVersion": "9", "code": "X85", "role": "additional"}]}, "2026-01-13", True),
        ({"diagnoses": [INJURY, {"kcdVersion": "9", "code": "Y87.1", "role": "additional"}]}, "2026-01-13", True),
        ({"disabType": "정신장애"}, "2026-10-23", False),
        ({"disabType": "정신장애"}, "2026-10-24", True),
        # what was handed over and cannot be read may tell of it
        ({"dataQuality": [{"code": "E-CODE", "field": "diagnoses/1/kcdVersion"}]}, "2026-10-23", False),
        ({"dataQuality": [{"code": "E-CODE", "field": "disabType"}]}, "2026-10-24", True),
        ({"dataQuality": [{"code": "E-CODE", "field": "disabType"}]}, "2026-10-23", False),
        ({"dataQuality": [{"code": "E-CODE", "field": "disabDegree"}]}, "2026-01-13", True),
        ({"occurrenceType": "20"}, "2026-01-13", False),
        ({"occurrenceType": "20"}, "2026-11-13", True),
    ],
)
def test_in_a_delicate_case_what_tells_of_it_needs_a_fresh_consent(
    changes: dict[str, Any], signed: str, leaves: bool
) -> None:
    whole = replace(KEAD, allow={**KEAD.allow, "disabType": "C1", "laterality": "C1"})
    permission = allowed(record(consent=[consent(**{"from": signed})], **changes), whole)
    told = {"bodyPart", "laterality", "disabType"}
    assert permission.fields & told == (told if leaves else set())
    assert "grade" in permission.fields


@pytest.mark.rule("R-05")
@pytest.mark.parametrize("form", ["flag", "period", "Y(name,tel)"])
@pytest.mark.parametrize("field", ["jobWish", "phone", "vocTrainingEligible", "provenance"])
def test_a_form_that_does_not_fit_the_value_lets_no_value_leave(form: str, field: str) -> None:
    case = record()
    narrowed = narrow(case, allowed(case, replace(KEIS, allow={field: form})), LEG)
    assert not narrowed


@pytest.mark.parametrize("form", ["in", "-", "whatever", "Y(grade)"])
def test_a_word_that_is_no_form_lets_nothing_leave(form: str) -> None:
    assert allowed(record(), replace(KEIS, allow={"nameFull": form})).fields == frozenset()


def test_a_death_is_told_to_nobody_even_if_an_agreement_names_it() -> None:
    case = record(deceasedDate="2026-11-20")
    permission = allowed(case, replace(KEIS, allow={"deceasedDate": "flag", "nameFull": "Y"}))
    assert permission.fields == {"nameFull"}


# ── in which form ────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_narrowed_record_holds_one_leg_and_nothing_of_the_others() -> None:
    case = record(
        partnerPersonId=[{"partner": "KEAD", "id": "PKD-ABCDEFGHIJKLMNOPQRSTUVWXYZ"}],
        referral=[{"no": "R20261123-0000002", "partner": "KEAD"}],
        referralStatus="accepted",
        consent=[consent(no="OTHER", recipients=["KEAD"]), consent()],
    )
    narrowed = narrow(case, allowed(case), LEG)
    assert narrowed["partnerPersonId"] == [{"partner": "KEIS", "id": LEG["partnerPersonId"]}]
    assert narrowed["referral"] == [LEG["referral"]]
    assert narrowed["services"] == [{"partner": "KEIS", "codes": ["01"]}]
    assert narrowed["consent"] == [
        {"no": "C2026-0001", "until": "2027-02-28", "thirdParty": True, "sensitive": True}
    ]  # fmt: skip
    assert "referralStatus" not in narrowed
    assert narrowed["coordinator"] == {"name": "이순자", "tel": "0226705000"}
    assert "KEAD" not in str(narrowed)


@pytest.mark.parametrize(
    ("status", "flag"), [("등록", "등록"), ("상이", "등록"), ("미등록", "미등록"), ("신청", "불가"), ("불가", "불가")]
)
def test_a_flag_says_no_more_than_yes_no_unknown(status: str, flag: str) -> None:
    case = record(disabReg=status)
    assert narrow(case, allowed(case), LEG)["disabReg"] == flag
    assert narrow(case, allowed(case, KEAD), LEG)["disabReg"] == status


def test_a_period_says_neither_kind_nor_employer() -> None:
    case = record(consent=[consent(items=["subsidy"])])
    assert narrow(case, allowed(case, KEAD), LEG)["subsidies"] == [{"from": "2026-10-01"}]


def test_narrowing_copies_and_never_aliases() -> None:
    case, before = record(), record()
    leg = copy.deepcopy(LEG)
    narrowed = narrow(case, allowed(case), leg)
    narrowed["jobWish"]["keco"].append("99")
    narrowed["referral"][0]["services"].append("99")
    narrowed["services"][0]["codes"].append("99")
    assert (case, leg) == (before, LEG)


# ── the verdict of a case ────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("case", "entry_state", "a1", "expected"),
    [
        (record(), "present", None, ("ok", None)),
        (record(deceasedDate="2026-11-20"), "present", None, ("ok", None)),
        (record(consent=[consent(sensitive=False)]), "present", None, ("ok", None)),
        (record(phone=None), "present", None, ("ok", None)),
        (record(services=None), "present", None, ("ok", None)),
        (record(), "held-rrn", None, ("no-referral", "E-RRN")),
        (None, "held-rrn", None, ("no-referral", "E-RRN")),
        (record(consent=None), "missing", None, ("no-referral", "E-NOENTRY")),
        (None, "missing", None, ("no-referral", "E-NOENTRY")),
        (record(consent=None), "present", None, ("no-referral", "E-CONSENT")),
        (record(), "present", {"yn": "N", "from": "2026-11-13"}, ("no-referral", "E-CONSENT")),
        (record(consent=[consent(until="2026-11-22")]), "present", None, ("no-referral", "E-CONSENT")),
        (record(consent=None, approvalDate=None), "present", None, ("no-referral", "E-CONSENT")),
        (record(approvalDate=None), "present", None, ("no-referral", "E-LB")),
        (record(consent=[consent(recipients=["KEAD"])]), "present", None, ("ok", None)),
        (
            record(consent=[consent(recipients=["KEAD"])], services=[{"partner": "KEIS", "codes": ["01"]}]),
            "present",
            None,
            ("no-referral", "E-CONSENT"),
        ),
        (record(consent=[consent(recipients=["KEAD"])], services=None), "present", None, ("ok", None)),
        (record(consent=[consent(recipients=["KEAD"])], approvalDate=None), "present", None, ("no-referral", "E-LB")),
    ],
)
def test_the_verdict_of_a_case_does_not_depend_on_one_partner(
    case: dict[str, Any] | None, entry_state: str, a1: dict[str, str] | None, expected: tuple[str, str | None]
) -> None:
    found = verdict(case, entry_state=entry_state, partners=[KEIS, KEAD], bases=BASES, at=AT, a1_consent=a1)
    assert found == expected


@pytest.mark.parametrize(
    ("changes", "partner", "result", "expected"),
    [
        ({}, "KEIS", "PRIORITY", (True, "priority-with-service")),
        ({}, "TRN", "PRIORITY", (False, "no-service-requested")),
        ({}, "KEIS", "WAITLIST", (False, "not-priority")),
        ({}, "KEIS", None, (False, "not-priority")),
        ({"caseStage": "CLOSED"}, "KEIS", "PRIORITY", (False, "case-closed")),
        ({"caseStage": "REJECTED"}, "KEIS", "PRIORITY", (False, "claim-rejected")),
        ({"deceasedDate": "2026-11-20", "caseStage": "CLOSED"}, "TRN", "GENERAL", (False, "deceased")),
    ],
)
def test_whether_to_refer_at_all_names_its_criterion(
    changes: dict[str, Any], partner: str, result: str | None, expected: tuple[bool, str]
) -> None:
    decision = may_refer(record(**changes), partner=partner, result=result)
    assert (decision.verdict, decision.criterion) == expected
    assert decision.inputs


# ── the property that matters: nothing outside agreement ∩ law ∩ consent ─────────────────────────────────────────────
RAW = yaml.safe_load((RULES / "legal-basis" / "2026.3.yaml").read_text("utf-8"))
with (SCHEMAS / "comwel" / "dictionary.csv").open(encoding="utf-8", newline="") as _rows:
    DICTIONARY = {row["name"]: row for row in csv.DictReader(_rows)}
WORDS = sorted({row[p] for row in DICTIONARY.values() for p in ("KEIS", "KEAD", "TRN")})
KINDS = {"LB-01": "disability-employment-agency", "LB-02": "public-employment-service", "LB-05": "training-institute"}

CONSENTS = st.builds(
    lambda **c: consent(**{k.rstrip("_"): v for k, v in c.items()}),
    no=st.sampled_from(["C1", "C2"]),
    recipients=st.lists(st.sampled_from(["KEIS", "KEAD", "XX"]), min_size=1, max_size=2),
    thirdParty=st.sampled_from([True, True, True, False]),
    sensitive=st.booleans(),
    uniqueId=st.booleans(),
    items=st.lists(st.sampled_from([*RAW["consent"]["items"], "nonsense"]), max_size=5),
    from_=st.sampled_from(["2026-10-01", "2026-11-13", "2026-11-23", "2026-11-24"]),
    until=st.sampled_from(["2026-11-22", "2026-11-23", "2027-02-28"]),
    withdrawnAt=st.sampled_from([None, None, None, "2026-11-20T00:00:00+09:00", "2026-12-01T00:00:00+09:00"]),
)
PARTNERS = st.builds(
    lambda basis, allow, unique: Terms("XX", KINDS[basis], basis, allow, {}, unique),
    st.sampled_from(sorted(KINDS)),
    st.dictionaries(st.sampled_from(sorted(DICTIONARY)), st.sampled_from(WORDS), max_size=40),
    st.booleans(),
)
FULL = {name: record().get(name, "x") for name in DICTIONARY if name != "deceasedDate"} | {
    "representative": [{"name": "김보호", "relation": "대리인", "tel": "0212345678"}],
    "stayStatus": {"code": "E-9", "until": "2027-03-31"},
    "dataQuality": [{"code": "E-CODE", "field": "phone/0"}],
}


def oracle(partner: Terms, consents: list[dict[str, Any]], delicate: bool) -> set[str] | None:
    """The same question asked naively and separately; None: nothing may leave."""
    mine = [c for c in consents if "XX" in c["recipients"]]
    gone = [c["withdrawnAt"][:10] for c in mine if c.get("withdrawnAt") and c["withdrawnAt"] < "2026-11-23"]
    usable = [
        c
        for c in mine
        if c["thirdParty"]
        and c["items"]
        and c["from"] <= "2026-11-23" <= c["until"]
        and c["from"] > max(gone, default="")
        and not (c.get("withdrawnAt") or "never") < "2026-11-23"
    ]
    if not usable:
        return None
    best = max(c["from"] for c in usable), max(c["no"] for c in usable if c["from"] == max(x["from"] for x in usable))
    basis = RAW["bases"][partner.legal_basis_out]
    leaving: set[str] = set()
    for name, word in partner.allow.items():
        held = [c for c in usable if (c["from"], c["no"]) == best]
        by_items = any(name in RAW["consent"]["items"].get(i, []) for c in held for i in c["items"])
        if word in ("-", "in") or name == "deceasedDate":
            continue
        if DICTIONARY[name]["class"] not in basis["classes"] and name not in basis["fields"]:
            continue
        if not by_items and name not in RAW["consent"]["always"]:
            continue
        if word.endswith("C1") and not any(c["sensitive"] for c in held):
            continue
        if word.endswith("C2") and not (partner.unique_ids and any(c["uniqueId"] for c in held)):
            continue
        if delicate and name in ("bodyPart", "laterality", "disabType") and best[0] < "2026-10-24":
            continue
        leaving.add(name)
    return leaving


@pytest.mark.rule("R-02")
@settings(max_examples=250, deadline=None)
@given(PARTNERS, st.lists(CONSENTS, max_size=3, unique_by=lambda c: (c["from"], c["no"])), st.booleans())
def test_nothing_leaves_outside_agreement_and_law_and_consent(
    partner: Terms, consents: list[dict[str, Any]], delicate: bool
) -> None:
    case = FULL | {"consent": consents, "occurrenceType": "20" if delicate else "07", "approvalDate": "2026-01-20"}
    expected = oracle(partner, consents, delicate)
    if expected is None:
        with pytest.raises(ConsentMissing):
            allowed(case, partner)
        return
    permission = allowed(case, partner)
    assert permission.fields == expected
    narrowed = narrow(case, permission, LEG)
    assert narrowed.keys() <= expected
    assert narrowed.keys() - {"referral", "partnerPersonId"} <= case.keys()


@settings(max_examples=100, deadline=None)
@given(st.integers(-3 * 86400, 3 * 86400))
def test_the_period_is_exact_to_the_second_in_korea(seconds: int) -> None:
    midnight = datetime(2027, 3, 1, tzinfo=UTC) - timedelta(hours=9)  # the first second after 2027-02-28 KST
    moment = midnight + timedelta(seconds=seconds)
    if seconds < 0:
        assert allowed(record(), at=moment).consent_no == consent()["no"]
    else:
        with pytest.raises(ConsentMissing):
            allowed(record(), at=moment)


# ── the registry itself ──────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("bases", "LB-01", "rrn"), "allowed"),
        (("bases", "LB-01", "classes"), ["P1", "H3"]),
        (("bases", "LB-01", "classes"), ["U4"]),
        (("bases", "LB-01", "consent"), "implied"),
        (("bases", "LB-01", "fields"), ["bodyPart", "residentNumber"]),
        (("consent", "child_years"), 13),
        (("sign_off",), ""),
    ],
)
def test_a_registry_that_would_allow_too_much_is_refused(path: tuple[str, ...], value: object, tmp_path: Any) -> None:
    raw = copy.deepcopy(RAW)
    inner = raw
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    file = tmp_path / "x.yaml"
    file.write_text(yaml.safe_dump(raw, allow_unicode=True), "utf-8")
    with pytest.raises(DataFileInvalid):
        LegalBases.load(file, SCHEMAS)


def test_every_basis_says_where_it_is_written_and_never_carries_a_resident_number() -> None:
    assert len(BASES.bases) == 10
    assert all(b.law for b in BASES.bases.values())
    assert {b["rrn"] for b in RAW["bases"].values()} == {"never"}
    assert not any({"foreignRegNo", "matchToken"} & b.fields for b in BASES.bases.values())


# ── what time alone does ─────────────────────────────────────────────────────────────────────────────────────────────
SOME_DAYS = st.dates(date(2026, 11, 20), date(2026, 12, 10)).map(date.isoformat)
SOME_MOMENTS = st.tuples(SOME_DAYS, st.integers(0, 23)).map(lambda at: f"{at[0]}T{at[1]:02}:30:00+09:00")
SOME_CONSENTS = st.builds(
    lambda to, start, end, withdrawn: consent(recipients=to, until=end, withdrawnAt=withdrawn, **{"from": start}),
    st.sampled_from([["KEIS"], ["KEAD"], ["KEIS", "KEAD"]]),
    SOME_DAYS,
    SOME_DAYS,
    st.none() | SOME_MOMENTS,
)


@pytest.mark.rule("R-08")
@settings(deadline=None)
@given(
    consents=st.lists(SOME_CONSENTS, max_size=2),
    approved=SOME_DAYS,
    own=st.fixed_dictionaries({"yn": st.just("Y")}, optional={"from": SOME_DAYS, "until": SOME_DAYS}),
    hours=st.lists(st.integers(0, 24 * 25), min_size=2, max_size=2).map(sorted),
)
def test_as_long_as_a_judgement_holds_time_changes_nothing(
    consents: list[dict[str, Any]], approved: str, own: dict[str, str], hours: list[int]
) -> None:
    case = record(consent=consents, approvalDate=approved)
    then, later = (datetime(2026, 11, 18, tzinfo=UTC) + timedelta(hours=n) for n in hours)
    end = holds_until(case, then, own)

    def judged(at: datetime) -> list[tuple[str, str | None]]:
        return [
            verdict(case, entry_state="present", partners=(one,), bases=BASES, at=at, a1_consent=own)
            for one in (KEIS, KEAD)
        ]

    assert end is None or end > then
    if end is None or later < end:
        assert judged(later) == judged(then)


def test_a_day_after_the_last_there_is_never_comes() -> None:
    case = record(consent=[consent(until="9999-12-31")], approvalDate="2026-01-20")
    assert holds_until(case, datetime(2026, 12, 1, tzinfo=UTC)) is None
