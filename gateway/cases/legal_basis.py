"""The registry of legal bases and the terms of consent, read from one data file signed off by the privacy officer.

Rules: a basis names who may send to whom, the classes it allows as a whole and single fields besides; health (H3) and
unique identifiers (U4) only field by field. It refuses to know a resident registration number: the grammar has no word
that would allow one (PIPA 24-2; consent is no ground for it).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from gateway import datafile
from gateway.errors import DataFileInvalid, LegalBasisMissing, Place

COMWEL = "comwel"  # the kind of party we speak for


class LegalBasis(NamedTuple):
    """One lawful ground. `classes` are allowed as a whole, `fields` by name."""

    id: str
    senders: frozenset[str]
    recipients: frozenset[str]
    purpose: str
    classes: frozenset[str]
    fields: frozenset[str]
    law: tuple[str, ...]
    needs_consent: bool
    needs_approval: bool
    active: bool

    def allows(self, field: str, field_class: str) -> bool:
        """Whether this ground covers a field of that class."""
        return field in self.fields or field_class in self.classes


_TELL = ("diagnoses", "disabType")
"""Fields that tell of a delicate case, and may be left out of a record because they cannot be read."""


class Delicate(NamedTuple):
    """Mental illness, self-harm, violence at work: which fields stay back unless the consent is `fresh_days` young.

    A diagnosis or a kind of disability that was handed over and cannot be read may be one of these, too.
    """

    diagnosis_prefixes: tuple[str, ...]  # of any diagnosis, main or not
    disability_types: frozenset[str]
    occurrence_types: frozenset[str]
    fields: frozenset[str]
    fresh_days: int

    def concerns(self, record: Mapping[str, Any]) -> bool:
        """Whether the case is one of these."""
        return (
            record.get("occurrenceType") in self.occurrence_types
            or record.get("disabType") in self.disability_types
            or any(d["code"].startswith(self.diagnosis_prefixes) for d in record.get("diagnoses", ()))
            or any(note["field"].partition("/")[0] in _TELL for note in record.get("dataQuality", ()))
        )


class ConsentTerms(NamedTuple):
    """What makes a consent usable, and which fields its words cover."""

    methods: frozenset[str]
    wards: frozenset[str]
    child_years: int
    items: Mapping[str, frozenset[str]]
    always: frozenset[str]
    delicate: Delicate

    def covered(self, words: Iterable[str]) -> frozenset[str]:
        """The fields a consent with these `items` covers; a word we do not know covers nothing."""
        return self.always.union(*(self.items.get(word, frozenset()) for word in words))


@dataclass(frozen=True, slots=True)
class LegalBases:
    """One version of the registry. `classes` is the class of every field of the case record."""

    id: str
    digest: str
    active: bool  # signed off; on drafts and what was retired nothing is sent
    effective_from: date
    bases: Mapping[str, LegalBasis]
    consent: ConsentTerms
    classes: Mapping[str, str]

    @classmethod
    def load(cls, path: Path, schemas: Path) -> LegalBases:
        """Read `path`, checked against `schemas/meta/legal-basis-1.json` and the field dictionary.

        DataFileInvalid names what is wrong, a field unknown to `schemas/comwel/dictionary.csv` included.
        """
        raw = datafile.load(path, schemas / "meta" / "legal-basis-1.json")
        bases = {lb: _basis(lb, row) for lb, row in raw["bases"].items()}
        consent = _consent(raw["consent"])
        classes = _classes(schemas / "comwel" / "dictionary.csv")
        named = frozenset().union(
            consent.always, consent.delicate.fields, *consent.items.values(), *(b.fields for b in bases.values())
        )
        if unknown := sorted(named - classes.keys()):
            raise DataFileInvalid(f"not in the dictionary: {', '.join(unknown)}", place=Place(file=path.name))
        return cls(
            raw["registry"],
            datafile.digest(path),
            raw["status"] == "active",
            date.fromisoformat(raw["effective_from"]),
            bases,
            consent,
            classes,
        )

    def ground(self, basis: str, recipient_kind: str) -> LegalBasis:
        """The basis for a message from COMWEL to a party of that kind; LegalBasisMissing if it does not carry one."""
        found = self.bases.get(basis)
        if found is None:
            raise LegalBasisMissing(f"{basis} is not registered")
        if not found.active:
            raise LegalBasisMissing(f"{basis} is registered but switched off")
        if COMWEL not in found.senders or recipient_kind not in found.recipients:
            raise LegalBasisMissing(f"{basis} does not cover a message from COMWEL to a {recipient_kind}")
        return found


def _basis(lb: str, row: Mapping[str, Any]) -> LegalBasis:
    return LegalBasis(
        lb,
        frozenset(row["from"]),
        frozenset(row["to"]),
        row["purpose"],
        frozenset(row["classes"]),
        frozenset(row["fields"]),
        tuple(row["law"]),
        row["consent"] != "none",
        row["approval"] == "required",
        row["active"],
    )


def _consent(raw: Mapping[str, Any]) -> ConsentTerms:
    delicate = raw["delicate"]
    return ConsentTerms(
        frozenset(raw["methods"]),
        frozenset(raw["wards"]),
        raw["child_years"],
        {word: frozenset(fields) for word, fields in raw["items"].items()},
        frozenset(raw["always"]),
        Delicate(
            tuple(delicate["diagnosis_prefixes"]),
            frozenset(delicate.get("disability_types", ())),
            frozenset(delicate["occurrence_types"]),
            frozenset(delicate["fields"]),
            delicate["fresh_days"],
        ),
    )


def _classes(dictionary: Path) -> dict[str, str]:
    with dictionary.open(encoding="utf-8", newline="") as rows:
        return {row["name"]: row["class"] for row in csv.DictReader(rows)}
