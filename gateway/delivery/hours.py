"""When a partner takes messages: service hours on working days, and the calendar of days on which nobody works.

Rules: hours are read off the wall clock of the calendar's zone, from `opens` up to but without `closes`, and never past
midnight; holidays are data (`mappings/rules/calendar`), the newest file of a calendar counts. Beyond its last day only
weekends are known to be free. Refuses files whose days lie outside their own period.

This module refuses to know the time: it is an argument.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway import datafile
from gateway.errors import DataFileInvalid, Place

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """One version of a calendar: `holidays` from day to name, known up to and with `until`."""

    id: str
    zone: ZoneInfo
    until: date
    holidays: Mapping[date, str]

    @property
    def end(self) -> datetime:
        """When the last day ends about which this file knows anything."""
        return datetime.combine(self.until + DAY, time.min, self.zone)

    @classmethod
    def load(cls, path: Path, schemas: Path) -> Calendar:
        """Read one file, checked against `schemas/meta/calendar-1.json`; DataFileInvalid names all that is wrong."""
        raw = datafile.load(path, schemas / "meta" / "calendar-1.json")
        holidays = {date.fromisoformat(day): name for day, name in raw["holidays"].items()}
        first, last = date.fromisoformat(raw["from"]), date.fromisoformat(raw["until"])
        faults = [f"{day}: not between {first} and {last}" for day in sorted(holidays) if not first <= day <= last]
        if raw["calendar"] != path.stem:
            faults.append(f"the file of {raw['calendar']} has another name")
        try:
            zone = ZoneInfo(raw["zone"])
        except (ZoneInfoNotFoundError, ValueError):
            faults.append(f"{raw['zone']}: no such zone")
        if faults:
            raise DataFileInvalid("; ".join(faults), place=Place(file=f"{path.parent.name}/{path.name}"))
        return cls(raw["calendar"].partition("-")[0], zone, last, holidays)


class OpeningHours(NamedTuple):
    """When one partner takes messages. `days`: 0 is Monday."""

    days: frozenset[int]
    opens: time
    closes: time
    calendar: Calendar

    def next_open(self, at: datetime) -> datetime:
        """`at` itself when it lies in service hours, else the moment at which they begin next; UTC."""
        local = at.astimezone(self.calendar.zone)
        if self._works(local.date()) and self.opens <= local.time() < self.closes:
            return at
        day = local.date() if local.time() < self.opens else local.date() + DAY
        while not self._works(day):
            day += DAY
        return datetime.combine(day, self.opens, self.calendar.zone).astimezone(UTC)

    def _works(self, day: date) -> bool:
        return day.weekday() in self.days and day not in self.calendar.holidays


def load_all(folder: Path, schemas: Path) -> Mapping[str, Calendar]:
    """The newest version of every calendar in a folder, by id."""
    found = {path.stem: Calendar.load(path, schemas) for path in sorted(folder.glob("*.yaml"))}
    return {found[name].id: found[name] for name in sorted(found, key=_version)}


def _version(name: str) -> tuple[int, ...]:
    """Year and number: the tenth file of a year is newer than its second."""
    return tuple(map(int, name.rpartition("-")[2].split(".")))
