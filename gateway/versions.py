"""Versions of one kind of rules, side by side: on each business day the newest one counts whose day has come.

Rules: `effective_from` is the first Korean business day of a version. One of the future changes nothing before that
day and needs no restart on it, for the rules are asked for with the day at every use; whoever decides by them keeps
the name of the version.
Refuses two versions with one day or one name, and a day on which none has begun.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from typing import Generic, Protocol, TypeVar

from gateway.errors import DataFileInvalid, Place


class Version(Protocol):
    """What every version says of itself: its name, and its first business day."""

    @property
    def id(self) -> str: ...
    @property
    def effective_from(self) -> date: ...


V = TypeVar("V", bound=Version)


@dataclass(frozen=True, slots=True)
class Versions(Generic[V]):
    """The versions in `folder`, as people know it ("rules/screening"), newest first."""

    folder: str
    newest_first: tuple[V, ...]

    @classmethod
    def of(cls, folder: str, found: Iterable[V], today: date) -> Versions[V]:
        """These versions, in whatever order they come. Raises DataFileInvalid when none has begun by `today`, too."""
        ordered = sorted(found, key=lambda version: version.effective_from, reverse=True)
        for one, other in combinations(ordered, 2):
            if one.id == other.id or one.effective_from == other.effective_from:
                raise DataFileInvalid(
                    f"{_said(other)} and {_said(one)}: each version has a name and a first day of its own",
                    place=Place(file=folder),
                )
        versions = cls(folder, tuple(ordered))
        versions.on(today)
        return versions

    def on(self, day: date) -> V:
        """The version that counts on a business day. Raises DataFileInvalid when none has begun."""
        for version in self.newest_first:
            if version.effective_from <= day:
                return version
        known = ", ".join(map(_said, reversed(self.newest_first))) or "none"
        raise DataFileInvalid(
            f"no active version has begun by {day} (there is {known}): add the one that counts until then",
            place=Place(file=self.folder),
        )


def _said(version: Version) -> str:
    return f"{version.id} from {version.effective_from}"
