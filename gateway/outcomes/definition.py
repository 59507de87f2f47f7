"""The definition of return to work: versioned data under `mappings/measures/rtw/`, read once, checked at load.

Refuses a file in which an outcome code is in two classes or in none, or that names words its grammar does not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from gateway.errors import DataFileInvalid, Place
from gateway.outcomes.conditions import Condition, Fact, parse
from gateway.outcomes.employment import FACTS, MISSHAPEN, read_yaml
from gateway.outcomes.facts import Evidence
from gateway.outcomes.milestones import BaseKind

OUTCOME_CODES = frozenset(
    {
        "original-same-job",
        "original-modified-job",
        "original-part-time",
        "new-employer",
        "supported-employment",
        "self-employed",
        "platform-work",
        "unpaid-family-work",
        "day-labour-substantial",
        "day-labour-marginal",
        "released-not-working",
        "in-training",
        "supported-trial",
        "job-seeking",
        "inactive",
        "no-suitable-vacancy",
        "employer-refused",
        "health-deteriorated",
        "capacity-insufficient",
        "worker-declined",
        "not-contactable",
        "moved-away",
        "ineligible",
        "duplicate-or-error",
        "needs-met-elsewhere",
        "reopened-care",
        "retired",
        "deceased",
        "emigrated",
        "consent-withdrawn",
        "not-yet-known",
    }
)


class RtwStatus(StrEnum):
    """Where the worker stands, one meaning each."""

    UNKNOWN = "unknown"  # nothing reported, or too early to say no
    NOT_RETURNED = "not-returned"  # reported as not working, and the observation has matured
    PLACED_REPORTED = "placed-reported"  # somebody says there is a job
    PLACED_VERIFIED = "placed-verified"  # a registry or the employer says so
    RETAINED_1M = "retained-1m"  # proven at work one month on …
    RETAINED_3M = "retained-3m"
    RETAINED_6M = "retained-6m"
    RETAINED_12M = "retained-12m"
    LEFT = "left"  # had a job, has none now; milestones reached remain reached
    EXCLUDED = "excluded"  # died, emigrated, retired, care reopened, or a mistake: leaves the cohort


RETURN_STATUSES = frozenset({"returned", "not-returned", "pending", "excluded"})


class CodeRule(NamedTuple):
    """The outcome code of a job for which the condition holds."""

    code: str
    when: Condition


@dataclass(frozen=True, slots=True)
class RtwDefinition:
    """How return to work is judged. Field by field as in the grammar at the top of the file."""

    id: str
    effective_from: date
    employed: str
    maturity_days: int
    verified_by: Evidence
    retained_by: Evidence
    returned_by: Evidence
    return_status: Mapping[str, str]
    break_days: int
    base_kind: BaseKind
    milestones: tuple[str, ...]
    loss_codes_ignored: frozenset[str]
    terms: tuple[tuple[str, Condition], ...]
    codes: tuple[CodeRule, ...]
    placed: frozenset[str]
    not_placed: frozenset[str]
    excluded: frozenset[str]
    subsidy_conflicts: frozenset[frozenset[str]]

    @classmethod
    def load(cls, path: Path) -> RtwDefinition:
        """Read one definition file. Raises `DataFileInvalid` naming file and place."""
        place = Place(file=path.name)
        try:
            return cls._built(read_yaml(path, _KEYS | {"title", "version"}, _KEYS), path, place)
        except MISSHAPEN:
            raise DataFileInvalid("a value is missing or of the wrong form", place=place) from None

    @classmethod
    def _built(cls, written: Mapping[str, Any], path: Path, place: Place) -> RtwDefinition:
        if written["id"] != path.stem:
            raise DataFileInvalid("the id is not the file's name", place=place)
        known = FACTS | frozenset(written["terms"])
        classes = {name: frozenset(written[name]) for name in ("placed", "notPlaced", "excluded")}
        _require_partition(classes, place)
        return cls(
            id=written["id"],
            effective_from=date.fromisoformat(written["effectiveFrom"]),
            employed=written["employed"],
            maturity_days=written["maturityDays"],
            verified_by=Evidence(written["verifiedBy"]),
            retained_by=Evidence(written["retainedBy"]),
            returned_by=Evidence(written["returnedBy"]),
            return_status=_return_status(written["returnStatus"], place),
            break_days=written["breakDays"],
            base_kind=BaseKind(written["baseKind"]),
            milestones=tuple(written["milestones"]),
            loss_codes_ignored=frozenset(written["lossCodesIgnored"]),
            terms=tuple((n, parse(c, FACTS, place._replace(field=f"terms/{n}"))) for n, c in written["terms"].items()),
            codes=tuple(_code_rule(rule, known, place) for rule in written["outcomeCodes"]),
            placed=classes["placed"],
            not_placed=classes["notPlaced"],
            excluded=classes["excluded"],
            subsidy_conflicts=frozenset(frozenset(pair) for pair in written["subsidyConflicts"]),
        )

    def code_for(self, facts: Mapping[str, Fact]) -> str:
        """Return the outcome code of a job, by the first rule that certainly holds; `not-yet-known` when none does."""
        view = dict(facts)
        for name, condition in self.terms:
            answer = condition.ask(facts)
            if answer is not None:
                view[name] = answer
        return next((rule.code for rule in self.codes if rule.when.ask(view)), "not-yet-known")


_KEYS = {
    "id",
    "effectiveFrom",
    "employed",
    "maturityDays",
    "verifiedBy",
    "retainedBy",
    "returnedBy",
    "returnStatus",
    "breakDays",
    "baseKind",
    "milestones",
    "lossCodesIgnored",
    "terms",
    "outcomeCodes",
    "placed",
    "notPlaced",
    "excluded",
    "subsidyConflicts",
}


def _require_partition(classes: Mapping[str, frozenset[str]], place: Place) -> None:
    """Refuse when a code of rtw-outcome is in none of the classes, in two, or when there are others."""
    counted = [code for codes in classes.values() for code in codes]
    if len(counted) != len(set(counted)) or set(counted) != OUTCOME_CODES:
        raise DataFileInvalid("every code of rtw-outcome is in exactly one class", place=place)


def _return_status(written: Mapping[str, str], place: Place) -> Mapping[str, str]:
    if set(written) != set(RtwStatus) or not set(written.values()) <= RETURN_STATUSES:
        raise DataFileInvalid("every status has one of COMWEL's words", place=place._replace(field="returnStatus"))
    return MappingProxyType(dict(written))


def _code_rule(written: Mapping[str, Any], known: frozenset[str], place: Place) -> CodeRule:
    here = place._replace(field="outcomeCodes")
    if set(written) != {"code", "when"} or written["code"] not in OUTCOME_CODES:
        raise DataFileInvalid("a rule has a code of rtw-outcome and a condition", place=here)
    return CodeRule(written["code"], parse(written["when"], known, here))
