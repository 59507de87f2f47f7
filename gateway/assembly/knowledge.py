"""Everything under schemas/ and mappings/, loaded once and checked."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

from gateway import datafile
from gateway.cases import caseload
from gateway.cases.legal_basis import LegalBases
from gateway.cases.retention import Retention
from gateway.cases.ruleset import RuleSet
from gateway.config import Settings
from gateway.delivery import hours
from gateway.delivery.hours import Calendar, OpeningHours
from gateway.documents.fhir.rules import FhirRules
from gateway.documents.gwmap import Catalogue
from gateway.documents.schemas import Schemas
from gateway.errors import DataFileInvalid, MapRefused, Place
from gateway.journey.world import Knowledge
from gateway.outcomes.definition import RtwDefinition
from gateway.outcomes.employment import Definitions
from gateway.partners import profile as profiles
from gateway.partners.profile import Profile
from gateway.versions import Versions


def know(settings: Settings, today: date) -> Knowledge:
    """Load everything under schemas/ and mappings/, for use from the business day `today` on.

    Raises DataFileInvalid or MapRefused naming each fault; rules of which no version has begun are one.
    """
    schemas, mappings = settings.schemas, settings.mappings
    rules, measures = mappings / "rules", mappings / "measures"
    screening = {p: r for p in rules.glob("screening/*.yaml") if (r := RuleSet.load(p, schemas)).active}
    bases = {p: b for p in rules.glob("legal-basis/*.yaml") if (b := LegalBases.load(p, schemas)).active}
    retention = {p: Retention.load(p, schemas) for p in rules.glob("retention/*.yaml")}
    rtw = {p: RtwDefinition.load(p) for p in measures.glob("rtw/*.yaml")}
    catalogue = Catalogue.load(mappings, schemas, tests=True)
    partners = profiles.load_all(mappings / "partners", schemas)
    _pinned(catalogue, partners)
    calendars = hours.load_all(rules / "calendar", schemas)
    known = Knowledge(
        catalogue=catalogue,
        schemas=Schemas.load(schemas),
        fhir=FhirRules.load(schemas / "fhir"),
        rules=Versions.of("rules/screening", screening.values(), today),
        caseloads=caseload.load_all(rules / "caseload", schemas),
        bases=Versions.of("rules/legal-basis", bases.values(), today),
        profiles=partners,
        rtw=Versions.of("measures/rtw", rtw.values(), today),
        employed=Definitions.load(measures / "employment"),
        retention=Versions.of("rules/retention", retention.values(), today),
        calendars=calendars,
        hours=_opening_hours(partners, calendars),
        in_force=_in_force(
            catalogue,
            [
                *screening,
                *bases,
                *retention,
                *rtw,
                *rules.glob("caseload/*.yaml"),
                *rules.glob("calendar/*.yaml"),
                *measures.glob("employment/*.yaml"),
            ],
            {p.id: mappings / "partners" / p.iss / "profile.yaml" for p in partners.values()},
        ),
    )
    gc.freeze()  # maps and schemas live as long as the process: the collector need not walk them again and again
    return known


def _pinned(maps: Catalogue, partners: Mapping[str, Profile]) -> None:
    """Every map that a profile pins is there and active, before the first message needs it. Raises MapRefused."""
    for partner in partners.values():
        for pin in partner.mappings.values():
            status = maps.get(pin).header.status
            if status != "active":
                raise MapRefused(f"the profile of {partner.id} pins '{pin}', which is {status}")


def _opening_hours(partners: Mapping[str, Profile], calendars: Mapping[str, Calendar]) -> dict[str, OpeningHours]:
    """The hours of those partners that keep any. Raises DataFileInvalid for a calendar that nobody wrote."""
    kept = {partner.id: partner.hours for partner in partners.values() if partner.hours}
    if unknown := sorted({h.calendar for h in kept.values()} - calendars.keys()):
        raise DataFileInvalid(f"hours: there is no calendar {', '.join(unknown)}", place=Place(file="rules/calendar"))
    return {p: OpeningHours(h.days, h.opens, h.closes, calendars[h.calendar]) for p, h in kept.items()}


def _in_force(maps: Catalogue, rules: Iterable[Path], partners: Mapping[str, Path]) -> dict[tuple[str, str], bytes]:
    """The digests of what the gateway goes by, by kind and name: a map's names what it does, a file's its bytes."""
    return (
        {("map", pin): _digest(maps.get(pin).digest) for pin in maps.pins()}
        | {("rules", f"{path.parent.name}/{path.stem}"): _digest(datafile.digest(path)) for path in rules}
        | {("partner", name): _digest(datafile.digest(path)) for name, path in partners.items()}
    )


def _digest(said: str) -> bytes:
    return bytes.fromhex(said.removeprefix("sha256:"))
