"""Properties of the real maps, over records made from the case schema and narrowed as each agreement says.

P1  a record becomes a document that its target accepts, or `MappingFailed` with issues; never anything else. A report
    becomes an outcome likewise.
P2  another value of one source field changes only what its lineage names.
P3  one field less does so too.

What no schema can say is kept to: what ends does so after it begins, and the coordinator has a telephone.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple, TypeAlias

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gateway.cases.permission import Permission, narrow
from gateway.documents.fhir.rules import FhirRules
from gateway.documents.gwmap import Catalogue, CompiledMap, Issue, RecordNotMapped
from gateway.documents.gwmap.maptests import at
from gateway.documents.gwmap.shapes import resolved
from gateway.documents.schemas import Schemas
from gateway.partners.profile import Profile, load_all
from tests.data import maps
from tests.data.maps import MAPPINGS, SCHEMAS

CATALOGUE = Catalogue.load(MAPPINGS, SCHEMAS)
KNOWN = Schemas.load(SCHEMAS)
FHIR = FhirRules.load(SCHEMAS / "fhir")
PROFILES = load_all(MAPPINGS / "partners", SCHEMAS)
CASE = KNOWN.raw("urn:comwel:schema:case:1.0.0")
HOST = maps.HOST | {"reason": "WDR", "state": "in-progress"}


# ── records of a schema ──────────────────────────────────────────────────────────────────────────────────────────────
FORMATS: Mapping[str, st.SearchStrategy[str]] = {
    "date": st.dates(date(1900, 1, 1), date(2099, 12, 31)).map(date.isoformat),
    "date-time": st.dates(date(2020, 1, 1), date(2026, 11, 22)).map(lambda day: f"{day}T09:00:00+09:00"),
    "uuid": st.uuids().map(str),
    "email": st.just("worker42@example.kr"),
}
LETTERS = "가힣남궁민수aZ09-./"
MANY = 3


def values(node: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Whatever a part of the case schema allows; lists of at most three, never empty where nothing says they may be."""
    if "enum" in node or "const" in node:
        return st.sampled_from(node.get("enum", [node.get("const")]))
    match node["type"]:
        case "array":
            least = node.get("minItems", 1)
            return st.lists(
                values(node["items"]), min_size=least, max_size=min(node.get("maxItems", MANY), least + MANY)
            )
        case "object":
            return records(node)
        case "string":
            return texts(node)
        case "boolean":
            return st.booleans()
        case kind:
            low, high = node.get("minimum", 0), node.get("maximum", 10_000_000)
            return st.integers(low, high) if kind == "integer" else st.floats(low, high)


def texts(node: Mapping[str, Any]) -> st.SearchStrategy[str]:
    """Text of a format, of a pattern, or as short or as long as it may be."""
    if "format" in node:
        return FORMATS[node["format"]]
    if "pattern" in node:
        return st.from_regex(re.compile(node["pattern"], re.ASCII), fullmatch=True)
    least, most = node.get("minLength", 1), node.get("maxLength", 40)
    return st.sampled_from([least, min(least + 3, most), most]).flatmap(
        lambda n: st.text(LETTERS, min_size=n, max_size=n)
    )


def records(node: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with what is required and some of what is not."""
    fields = {name: values(inner) for name, inner in node["properties"].items()}
    required = {name: fields.pop(name) for name in node.get("required", ())}
    return st.fixed_dictionaries(required, optional=fields)


class Story(NamedTuple):
    """A case, and of one leg: its entry, its consent, and which of the partner's services are asked for."""

    record: dict[str, Any]
    leg: dict[str, Any]
    consent: dict[str, Any]
    asked: list[int]


PAIRS = (("from", "until"), ("start", "end"), ("careStart", "careEnd"), ("careStart", "carePlannedEnd"))


def in_order(value: Any) -> Any:
    """The same with what ends after it begins: no schema can say so."""
    if isinstance(value, list):
        return [in_order(item) for item in value]
    if not isinstance(value, dict):
        return value
    made = {name: in_order(inner) for name, inner in value.items()}
    for first, last in PAIRS:
        if first in made and last in made:
            made[last] = max(made[first], made[last])
    return made


ITEMS = {name: CASE["properties"][name]["items"] for name in ("referral", "consent")}
STORIES = st.builds(
    Story,
    values(CASE).map(in_order),
    values(ITEMS["referral"]),
    values(ITEMS["consent"]).map(in_order),
    st.lists(st.integers(0, 9), min_size=1, max_size=MANY),
)
DESK = {"tel": "0521112222"}  # every referral has a coordinator who can be called
MAPS = {pin: CATALOGUE.get(pin) for pin in CATALOGUE.pins() if CATALOGUE.get(pin).header.source == CASE["$id"]}


def seen(compiled: CompiledMap, story: Story) -> dict[str, Any]:
    """What a map may see: our own record with its one leg, or what is left of it for a partner."""
    leg = {**story.leg, "services": services(compiled, story.asked)}
    record = {**story.record, "coordinator": {"jcNo": "J000001", **story.record.get("coordinator", {}), **DESK}}
    profile = PROFILES.get(compiled.header.partner or "")
    if profile is None:
        person = {"partner": leg["partner"], "id": "PKE-" + "A" * 26}
        return {**record, "partnerPersonId": [person], "referral": [leg]}
    own = {"partnerPersonId": f"P{profile.code}-" + "A" * 26, "referral": {**leg, "partner": profile.id}}
    return narrow(record, permission(profile, story.consent), own)


def services(compiled: CompiledMap, asked: list[int]) -> list[str]:
    """Services of the partner; one number stands for a service it does not have."""
    pin = compiled.header.maps.get("service")
    known = list(CATALOGUE.tables.get(pin).entries) if pin else ["취업알선"]
    return list(dict.fromkeys(known[n % len(known)] if n else "없는 서비스" for n in asked))


def permission(profile: Profile, consent: Mapping[str, Any]) -> Permission:
    """All that the agreement names, as if law and consent left it whole."""
    forms = {name: form for name, form in profile.allow.items() if form != "C2"}
    return Permission(profile.id, profile.legal_basis_out, consent["no"], frozenset(forms), consent, forms)


def params(compiled: CompiledMap) -> dict[str, str]:
    """What the host gives of what the map declares."""
    return {name: HOST[name] for name in compiled.header.params}


calm = settings(deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.reuse, Phase.generate])


