"""The syntax tree of expressions, and its canonical text.

The tree is data: `text(node)` prints it fully bracketed, so that two spellings of one expression have one digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant: text, integer, decimal or boolean; `None` is the empty collection `{}`."""

    value: Any


@dataclass(frozen=True, slots=True)
class Variable:
    """`%name`: a parameter, a let, a loop variable, or `%context` (the whole source)."""

    name: str


@dataclass(frozen=True, slots=True)
class This:
    """`$this`: the item at hand inside where, select, all, exists; the source elsewhere."""


@dataclass(frozen=True, slots=True)
class Field:
    """`base.name`; without base a property of the item at hand."""

    base: Node | None
    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """`base[n]`, counted from 0."""

    base: Node
    position: int


@dataclass(frozen=True, slots=True)
class Call:
    """`base.name(args, named: arg)`; without base a free function."""

    base: Node | None
    name: str
    args: tuple[Node, ...]
    named: tuple[tuple[str, Node], ...] = ()


@dataclass(frozen=True, slots=True)
class Binary:
    """`left op right`."""

    op: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Concat:
    """`a & b & c`, merged."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Negative:
    """`-operand`."""

    operand: Node


Node: TypeAlias = Literal | Variable | This | Field | Index | Call | Binary | Concat | Negative


def children(node: Node) -> tuple[Node, ...]:
    """The parts of a node."""
    match node:
        case Field(base, _):
            return (base,) if base else ()
        case Index(base, _):
            return (base,)
        case Call(base, _, args, named):
            return ((base,) if base else ()) + args + tuple(n for _, n in named)
        case Binary(_, left, right):
            return (left, right)
        case Concat(parts):
            return parts
        case Negative(operand):
            return (operand,)
        case _:
            return ()


def depth(node: Node) -> int:
    """Nodes on the longest way down."""
    return 1 + max((depth(c) for c in children(node)), default=0)


def size(node: Node, known: Mapping[str, int] = MappingProxyType({})) -> int:
    """Nodes in all; `%name` counts as `known[name]`."""
    own = known.get(node.name, 1) if isinstance(node, Variable) else 1
    return own + sum(size(c, known) for c in children(node))


def replace(node: Node, values: dict[str, Node]) -> Node:
    """The tree with `%name` replaced by `values[name]` (how fragments take their parameters)."""
    match node:
        case Variable(name):
            return values.get(name, node)
        case Field(base, name):
            return Field(replace(base, values) if base else None, name)
        case Index(base, position):
            return Index(replace(base, values), position)
        case Call(base, name, args, named):
            return Call(
                replace(base, values) if base else None,
                name,
                tuple(replace(a, values) for a in args),
                tuple((n, replace(a, values)) for n, a in named),
            )
        case Binary(op, left, right):
            return Binary(op, replace(left, values), replace(right, values))
        case Concat(parts):
            return Concat(tuple(replace(p, values) for p in parts))
        case Negative(operand):
            return Negative(replace(operand, values))
        case _:
            return node


def text(node: Node) -> str:  # noqa: PLR0911 - one line a kind of node
    """Canonical text."""
    match node:
        case Literal(value):
            return _literal(value)
        case Variable(name):
            return f"%{name}"
        case This():
            return "$this"
        case Field(base, name):
            return f"{text(base)}.{_name(name)}" if base else _name(name)
        case Index(base, position):
            return f"{text(base)}[{position}]"
        case Call(base, name, args, named):
            inner = ", ".join([text(a) for a in args] + [f"{n}: {text(a)}" for n, a in named])
            return f"{text(base)}.{name}({inner})" if base else f"{name}({inner})"
        case Binary(op, left, right):
            return f"({text(left)} {op} {text(right)})"
        case Concat(parts):
            return "(" + " & ".join(text(p) for p in parts) + ")"
        case Negative(operand):
            return f"(-{text(operand)})"


def _literal(value: Any) -> str:
    if value is None:
        return "{}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return str(value)


def _name(name: str) -> str:
    return name if name.isascii() and name.replace("_", "a").isalnum() and not name[0].isdigit() else f"`{name}`"
