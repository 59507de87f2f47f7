"""The kinds of work items: what the source makes is what is listed, so that no kind is refused to who asks for it."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

from gateway.journey import apply
from gateway.ports import FAMILIES, KINDS

GATEWAY = Path(__file__).resolve().parents[2] / "gateway"
MAKERS = {"WorkItem": 0, "work_about": 0, "tell_once": 1, "untold": 1}
"""Functions that are called by name with a kind → at which place it stands."""
CHOSEN = {
    ("gateway.journey.apply", "kind"): {*apply.SHOWN.values(), "outcome-"},
    ("gateway.journey.track", "kind"): {"outcome-"},
    ("gateway.store.units", "*columns"): set[str](),
    ("gateway.store.units", "*found"): set[str](),
}
"""Where the kind is chosen beside the call, or read back → what it may be."""


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(GATEWAY.rglob("*.py")):
        name = ".".join(path.relative_to(GATEWAY.parent).with_suffix("").parts)
        yield name, ast.parse(path.read_text(encoding="utf-8"))


def kinds_of(module: str, tree: ast.Module) -> Iterator[str]:
    """Kinds that a module makes; of a family how it begins."""
    handed_on = {
        (inside.lineno, argument.arg)
        for one in ast.walk(tree)
        if isinstance(one, ast.FunctionDef) and one.name in MAKERS
        for argument in one.args.args
        for inside in ast.walk(one)
        if isinstance(inside, ast.Call)
    }
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in MAKERS:
            kind = call.args[min(MAKERS[call.func.id], len(call.args) - 1)]
            if (call.lineno, ast.unparse(kind)) not in handed_on:  # its callers are looked at
                yield from _said(module, kind)


def _said(module: str, kind: ast.expr) -> set[str]:
    word = ast.unparse(kind)
    if (module, word) in CHOSEN:
        return CHOSEN[module, word]
    if isinstance(kind, ast.JoinedStr) and isinstance(kind.values[0], ast.Constant):
        return {str(kind.values[0].value)}
    found = kind.value if isinstance(kind, ast.Constant) else getattr(importlib.import_module(module), word, None)
    assert isinstance(found, str), f"{module}: what kind is {word}?"
    return {found}


def test_every_kind_that_is_made_is_listed_and_every_one_that_is_listed_is_made() -> None:
    made = {kind for module, tree in modules() for kind in kinds_of(module, tree)}
    assert made == KINDS | {*FAMILIES}


def test_no_kind_is_of_a_family_and_listed_as_well() -> None:
    assert not [kind for kind in KINDS if kind.startswith(FAMILIES)]
