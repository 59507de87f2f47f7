"""What counts as employed: the legal definitions as versioned data, and their evaluation.

There is no single definition. 산재규칙 54조, the national employment support (30 h a week), the quota for disabled
workers (60 h a month) and the employment insurance (by hours until 2026, by income from 2027-01-01) answer
differently for the same job, so each is a file under `mappings/measures/employment/` and each answer names the
definition, its version and the rule that decided.

Refuses to answer no when a fact that matters is missing: the answer is then unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple

from gateway import datafile
from gateway.errors import DataFileInvalid, Place
from gateway.korea import whole_months
from gateway.outcomes.conditions import Condition, Fact, all_of, any_of, parse
from gateway.outcomes.facts import Employment, Evidence

FACTS = frozenset(
    {
        "contract",
        "setting",
        "sameEmployer",
        "sameJob",
        "eiAcquired",
        "hoursPerWeek",
        "hoursPerMonth",
        "daysPerMonth",
        "wageType",
        "incomePerMonth",
        "continuousMonths",
        "scheme",
        "businessRegistered",
        "lessor",
        "severe",
    }
)


class Rule(NamedTuple):
    """One ground for being employed: `when` holds and none of `unless` does."""

    id: str
    when: Condition
    unless: tuple[Condition, ...]

    def ask(self, facts: Mapping[str, Fact]) -> bool | None:
        """Return yes, no or unknown."""
        excluded = any_of(condition.ask(facts) for condition in self.unless)
        return all_of((self.when.ask(facts), None if excluded is None else not excluded))


class Answer(NamedTuple):
    """Employed or not (None: unknown), by which definition, and by which of its rules."""

    definition: str
    version: str
    employed: bool | None
    rule: str | None


@dataclass(frozen=True, slots=True)
class Definition:
    """One definition of "employed".

    `since`/`until` (both inclusive) say when it is law; `family` groups its successors.
    """

    id: str
    version: str
    family: str
    since: date
    until: date | None
    weeks_per_month: Decimal | None
    derive: tuple[str, ...]
    terms: tuple[tuple[str, Condition], ...]
    rules: tuple[Rule, ...]
    never: tuple[Condition, ...]
    kept_by: tuple[date, str] | None  # a job begun before this day stays under that definition

    def ask(self, facts: Mapping[str, Fact]) -> Answer:
        """Evaluate the definition over the facts of a job that is being worked on the day in question."""
        view = self._with_terms(self._with_hours(dict(facts)))
        if any_of(condition.ask(view) for condition in self.never):
            return Answer(self.id, self.version, False, "never")
        answers = [(rule.id, rule.ask(view)) for rule in self.rules]
        verdict = any_of(answer for _, answer in answers)
        return Answer(self.id, self.version, verdict, next((i for i, a in answers if a is True), None))

    def _with_hours(self, facts: dict[str, Fact]) -> dict[str, Fact]:
        weeks, week, month = self.weeks_per_month, facts.get("hoursPerWeek"), facts.get("hoursPerMonth")
        if weeks and month is None and week is not None and "hoursPerMonth" in self.derive:
            facts["hoursPerMonth"] = Decimal(week) * weeks
        if weeks and week is None and month is not None and "hoursPerWeek" in self.derive:
            facts["hoursPerWeek"] = Decimal(month) / weeks
        return facts

    def _with_terms(self, facts: dict[str, Fact]) -> dict[str, Fact]:
        for name, condition in self.terms:
            answer = condition.ask(facts)
            if answer is not None:
                facts[name] = answer
        return facts


class Definitions:
    """All definitions under one folder, loaded once."""

    def __init__(self, all_: Mapping[str, Definition]) -> None:
        self._all = dict(all_)

    @classmethod
    def load(cls, folder: Path) -> Definitions:
        """Read every `*.yaml` in `folder`; raises `DataFileInvalid` naming file and place."""
        found = [_read(path) for path in sorted(folder.glob("*.yaml"))]
        if not found:
            raise DataFileInvalid("no definition of employed was found", place=Place(file=folder.name))
        loaded = cls({d.id: d for d in found})
        for definition in found:
            if definition.kept_by:
                loaded.get(definition.kept_by[1])
        return loaded

    def ids(self) -> tuple[str, ...]:
        """Return the ids of all definitions."""
        return tuple(sorted(self._all))

    def get(self, id_: str) -> Definition:
        """Return one definition, whether or not it is law on any particular day."""
        try:
            return self._all[id_]
        except KeyError:
            raise DataFileInvalid("there is no such definition of employed") from None

    def in_force(self, family: str, on: date) -> Definition:
        """Return the definition of a family (EMP-EI …) that is law on a day."""
        for definition in self._all.values():
            later = definition.until is None or on <= definition.until
            if definition.family == family and definition.since <= on and later:
                return definition
        raise DataFileInvalid("no definition of this family is in force on that day")

    def employed(
        self,
        id_: str,
        job: Employment,
        on: date,
        *,
        evidence: Evidence | None = None,
        severe: bool | None = None,
    ) -> Answer:
        """Tell whether a job makes its holder employed on a day, by definition `id_`.

        `severe`: severely disabled for employment (장애인고용령 4조), None when unknown. A job begun before a change of
        law stays under the old definition where the new one says so (incumbents keep their status until they
        leave).
        """
        definition = self.get(id_)
        if definition.kept_by and job.start < definition.kept_by[0]:
            definition = self.get(definition.kept_by[1])
        if on < job.start or (job.end is not None and on > job.end):
            return Answer(definition.id, definition.version, False, None)
        return definition.ask(facts_on(job, on, evidence=evidence, severe=severe))


def facts_on(
    job: Employment,
    on: date,
    *,
    evidence: Evidence | None = None,
    severe: bool | None = None,
    same_job: str | None = None,
) -> dict[str, Fact]:
    """Return what conditions may ask about a job on a day; unknown facts are left out."""
    told: dict[str, Fact | None] = {
        "contract": job.contract,
        "setting": job.setting,
        "sameEmployer": None if job.same_employer == "U" else job.same_employer,
        "sameJob": same_job,
        "eiAcquired": None if job.ei_acquired == "U" else job.ei_acquired,
        "hoursPerWeek": job.hours_per_week,
        "hoursPerMonth": job.hours_per_month,
        "daysPerMonth": job.days_per_month,
        "wageType": job.wage_type,
        "incomePerMonth": _income(job),
        "continuousMonths": whole_months(job.start, on),
        "scheme": job.scheme,
        "businessRegistered": _registered(job, evidence),
        "lessor": job.lessor,
        "severe": severe,
    }
    return {name: fact for name, fact in told.items() if fact is not None}


def _registered(job: Employment, evidence: Evidence | None) -> bool | None:
    """A registry that reports self-employment is the business register itself."""
    own = job.setting == "SELF_EMPLOYED" and evidence is Evidence.E1
    return True if own and job.business_registered is None else job.business_registered


def _income(job: Employment) -> int | None:
    """Monthly income in KRW, where the reported wage and its unit allow to say so."""
    if job.wage is None:
        return None
    if job.wage_type == "D" and job.days_per_month is not None:
        return job.wage * job.days_per_month
    if job.wage_type == "H" and job.hours_per_month is not None:
        return int(job.wage * job.hours_per_month)
    return {"M": job.wage, "Y": job.wage // 12}.get(job.wage_type or "")


MISSHAPEN = (KeyError, TypeError, ValueError, AttributeError, InvalidOperation)
_KEYS = {"id", "version", "family", "title", "source", "inForce", "hours", "terms", "any", "never", "keptBy", "assumed"}


def _read(path: Path) -> Definition:
    try:
        return _definition(path)
    except MISSHAPEN:
        raise DataFileInvalid("a value is missing or of the wrong form", place=Place(file=path.name)) from None


def _definition(path: Path) -> Definition:
    place = Place(file=path.name)
    written = read_yaml(path, _KEYS, {"id", "version", "family", "source", "inForce", "any"})
    if written["id"] != path.stem:
        raise DataFileInvalid("the id is not the file's name", place=place)
    terms = written.get("terms", {})
    known = FACTS | frozenset(terms)
    hours, force, kept = written.get("hours", {}), written["inForce"], written.get("keptBy")
    return Definition(
        id=written["id"],
        version=str(written["version"]),
        family=written["family"],
        since=date.fromisoformat(force["from"]),
        until=date.fromisoformat(force["until"]) if force.get("until") else None,
        weeks_per_month=Decimal(hours["weeksPerMonth"]) if hours else None,
        derive=tuple(hours.get("derive", ())),
        terms=tuple((name, parse(term, FACTS, _at(place, f"terms/{name}"))) for name, term in terms.items()),
        rules=tuple(_rule(rule, known, place) for rule in written["any"]),
        never=tuple(parse(c, known, _at(place, "never")) for c in written.get("never", ())),
        kept_by=(date.fromisoformat(kept["startedBefore"]), kept["by"]) if kept else None,
    )


def _rule(written: Mapping[str, Any], known: frozenset[str], place: Place) -> Rule:
    id_ = str(written.get("id", ""))
    if not id_ or set(written) - {"id", "source", "when", "unless"}:
        raise DataFileInvalid("a rule has id, source, when, unless", place=_at(place, "any"))
    here = _at(place, f"any/{id_}")
    unless = tuple(parse(c, known, here) for c in written.get("unless", ()))
    return Rule(id_, parse(written.get("when"), known, here), unless)


def _at(place: Place, field: str) -> Place:
    return place._replace(field=field)


def read_yaml(path: Path, allowed: set[str], required: set[str]) -> dict[str, Any]:
    """Read a definition file whose top is a mapping of known words; refuses misspelt and missing ones."""
    place = Place(file=path.name)
    written = datafile.read(path)
    if not isinstance(written, dict):
        raise DataFileInvalid("a definition is a mapping", place=place)
    if wrong := sorted(map(str, (set(written) - allowed) | (required - set(written)))):
        raise DataFileInvalid(f"unknown or missing words: {', '.join(wrong)}", place=place)
    return written
