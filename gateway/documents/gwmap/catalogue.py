"""All maps, built once, immutable: what the journey asks for by pin.

Rules: every `map.yaml` under `mappings/` is built. An active map with any error refuses the whole catalogue, and the
refusal lists every finding of every active map. Drafts with errors are only unusable; retired maps stay usable, so that
an old exchange can be explained and replayed. Warnings are kept in `findings`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from gateway.documents.gwmap import maptests, world
from gateway.documents.gwmap.build import Built, build
from gateway.documents.gwmap.compiled import CompiledMap
from gateway.documents.gwmap.concept_maps import TableError, Tables
from gateway.documents.gwmap.model import Finding, Severity, did_you_mean
from gateway.documents.gwmap.world import World
from gateway.documents.schemas import Schemas
from gateway.errors import MapRefused


class MapsRefused(MapRefused):
    """The catalogue cannot be loaded; `findings` holds every reason."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        self.findings = findings
        super().__init__("\n" + "\n".join(map(str, findings)) + "\n")


class Catalogue:
    """The maps under one root, by pin `id|version`."""

    def __init__(self, around: World, built: Iterable[Built], findings: Iterable[Finding]) -> None:
        self._world = around
        self._built = {b.header.pin: b for b in built if b.header is not None}
        self.findings: tuple[Finding, ...] = tuple(sorted(set(findings)))

    @classmethod
    def load(cls, mappings: Path, schemas: Path, *, tests: bool = False) -> Catalogue:
        """Build every map. Raises `MapsRefused` (a `MapRefused`) if an active one has errors.

        `tests`: run the tests beside the maps too (S12), as `gateway map check` does.
        """
        found = _load(mappings, schemas, tests=tests)
        blocking = found.blocking()
        if blocking:
            raise MapsRefused(blocking)
        return found

    def pins(self) -> tuple[str, ...]:
        """The pins of all usable maps."""
        return tuple(sorted(pin for pin, b in self._built.items() if b.map is not None))

    def get(self, pin: str) -> CompiledMap:
        """The map of a pin. Raises `MapRefused` if there is none, or none that may be used."""
        built = self._find(pin)
        if built.map is None:
            raise MapsRefused(built.errors())
        return built.map

    def folder(self, pin: str) -> Path:
        """The folder of a map (its tests and golden files stand there). Raises `MapRefused` if there is none."""
        return self._world.mappings.parent / Path(self._find(pin).file).parent

    def _find(self, pin: str) -> Built:
        built = self._built.get(pin)
        if built is None:
            hint = did_you_mean(pin, self._built)
            raise MapRefused(f"there is no map '{pin}'" + (f" ({hint})" if hint else ""))
        return built

    @property
    def schemas(self) -> Schemas:
        """The schemas the maps were built against."""
        return self._world.schemas

    @property
    def tables(self) -> Tables:
        """The code tables (served as ConceptMap resources)."""
        return self._world.tables

    def blocking(self) -> tuple[Finding, ...]:
        """Errors that keep the catalogue from being used: those outside drafts and retired maps."""
        lenient = {b.file for b in self._built.values() if b.header is not None and b.header.status != "active"}
        return tuple(f for f in self.findings if f.severity is Severity.ERROR and f.file not in lenient)


def _load(mappings: Path, schemas: Path, *, tests: bool) -> Catalogue:
    around, findings = world.load(mappings, schemas)
    built = [build(path, around) for path in sorted(mappings.rglob("map.yaml")) if not _is_bad(mappings, path)]
    findings += [f for b in built for f in b.findings]
    findings += _doubles(built) + _unused(around, built) + _tables(around) + _pinned(around, built)
    found = Catalogue(around, built, findings)
    if tests:
        failures = [f for pin in found.pins() for f in maptests.findings(found, pin)]
        found = Catalogue(around, built, [*findings, *failures])
    return found


def _is_bad(mappings: Path, path: Path) -> bool:
    """Bad examples live in `mappings/bad/<what is wrong>/`; nobody loads them but their tests."""
    return path.relative_to(mappings).parts[0] == "bad"


def check_file(path: Path, mappings: Path, schemas: Path) -> list[Finding]:
    """Every finding of one map file, wherever it stands, with its tests (for drafts and bad examples)."""
    around, findings = world.load(mappings.resolve(), schemas)
    built = build(path.resolve(), around)
    found = Catalogue(around, [built], [*findings, *built.findings])
    tests = [f for pin in found.pins() for f in maptests.findings(found, pin)]
    return sorted({*found.findings, *tests})


def _doubles(built: Iterable[Built]) -> list[Finding]:
    seen: dict[str, str] = {}
    found: list[Finding] = []
    for one in built:
        if one.header is None:
            continue
        if one.header.pin in seen:
            said = f"the map '{one.header.pin}' stands in {seen[one.header.pin]} too"
            found.append(Finding(one.file, one.header.lines["id"], "S1", Severity.ERROR, said))
        seen[one.header.pin] = one.file
    return found


def _unused(around: World, built: Iterable[Built]) -> list[Finding]:
    used = {name for b in built for name in b.used_fragments}
    return [
        Finding(fragment.file, 1, "S13", Severity.WARNING, f"fragment '{name}' is never used")
        for name, fragment in around.fragments.items()
        if name not in used
    ]


def _tables(around: World) -> list[Finding]:
    """S8: tables nobody uses are checked as well."""
    found: list[Finding] = []
    for pin in around.tables.pins():
        try:
            around.tables.get(pin)
        except TableError as error:
            where = error.file or f"{around.mappings.name}/conceptmaps"
            found.append(Finding(where, 1, "S8", Severity.ERROR, str(error)))
    return found


def _pinned(around: World, built: Iterable[Built]) -> list[Finding]:
    """S9: what a partner's profile pins is made for this partner and this way; for another, it has proven nothing."""
    headers = {b.header.pin: b.header for b in built if b.header is not None}
    found: list[Finding] = []
    for partner, (file, profile) in around.profiles.items():
        pins = profile.get("mappings")
        for kind, pin in pins.items() if isinstance(pins, Mapping) else ():
            one, way = headers.get(pin), "inbound" if kind == "outcome" else "outbound"
            if one is not None and (one.partner, one.direction) != (partner, way):
                wrong = f"'{pin}' is {one.direction} for {one.partner or 'nobody'}, not {way} for {partner}"
                found.append(Finding(file, 1, "S9", Severity.ERROR, f"mappings.{kind}: {wrong}"))
    return found


def check(mappings: Path, schemas: Path) -> list[Finding]:
    """Every finding of every map, S1 to S13 with the tests beside the maps (`gateway map check`)."""
    return list(_load(mappings, schemas, tests=True).findings)
