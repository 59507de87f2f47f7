"""The template of a map: from YAML nodes to a tree of rules, fragments expanded, every expression parsed.

Rules: text that begins with `=` is an expression, `==x` is the text `=x`, everything else a constant. Objects may carry
`$if` (with `$else`), `$for: "x in path [where expr]"`, `$use` with `$with`, `$keep`, `$id`, `$doc`. Fragments are
macros: their parameters are replaced by expressions before anything is checked; they may use each other, never
themselves.

It refuses unknown `$` names, `$else` without `$if`, `$with` without `$use`, loops nested deeper than three, and what
grows beyond the limits once fragments are put in (checks S1, S2, S13).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from gateway.documents.gwmap import limits
from gateway.documents.gwmap.frame import Report
from gateway.documents.gwmap.model import At, did_you_mean
from gateway.documents.gwmap.parser import ExpressionError, parse
from gateway.documents.gwmap.syntax import Literal, Node, depth, replace, size, text
from gateway.documents.gwmap.yaml_subset import YNode

_DIRECTIVES = ("$if", "$else", "$for", "$use", "$with", "$keep", "$id", "$doc")


@dataclass(frozen=True, slots=True)
class Constant:
    """A scalar as written."""

    at: At
    value: Any


@dataclass(frozen=True, slots=True)
class Leaf:
    """An expression; `written` as the analyst wrote it."""

    at: At
    node: Node
    written: str


@dataclass(frozen=True, slots=True)
class Object:
    """An object; `rule` is its `$id`."""

    at: At
    items: Mapping[str, Rule]
    keep: bool = False
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    at: At
    items: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """`$if` with or without `$else`."""

    at: At
    test: Leaf
    then: Rule
    other: Rule | None


@dataclass(frozen=True, slots=True)
class Loop:
    """`$for`."""

    at: At
    name: str
    over: Leaf
    where: Leaf | None
    body: Rule


Rule: TypeAlias = Constant | Leaf | Object | Items | Choice | Loop


@dataclass(frozen=True, slots=True)
class Fragment:
    """A file under `fragments/`: `fragment`, `params`, `template`."""

    name: str
    file: str
    params: tuple[str, ...]
    body: YNode


@dataclass(slots=True)
class Reader:
    """Turns YAML nodes into rules. `file` changes while a fragment is expanded."""

    report: Report
    fragments: Mapping[str, Fragment]
    file: str
    used: set[str] = field(default_factory=set)
    _rules: int = 0
    _values: dict[str, Node] = field(default_factory=dict)
    _trail: tuple[str, ...] = ()

    def rule(self, node: YNode, loops: int = 0) -> Rule:
        """The rule a YAML node stands for."""
        at = At(self.file, node.line, node.column)
        self._rules += 1
        if self._rules > limits.NODES:
            if self._rules == limits.NODES + 1:
                self._refuse(at, "S1", f"more than {limits.NODES} nodes, with the fragments put in")
            return Constant(at, None)
        if isinstance(node.value, list):
            return Items(at, tuple(self.rule(n, loops) for n in node.value))
        if isinstance(node.value, dict):
            return self._object(at, node.value, loops)
        if isinstance(node.value, str) and node.value.startswith("="):
            if node.value.startswith("=="):
                return Constant(at, node.value[1:])
            return self.leaf(at, node.value[1:])
        return Constant(at, node.value)

    def leaf(self, at: At, written: str) -> Leaf:
        """An expression, with the parameters of the fragment at hand put in."""
        written = written.strip()
        try:
            return Leaf(at, self._put_in(parse(written)), written)
        except ExpressionError as error:
            self._refuse(at, "S2", f"{error.text} (column {error.column} of '{written[:60]}')")
            return Leaf(at, Literal(None), written)

    def _put_in(self, node: Node) -> Node:
        """The expression with the parameters of the fragment at hand, still within the limits."""
        if not self._values:
            return node
        if size(node, {name: size(value) for name, value in self._values.items()}) > limits.NODES:
            raise ExpressionError(1, f"more than {limits.NODES} nodes, with the parameters put in")
        whole = replace(node, self._values)
        if depth(whole) > limits.AST_DEPTH:
            raise ExpressionError(1, f"nested deeper than {limits.AST_DEPTH}, with the parameters put in")
        return whole

    def _refuse(self, at: At, code: str, sentence: str, hint: str = "") -> None:
        self.report.at = at
        self.report.add(code, sentence, hint)

    def _object(self, at: At, items: dict[str, YNode], loops: int) -> Rule:
        for name in items:
            if name.startswith("$") and name not in _DIRECTIVES:
                self._refuse(at, "S1", f"'{name}' is not a directive", did_you_mean(name, _DIRECTIVES))
        if "$keep" in items and not isinstance(items["$keep"].value, bool):
            self._refuse(at, "S1", "'$keep' is true or false")
        if "$with" in items and "$use" not in items:
            self._refuse(at, "S1", "'$with' stands only beside '$use'")
        plain = {n: v for n, v in items.items() if not n.startswith("$")}
        if "$for" in items:
            return self._loop(at, items, loops)
        if "$if" in items:
            return self._choice(at, items, loops)
        if "$else" in items:
            self._refuse(at, "S1", "'$else' stands only beside '$if'")
        own = {name: self.rule(value, loops) for name, value in plain.items()}
        keep, rule = _flag(items, "$keep"), _word(items, "$id")
        if "$use" in items:
            return self._use(at, items, Object(at, own, keep, rule), loops)
        return Object(at, own, keep, rule)

    def _rest(self, items: dict[str, YNode], *taken: str) -> dict[str, YNode]:
        return {n: v for n, v in items.items() if n not in taken}

    def _choice(self, at: At, items: dict[str, YNode], loops: int) -> Rule:
        test = self.leaf(at, _expression(items["$if"]))
        then = self._object(at, self._rest(items, "$if", "$else"), loops)
        other = self.rule(items["$else"], loops) if "$else" in items else None
        return Choice(at, test, then, other)

    def _loop(self, at: At, items: dict[str, YNode], loops: int) -> Rule:
        head, _, rest = _expression(items["$for"]).partition(" in ")
        name = head.strip()
        if not rest or not limits.NAME.match(name):
            self._refuse(at, "S2", '\'$for\' reads "x in path" or "x in path where expr"')
            return Items(at, ())
        if loops >= limits.FOR_NESTING:
            self._refuse(at, "S1", f"'$for' is nested deeper than {limits.FOR_NESTING}")
        path, where, criteria = _split_where(rest)
        over = self.leaf(at, path)
        test = self.leaf(at, criteria) if where else None
        outer = self._values
        self._values = {n: v for n, v in outer.items() if n != name}
        body = self._object(at, self._rest(items, "$for"), loops + 1)
        self._values = outer
        return Loop(at, name, over, test, body)

    # ── fragments ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def _use(self, at: At, items: dict[str, YNode], own: Object, loops: int) -> Rule:
        name = str(items["$use"].value)
        fragment = self.fragments.get(name)
        if fragment is None:
            self._refuse(at, "S13", f"there is no fragment '{name}'", did_you_mean(name, self.fragments))
            return own
        if name in self._trail:
            self._refuse(at, "S1", f"fragments use each other in a circle: {' -> '.join([*self._trail, name])}")
            return own
        self.used.add(name)
        values = self._arguments(at, fragment, items.get("$with"))
        body = self._inside(fragment, values, loops)
        if not own.items and not own.keep and not own.rule:
            return body
        return self._merged(at, body, own)

    def _arguments(self, at: At, fragment: Fragment, given: YNode | None) -> dict[str, Node]:
        nodes = given.value if given is not None and isinstance(given.value, dict) else {}
        for name in fragment.params:
            if name not in nodes:
                self._refuse(at, "S13", f"fragment '{fragment.name}' needs '{name}' under '$with'")
        for name in nodes:
            if name not in fragment.params:
                hint = did_you_mean(name, fragment.params)
                self._refuse(at, "S13", f"fragment '{fragment.name}' has no parameter '{name}'", hint)
        return {name: self._argument(name, node) for name, node in nodes.items()}

    def _argument(self, name: str, node: YNode) -> Node:
        match self.rule(node):
            case Leaf(node=found):
                return found
            case Constant(value=value):
                return Literal(value)
            case other:
                self._refuse(other.at, "S1", f"'{name}' under '$with' is one value or an expression")
                return Literal(None)

    def _inside(self, fragment: Fragment, values: dict[str, Node], loops: int) -> Rule:
        kept = self.file, self._values, self._trail
        self.file, self._values, self._trail = fragment.file, values, (*self._trail, fragment.name)
        body = self.rule(fragment.body, loops)
        self.file, self._values, self._trail = kept
        return body

    def _merged(self, at: At, body: Rule, own: Object) -> Rule:
        if not isinstance(body, Object):
            self._refuse(at, "S1", "names beside '$use' need a fragment that is one object")
            return body
        for name in body.items.keys() & own.items.keys():
            self._refuse(at, "S1", f"'{name}' is written here and in the fragment")
        return Object(at, {**body.items, **own.items}, body.keep or own.keep, own.rule or body.rule)


def _expression(node: YNode) -> str:
    return str(node.value).removeprefix("=").strip()


def _split_where(rest: str) -> tuple[str, str, str]:
    """`path where expr`; a call `.where(` is part of the path."""
    path, where, criteria = rest.partition(" where ")
    return path, where, criteria


def _flag(items: dict[str, YNode], name: str) -> bool:
    return name in items and items[name].value is True


def _word(items: dict[str, YNode], name: str) -> str:
    return str(items[name].value) if name in items else ""


def plain(rule: Rule) -> Any:
    """The rule as JSON with canonical expressions: what a digest is taken over."""
    match rule:
        case Constant(_, value):
            return value if not (isinstance(value, str) and value.startswith("=")) else "=" + value
        case Leaf(_, node, _):
            return "=" + text(node)
        case Items(_, items):
            return [plain(i) for i in items]
        case Object(_, items, keep, _):
            found = {name: plain(i) for name, i in items.items()}
            return {**found, "$keep": True} if keep else found
        case Choice(_, test, then, other):
            return {"$if": plain(test), "$then": plain(then), "$else": plain(other) if other else None}
        case Loop(_, name, over, where, body):
            return {"$for": name, "$in": plain(over), "$where": plain(where) if where else None, "$do": plain(body)}
