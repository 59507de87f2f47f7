"""Comparing two versions of a map, and the gate on its version number.

The comparison is over lineage: a target that disappears or comes from other sources is a major change, a new target, or
one that other fields decide about, a minor one, other words (expression, constant, guard, let, code table) a patch. The
gate refuses a version that says less than it does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.documents.gwmap.compiled import CompiledMap
from gateway.documents.gwmap.model import Lineage

_RANK = ("none", "patch", "minor", "major")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `kind`: removed, retargeted, added, guarded, reworded."""

    kind: str
    target: str
    before: str
    after: str

    def __str__(self) -> str:
        if self.kind in ("removed", "added"):
            return f"{self.kind} {self.target} ({self.before or self.after})"
        return f"{self.kind} {self.target}: {self.before} -> {self.after}"


@dataclass(frozen=True, slots=True)
class Diff:
    """All differences, the bump they need and the bump that was made."""

    old: str
    new: str
    changes: tuple[Change, ...]
    needed: str
    declared: str

    @property
    def ok(self) -> bool:
        """Whether the version says enough."""
        return _RANK.index(self.declared) >= _RANK.index(self.needed)

    def __str__(self) -> str:
        gate = "ok" if self.ok else "REFUSED: the version number says less than the change does"
        head = f"{self.old} -> {self.new}: needs {self.needed}, is {self.declared}: {gate}"
        return "\n".join([head, *(f"  {c}" for c in self.changes)])


def diff(old: CompiledMap, new: CompiledMap) -> Diff:
    """Compare two maps."""
    changes = (*_changes(old.lineage(), new.lineage()), *_reworded(old.wording(), new.wording()))
    needed = _needed(changes) if old.digest != new.digest else "none"
    return Diff(old.pin, new.pin, changes, needed, _declared(old.version, new.version))


def _changes(old: Iterable[Lineage], new: Iterable[Lineage]) -> Iterable[Change]:
    before, after = _by_target(old), _by_target(new)
    for target in before | after:
        a, b = before.get(target), after.get(target)
        if b is None:
            yield Change("removed", target, _from(a), "")
        elif a is None:
            yield Change("added", target, "", _from(b))
        elif _sources(a) != _sources(b):
            yield Change("retargeted", target, _from(a), _from(b))
        elif [x.expr for x in a] != [x.expr for x in b]:
            yield Change("reworded", target, "; ".join(x.expr for x in a), "; ".join(x.expr for x in b))
        if a and b and _guards(a) != _guards(b):
            yield Change("guarded", target, _named(_guards(a), "always"), _named(_guards(b), "always"))


def _reworded(old: Iterable[tuple[str, str]], new: Iterable[tuple[str, str]]) -> Iterable[Change]:
    """Guards, loops, lets and names of the head that read otherwise."""
    before, after = _by_place(old), _by_place(new)
    for place in before | after:
        a, b = ("; ".join(words.get(place, ["nothing"])) for words in (before, after))
        if a != b:
            yield Change("reworded", place, a, b)


def _by_place(wording: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for place, words in wording:
        found.setdefault(place, []).append(words)
    return found


def _by_target(lines: Iterable[Lineage]) -> dict[str, list[Lineage]]:
    found: dict[str, list[Lineage]] = {}
    for line in lines:
        found.setdefault(line.target, []).append(line)
    return found


def _sources(lines: list[Lineage]) -> set[str]:
    return {s for line in lines for s in line.sources}


def _guards(lines: list[Lineage]) -> set[str]:
    return {g for line in lines for g in line.guards}


def _from(lines: list[Lineage] | None) -> str:
    return _named(_sources(lines or []), "constant")


def _named(paths: set[str], otherwise: str) -> str:
    return ", ".join(sorted(paths)) or otherwise


def _needed(changes: tuple[Change, ...]) -> str:
    kinds = {c.kind for c in changes}
    if kinds & {"removed", "retargeted"}:
        return "major"
    return "minor" if kinds & {"added", "guarded"} else "patch"


def _declared(old: str, new: str) -> str:
    a, b = [int(p) for p in old.split(".")], [int(p) for p in new.split(".")]
    if b <= a:
        return "none"
    return "major" if b[0] > a[0] else ("minor" if b[1] > a[1] else "patch")
