"""A partner's profile: who it is, what it speaks, what it may be told. Data under `mappings/partners/<id>/`.

Rules: the allow-list is the partner's column of `schemas/comwel/dictionary.csv`, word for word, or less; names on the
wire and codes belong to one partner only; a new partner is a new folder (and a column), no code.
It refuses profiles that allow more than the dictionary, and to hold addresses, keys or secrets.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Any, NamedTuple

from gateway import datafile
from gateway.errors import DataFileInvalid, Place
from gateway.partners.dialect import Dialect

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Pace(NamedTuple):
    """How messages are brought across."""

    attempt_timeout_s: int
    max_in_flight: int


class Hours(NamedTuple):
    """When it takes messages: working days (0 is Monday) of a calendar, from `opens` to `closes` on its wall clock."""

    calendar: str
    days: frozenset[int]
    opens: time
    closes: time


class Clocks(NamedTuple):
    """When an answer is due: days to the first answer and to the result."""

    first_answer_days: int
    result_days: int


@dataclass(frozen=True, slots=True)
class Profile:
    """One partner. `id` as in records and consents (KEIS), `iss` in manifests (keis), `code` in person ids (KE).

    Its names stand in the file for people.
    """

    id: str
    code: str
    iss: str
    kind: str
    adapter: str
    content_type: str
    legal_basis_out: str
    legal_basis_in: str
    allow: Mapping[str, str]
    take: frozenset[str]
    withhold: Mapping[str, str]
    unique_ids: bool
    mappings: Mapping[str, str]  # referral, cancel, outcome → pin
    schemas: Mapping[str, str]  # referral?, outcome → schema id; without referral its messages are FHIR
    response: Dialect
    delivery: Pace
    clocks: Clocks
    hours: Hours | None  # None: at any time

    @property
    def report_form(self) -> str:
        """What its manifests call the form of a report, `name|version`: that of the schema it is read by."""
        return f"{self.iss}-outcome|{self.schemas['outcome'].rpartition(':')[2]}"

    @classmethod
    def load(cls, path: Path, schemas: Path) -> Profile:
        """Read one `profile.yaml`, checked against `schemas/meta/partner-1.json` and the field dictionary.

        DataFileInvalid names every finding: grammar, and every field the dictionary does not allow in that form.
        """
        raw = datafile.load(path, schemas / "meta" / "partner-1.json")
        profile = cls._of(raw, raw["purposes"]["vocational-rehab"])
        findings = _beyond(profile, schemas / "comwel" / "dictionary.csv")
        if profile.hours and profile.hours.opens >= profile.hours.closes:
            findings.append("hours: they end before they begin; hours past midnight are not known")
        if profile.iss != profile.id.lower():
            findings.append("wire.iss: keys, folders and the door know a partner by its id in small letters")
        if path.parent.name != profile.iss:
            findings.append(f"a profile lies in the folder of its name on the wire, {profile.iss}")
        if findings:
            raise DataFileInvalid("; ".join(findings), place=Place(file=f"{path.parent.name}/{path.name}"))
        return profile

    @classmethod
    def _of(cls, raw: Mapping[str, Any], purpose: Mapping[str, Any]) -> Profile:
        return cls(
            id=raw["partner"],
            code=raw["code"],
            iss=raw["wire"]["iss"],
            kind=raw["kind"],
            adapter=raw["adapter"],
            content_type=raw["wire"]["content"],
            legal_basis_out=raw["legalBasis"]["out"],
            legal_basis_in=raw["legalBasis"]["in"],
            allow=purpose["allow"],
            take=frozenset(purpose["take"]),
            withhold=purpose["withhold"],
            unique_ids=raw["uniqueIds"],
            mappings=raw["mappings"],
            schemas=raw["schemas"],
            response=Dialect.of(raw["response"]),
            delivery=Pace(**raw["delivery"]),
            clocks=Clocks(**raw["clocks"]),
            hours=_hours(raw["hours"]) if "hours" in raw else None,
        )


def load_all(folder: Path, schemas: Path) -> Mapping[str, Profile]:
    """Every profile under `mappings/partners/`, by id; DataFileInvalid when two share an id, a code or a wire name."""
    profiles = [Profile.load(path, schemas) for path in sorted(folder.glob("*/profile.yaml"))]
    for what in ("id", "code", "iss"):
        count = Counter(getattr(p, what) for p in profiles)
        if twice := sorted(name for name, n in count.items() if n > 1):
            raise DataFileInvalid(f"two partners share the {what} {', '.join(twice)}", place=Place(file=folder.name))
    return {p.id: p for p in profiles}


def _hours(raw: Mapping[str, Any]) -> Hours:
    days = frozenset(_DAYS.index(day) for day in raw["days"])
    return Hours(raw["calendar"], days, time.fromisoformat(raw["opens"]), time.fromisoformat(raw["closes"]))


def _beyond(profile: Profile, dictionary: Path) -> list[str]:
    """What the profile says that the dictionary does not: fields allowed in another form, or taken though not `in`."""
    with dictionary.open(encoding="utf-8", newline="") as rows:
        said = {row["name"]: row.get(profile.id) for row in csv.DictReader(rows)}
    allowed = [
        f"{name}: allowed as {form}, the dictionary says {said.get(name) or 'nothing'}"
        for name, form in profile.allow.items()
        if said.get(name) != form
    ]
    taken = [f"{name}: not `in` in the dictionary" for name in sorted(profile.take) if said.get(name) != "in"]
    both = [f"{name}: allowed and withheld" for name in profile.withhold if name in profile.allow]
    unknown = [f"{name}: withheld, but in no dictionary" for name in profile.withhold if name not in said]
    return allowed + taken + both + unknown
