"""Code tables: FHIR R4 ConceptMap resources, read into one dictionary a table.

Rules (hl7.org/fhir/R4/conceptmap.html, value set concept-map-equivalence):
* `equivalent` and `equal` are taken; `wider` only with the extension `accept-wider` on the map, element or target;
  `unmatched` says on purpose "do not send"; every other relation never translates.
* A code that is listed, but with no relation that is taken, has no translation, whatever `group.unmapped` says.
* A code listed nowhere goes to `group.unmapped`: `provided` (the code itself), `fixed`, `other-map` (followed, no
  cycles), else it is unlisted and the policy of the leaf decides.
* An element may be dated by the extensions `effective-from` / `effective-until` (both inclusive); then the table is
  asked with a date.

It refuses `dependsOn` and `product`, two acceptable targets for one code and day, and tables without pinned version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import rfc8785

from gateway.documents import strict_json
from gateway.errors import DocumentRefused

URL = "https://gateway.example/fhir/ConceptMap/"
_EXTENSION = "https://gateway.example/fhir/StructureDefinition/"
_TAKEN = frozenset({"equivalent", "equal"})


class Translation(NamedTuple):
    """One target concept."""

    code: str
    display: str | None
    system: str | None

    def coding(self) -> dict[str, str]:
        """As a FHIR Coding."""
        parts = {"system": self.system, "code": self.code, "display": self.display}
        return {name: value for name, value in parts.items() if value is not None}


class Entry(NamedTuple):
    """What one source code becomes in a period; `to` is None for "do not send"."""

    to: Translation | None
    valid_from: str  # ISO date, "" = always
    valid_until: str  # ISO date, "9999-12-31" = open


Unlisted = Literal[False]
UNLISTED: Unlisted = False
"""What a table says of a code that stands nowhere in it."""


class TableError(Exception):
    """The ConceptMap cannot be used; the text says why, `file` where it stands if that is known by then."""

    def __init__(self, text: str, file: str = "") -> None:
        super().__init__(text)
        self.file = file


@dataclass(frozen=True, slots=True)
class Table:
    """One ConceptMap in one version, ready to be asked."""

    name: str
    pin: str  # url|version
    digest: str
    entries: Mapping[str, tuple[Entry, ...]]
    displays: Mapping[str, str]  # source code to source display
    provided: bool = False
    fixed: Translation | None = None
    other: Table | None = None
    barred: frozenset[str] = frozenset()  # listed, but no relation is taken

    @property
    def dated(self) -> bool:
        """Whether a date is needed to ask."""
        own = any(e.valid_from or e.valid_until != _OPEN for es in self.entries.values() for e in es)
        return own or (self.other is not None and self.other.dated)

    @property
    def total(self) -> bool:
        """Whether every code whatsoever has an answer."""
        return self.provided or self.fixed is not None or (self.other is not None and self.other.total)

    def knows(self, code: str) -> bool:
        """Whether the code is listed, or caught by `unmapped`."""
        if code in self.entries or code in self.barred:
            return code in self.entries
        return self.total or (self.other is not None and self.other.knows(code))

    def find(self, code: str, on: str | None = None) -> Translation | Unlisted | None:
        """The translation; None for "do not send"; UNLISTED when the code is not listed (on that ISO date)."""
        for entry in self.entries.get(code, ()):
            if on is None or entry.valid_from <= on <= entry.valid_until:
                return entry.to
        if code in self.barred:
            return UNLISTED
        if self.provided:
            return Translation(code, None, None)
        if self.fixed is not None:
            return self.fixed
        return self.other.find(code, on) if self.other is not None else UNLISTED

    def targets(self) -> Iterator[Translation]:
        """Every concept the table can yield (`provided` codes aside)."""
        for entries in self.entries.values():
            yield from (e.to for e in entries if e.to is not None)
        if self.fixed is not None:
            yield self.fixed
        if self.other is not None:
            yield from self.other.targets()

    def sends(self, code: str) -> bool:
        """Whether the code always becomes something (never "do not send")."""
        entries = self.entries.get(code)
        if entries is not None:
            return all(e.to is not None for e in entries)
        if code in self.barred:
            return False
        return self.total or (self.other is not None and self.other.sends(code))

    def digests(self) -> dict[str, str]:
        """Digests of this table and of those it leads on to, by pin."""
        return {self.pin: self.digest} | (self.other.digests() if self.other is not None else {})


_OPEN = "9999-12-31"


class Tables:
    """All tables under one folder: `<name>/<semver>.json`."""

    def __init__(self, files: Mapping[str, tuple[str, dict[str, Any]]]) -> None:
        """`files`: pin to (file as shown, resource)."""
        self._files = dict(files)
        self._built: dict[str, Table] = {}

    @classmethod
    def load(cls, root: Path, shown: str) -> Tables:
        """Read the folder. Raises `TableError` naming the file when a file is not the table its place says."""
        files: dict[str, tuple[str, dict[str, Any]]] = {}
        for path in sorted(root.glob("*/*.json")):
            where = f"{shown}/{path.relative_to(root).as_posix()}"
            resource = _read(path, where)
            pin = f"{URL}{path.parent.name}|{path.stem}"
            said = f"{resource.get('url')}|{resource.get('version')}"
            if resource.get("resourceType") != "ConceptMap" or said != pin:
                raise TableError(f"must be the ConceptMap {pin}", where)
            files[pin] = (where, resource)
        return cls(files)

    def pins(self) -> tuple[str, ...]:
        """Every `url|version` there is."""
        return tuple(self._files)

    def resource(self, pin: str) -> dict[str, Any]:
        """The ConceptMap resource itself (do not change it)."""
        return self._files[pin][1]

    def get(self, pin: str, trail: tuple[str, ...] = ()) -> Table:
        """The table of a pin. Raises `TableError`."""
        if pin in trail:
            raise TableError(f"'other-map' leads in a circle: {' -> '.join([*trail, pin])}")
        if pin not in self._files:
            raise TableError(f"there is no ConceptMap '{pin}'")
        if pin not in self._built:
            where, resource = self._files[pin]
            try:
                self._built[pin] = self._build(pin, resource, trail)
            except TableError as error:
                raise TableError(f"{error} ({where})", where) from None
            except (KeyError, TypeError, AttributeError) as error:
                what = f"{error} is missing" if isinstance(error, KeyError) else "something is of another type"
                raise TableError(f"not in the form of a ConceptMap: {what} ({where})", where) from None
        return self._built[pin]

    def _build(self, pin: str, resource: dict[str, Any], trail: tuple[str, ...]) -> Table:
        entries: dict[str, tuple[Entry, ...]] = {}
        displays: dict[str, str] = {}
        groups = resource.get("group", [])
        for group in groups:
            for element in group.get("element", []):
                code = element["code"]
                displays.setdefault(code, element.get("display", code))
                entries[code] = _joined(code, entries.get(code, ()), _entries(resource, group, element))
        barred = frozenset(code for code, found in entries.items() if not found)
        entries = {code: found for code, found in entries.items() if found}
        digest = "sha256:" + hashlib.sha256(rfc8785.dumps(resource)).hexdigest()
        name = pin.removeprefix(URL).split("|")[0]
        table = Table(name, pin, digest, entries, displays, barred=barred)
        unmapped = [group for group in groups if "unmapped" in group]
        if len(unmapped) > 1:
            raise TableError("only one group may say what becomes of codes that are listed nowhere")
        return self._unmapped(table, unmapped[0], trail) if unmapped else table

    def _unmapped(self, table: Table, group: dict[str, Any], trail: tuple[str, ...]) -> Table:
        rule = group["unmapped"]
        match rule.get("mode"):
            case "provided":
                return replace(table, provided=True)
            case "fixed":
                return replace(table, fixed=Translation(rule["code"], rule.get("display"), group.get("target")))
            case "other-map":
                return replace(table, other=self.get(rule.get("url", ""), (*trail, table.pin)))
        raise TableError(f"unmapped mode '{rule.get('mode')}' is unknown")


def _read(path: Path, where: str) -> dict[str, Any]:
    try:
        found = strict_json.loads(path.read_bytes(), max_bytes=8_388_608, max_tokens=1_000_000)
    except DocumentRefused as error:
        raise TableError(error.detail, where) from None
    if not isinstance(found, dict):
        raise TableError("must be one JSON object", where)
    return found


def _joined(code: str, old: tuple[Entry, ...], new: tuple[Entry, ...]) -> tuple[Entry, ...]:
    for a in old:
        for b in new:
            if a.valid_from <= b.valid_until and b.valid_from <= a.valid_until:
                raise TableError(f"code '{code}' has two acceptable targets on one day")
    return old + new


def _entries(resource: dict[str, Any], group: dict[str, Any], element: dict[str, Any]) -> tuple[Entry, ...]:
    found: list[Entry] = []
    start, end = _date(element, "effective-from") or "", _date(element, "effective-until") or _OPEN
    for target in element.get("target", []):
        if "dependsOn" in target or "product" in target:
            raise TableError(f"code '{element['code']}': dependsOn and product are not supported")
        relation = target.get("equivalence")
        wider = relation == "wider" and any(_accepts_wider(x) for x in (resource, element, target))
        if relation == "unmatched":
            found.append(Entry(None, start, end))
        elif relation in _TAKEN or wider:
            to = Translation(target["code"], target.get("display"), group.get("target"))
            found.append(Entry(to, start, end))
    if len(found) > 1:
        raise TableError(f"code '{element['code']}' has two acceptable targets")
    return tuple(found)


def _accepts_wider(part: dict[str, Any]) -> bool:
    wanted = _EXTENSION + "accept-wider"
    return any(x.get("url") == wanted and x.get("valueBoolean") is True for x in part.get("extension", []))


def _date(element: dict[str, Any], name: str) -> str | None:
    for extension in element.get("extension", []):
        if extension.get("url") == _EXTENSION + name:
            return str(extension["valueDate"])
    return None