# ── P1 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
@settings(calm, max_examples=60)
@given(STORIES)
def test_a_record_becomes_a_valid_document_or_issues_and_nothing_else(story: Story) -> None:
    assert KNOWN.check(CASE["$id"], story.record) == ()
    for compiled in MAPS.values():
        document, issues = outcome(compiled, seen(compiled, story))
        assert issues if document is None else findings(compiled, document) == []


def outcome(compiled: CompiledMap, record: Mapping[str, Any]) -> tuple[Any, tuple[Issue, ...]]:
    """The document, or None and why there is none."""
    try:
        mapped = compiled.apply(record, params(compiled))
    except RecordNotMapped as refused:
        return None, refused.issues
    return mapped.document, mapped.issues


REPORTS = {pin: CATALOGUE.get(pin) for pin in ("keis-outcome-in|1.0.0", "kead-outcome-in|1.0.0")}


def inlined(root: Mapping[str, Any], node: Any) -> Any:
    """A part of a schema with its references put in."""
    if isinstance(node, list):
        return [inlined(root, one) for one in node]
    if not isinstance(node, Mapping):
        return node
    return {name: inlined(root, one) for name, one in resolved(root, node).items() if name != "$defs"}


@pytest.mark.parametrize("pin", REPORTS)
@settings(calm, max_examples=60)
@given(data=st.data())
def test_a_report_that_keeps_to_its_schema_becomes_an_outcome_or_issues(pin: str, data: st.DataObject) -> None:
    compiled = REPORTS[pin]
    source = compiled.header.source
    report = data.draw(
        values(inlined(KNOWN.raw(source), KNOWN.raw(source))).filter(lambda r: not KNOWN.check(source, r))
    )
    document, issues = outcome(compiled, report)
    assert issues if document is None else findings(compiled, document) == []


def findings(compiled: CompiledMap, document: Any) -> list[str]:
    """What the target says against a document."""
    target = compiled.header.target_schema
    return [str(f) for f in (KNOWN.check(target, document) if target else FHIR.check(document))]


# ── P2, P3 ───────────────────────────────────────────────────────────────────────────────────────────────────────────
Line: TypeAlias = tuple[str, str]  # where a rule stands, and its words


def written(compiled: CompiledMap, record: Mapping[str, Any]) -> dict[Line, list[Any]]:
    """Every value that each rule wrote, in the order of the document; nothing when the record cannot be mapped."""
    document, _ = outcome(compiled, record)
    if document is None:
        return {}
    found: dict[Line, list[Any]] = defaultdict(list)
    for said in compiled.explain(record, params(compiled)):
        if said.status == "written":
            place = said.at.rpartition("/")[2] if " " in said.at else "map.yaml:" + said.at.rpartition(":")[2]
            found[place, said.expr].append(at(document, said.target, compiled.header.root))
    return dict(found)


def lineage(compiled: CompiledMap) -> dict[Line, set[str]]:
    """The source fields that each rule depends on, by value or by guard."""
    found: dict[Line, set[str]] = defaultdict(set)
    for line in compiled.lineage():
        tops = {path.partition(".")[0] for path in (*line.sources, *line.guards)}
        found[line.at.rpartition("/")[2], line.expr] |= tops
    return dict(found)


LINEAGE = {pin: lineage(compiled) for pin, compiled in MAPS.items()}


@settings(calm, max_examples=20)
@given(STORIES, STORIES, st.integers(0, 4))
def test_what_changes_or_goes_with_one_field_is_in_its_lineage(story: Story, other: Story, turn: int) -> None:
    mapped = 0
    for pin, compiled in MAPS.items():
        before, instead = seen(compiled, story), seen(compiled, other)
        one = written(compiled, before)
        mapped += bool(one)
        for name in sorted(before.keys() | instead.keys())[turn::5] if one else ():
            two = written(compiled, in_the_place_of(before, name, instead))
            touched = [line for line in one.keys() | two.keys() if two and one.get(line) != two.get(line)]
            assert [line for line in touched if name not in LINEAGE[pin][line]] == [], name
    assert mapped


def in_the_place_of(record: Mapping[str, Any], name: str, instead: Mapping[str, Any]) -> dict[str, Any]:
    """The record with one field as another has it, or without."""
    return {**{n: v for n, v in record.items() if n != name}, **({name: instead[name]} if name in instead else {})}
