"""Builders of case records, partners and rules: valid by default, one change at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.cases.legal_basis import LegalBases
from gateway.cases.ruleset import RuleSet

ROOT = Path(__file__).parents[3]
SCHEMAS = ROOT / "schemas"
RULES = ROOT / "mappings" / "rules"

RULESET = RuleSet.load(RULES / "screening" / "PR-2026.1.yaml", SCHEMAS)
BASES = LegalBases.load(RULES / "legal-basis" / "2026.3.yaml", SCHEMAS)


def consent(**changes: Any) -> dict[str, Any]:
    """A complete consent to KEIS, KEAD and TRN with the separate consent for health; None removes an element."""
    whole: dict[str, Any] = {
        "no": "C2026-0001",
        "recipients": ["KEIS", "KEAD", "TRN"],
        "thirdParty": True,
        "sensitive": True,
        "uniqueId": False,
        "purpose": "직업복귀 지원 의뢰와 결과 회신",
        "items": ["identity", "contact", "jobWish", "function"],
        "from": "2026-11-13",
        "until": "2027-02-28",
        "method": "서면",
        "textVersion": "2026-1",
        "signer": "self",
    }
    return {name: value for name, value in (whole | changes).items() if value is not None}


def record(**changes: Any) -> dict[str, Any]:
    """A candidate case of branch 1100 with almost every field that a partner may see; None removes a field."""
    whole: dict[str, Any] = {
        "caseId": "6f1c2f0e-0000-4000-8000-000000000001",
        "caseNo": "20260000000123",
        "caseVersion": 1,
        "caseStage": "IN_CARE",
        "personKey": "P000000000042",
        "idType": "1",
        "nameFull": "남궁민수",
        "birthDate": "1980-02-29",
        "sex": "male",
        "nationality": "KOR",
        "language": "ko",
        "phone": ["01012345678"],
        "addrText": "서울 강남구 테헤란로 1",
        "addrRegion": "11680",
        "workerType": "01",
        "occupationKeco": "821",
        "preWageDaily": 123456,
        "accidentDate": "2026-01-05",
        "accidentCategory": "1",
        "occurrenceType": "07",
        "approvalDate": "2026-01-20",
        "diagnoses": [{"kcdVersion": "9", "code": "S62.6", "role": "main"}],
        "bodyPart": ["09"],
        "careStart": "2026-01-05",
        "carePlannedEnd": "2026-07-05",
        "grade": "09",
        "gradeExpected": "09",
        "disabReg": "신청",
        "disabType": "지체장애",
        "disabDegree": "심하지 않은 장애",
        "funcProfile": [{"function": "LIFT", "level": "3"}],
        "origJobPossible": "N",
        "coordinator": {"jcNo": "J000053", "name": "이순자", "tel": "0226705000"},
        "branch": "1100",
        "track": "NAEIL",
        "vocTrainingEligible": True,
        "subsidies": [{"kind": "직장복귀지원금", "from": "2026-10-01", "employerBrn": "1248100998"}],
        "jobWish": {"keco": ["82"], "region": ["11680"], "wageType": "M", "minWage": 2500000},
        "education": "03",
        "consent": [consent()],
        "services": [{"partner": "KEIS", "codes": ["01"]}, {"partner": "KEAD", "codes": ["취업알선"]}],
        "counselling": [{"date": "2026-10-14", "phase": "before-acceptance", "domain": "medical", "note": "안내"}],
        "memo": "내부 메모",
        "provenance": [{"adapter": "A1", "file": "RHB_CASE_20261123_00001.dat", "sha256": "0" * 64}],
    }
    return {name: value for name, value in (whole | changes).items() if value is not None}


@dataclass(frozen=True)
class Terms:
    """A partner as permission sees it."""

    id: str
    kind: str
    legal_basis_out: str
    allow: Mapping[str, str]
    withhold: Mapping[str, str] = field(default_factory=dict)
    unique_ids: bool = False


KEIS = Terms(
    "KEIS",
    "public-employment-service",
    "LB-02",
    {
        "partnerPersonId": "Y",
        "nameFull": "Y",
        "phone": "Y",
        "disabReg": "flag",
        "funcProfile": "C1",
        "coordinator": "Y(name,tel)",
        "jobWish": "Y",
        "foreignRegNo": "C2",
        "consent": "no,until",
        "referral": "Y",
        "referralStatus": "Y",
        "services": "Y",
    },
    {"diagnoses": "R-06"},
)
KEAD = Terms(
    "KEAD",
    "disability-employment-agency",
    "LB-01",
    {
        "partnerPersonId": "Y",
        "nameFull": "Y",
        "grade": "C1",
        "bodyPart": "C1",
        "disabReg": "Y",
        "subsidies": "period",
        "consent": "no,until",
        "referral": "Y",
        "services": "Y",
    },
)
