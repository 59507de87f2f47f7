"""Reads the official definitions (an unpacked FHIR package) into one flat element table.

The package is `hl7.fhir.r4b.core` 4.3.0; for the resources that we exchange it says what R4 4.0.1 says, except for the
corrections named below, which are applied here (compared with R4 definitions when they were written; see
`schemas/fhir/r4/differences.json`).

The table: `types[Type].elements[name]` with `min`, `max`, `types`; besides `targets` (of a Reference), `binding`,
`codes` (only of required bindings that can be listed), `ref` (the content is that of another path). Backbone elements
have the type `BackboneElement` and their children under `types["Type.path"]`.

It refuses to guess: a required binding is listed completely from the package's own CodeSystems, or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

Json = dict[str, Any]

EXCHANGED = (
    "AuditEvent", "Bundle", "CarePlan", "Communication", "Condition", "Consent", "Coverage", "DocumentReference",
    "Endpoint", "EpisodeOfCare", "Goal", "MessageHeader", "Observation", "OperationOutcome", "Organization",
    "Parameters", "Patient", "Practitioner", "PractitionerRole", "Procedure", "Provenance",
    "RelatedPerson", "RiskAssessment", "ServiceRequest", "Task",
)  # fmt: skip

NEW_IN_R4B = frozenset({"CodeableReference", "RatioRange"})  # data types that R4 4.0.1 does not know
# Resources that R4B knows and R4 4.0.1 does not, and the other way round (R4B release notes).
RESOURCES_NEW_IN_R4B = frozenset({
    "AdministrableProductDefinition", "Citation", "ClinicalUseDefinition", "EvidenceReport", "Ingredient",
    "ManufacturedItemDefinition", "MedicinalProductDefinition", "NutritionProduct", "PackagedProductDefinition",
    "RegulatedAuthorization", "SubscriptionStatus", "SubscriptionTopic", "SubstanceDefinition",
})  # fmt: skip
RESOURCES_ONLY_IN_R4 = frozenset({
    "EffectEvidenceSynthesis", "MedicinalProduct", "MedicinalProductAuthorization", "MedicinalProductContraindication",
    "MedicinalProductIndication", "MedicinalProductIngredient", "MedicinalProductInteraction",
    "MedicinalProductManufactured", "MedicinalProductPackaged", "MedicinalProductPharmaceutical",
    "MedicinalProductUndesirableEffect", "RiskEvidenceSynthesis", "SubstanceNucleicAcid", "SubstancePolymer",
    "SubstanceProtein", "SubstanceReferenceInformation", "SubstanceSourceMaterial", "SubstanceSpecification",
})  # fmt: skip

# Where R4B differs from R4 4.0.1 in what we exchange, R4 wins: path, what is corrected, what R4 says.
CORRECTIONS: tuple[tuple[str, str, list[str]], ...] = (
    ("Observation.subject", "targets", ["Device", "Group", "Location", "Patient"]),
    ("Extension.value[x]", "types", ["Meta"]),  # one type more
)
_ALL_TYPES = "http://hl7.org/fhir/ValueSet/all-types"

_FHIR_TYPE = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type"
_REGEX = "http://hl7.org/fhir/StructureDefinition/regex"
_SYSTEM = "http://hl7.org/fhirpath/System."


class Package:
    """One unpacked FHIR package, read on demand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._by_url: dict[str, Json] = {}
        for kind in ("ValueSet", "CodeSystem"):
            for path in sorted(folder.glob(f"{kind}-*.json")):
                document = orjson.loads(path.read_bytes())
                self._by_url[f"{kind} {document['url']}"] = document

    def structure(self, name: str) -> Json:
        """The StructureDefinition of a type."""
        return dict(orjson.loads((self.folder / f"StructureDefinition-{name}.json").read_bytes()))

    def names(self, kind: str) -> tuple[str, ...]:
        """Names of all concrete base types of a kind (`resource`, `complex-type`, `primitive-type`)."""
        found = []
        for path in sorted(self.folder.glob("StructureDefinition-*.json")):
            document = orjson.loads(path.read_bytes())
            if document.get("kind") == kind and document.get("derivation") != "constraint" and not document["abstract"]:
                found.append(str(document["type"]))
        return tuple(found)

    def codes(self, value_set: str) -> tuple[str, ...] | None:
        """Every code of a ValueSet, None when it cannot be listed from this package."""
        document = self._by_url.get(f"ValueSet {value_set.partition('|')[0]}")
        return None if document is None else self._composed(document.get("compose", {}))

    def systems(self, value_set: str) -> tuple[str, ...]:
        """The code systems that a ValueSet draws from."""
        document = self._by_url[f"ValueSet {value_set}"]
        return tuple(str(i["system"]) for i in document["compose"]["include"] if "system" in i)

    def _composed(self, compose: Mapping[str, Any]) -> tuple[str, ...] | None:
        if compose.get("exclude"):
            return None
        found: list[str] = []
        for include in compose.get("include", ()):
            part = self._included(include)
            if part is None:
                return None
            found += [code for code in part if code not in found]
        return tuple(found) or None

    def _included(self, include: Mapping[str, Any]) -> tuple[str, ...] | None:
        if include.get("filter"):
            return None
        if "concept" in include:
            return tuple(str(c["code"]) for c in include["concept"])
        if "valueSet" in include:
            return self.codes(include["valueSet"][0]) if len(include["valueSet"]) == 1 else None
        system = self._by_url.get(f"CodeSystem {include.get('system', '')}")
        if system is None or system.get("content") != "complete":
            return None
        return tuple(_concepts(system.get("concept", ())))


