"""The element table as the generator and both passes read it: which element is meant by a name, and how it repeats.

It refuses to interpret values; it only answers what the table says.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from gateway.documents import strict_json
from gateway.documents.fhir import primitives
from gateway.errors import DataFileInvalid, Place

Json = dict[str, Any]


class Element(NamedTuple):
    """One way of writing an element: `valueString` is (`value[x]`, string). `owner` is the type that holds it."""

    owner: str
    name: str  # as the definitions spell it
    kind: str  # a primitive, a data type, a backbone path, or `Resource`
    many: bool
    min: int
    max: int | None
    codes: tuple[str, ...]
    targets: tuple[str, ...]
    concept: tuple[tuple[str, ...], tuple[str, ...]] | None  # systems and codes of a required CodeableConcept

    @property
    def primitive(self) -> bool:
        """Written as a JSON scalar."""
        return self.kind in primitives.SCHEMAS

    @property
    def choice(self) -> bool:
        """One of several types, written as `value[x]` in the definitions."""
        return self.name.endswith("[x]")


class Table:
    """`schemas/fhir/r4/elements.json.gz`, read."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self.types: Mapping[str, Mapping[str, Any]] = document["types"]
        self.exchanged: tuple[str, ...] = tuple(document["exchanged"])
        self.resources: frozenset[str] = frozenset(document["resources"])
        self._value_sets: Mapping[str, list[str]] = document["valueSets"]
        self._spelt = {owner: dict(self._all(owner)) for owner in self.types}

    @classmethod
    def load(cls, path: Path) -> Table:
        """Read the gzip'ed table. Raises `DataFileInvalid`."""
        try:
            raw = gzip.decompress(path.read_bytes())
        except (OSError, EOFError) as error:
            raise DataFileInvalid(str(error), place=Place(file=str(path))) from None
        return cls(strict_json.loads(raw, max_bytes=33_554_432, max_tokens=1_000_000))

    def without(self, unwanted: Callable[[str, str], bool]) -> Table:
        """The table without some elements: `unwanted` is asked with the owner and each way of writing an element."""
        types: dict[str, Any] = {}
        for owner, whole in self.types.items():
            elements = types.setdefault(owner, {**whole, "elements": {}})["elements"]
            for name, facts in whole["elements"].items():
                spelt = [s for s, _ in self._spellings(owner, name, facts)]
                kept = [k for s, k in zip(spelt, facts["types"], strict=True) if not unwanted(owner, s)]
                if kept:
                    elements[name] = {**facts, "types": kept}
        return Table({**self._document, "types": types})

    def spellings(self, owner: str) -> Mapping[str, Element]:
        """Every name that may stand in an object of type `owner` (without `_names` and `resourceType`)."""
        return self._spelt[owner]

    def required(self, owner: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Required elements, each with the names that satisfy it."""
        for name, facts in self.types[owner]["elements"].items():
            if facts["min"] > 0:
                yield name, tuple(spelling for spelling, _ in self._spellings(owner, name, facts))

    def choices(self, owner: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Choice elements, each with its spellings."""
        for name, facts in self.types[owner]["elements"].items():
            if name.endswith("[x]"):
                yield name, tuple(spelling for spelling, _ in self._spellings(owner, name, facts))

    def _all(self, owner: str) -> Iterator[tuple[str, Element]]:
        for name, facts in self.types[owner]["elements"].items():
            yield from self._spellings(owner, name, facts)

    def _spellings(self, owner: str, name: str, facts: Mapping[str, Any]) -> Iterator[tuple[str, Element]]:
        if not name.endswith("[x]"):
            yield name, self._element(owner, name, facts["types"][0], facts)
            return
        for kind in facts["types"]:
            yield name[:-3] + kind[:1].upper() + kind[1:], self._element(owner, name, kind, facts)

    def _element(self, owner: str, name: str, kind: str, facts: Mapping[str, Any]) -> Element:
        if kind in ("BackboneElement", "Element"):
            kind = facts.get("ref") or f"{owner}.{name}"
        return Element(
            owner, name, kind, facts["max"] != "1", facts["min"],
            None if facts["max"] == "*" else int(facts["max"]),
            tuple(facts.get("codes", ())),
            tuple(facts.get("targets", ())) if kind == "Reference" else (),
            self._concept(kind, facts),
        )  # fmt: skip

    def _concept(self, kind: str, facts: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
        binding = facts.get("binding", {})
        if kind != "CodeableConcept" or "systems" not in binding:
            return None
        return tuple(binding["systems"]), tuple(self._value_sets[binding["valueSet"]])
