"""The slow program: the same plan with every leaf guarded, to say everything that happened to one record.

It runs only when the fast program failed or left something out on purpose, and for explanations. It uses the very
closures of the fast program, so both always agree; it adds concrete target paths, rules, lines and masked sources.

It refuses to print values: only listed codes are shown, everything else is masked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.documents.gwmap import fast
from gateway.documents.gwmap.frame import NOTES, RUN_ERRORS, Expr, Frame, Note, Run, spend
from gateway.documents.gwmap.model import ISSUE_CODES, At, Explained, Issue, LeafError, Severity, SourceValue, masked
from gateway.documents.gwmap.plan import PChoice, PConstant, Plan, PLeaf, PList, PLoop, PObject, may_be_quiet

Watch = Mapping[str, tuple[tuple[str, Run, frozenset[str] | None], ...]]


@dataclass(slots=True)
class Trace:
    """One run of the slow program. `pin`: map|version; `watch`: per rule the sources to show."""

    pin: str
    watch: Watch = field(default_factory=dict)
    failed_lets: set[str] = field(default_factory=set)
    issues: list[Issue] = field(default_factory=list)
    explained: list[Explained] = field(default_factory=list)

    def error(self, error: Exception, target: str, rule: str, at: At, written: str) -> None:
        """Keep what a leaf, guard or let raised as an issue."""
        if isinstance(error, LeafError):
            detail, said, path = error.detail, error.text, error.path
        else:
            detail, said, path = "MAP-VALUE", f"a value is not what its schema says ({type(error).__name__})", ""
        named = f"{rule} (={written})" if written else rule
        self.issues.append(
            Issue(Severity.ERROR, ISSUE_CODES[detail], detail, said, target, named, self.pin, str(at), path)
        )

    def notes(self, notes: list[Note], target: str, rule: str, at: At) -> None:
        """Keep what was left out on purpose."""
        for note in notes:
            code = ISSUE_CODES[note.detail]
            self.issues.append(
                Issue(note.severity, code, note.detail, note.text, target, rule, self.pin, str(at), note.path)
            )

    def failed(self) -> bool:
        """Whether any issue is an error."""
        return any(i.severity is Severity.ERROR for i in self.issues)

    # ── the walk ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def walk(self, plan: Plan, frame: Frame, target: str) -> Any:
        """The value of a plan, as the fast program gives it; None where something failed."""
        match plan:
            case PConstant(value=value):
                self.explained.append(Explained(target, "written", "constant", self._at(plan.at), repr(value)))
                return value
            case PLeaf():
                return self._leaf(plan, frame, target)
            case PObject():
                return self._object(plan, frame, target)
            case PList():
                return self._list(plan, frame, target)
            case PChoice():
                return self._choice(plan, frame, target)
            case PLoop():
                return self._loop(plan, frame, target, 0)

    def _at(self, at: At) -> str:
        return f"{self.pin}:{at.line}" if at.file.endswith("map.yaml") else f"{self.pin} {at}"

    def _leaf(self, plan: PLeaf, frame: Frame, target: str) -> Any:
        value, status = None, "error"
        frame[NOTES] = []
        if not plan.expr.via & self.failed_lets:
            try:
                value = fast.leaf(plan)(frame)
                status = "written" if value is not None else "omitted-empty"
            except RUN_ERRORS as error:
                self.error(error, target, plan.rule, plan.at, plan.written)
        if value is None and any(n.detail == "MAP-UNMAPPED" for n in frame[NOTES]):
            status = "omitted-unmatched"
        self.notes(frame[NOTES], target, plan.rule, plan.at)
        self._explain(plan, frame, target, status)
        return value

    def _explain(self, plan: PLeaf, frame: Frame, target: str, status: str) -> None:
        sources = tuple(_shown(watched, frame) for watched in self.watch.get(plan.rule, ()))
        via, tables = tuple(sorted(plan.expr.via)), tuple(sorted(plan.expr.tables))
        self.explained.append(
            Explained(target, status, plan.rule, self._at(plan.at), plan.written, sources, via, tables)
        )

    def _object(self, plan: PObject, frame: Frame, target: str) -> Any:
        out: dict[str, Any] = {}
        found = plan.keep or not plan.dynamic
        before, said = len(self.issues), len(self.explained)
        for name, child in plan.items:
            value = self.walk(child, frame, f"{target}.{name}" if target else name)
            if value is None:
                continue
            quiet = not child.dynamic or type(value) is fast.Quiet
            out[name] = list(value) if type(value) is fast.Quiet else value
            found = found or not quiet
        if not found or (plan.carrier and "resource" not in out):
            self._left_out(said)
            return None
        if not any(i.severity is Severity.ERROR for i in self.issues[before:]):
            self._must(plan, out, target)
        return out

    def _left_out(self, said: int) -> None:
        """Lines after the first `said` tell of an object that is left out: what they call written was omitted."""
        self.explained[said:] = [
            replace(e, status="omitted-empty") if e.status == "written" else e for e in self.explained[said:]
        ]

    def _must(self, plan: PObject, out: dict[str, Any], target: str) -> None:
        written = dict(plan.items)
        for names in plan.must:
            if any(name in out for name in names):
                continue
            child = written[names[0]]
            rule, text, sources = plan.rule, "", ""
            if isinstance(child, PLeaf):
                rule, text, sources = child.rule, child.written, ", ".join(sorted(child.expr.sources()))
            why = f": source '{sources}' is empty" if sources else ""
            error = LeafError("MAP-MISSING", f"required element '{names[0]}' would be empty{why}", sources)
            self.error(error, f"{target}.{names[0]}" if target else names[0], rule, getattr(child, "at", plan.at), text)

    def _list(self, plan: PList, frame: Frame, target: str) -> Any:
        out: list[Any] = []
        loud = False
        for child in plan.items:
            place = f"{target}[{len(out)}]"
            if isinstance(child, PLoop):
                value = self._loop(child, frame, target, len(out))
            else:
                value = self.walk(child, frame, place)
            if value is None:
                continue
            loud = loud or child.dynamic
            if child.listed:
                out.extend(value)
            else:
                out.append(value)
        if may_be_quiet(plan) and not loud:
            return fast.Quiet(out)
        return out or None

    def _choice(self, plan: PChoice, frame: Frame, target: str) -> Any:
        holds = self._test(plan.test, plan.written, frame, target, plan.at)
        if holds is None:
            return None
        branch = plan.then if holds else plan.other
        if branch is None:
            status = f"omitted-guard({plan.written})"
            self.explained.append(Explained(target, status, "", self._at(plan.at), plan.written))
            return None
        value = self.walk(branch, frame, target)
        return [value] if plan.listed and not branch.listed and value is not None else value

    def _test(self, test: Expr, written: str, frame: Frame, target: str, at: At) -> bool | None:
        """The truth of a guard; None when it failed."""
        frame[NOTES] = []
        if test.via & self.failed_lets:
            return None
        try:
            return test.run(frame) is True
        except RUN_ERRORS as error:
            self.error(error, target, "guard", at, written)
            return None

    def _loop(self, plan: PLoop, frame: Frame, target: str, start: int) -> Any:
        try:
            items = () if plan.over.via & self.failed_lets else plan.over.run(frame)
            spend(frame, len(items or ()) * plan.weight)
        except RUN_ERRORS as error:
            self.error(error, target, "loop", plan.at, plan.written)
            return None
        out: list[Any] = []
        for index, item in enumerate(items or ()):
            frame[plan.slot], frame[plan.slot + 1] = item, index
            place = f"{target}[{start + len(out)}]"
            if plan.where is not None and not self._asked_for(plan.where, plan, frame, place):
                continue
            value = self.walk(plan.body, frame, place)
            if value is not None:
                out.append(value)
        if not items:
            self.explained.append(Explained(f"{target}[*]", "omitted-empty", "", self._at(plan.at), plan.written))
        return out or None

    def _asked_for(self, where: Expr, plan: PLoop, frame: Frame, place: str) -> bool:
        """Whether an item of a loop is among those that are asked for; one that is not is said to be left out."""
        holds = self._test(where, plan.criteria, frame, place, plan.at)
        if holds is False:
            status, target = f"omitted-guard({plan.criteria})", place.rpartition("[")[0] + "[*]"
            self.explained.append(Explained(target, status, "", self._at(plan.at), plan.criteria))
        return holds is True


def _shown(watched: tuple[str, Run, frozenset[str] | None], frame: Frame) -> SourceValue:
    path, run, codes = watched
    try:
        value = run(frame)
    except RUN_ERRORS:
        value = None
    if value is None or isinstance(value, bool):
        return SourceValue(path, value, masked=False)
    if isinstance(value, str) and codes is not None and value in codes:
        return SourceValue(path, value, masked=False)
    if isinstance(value, dict | list | tuple):
        return SourceValue(path, f"{len(value)} parts", masked=True)
    return SourceValue(path, masked(value), masked=True)
