"""The invariants of the standard that concern what we exchange, by hand: type, key, test, sentence.

Source: the `constraint` entries of the R4 StructureDefinitions (severity `error`). Left out on purpose: those that the
schemas or other passes already decide (ele-1, ext-1, ref-1, dom-*), and ppc-2 … ppc-5, which as published can never
fail. A test gets an object whose form the first pass has accepted.

It refuses to warn: rules of severity `warning` (dom-6, con-3) are not checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from gateway.documents.fhir.dates import before
from gateway.documents.fhir.findings import INVERTED

Json = Mapping[str, Any]

_UCUM = "http://unitsofmeasure.org"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_WITH_REQUEST = frozenset({"batch", "transaction", "history"})
_WITH_RESPONSE = frozenset({"batch-response", "transaction-response", "history"})


class Invariant(NamedTuple):
    """`holds` is true for an object of type `owner` that keeps the rule."""

    owner: str
    code: str
    holds: Callable[[Json], bool]
    sentence: str


# ── what the tests are made of ───────────────────────────────────────────────────────────────────────────────────────
def _any(*names: str) -> Callable[[Json], bool]:
    wanted = frozenset(names)
    return lambda v: not wanted.isdisjoint(v)


def _needs(name: str, other: str) -> Callable[[Json], bool]:
    return lambda v: name not in v or other in v


def _not_both(name: str, other: str) -> Callable[[Json], bool]:
    return lambda v: name not in v or other not in v


def _ordered(first: str, second: str) -> Callable[[Json], bool]:
    return lambda v: first not in v or second not in v or not before(v[second], v[first])


def _holds_choice(value: Json, stem: str) -> bool:
    size = len(stem)
    for name in value:  # noqa: SIM110 - asked often, and quicker than `any` with a generator
        if name.startswith(stem) and name[size : size + 1].isupper():
            return True
    return False


def _coded(value: Json, name: str, system: str, codes: tuple[str, ...]) -> bool:
    return any(c.get("system") == system and c.get("code") in codes for c in value.get(name, {}).get("coding", ()))


# ── Bundle ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _search_fits(bundle: Json) -> bool:
    if bundle["type"] != "searchset":
        for entry in bundle.get("entry", ()):
            if "search" in entry:
                return False
    return True


def _stands_in(name: str, types: frozenset[str]) -> Callable[[Json], bool]:
    """`name` stands in every entry of Bundles of these types, and in no entry of others."""

    def holds(bundle: Json) -> bool:
        entries = bundle.get("entry", ())
        holding = [entry for entry in entries if name in entry]
        return len(holding) == (len(entries) if bundle["type"] in types else 0)

    return holds


def _urls_distinct(bundle: Json) -> bool:
    urls = [e["fullUrl"] for e in bundle.get("entry", ()) if "fullUrl" in e]
    if len(urls) == len(set(urls)) or bundle["type"] == "history":
        return True
    versions = [(e["fullUrl"], _version(e)) for e in bundle["entry"] if "fullUrl" in e]
    return len(versions) == len(set(versions))


def _version(entry: Json) -> Any:
    resource = entry.get("resource", {})
    return resource["meta"].get("versionId") if "meta" in resource else None


def _first_is(kind: str, wanted: str) -> Callable[[Json], bool]:
    def holds(bundle: Json) -> bool:
        if bundle["type"] != kind:
            return True
        entries = bundle.get("entry", ())
        return bool(entries) and entries[0].get("resource", {}).get("resourceType") == wanted

    return holds


# ── others ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _no_home(name: str) -> Callable[[Json], bool]:
    return lambda v: name not in v or all(x.get("use") != "home" for x in v[name])


def _codes_of(concept: Json) -> set[tuple[Any, Any]]:
    return {(c.get("system"), c["code"]) for c in concept.get("coding", ()) if "code" in c}


def _component_differs(observation: Json) -> bool:
    own = _codes_of(observation["code"]) if "component" in observation else None
    if not own or not _holds_choice(observation, "value"):
        return True
    return all(own.isdisjoint(_codes_of(c["code"])) for c in observation["component"])


def _range_ordered(value: Json) -> bool:
    low, high = value.get("low", {}), value.get("high", {})
    if "value" not in low or "value" not in high or low.get("code") != high.get("code"):
        return True
    return bool(low["value"] <= high["value"])


def _ratio_whole(value: Json) -> bool:
    if "numerator" in value or "denominator" in value:
        return "numerator" in value and "denominator" in value
    return "extension" in value


def _percent(value: Json) -> bool:
    limits = value.get("probabilityRange", {})
    return all(q.get("code") == "%" and q.get("system") == _UCUM for n, q in limits.items() if n in ("low", "high"))


def _abated(condition: Json) -> bool:
    ended = ("resolved", "remission", "inactive")
    return not _holds_choice(condition, "abatement") or _coded(condition, "clinicalStatus", _CLINICAL, ended)


def _error_has_no_status(condition: Json) -> bool:
    return "clinicalStatus" not in condition or not _coded(
        condition, "verificationStatus", _VERIFICATION, ("entered-in-error",)
    )


def _measured(value: Json) -> bool:
    if "value" in value and "code" not in value:
        return False
    return bool(value.get("system", _UCUM) == _UCUM)


def _duration(value: Json) -> bool:
    return "value" not in value or (value.get("system") == _UCUM and "code" in value)


def _count(value: Json) -> bool:
    return _measured(value) and value.get("code", "1") == "1" and float(value.get("value", 0)).is_integer()


def _not_negative(name: str) -> Callable[[Json], bool]:
    return lambda v: bool(v.get(name, 0) >= 0)


def _offset(value: Json) -> bool:
    when = value.get("when", ())
    return "offset" not in value or (bool(when) and not {"C", "CM", "CD", "CV"} & set(when))


def _one_content(value: Json) -> bool:
    valued = _holds_choice(value, "value") or _holds_choice(value, "_value")
    return valued + ("resource" in value) + ("part" in value) == 1


def _simple(*names: str) -> Callable[[Json], bool]:
    """A SimpleQuantity has no comparator; which elements are one, the table does not say."""
    return lambda v: all("comparator" not in v.get(name, ()) for name in names)


def _trigger(value: Json) -> bool:
    kind = value["type"]
    if kind == "named-event":
        return "name" in value
    if kind == "periodic":
        return _holds_choice(value, "timing")
    return "data" in value


_DANGEROUS = re.compile(
    r"<\s*(script|iframe|object|embed|form|input|link|meta|base|style)\b|\son\w+\s*=|javascript:|<!", re.IGNORECASE
)
_TAGS = re.compile(r"<[^>]*>|&[a-z0-9#]+;|\s", re.IGNORECASE)


def _narrative_safe(value: Json) -> bool:
    return _DANGEROUS.search(value["div"]) is None


def _narrative_filled(value: Json) -> bool:
    return "<img" in value["div"] or _TAGS.sub("", value["div"]) != ""


INVARIANTS: tuple[Invariant, ...] = tuple(
    Invariant(*row)
    for row in (
        ("Bundle", "bdl-1", lambda v: "total" not in v or v["type"] in ("searchset", "history"),
         "total is for searchset and history only"),
        ("Bundle", "bdl-2", _search_fits, "search is for searchset only"),
        ("Bundle", "bdl-3", _stands_in("request", _WITH_REQUEST),
         "request stands in every entry of batch, transaction and history, and in no other"),
        ("Bundle", "bdl-4", _stands_in("response", _WITH_RESPONSE),
         "response stands in every entry of their responses and of history, and in no other"),
        ("Bundle", "bdl-7", _urls_distinct, "two entries have the same fullUrl and version"),
        ("Bundle", "bdl-9", lambda v: v["type"] != "document" or {"system", "value"} <= v.get("identifier", {}).keys(),
         "a document needs an identifier with system and value"),
        ("Bundle", "bdl-10", lambda v: v["type"] != "document" or "timestamp" in v, "a document needs a timestamp"),
        ("Bundle", "bdl-11", _first_is("document", "Composition"), "a document begins with a Composition"),
        ("Bundle", "bdl-12", _first_is("message", "MessageHeader"), "a message begins with a MessageHeader"),
        ("Bundle.entry", "bdl-5", _any("resource", "request", "response"),
         "an entry holds a resource, a request or a response"),
        ("Bundle.entry", "bdl-8", lambda v: "/_history/" not in v.get("fullUrl", ""), "fullUrl names no version"),
        ("Patient.contact", "pat-1", _any("name", "telecom", "address", "organization"),
         "a contact has a name, telecom, address or organization"),
        ("Organization", "org-1", _any("identifier", "name"), "an organization has an identifier or a name"),
        ("Organization", "org-2", _no_home("address"), "an address of an organization is never a home"),
        ("Organization", "org-3", _no_home("telecom"), "a telecom of an organization is never at home"),
        ("Consent", "ppc-1", _any("policy", "policyRule"), "policy or policyRule is needed"),
        ("ServiceRequest", "prr-1", _needs("orderDetail", "code"), "orderDetail needs a code"),
        ("Task", "inv-1", _ordered("authoredOn", "lastModified"), "lastModified lies before authoredOn"),
        ("Observation", "obs-6", lambda v: "dataAbsentReason" not in v or not _holds_choice(v, "value"),
         "dataAbsentReason and a value exclude each other"),
        ("Observation", "obs-7", _component_differs, "with a value, no component has the code of the observation"),
        ("Observation.referenceRange", "obs-3", _any("low", "high", "text"), "low, high or text is needed"),
        ("CarePlan.activity", "cpl-3", _not_both("detail", "reference"), "detail and reference exclude each other"),
        ("Condition", "con-4", _abated, "what has abated is inactive, resolved or in remission"),
        ("Condition", "con-5", _error_has_no_status, "what is entered in error has no clinicalStatus"),
        ("Condition.stage", "con-1", _any("summary", "assessment"), "summary or assessment is needed"),
        ("Condition.evidence", "con-2", _any("code", "detail"), "code or detail is needed"),
        ("AuditEvent.entity", "sev-1", _not_both("name", "query"), "name and query exclude each other"),
        ("RiskAssessment.prediction", "ras-1", _percent, "low and high are percentages (UCUM %)"),
        ("RiskAssessment.prediction", "ras-2", lambda v: bool(v.get("probabilityDecimal", 0) <= 100),
         "probability is at most 100"),
        ("Parameters.parameter", "inv-1", _one_content, "a parameter holds either a value, or a resource, or parts"),
        ("Observation.referenceRange", "sqty-1", _simple("low", "high"), "low and high have no comparator"),
        ("CarePlan.activity.detail", "sqty-1", _simple("dailyAmount", "quantity"), "an amount has no comparator"),
        ("Range", "sqty-1", _simple("low", "high"), "low and high have no comparator"),
        ("SampledData", "sqty-1", _simple("origin"), "origin has no comparator"),
        ("Goal.target", "gol-1", lambda v: not _holds_choice(v, "detail") or "measure" in v,
         "detail needs a measure"),
        ("Period", INVERTED, _ordered("start", "end"), "start lies after end (per-1)"),
        ("Range", "rng-2", _range_ordered, "low is above high"),
        ("Ratio", "rat-1", _ratio_whole, "numerator and denominator stand together"),
        ("Attachment", "att-1", _needs("data", "contentType"), "data needs a contentType"),
        ("ContactPoint", "cpt-2", _needs("value", "system"), "value needs a system"),
        ("Quantity", "qty-3", _needs("code", "system"), "code needs a system"),
        ("Age", "age-1", lambda v: _measured(v) and bool(v.get("value", 1) > 0),
         "an age is positive, with a UCUM code"),
        ("Duration", "drt-1", _duration, "a duration has a UCUM code"),
        ("Count", "cnt-3", _count, "a count is a whole number with the UCUM code 1"),
        ("Distance", "dis-1", _measured, "a distance has a UCUM code"),
        ("Timing.repeat", "tim-1", _needs("duration", "durationUnit"), "duration needs durationUnit"),
        ("Timing.repeat", "tim-2", _needs("period", "periodUnit"), "period needs periodUnit"),
        ("Timing.repeat", "tim-4", _not_negative("duration"), "duration is not negative"),
        ("Timing.repeat", "tim-5", _not_negative("period"), "period is not negative"),
        ("Timing.repeat", "tim-6", _needs("periodMax", "period"), "periodMax needs period"),
        ("Timing.repeat", "tim-7", _needs("durationMax", "duration"), "durationMax needs duration"),
        ("Timing.repeat", "tim-8", _needs("countMax", "count"), "countMax needs count"),
        ("Timing.repeat", "tim-9", _offset, "offset needs a when other than a meal"),
        ("Timing.repeat", "tim-10", _not_both("timeOfDay", "when"), "timeOfDay and when exclude each other"),
        ("TriggerDefinition", "trd-1", lambda v: "data" not in v or not _holds_choice(v, "timing"),
         "data and timing exclude each other"),
        ("TriggerDefinition", "trd-2", _needs("condition", "data"), "condition needs data"),
        ("TriggerDefinition", "trd-3", _trigger, "what its type needs is missing"),
        ("DataRequirement.codeFilter", "drq-1", lambda v: ("path" in v) != ("searchParam" in v),
         "either path or searchParam"),
        ("DataRequirement.dateFilter", "drq-2", lambda v: ("path" in v) != ("searchParam" in v),
         "either path or searchParam"),
        ("Expression", "exp-1", _any("expression", "reference"), "expression or reference is needed"),
        ("Narrative", "txt-1", _narrative_safe, "div holds active content"),
        ("Narrative", "txt-2", _narrative_filled, "div says nothing"),
    )
)  # fmt: skip
