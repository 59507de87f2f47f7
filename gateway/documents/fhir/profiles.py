"""Our own profiles: what a StructureDefinition adds to its base, compiled to rows, checked where `meta.profile` asks.

Understood in a differential: `min`, `max`, `fixed[x]`, `pattern[x]`, a required `binding` to a ValueSet that holds all
codes of one of our CodeSystems, and narrower `type` (with `targetProfile` for references). Paths go down by names;
there are no slices.

It refuses a differential that says anything else about values, and a claim of one of our profiles that does not exist.
Profiles of others are not ours to judge and pass.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeAlias

import orjson

from gateway.documents.fhir import findings as kinds
from gateway.documents.fhir import references
from gateway.documents.fhir.findings import Finding, Trail, spell
from gateway.errors import DataFileInvalid, Place

Json = dict[str, Any]
OURS = "https://gateway.example/fhir/StructureDefinition/"
Keeper: TypeAlias = Callable[[Json, references.Around], bool]
_SAID_ELSEWHERE = frozenset({"id", "path", "short", "definition", "comment", "mustSupport"})


class Row(NamedTuple):
    """What a profile demands at one path (names below the resource)."""

    path: tuple[str, ...]
    min: int = 0
    max: int | None = None
    fixed: Any = None
    pattern: Any = None
    system: str = ""
    codes: frozenset[str] = frozenset()
    types: tuple[str, ...] = ()
    targets: frozenset[str] = frozenset()

    @property
    def judges(self) -> bool:
        """Does the row say anything about values, not only about their number?"""
        return bool(self.codes or self.types or self.targets) or self.fixed is not None or self.pattern is not None


# ── from StructureDefinition to rows (development) ───────────────────────────────────────────────────────────────────
def compile_profiles(profiles: Path, code_systems: Path) -> Json:
    """URL → type and rows, ready to be written. Raises `DataFileInvalid` for what is not understood."""
    systems = [orjson.loads(p.read_bytes()) for p in sorted(code_systems.glob("*.json"))]
    value_sets = {s["valueSet"]: s for s in systems}
    found: Json = {}
    for path in sorted(profiles.glob("*.json")):
        definition = orjson.loads(path.read_bytes())
        rows = [_compiled(e, value_sets, path) for e in definition["differential"]["element"] if "." in e["path"]]
        found[definition["url"]] = {"type": definition["type"], "rows": rows}
    return found


def _compiled(element: Json, value_sets: Mapping[str, Json], file: Path) -> Json:
    row: Json = {"path": element["path"].split(".")[1:]}
    for name, says in element.items():
        if name == "min":
            row["min"] = says
        elif name == "max":
            row["max"] = None if says == "*" else int(says)
        elif name.startswith(("fixed", "pattern")):
            row["fixed" if name.startswith("fixed") else "pattern"] = says
        elif name == "binding" and says["strength"] == "required" and says["valueSet"] in value_sets:
            system = value_sets[says["valueSet"]]
            row |= {"system": system["url"], "codes": [c["code"] for c in system["concept"]]}
        elif name == "type":
            row |= _narrower(says)
        elif name not in _SAID_ELSEWHERE:
            raise DataFileInvalid(
                f"{name} is not understood in a profile", place=Place(str(file), None, element["path"])
            )
    return row


def _narrower(types: list[Json]) -> Json:
    targets = [p.rpartition("/")[2] for t in types for p in t.get("targetProfile", ())]
    return {"types": [t["code"] for t in types]} | ({"targets": targets} if targets else {})


# ── checking ─────────────────────────────────────────────────────────────────────────────────────────────────────────
class Profiles:
    """`schemas/fhir/r4/profiles.json`, read."""

    def __init__(self, document: Mapping[str, Json]) -> None:
        rows = {url: [_row(r) for r in p["rows"]] for url, p in document.items()}
        self._types = {url: str(p["type"]) for url, p in document.items()}
        self._rows = {url: tuple((_keeper(row), row) for row in found) for url, found in rows.items()}

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the compiled profiles. Raises `DataFileInvalid`."""
        try:
            return cls(orjson.loads(path.read_bytes()))
        except (OSError, ValueError, KeyError) as error:
            raise DataFileInvalid(str(error), place=Place(file=str(path))) from None

    def check(self, resource: Json, trail: Trail, places: references.Around) -> Iterator[Finding]:
        """What the resource lacks of the profiles that it claims (its form has been accepted)."""
        for index, claim in enumerate(resource["meta"]["profile"]):
            url = str(claim).partition("|")[0]
            if self._types.get(url) == resource["resourceType"]:
                for kept, row in self._rows[url]:
                    if not kept(resource, places):
                        yield from _check(row, resource, trail, places)
            elif url.startswith(OURS):
                at: Trail = ((trail, "meta", None), "profile", index)
                yield Finding(spell(at), kinds.PROFILE, "is none of our profiles of this resource type")


def _row(raw: Json) -> Row:
    names = {"path": tuple, "codes": frozenset, "types": tuple, "targets": frozenset}
    return Row(**{k: names[k](v) if k in names else v for k, v in raw.items()})


