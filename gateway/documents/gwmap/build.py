"""Building one map: read, check S1 to S11 and S13, compile. Every finding is kept; an error leaves no map behind.

1. YAML subset and meta schema (S1)      2. source and target schema, code tables (S3, S5, S8, S13)
3. lets and template parsed (S2)         4. plan: paths, types, targets, codes (S3 to S8)
5. minimisation and coverage (S9, S10)   6. references (S11), unused names (S13)
7. digest, closures
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import rfc8785

from gateway.documents.gwmap import header as headers
from gateway.documents.gwmap import limits, minimise, references, targets, yaml_subset
from gateway.documents.gwmap.compiled import CompiledMap, Let, Param, watched
from gateway.documents.gwmap.concept_maps import Table, TableError
from gateway.documents.gwmap.expressions import Expressions, Scope
from gateway.documents.gwmap.frame import Expr, Held, Report, Run
from gateway.documents.gwmap.header import Header
from gateway.documents.gwmap.model import FNLIB, At, Finding, Lineage, Severity, did_you_mean
from gateway.documents.gwmap.plan import Planner
from gateway.documents.gwmap.shapes import Type, Walk, resolved, type_of
from gateway.documents.gwmap.syntax import size, text
from gateway.documents.gwmap.targets import ElementTable, Shape
from gateway.documents.gwmap.template import Leaf, Reader, Rule, plain
from gateway.documents.gwmap.world import World, read

_PARAM_KINDS = {"id": "string", "code": "string", "url": "string", "uri": "string", "uuid": "string"}


class Built(NamedTuple):
    """One map file after building. `map` is None when a check failed."""

    file: str
    header: Header | None
    map: CompiledMap | None
    findings: tuple[Finding, ...]
    used_fragments: frozenset[str]

    def errors(self) -> tuple[Finding, ...]:
        """Findings that keep the map from becoming active."""
        return tuple(f for f in self.findings if f.severity is Severity.ERROR)


def build(path: Path, world: World) -> Built:
    """Read, check and compile one `map.yaml`."""
    name = world.shown(path)
    findings: list[Finding] = []
    node = read(path, name, findings)
    if node is not None:
        findings += _meta(node, name, world)
    if node is None or findings:
        return Built(name, None, None, tuple(findings), frozenset())
    header = headers.read(node)
    builder = _Builder(name, header, world, Report(findings, At(name, 1)))
    compiled = builder.run(path)
    return Built(name, header, compiled, tuple(sorted(set(findings))), frozenset(builder.fragments))


def _meta(node: yaml_subset.YNode, name: str, world: World) -> list[Finding]:
    """S1: the meta schema, with the line of the place that breaks it."""
    found = world.schemas.check(headers.META, node.plain())
    return [Finding(name, _line(node, f.pointer), "S1", Severity.ERROR, str(f)) for f in found]


def _line(node: yaml_subset.YNode, pointer: str) -> int:
    for part in [p.replace("~1", "/").replace("~0", "~") for p in pointer.split("/")[1:]]:
        inner = node.value
        if isinstance(inner, dict) and part in inner:
            node = inner[part]
        elif isinstance(inner, list) and part.isdigit():
            node = inner[int(part)]
    return node.line


@dataclass(slots=True)
class _Parsed:
    """Lets and template, parsed."""

    lets: dict[str, Leaf]
    template: Rule


class _Builder:
    def __init__(self, file: str, header: Header, world: World, report: Report) -> None:
        self.file, self.header, self.world, self.report = file, header, world, report
        self.fragments: set[str] = set()

    def run(self, path: Path) -> CompiledMap | None:
        """All steps; None when any check failed."""
        self._place(path)
        source, shape, fhir = self._schemas()
        tables = self._tables()
        parsed = self._parse()
        if source is None or shape is None or not self._small(parsed.lets):
            return None
        ex = Expressions(source, self.header.source, self.report, tables, self.header.policy)
        allowed = self._allowed(source)
        if allowed is not None:
            ex.certain = allowed.certain
        variables, params = self._params(ex)
        lets = self._lets(ex, parsed, variables)
        planner = Planner(ex, fhir)
        plan = planner.plan(parsed.template, shape, self.header.root, Scope(ex.root, variables))
        lines = planner.lineage()
        self._minimal(lines, allowed, source)
        self._unused(ex, lets)
        if fhir is not None and self.header.root == "Bundle":
            nodes = {name: leaf.node for name, leaf in parsed.lets.items()}
            references.check(self.report, self.header.root, parsed.template, nodes, self.header.external)
        if any(f.severity is Severity.ERROR for f in self.report.findings):
            return None
        digest = self._digest(parsed, tables, fhir, ex.used_functions)
        watch = watched(plan, self._readers(ex, lines))
        return CompiledMap(
            self.header, digest, plan=plan, params=params, lets=lets, slots=ex.slots, lineage=lines, watch=watch
        )

    # ── 1, 2: places, schemas, tables ─────────────────────────────────────────────────────────────────────────────────
    def _here(self, name: str) -> None:
        self.report.at = At(self.file, self.header.lines.get(name, 1))
        self.report.target = ""

    def _place(self, path: Path) -> None:
        if path.parent.name != self.header.version and "/bad/" not in self.file:
            self._here("version")
            self.report.add("S1", f"version {self.header.version} must stand in a folder of that name")

    def _schemas(self) -> tuple[Walk | None, Shape | None, ElementTable | None]:
        source: Walk | None = None
        known = self.world.schemas.ids()
        self._here("source")
        if self.header.source in known:
            raw = self.world.schemas.raw(self.header.source)
            source = Walk(raw, resolved(raw, raw))
        else:
            self.report.add("S3", f"there is no schema '{self.header.source}'", did_you_mean(self.header.source, known))
        self._here("target")
        if self.header.target_schema is None:
            return source, *self._fhir_target()
        if self.header.target_schema not in known:
            hint = did_you_mean(self.header.target_schema, known)
            self.report.add("S5", f"there is no schema '{self.header.target_schema}'", hint)
            return source, None, None
        return source, targets.json_shape(self.world.schemas.raw(self.header.target_schema)), None

    def _fhir_target(self) -> tuple[Shape | None, ElementTable | None]:
        fhir = self.world.fhir
        if fhir is None:
            self.report.add("S5", "there is no FHIR element table (schemas/fhir/r4/elements.json.gz)")
        elif self.header.root not in fhir.types:
            self.report.add(
                "S5", f"there is no resource '{self.header.root}'", did_you_mean(self.header.root, fhir.types)
            )
        else:
            return fhir.shape(self.header.root), fhir
        return None, None

    def _tables(self) -> dict[str, Table]:
        found: dict[str, Table] = {}
        for name, pin in self.header.maps.items():
            self._here(f"maps.{name}")
            try:
                found[name] = replace(self.world.tables.get(pin), name=name)
            except TableError as error:
                known = self.world.tables.pins()
                self.report.add("S8", str(error), "" if pin in known else did_you_mean(pin, known))
        return found

    # ── 3: parsing ────────────────────────────────────────────────────────────────────────────────────────────────────
    def _parse(self) -> _Parsed:
        reader = Reader(self.report, self.world.fragments, self.file)
        self.report.target = ""
        lets = {
            name: reader.leaf(At(self.file, node.line, node.column), str(node.value).removeprefix("="))
            for name, node in self.header.let.items()
        }
        template = reader.rule(self.header.template)
        self.fragments = reader.used
        return _Parsed(lets, template)

    def _small(self, lets: Mapping[str, Leaf]) -> bool:
        """Whether lets that use each other stay within the limit; text put together of them grows as they do."""
        sizes: dict[str, int] = {}
        for name, leaf in lets.items():
            sizes[name] = size(leaf.node, sizes)
            if sizes[name] > limits.NODES:
                self.report.at, self.report.target = leaf.at, f"let {name}"
                self.report.add("S1", f"let '{name}' holds more than {limits.NODES} nodes, with the lets put in")
                return False
        return True

    # ── 4: parameters and lets ────────────────────────────────────────────────────────────────────────────────────────
    def _params(self, ex: Expressions) -> tuple[dict[str, Expr], tuple[Param, ...]]:
        variables: dict[str, Expr] = {}
        params: list[Param] = []
        for name, kind in self.header.params.items():
            self._here(f"params.{name}")
            slot = ex.slot()
            optional = kind.endswith("?")
            found = self._param_type(kind.rstrip("?"), sure=not optional)
            variables[name] = Expr(found, _items(slot) if found.many else Held(slot))
            params.append(Param(name, slot, optional))
        return variables, tuple(params)

    def _param_type(self, kind: str, *, sure: bool) -> Type:
        if kind.startswith("urn:"):
            if kind not in self.world.schemas.ids():
                self.report.add("S3", f"there is no schema '{kind}'", did_you_mean(kind, self.world.schemas.ids()))
                return Type("any")
            raw = self.world.schemas.raw(kind)
            return type_of(raw, raw, sure=sure)
        single = kind.removesuffix("[]")
        return Type(_PARAM_KINDS.get(single, single), many=kind.endswith("[]"), sure=sure and single == kind)

    def _lets(self, ex: Expressions, parsed: _Parsed, variables: dict[str, Expr]) -> tuple[Let, ...]:
        lets: list[Let] = []
        for name, leaf in parsed.lets.items():
            self.report.at, self.report.target = leaf.at, f"let {name}"
            if name in variables or name == "context":
                self.report.add("S1", f"'%{name}' is already taken")
            expr = ex.expr(leaf.node, Scope(ex.root, variables))
            slot = ex.slot()
            variables[name] = replace(ex.held(slot, expr), via=expr.via | {name})
            lets.append(Let(name, slot, expr, leaf.at, leaf.written))
        return tuple(lets)

    # ── 5: minimisation and coverage ──────────────────────────────────────────────────────────────────────────────────
    def _allowed(self, source: Walk) -> minimise.Allowed | None:
        header = self.header
        if header.direction != "outbound":
            return None
        self._here("partner")
        if header.partner is None:
            if "/partners/" in self.file:
                self.report.add("S9", "a map under partners/ declares its 'partner' and 'purpose'")
            return None
        if header.partner not in self.world.profiles:
            hint = did_you_mean(header.partner, self.world.profiles)
            self.report.add("S9", f"partner {header.partner} has no profile.yaml: nothing may leave", hint)
            return minimise.Allowed(header.partner, str(header.purpose), "no profile", {})
        where, profile = self.world.profiles[header.partner]
        purposes: Mapping[str, Any] = profile.get("purposes") or {}
        self._here("purpose")
        if header.purpose not in purposes:
            hint = did_you_mean(str(header.purpose), purposes)
            self.report.add("S9", f"purpose '{header.purpose}' is not in {where}: nothing may leave", hint)
            return minimise.Allowed(header.partner, str(header.purpose), where, {})
        forms = {name: str(form) for name, form in (purposes[str(header.purpose)].get("allow") or {}).items()}
        allowed = minimise.Allowed(header.partner, str(header.purpose), where, forms)
        minimise.within(self.report, allowed, self.world.dictionary, source)
        return allowed

    def _minimal(self, lines: tuple[Lineage, ...], allowed: minimise.Allowed | None, source: Walk) -> None:
        used = minimise.used_by(lines)
        if allowed is not None:
            column = {n: row.get(allowed.partner, "-") for n, row in self.world.dictionary.items()}
            minimise.touched(self.report, lines, allowed, source, column)
        self._here("ignored")
        wanted = [n for n in source.properties() if allowed is None or n in allowed.forms]
        minimise.covered(self.report, used, self.header.ignored, wanted, source)
        if allowed is None:
            minimise.parts_covered(self.report, used, self.header.ignored, source)
        for path, reason in self.header.ignored.items():
            self._here(f"ignored.{path}")
            if path == minimise.REST:
                continue
            self._known_path(source, path)
            if reason == self.header.ignored.get(minimise.REST):
                self.report.add("S13", f"'{path}' is ignored for the reason of '*'", "take the line away")

    def _known_path(self, walk: Walk, path: str) -> None:
        at: Walk | None = walk
        for part in path.split("."):
            found = at.property(part) if at is not None else None
            if found is None:
                hint = did_you_mean(part, at.properties()) if at is not None else ""
                self.report.add("S3", f"ignored field '{path}' does not exist in the schema {self.header.source}", hint)
                return
            at = found.walk

    # ── 6: unused names ───────────────────────────────────────────────────────────────────────────────────────────────
    def _unused(self, ex: Expressions, lets: tuple[Let, ...]) -> None:
        self.report.target = ""
        for let in lets:
            self.report.at = let.at
            if let.name not in ex.used_variables:
                self.report.add("S13", f"let '{let.name}' is never used")
            if not limits.NAME.match(let.name):
                self.report.add("S1", f"'{let.name}' is not a name")
        for name in self.header.maps:
            self._here(f"maps.{name}")
            if name not in ex.used_tables:
                self.report.add("S13", f"code table '{name}' is never used")
        for name, kind in self.header.params.items():
            self._here(f"params.{name}")
            if name not in ex.used_variables and not kind.endswith("?"):  # what may be absent need not be used
                self.report.warn("S13", f"parameter '{name}' is never used")

    # ── 7: digest and explanations ────────────────────────────────────────────────────────────────────────────────────
    def _digest(
        self, parsed: _Parsed, tables: Mapping[str, Table], fhir: ElementTable | None, functions: Iterable[str]
    ) -> str:
        schemas = [self.header.source, *([self.header.target_schema] if self.header.target_schema else [])]
        schemas += [k.rstrip("?") for k in self.header.params.values() if k.startswith("urn:")]
        codes: dict[str, str] = {}
        for table in tables.values():
            codes |= table.digests()
        whole = {
            "map": headers.canonical(self.header),
            "let": {name: text(leaf.node) for name, leaf in parsed.lets.items()},
            "template": plain(parsed.template),
            "schemas": {name: self.world.schemas.digest(name) for name in schemas},
            "fhir": fhir.digest if fhir is not None else None,
            "conceptMaps": codes,
            "fnlib": max((FNLIB.get(name, 1) for name in functions), default=1),
        }
        return "sha256:" + hashlib.sha256(rfc8785.dumps(whole)).hexdigest()

    def _readers(
        self, ex: Expressions, lines: tuple[Lineage, ...]
    ) -> dict[str, tuple[str, Run, frozenset[str] | None]]:
        """How explanations read each source path."""
        quiet = Expressions(_walk(ex.root), ex.schema, Report(), {}, {})
        found: dict[str, tuple[str, Run, frozenset[str] | None]] = {}
        for path in {p for line in lines for p in line.sources}:
            expr = quiet.root
            for part in path.split("."):
                expr = quiet.field(expr, part)
            codes = frozenset(expr.type.codes) if expr.type.codes is not None else None
            found[path] = (path, expr.run, codes)
        return found


def _walk(root: Expr) -> Walk:
    assert root.type.walk is not None  # noqa: S101 - the root is an object schema by construction
    return root.type.walk


def _items(slot: int) -> Run:
    return lambda frame: frame[slot] or ()
