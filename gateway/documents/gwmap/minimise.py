"""S9 and S10: what may leave to whom, and that nothing is forgotten.

The dictionary (`schemas/comwel/dictionary.csv`) says per partner what may ever leave; the profile of the partner says
per purpose what does (`purposes.<purpose>.allow`). The allow-list must be within the dictionary's column, and every
source path a map touches, also through lets, fragments, guards and code tables, must be within the allow-list.

Forms: `-` never, `in` inbound only, `Y` as it is, `C1`/`C2` with further consent, `Y(name,tel)` and `no,until` only
these parts, `period` its two days, others (`flag`, `date`, `summary C1`) as they stand. An object that is handed on as
one is all of its parts. It refuses to read a form it does not know
as a permission to send more: an allowed form must equal the dictionary's, or be stricter.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.documents.gwmap.frame import Report
from gateway.documents.gwmap.model import At, Lineage, did_you_mean
from gateway.documents.gwmap.shapes import Walk

_PARTS = re.compile(r"(?:Y\()?([a-zA-Z]+(?:,[a-zA-Z]+)*)\)?\Z")
REST = "*"  # under `ignored`: everything that is neither used nor named
_OF_THE_LEG = frozenset({"referral", "partnerPersonId"})  # narrowing puts in the one entry of the leg
_NEVER = frozenset({"-", "in", ""})
_PERIOD = frozenset({"from", "until"})
_STRICTER = {"Y": frozenset({"C1", "C2", "flag", "date", "period"}), "C1": frozenset({"C2"})}


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a partner gets for one purpose: field to form; `where` names the file."""

    partner: str
    purpose: str
    where: str
    forms: Mapping[str, str]

    def parts(self, name: str) -> frozenset[str] | None:
        """The parts of a field that may leave; None for the whole field."""
        form = self.forms.get(name, "")
        if form == "period":
            return _PERIOD
        found = _PARTS.match(form)
        if not found or form in ("Y", "C1", "C2", "flag", "date"):
            return None
        return frozenset(found[1].split(","))

    def certain(self, name: str, required: bool) -> bool:
        """Whether the field is in every narrowed record: narrowing writes it, or leaves what every case has."""
        return name in _OF_THE_LEG or (required and self.forms.get(name, "").startswith("Y"))


def dictionary(path: Path) -> dict[str, dict[str, str]]:
    """Field to its row of the dictionary."""
    with path.open(encoding="utf-8", newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def within(report: Report, allowed: Allowed, fields: Mapping[str, Mapping[str, str]], walk: Walk) -> None:
    """The allow-list must be within the dictionary's column of the partner."""
    report.target = ""
    for name, form in allowed.forms.items():
        if name not in fields:
            report.add("S9", f"{allowed.where} allows '{name}', which the dictionary does not know",
                       did_you_mean(name, fields))  # fmt: skip
            continue
        limit = fields[name].get(allowed.partner, "-")
        if not _stricter(form, limit):
            what = f"field '{name}' ({walk.title(name)}, class {walk.grade(name)})"
            report.add("S9", f"{allowed.where} allows {what} as '{form}': the dictionary says '{limit}'")


def _stricter(form: str, limit: str) -> bool:
    if limit in _NEVER:
        return False
    if form == limit or form in _STRICTER.get(limit, ()):
        return True
    mine, theirs = _PARTS.match(form), _PARTS.match(limit)
    if limit == "Y":
        return form.startswith("Y(")
    return bool(mine and theirs and form.startswith("Y(") and set(mine[1].split(",")) <= set(theirs[1].split(",")))


def touched(report: Report, lines: Iterable[Lineage], allowed: Allowed, walk: Walk, limits: Mapping[str, str]) -> None:
    """S9: every path of the lineage must be within the allow-list. `limits`: field to the dictionary's form."""
    for line in lines:
        file, _, number = line.at.rpartition(":")
        report.at, report.target = At(file, int(number)), line.target
        for path in dict.fromkeys((*line.sources, *line.guards)):
            _path(report, path, allowed, walk, limits)


def _path(report: Report, path: str, allowed: Allowed, walk: Walk, limits: Mapping[str, str]) -> None:
    name, _, rest = path.partition(".")
    what = f"field '{name}' ({walk.title(name)}, class {walk.grade(name)})"
    if name not in allowed.forms:
        limit = limits.get(name, "-")
        if limit in _NEVER:
            report.add("S9", f"{what} must never leave to {allowed.partner}: the dictionary says '{limit or '-'}'")
        else:
            report.add("S9", f"{what} is not allowed to {allowed.partner} for '{allowed.purpose}' by {allowed.where}")
        return
    parts = allowed.parts(name)
    if parts is not None and rest and rest.split(".")[0] not in parts and walk.property(name) is not None:
        shown = ", ".join(sorted(parts))
        report.add("S9", f"'{path}' ({walk.title(name)}) may not leave to {allowed.partner}: only {shown}")


def covered(
    report: Report, used: frozenset[str], ignored: Mapping[str, str], wanted: Iterable[str], walk: Walk
) -> None:
    """S10: every wanted field is used, or ignored with a reason; `*` gives one reason for all that is not used."""
    tops = {p.split(".")[0] for p in used} | {p.split(".")[0] for p in ignored}
    left = [name for name in wanted if name not in tops]
    if REST in ignored and not left:
        report.add("S13", "'*' has nothing left to ignore", "take the line away")
    for name in left:
        if REST not in ignored:
            title = walk.title(name)
            report.add("S10", f"source field '{name}' ({title}) is neither used nor ignored", "name it under 'ignored'")
    for name in ignored:
        if name in used:
            report.warn("S13", f"'{name}' is ignored and used")


def parts_covered(report: Report, used: frozenset[str], ignored: Mapping[str, str], walk: Walk) -> None:
    """S10 one level down, as warnings: parts of objects that nobody reads."""
    if REST in ignored:
        return
    for name in walk.properties():
        inner = walk.property(name)
        if inner is None or inner.walk is None or name in used or name in ignored:
            continue
        for part in inner.walk.properties():
            path = f"{name}.{part}"
            if not any(p == path or p.startswith(path + ".") for p in (*used, *ignored)):
                report.warn("S10", f"source field '{path}' is neither used nor ignored", "name it under 'ignored'")


def used_by(lines: Iterable[Lineage]) -> frozenset[str]:
    """Every source path a map depends on."""
    return frozenset(p for line in lines for p in (*line.sources, *line.guards))