def _keeper(row: Row) -> Keeper:
    """A quick test that says yes only if `_check` would find nothing; most rows are plain enough for one."""
    name, few, most = row.path[-1], row.min, row.max if row.max is not None else sys.maxsize

    def counted(resource: Json, places: references.Around) -> bool:
        value = resource.get(name)
        return few <= (0 if value is None else len(value) if isinstance(value, list) else 1) <= most

    def valued(resource: Json, places: references.Around) -> bool:
        value = resource.get(name)
        if value is None:
            return few == 0
        return not isinstance(value, list) and (
            (row.fixed is None or value == row.fixed) and (row.pattern is None or _holds(value, row.pattern))
        )

    def coded(resource: Json, places: references.Around) -> bool:
        value = resource.get(name)
        if not isinstance(value, dict):
            return value is None and few == 0
        return any(_coding(coding, row) for coding in value.get("coding", ()))

    def aimed(resource: Json, places: references.Around) -> bool:
        value = resource.get(name)
        if isinstance(value, list) and len(value) == 1 and few <= 1:
            value = value[0]
        return isinstance(value, dict) and places.entries.get(value.get("reference", "")) in row.targets

    def below(resource: Json, places: references.Around) -> bool:
        """Only asked of rows two names deep that count one value at least."""
        owners = resource.get(row.path[0], ())
        return all(name in owner for owner in (owners if isinstance(owners, list) else [owners]))

    if name.endswith("[x]"):
        return _never
    if len(row.path) == 1:
        return aimed if row.targets else coded if row.codes else valued if row.judges else counted
    return below if len(row.path) == 2 and not row.judges and few == 1 and row.max is None else _never


def _never(resource: Json, places: references.Around) -> bool:
    return False


def _check(row: Row, resource: Json, trail: Trail, places: references.Around) -> Iterator[Finding]:
    for owner, at in _owners(resource, row.path[:-1], trail):
        name = row.path[-1]
        values = _children(owner, name, at)
        if len(values) < row.min:
            yield Finding(spell((at, name, None)), kinds.MISSING, "is missing (profile)")
        if row.max is not None and len(values) > row.max:
            yield Finding(spell((at, name, None)), kinds.PROFILE, f"is allowed {row.max} times at most")
        if row.judges:
            for value, place, spelt in values:
                yield from _value(row, value, place, spelt, places)


def _owners(value: Any, path: tuple[str, ...], trail: Trail) -> Iterator[tuple[Json, Trail]]:
    if not path:
        yield value, trail
        return
    for child, at, _ in _children(value, path[0], trail):
        yield from _owners(child, path[1:], at)


def _children(owner: Json, name: str, trail: Trail) -> list[tuple[Any, Trail, str]]:
    """Values of an element: value, place, and the name it is written by."""
    if not name.endswith("[x]"):
        return _written(owner, name, trail) if name in owner else []
    stem = name.removesuffix("[x]")
    return [found for spelt in owner if spelt.startswith(stem) for found in _written(owner, spelt, trail)]


def _written(owner: Json, name: str, trail: Trail) -> list[tuple[Any, Trail, str]]:
    value = owner[name]
    if isinstance(value, list):
        return [(v, (trail, name, i), name) for i, v in enumerate(value)]
    return [(value, (trail, name, None), name)]


def _value(row: Row, value: Any, at: Trail, written: str, places: references.Around) -> Iterator[Finding]:
    if row.fixed is not None and value != row.fixed:
        yield Finding(spell(at), kinds.PROFILE, "is not the value that the profile fixes")
    if row.pattern is not None and not _holds(value, row.pattern):
        yield Finding(spell(at), kinds.PROFILE, "does not hold what the profile demands")
    if row.codes and not any(_coding(c, row) for c in _codings(value)):
        yield Finding(spell(at), kinds.BAD_CODE, f"needs a code of {row.system}")
    if (
        row.path[-1].endswith("[x]")
        and row.types
        and not any(written.endswith(t[:1].upper() + t[1:]) for t in row.types)
    ):
        yield Finding(spell(at), kinds.PROFILE, f"is of type {', '.join(row.types)} in the profile")
    if row.targets and isinstance(value, dict):
        kind = references.kind_of(str(value.get("reference", "")), places)
        if kind is not None and kind not in row.targets:
            yield Finding(
                spell(at), kinds.WRONG_TARGET, f"leads to {kind}, in the profile to {', '.join(sorted(row.targets))}"
            )


def _holds(value: Any, pattern: Any) -> bool:
    """Does `value` hold everything that `pattern` has? A list holds each item somewhere."""
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(n in value and _holds(value[n], p) for n, p in pattern.items())
    if isinstance(pattern, list):
        return isinstance(value, list) and all(any(_holds(v, p) for v in value) for p in pattern)
    return bool(value == pattern)


def _codings(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value["coding"]) if "coding" in value else [value]
    return [{"code": value}]


def _coding(coding: Json, row: Row) -> bool:
    return coding.get("code") in row.codes and coding.get("system", row.system) == row.system
