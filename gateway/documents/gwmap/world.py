"""What maps are built against: schemas, code tables, fragments, the FHIR element table, dictionary and profiles.

Read once from `mappings/` and `schemas/`; names of files are kept as people know them (`mappings/…`). It refuses files
that break the YAML subset or the rules of code tables, each with file and line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.documents.gwmap import minimise, yaml_subset
from gateway.documents.gwmap.concept_maps import TableError, Tables
from gateway.documents.gwmap.model import Finding, Severity
from gateway.documents.gwmap.targets import ElementTable
from gateway.documents.gwmap.template import Fragment
from gateway.documents.schemas import Schemas

ELEMENTS = "fhir/r4/elements.json.gz"


@dataclass(frozen=True, slots=True)
class World:
    """Everything around the maps."""

    mappings: Path
    schemas: Schemas
    tables: Tables
    fragments: Mapping[str, Fragment]
    fhir: ElementTable | None
    dictionary: Mapping[str, Mapping[str, str]]
    profiles: Mapping[str, tuple[str, Mapping[str, Any]]]  # partner to (file as shown, profile)

    def shown(self, path: Path) -> str:
        """A file under mappings/ as people know it."""
        return shown(self.mappings, path)


def shown(mappings: Path, path: Path) -> str:
    """`mappings/…/map.yaml`; a draft that stands elsewhere by its own name."""
    if not path.is_relative_to(mappings):
        return path.name
    return f"{mappings.name}/{path.relative_to(mappings).as_posix()}"


def load(mappings: Path, schemas: Path) -> tuple[World, list[Finding]]:
    """Read everything but the maps; findings name what cannot be used."""
    findings: list[Finding] = []
    table = schemas / ELEMENTS
    words = schemas / "comwel" / "dictionary.csv"
    world = World(
        mappings,
        Schemas.load(schemas),
        _tables(mappings, findings),
        _fragments(mappings, findings),
        ElementTable.load(table) if table.exists() else None,
        minimise.dictionary(words) if words.exists() else {},
        _profiles(mappings, findings),
    )
    return world, findings


def _tables(mappings: Path, findings: list[Finding]) -> Tables:
    try:
        return Tables.load(mappings / "conceptmaps", f"{mappings.name}/conceptmaps")
    except TableError as error:
        findings.append(Finding(error.file, 1, "S8", Severity.ERROR, str(error)))
        return Tables({})


def _fragments(mappings: Path, findings: list[Finding]) -> dict[str, Fragment]:
    found: dict[str, Fragment] = {}
    for path in sorted((mappings / "fragments").glob("*.yaml")):
        name = shown(mappings, path)
        node = read(path, name, findings)
        if node is None:
            continue
        parts = node.value if isinstance(node.value, dict) else {}
        if not parts.keys() <= {"fragment", "params", "template", "$doc"} or "template" not in parts:
            said = "a fragment has 'fragment', 'params' and 'template'"
            findings.append(Finding(name, node.line, "S1", Severity.ERROR, said))
            continue
        params = parts["params"].plain() if "params" in parts else []
        found[path.stem] = Fragment(path.stem, name, tuple(params), parts["template"])
    return found


def _profiles(mappings: Path, findings: list[Finding]) -> dict[str, tuple[str, Mapping[str, Any]]]:
    found: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for path in sorted((mappings / "partners").glob("*/profile.yaml")):
        name = shown(mappings, path)
        node = read(path, name, findings)
        if node is not None and isinstance(node.value, dict):
            profile = node.plain()
            found[str(profile.get("partner", path.parent.name)).upper()] = (name, profile)
    return found


def read(path: Path, name: str, findings: list[Finding]) -> yaml_subset.YNode | None:
    """One YAML file of the subset; None and a finding if it is not."""
    try:
        return yaml_subset.load(path.read_bytes().decode("utf-8"))
    except yaml_subset.YamlError as error:
        findings.append(Finding(name, error.line, "S1", Severity.ERROR, error.text))
    except UnicodeDecodeError:
        findings.append(Finding(name, 1, "S1", Severity.ERROR, "the file is not UTF-8"))
    return None