def _concepts(concepts: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for concept in concepts:
        yield str(concept["code"])
        yield from _concepts(concept.get("concept", ()))


# ── the element table ────────────────────────────────────────────────────────────────────────────────────────────────
def table(package: Package, exchanged: Iterable[str] = EXCHANGED) -> Json:
    """The element table of the exchanged resources and of every data type that they need."""
    types: dict[str, Json] = {}
    value_sets: dict[str, list[str]] = {}
    waiting = sorted(exchanged)
    while waiting:
        name = waiting.pop(0)
        if name in types:
            continue
        added = _types_of(package, name, value_sets)
        types.update(added)
        waiting += sorted(_needed(added) - set(types) - set(waiting))
    return {
        "fhirVersion": "4.0.1",
        "resources": _resources(package),
        "exchanged": sorted(exchanged),
        "primitives": _primitives(package),
        "types": dict(sorted(types.items())),
        "valueSets": dict(sorted(value_sets.items())),
    }


def _resources(package: Package) -> list[str]:
    return sorted((set(package.names("resource")) - RESOURCES_NEW_IN_R4B) | RESOURCES_ONLY_IN_R4)


def _primitives(package: Package) -> dict[str, str]:
    """The official regular expression of each primitive type (xhtml has none)."""
    found: dict[str, str] = {}
    for name in package.names("primitive-type"):
        value = next(e for e in package.structure(name)["snapshot"]["element"] if e["path"].endswith(".value"))
        regex = [x["valueString"] for x in value["type"][0].get("extension", ()) if x["url"] == _REGEX]
        found[name] = str(regex[0]) if regex else ""
    return found


def _types_of(package: Package, name: str, value_sets: dict[str, list[str]]) -> dict[str, Json]:
    found: dict[str, Json] = {name: {"elements": {}}}
    for element in package.structure(name)["snapshot"]["element"][1:]:
        owner, _, child = str(element["path"]).rpartition(".")
        facts = _facts(package, element, value_sets)
        if facts is not None:
            _correct(str(element["path"]), facts)
            found.setdefault(owner, {"elements": {}})["elements"][child] = facts
    return found


def _correct(path: str, facts: Json) -> None:
    """Put in what R4 4.0.1 says. The id of a data type is a string there; only a resource's is an id."""
    for corrected, key, says in CORRECTIONS:
        if corrected == path:
            facts[key] = says if key == "targets" else [*facts[key], *says]
    if path.endswith(".id") and path.partition(".")[0] not in EXCHANGED:
        facts["types"] = ["string"]


def _facts(package: Package, element: Mapping[str, Any], value_sets: dict[str, list[str]]) -> Json | None:
    facts = facts_of(element)
    if facts is not None and "binding" in facts:
        _add_codes(package, facts, value_sets)
    return facts


def facts_of(element: Mapping[str, Any]) -> Json | None:
    """What an element of a snapshot says, without codes; None for one that is not allowed at all."""
    if element["max"] == "0":
        return None
    facts: Json = {"min": element["min"], "max": element["max"], "types": _type_names(element)}
    if "contentReference" in element:
        facts["ref"] = str(element["contentReference"]).rpartition("#")[2]
        facts["types"] = ["BackboneElement"]
    targets = _targets(element)
    if targets:
        facts["targets"] = targets
    binding = element.get("binding")
    if binding and "valueSet" in binding:
        facts["binding"] = {"strength": binding["strength"], "valueSet": binding["valueSet"].partition("|")[0]}
    return facts


def _add_codes(package: Package, facts: Json, value_sets: dict[str, list[str]]) -> None:
    if facts["binding"]["strength"] != "required":
        return
    codes = package.codes(facts["binding"]["valueSet"])
    if codes is None:
        return
    if facts["binding"]["valueSet"] == _ALL_TYPES:
        new = NEW_IN_R4B | RESOURCES_NEW_IN_R4B
        codes = tuple(sorted({c for c in codes if c not in new} | RESOURCES_ONLY_IN_R4 | {"SubstanceAmount"}))
    value_sets[facts["binding"]["valueSet"]] = list(codes)
    if facts["types"] == ["code"]:
        facts["codes"] = list(codes)
    else:
        facts["binding"]["systems"] = list(package.systems(facts["binding"]["valueSet"]))


def _type_names(element: Mapping[str, Any]) -> list[str]:
    names: list[str] = []
    for kind in element.get("type", ()):
        name = _type_name(kind)
        if name not in names and name not in NEW_IN_R4B:
            names.append(name)
    return names


def _type_name(kind: Mapping[str, Any]) -> str:
    code = str(kind["code"])
    if not code.startswith(_SYSTEM):
        return code
    named = [x["valueUrl"] for x in kind.get("extension", ()) if x["url"] == _FHIR_TYPE]
    return str(named[0]) if named else "string"


def _targets(element: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for kind in element.get("type", ()):
        if kind["code"] == "Reference":
            found += [re.sub(r".*/", "", profile) for profile in kind.get("targetProfile", ())]
    return sorted(set(found) - RESOURCES_NEW_IN_R4B)


_ABSTRACT = frozenset({"BackboneElement", "Element", "Resource", "xhtml"})


def _needed(types: Mapping[str, Json]) -> set[str]:
    names = {n for t in types.values() for facts in t["elements"].values() for n in facts["types"]}
    return {n for n in names if n not in _ABSTRACT and n[:1].isupper()}
