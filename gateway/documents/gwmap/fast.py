"""The fast program: a plan as closures. Constants are copied, what is sure is not asked, what is empty is left out.

Rules: an empty leaf is left out. An object or list item with expressions below it, all of them empty, is left out with
its constants; `$keep` keeps it. An entry whose resource is left out goes with it. Every document is new: no two share a
list or dictionary, and none shares one with the source.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from gateway.documents.gwmap.frame import NOTES, Frame, Held, Note, Run, spend
from gateway.documents.gwmap.model import LeafError, Severity
from gateway.documents.gwmap.plan import PChoice, PConstant, Plan, PLeaf, PList, PLoop, PObject, may_be_quiet


class Quiet(list[Any]):
    """What a list of constants and expressions becomes when every expression is empty: the constants alone.

    It is written where something else keeps the object that holds it; by itself it is no reason to keep that object.
    """


def program(plan: Plan) -> Run:
    """The closure of a plan: frame in, value or None out (a list for `listed` plans)."""
    if _only(plan) is not None:
        return _boxed(plan)
    match plan:
        case PConstant(value=value):
            return lambda _: value
        case PLeaf():
            return leaf(plan)
        case PObject():
            return _object(plan)
        case PList():
            return _list(plan)
        case PChoice():
            return _choice(plan)
        case PLoop():
            return _loop(plan)


def copied(value: Any) -> Any:
    """A copy that shares nothing that can change."""
    if isinstance(value, dict):
        return {name: copied(item) for name, item in value.items()}
    return [copied(item) for item in value] if isinstance(value, list | tuple) else value


# ── leaves ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def leaf(plan: PLeaf) -> Run:
    """The closure of a leaf: None where there is nothing to write; never "" and never an empty list."""
    run = _shaped(plan)
    return _forgiving(run) if plan.forgiving else run


def _shaped(plan: PLeaf) -> Run:
    run, kind = plan.expr.run, plan.expr.type
    if kind.many:
        return _copying(run) if kind.kind in ("object", "any") else (lambda frame: list(run(frame)) or None)
    if kind.kind in ("object", "any"):
        return lambda frame: copied(run(frame))
    if kind.kind == "string" and plan.expr.path is None and not plan.sure:
        return _nonempty(run)
    return run


def _nonempty(run: Run) -> Run:
    def found(frame: Frame) -> Any:
        value = run(frame)
        return None if value == "" else value

    return found


def _copying(run: Run) -> Run:
    return lambda frame: copied(run(frame)) or None


def _forgiving(run: Run) -> Run:
    def forgiving(frame: Frame) -> Any:
        try:
            return run(frame)
        except LeafError as error:
            if error.detail != "MAP-VALUE":
                raise
            frame[NOTES].append(Note(Severity.WARNING, error.detail, error.text, error.path))
            return None

    return forgiving


# ── boxes ────────────────────────────────────────────────────────────────────────────────────────────────────────────
_Box: TypeAlias = tuple[dict[str, Any], str, bool]
"""An object with its constants, the name of what is put in, and whether the object stands alone in a list."""


def _only(plan: Plan) -> Plan | None:
    """The one thing that decides about a plan: the one item of a list, the one child of an object beside scalars."""
    match plan:
        case PList(items=(item,)) if not item.listed:
            return item
        case PObject(keep=False, must=()):
            inner = [child for _, child in plan.items if not isinstance(child, PConstant)]
            return inner[0] if len(inner) == 1 else None
    return None


def _boxed(plan: Plan) -> Run:
    """One value in boxes, such as `{coding: [{system: …, code: =x}]}`: one closure puts two boxes around it."""
    boxes: list[_Box] = []
    listed = False
    while (inner := _only(plan)) is not None:
        if isinstance(plan, PObject):
            name = next(n for n, child in plan.items if child is inner)
            boxes.append((_skeleton(plan), name, listed))
        listed = isinstance(plan, PList)
        plan = inner
    run = _loud(program(plan)) if may_be_quiet(plan) else program(plan)
    if listed:
        run = _in_list(run)
    while len(boxes) > 1:
        run = _in_two(run, boxes.pop(), boxes.pop())
    return _in_one(run, boxes[0]) if boxes else run


def _in_list(run: Run) -> Run:
    def listed(frame: Frame) -> list[Any] | None:
        value = run(frame)
        return None if value is None else [value]

    return listed


def _in_one(run: Run, box: _Box) -> Run:
    skeleton, name, listed = box
    if isinstance(run, Held):
        return _held_in_one(run.slot, box)

    def boxed(frame: Frame) -> Any:
        value = run(frame)
        if value is None:
            return None
        out = skeleton.copy()
        out[name] = value
        return [out] if listed else out

    return boxed


def _held_in_one(slot: int, box: _Box) -> Run:
    """The usual reference, `{reference: =%patient}`."""
    skeleton, name, listed = box

    def boxed(frame: Frame) -> Any:
        value = frame[slot]
        if value is None:
            return None
        out = skeleton.copy()
        out[name] = value
        return [out] if listed else out

    return boxed


def _in_two(run: Run, inner: _Box, outer: _Box) -> Run:
    (skeleton, name, listed), (around, place, in_list) = inner, outer

    def boxed(frame: Frame) -> Any:
        value = run(frame)
        if value is None:
            return None
        out = skeleton.copy()
        out[name] = value
        whole = around.copy()
        whole[place] = [out] if listed else out
        return [whole] if in_list else whole

    return boxed


def _skeleton(plan: PObject) -> dict[str, Any]:
    """The names of an object in their order, with the constants."""
    return {name: child.value if isinstance(child, PConstant) else None for name, child in plan.items}


def _loud(run: Run) -> Run:
    def loud(frame: Frame) -> Any:
        value = run(frame)
        return None if type(value) is Quiet else value

    return loud


# ── objects ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def _object(plan: PObject) -> Run:
    skeleton = _skeleton(plan)
    fills = tuple((n, program(c)) for n, c in plan.items if not c.dynamic and not isinstance(c, PConstant))
    sures = tuple((n, program(c)) for n, c in plan.items if c.dynamic and c.sure and not may_be_quiet(c))
    maybes = tuple((n, program(c)) for n, c in plan.items if c.dynamic and (not c.sure or may_be_quiet(c)))
    if not plan.dynamic:
        return _constants(skeleton, fills)
    quiet = any(may_be_quiet(c) for _, c in plan.items)
    if not quiet and not maybes:
        return _finished(plan, _always(skeleton, fills + sures))
    if not quiet and (sures or plan.keep):
        return _finished(plan, _partly(skeleton, fills + sures, maybes))
    return _finished(plan, _perhaps(skeleton, fills, sures, maybes, keep=plan.keep))


def _constants(skeleton: dict[str, Any], fills: tuple[tuple[str, Run], ...]) -> Run:
    if not fills:
        return lambda _: skeleton.copy()
    return _always(skeleton, fills)


def _always(skeleton: dict[str, Any], sures: tuple[tuple[str, Run], ...]) -> Run:
    def run(frame: Frame) -> dict[str, Any]:
        out = skeleton.copy()
        for key, sure in sures:
            out[key] = sure(frame)
        return out

    return run


def _partly(skeleton: dict[str, Any], sures: tuple[tuple[str, Run], ...], maybes: tuple[tuple[str, Run], ...]) -> Run:
    def run(frame: Frame) -> dict[str, Any]:
        out = skeleton.copy()
        for key, sure in sures:
            out[key] = sure(frame)
        for key, maybe in maybes:
            value = maybe(frame)
            if value is None:
                del out[key]
            else:
                out[key] = value
        return out

    return run


def _perhaps(
    skeleton: dict[str, Any],
    fills: tuple[tuple[str, Run], ...],
    sures: tuple[tuple[str, Run], ...],
    maybes: tuple[tuple[str, Run], ...],
    *,
    keep: bool,
) -> Run:
    there = keep or bool(sures)

    def run(frame: Frame) -> dict[str, Any] | None:
        out = skeleton.copy()
        found = there
        for key, sure in sures:
            out[key] = sure(frame)
        for key, maybe in maybes:
            value = maybe(frame)
            if value is None:
                del out[key]
            elif type(value) is Quiet:
                out[key] = list(value)
            else:
                out[key] = value
                found = True
        if not found:
            return None
        for key, fill in fills:
            out[key] = fill(frame)
        return out

    return run


def _finished(plan: PObject, run: Run) -> Run:
    if plan.carrier and not dict(plan.items)["resource"].sure:
        run = _carrying(run)
    return _checked(plan, run) if plan.must else run


def _carrying(run: Run) -> Run:
    def carrying(frame: Frame) -> Any:
        out = run(frame)
        return out if out is not None and "resource" in out else None

    return carrying


def _checked(plan: PObject, run: Run) -> Run:
    must = plan.must

    def checked(frame: Frame) -> Any:
        out = run(frame)
        if out is not None:
            for names in must:
                if not any(name in out for name in names):
                    raise LeafError("MAP-MISSING", f"required element '{names[0]}' would be empty")
        return out

    return checked


# ── lists, choices, loops ────────────────────────────────────────────────────────────────────────────────────────────
def _list(plan: PList) -> Run:
    if len(plan.items) == 1 and isinstance(plan.items[0], PLoop | PLeaf):
        return program(plan.items[0])
    if plan.dynamic and not all(p.dynamic for p in plan.items):
        return _mixed(plan)
    parts = tuple((program(p), p.listed) for p in plan.items)

    def run(frame: Frame) -> list[Any] | None:
        out: list[Any] = []
        for part, listed in parts:
            value = part(frame)
            if value is None:
                continue
            if listed:
                out += value
            else:
                out.append(value)
        return out or None

    return run


def _mixed(plan: PList) -> Run:
    """Constant items beside others: quiet when only they are written."""
    parts = tuple((program(p), p.listed, p.dynamic) for p in plan.items)

    def run(frame: Frame) -> list[Any]:
        out: list[Any] = []
        loud = False
        for part, listed, dynamic in parts:
            value = part(frame)
            if value is None:
                continue
            loud = loud or dynamic
            out.extend(value if listed else (value,))
        return out if loud else Quiet(out)

    return run


def _choice(plan: PChoice) -> Run:
    test, then = plan.test.run, _branch(plan, plan.then)
    other = _branch(plan, plan.other) if plan.other is not None else None

    def run(frame: Frame) -> Any:
        if test(frame) is True:
            return then(frame)
        return other(frame) if other is not None else None

    return run


def _branch(plan: PChoice, branch: Plan) -> Run:
    """A branch; made a list when the other one is."""
    run = program(branch)
    return run if not plan.listed or branch.listed else _in_list(run)


def _loop(plan: PLoop) -> Run:
    over, body, slot, weight = plan.over.run, program(plan.body), plan.slot, plan.weight
    test = plan.where.run if plan.where else None

    def run(frame: Frame) -> list[Any] | None:
        items = over(frame)
        if not items:
            return None
        spend(frame, len(items) * weight)
        out: list[Any] = []
        for index, item in enumerate(items):
            frame[slot], frame[slot + 1] = item, index
            if test is not None and test(frame) is not True:
                continue
            value = body(frame)
            if value is not None:
                out.append(value)
        return out or None

    return run
