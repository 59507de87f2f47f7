"""S11: a reference points to an entry of the Bundle, or to something declared external.

Compared are expressions, with lets put in: `Patient/key` in a reference must be written exactly as the `fullUrl` of an
entry, or as the end of it after `%base & '/'`. It refuses to guess whether two different expressions give one text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gateway.documents.gwmap.frame import Report
from gateway.documents.gwmap.syntax import Call, Concat, Literal, Node, Variable, replace, text
from gateway.documents.gwmap.template import Choice, Constant, Items, Leaf, Loop, Object, Rule


def check(report: Report, root: str, template: Rule, lets: Mapping[str, Node], external: Mapping[str, str]) -> None:
    """Check every `reference` of a Bundle template."""
    known: set[str] = set()
    for place, rule in _named(template, root):
        if place.endswith(".fullUrl"):
            known |= {spelling for node in _nodes(rule) for spelling in _spellings(_expanded(node, lets))}
    for place, rule in _named(template, root):
        if place.endswith(".reference"):
            report.at, report.target = rule.at, place
            _one(report, rule, known, lets, external)


def _one(report: Report, rule: Rule, known: set[str], lets: Mapping[str, Node], external: Mapping[str, str]) -> None:
    for node in _nodes(rule):
        for branch in _branches(_expanded(node, lets)):
            declared = _declared(node, external) or _declared(branch, external)
            if isinstance(branch, Literal) and (branch.value is None or str(branch.value).startswith("#")):
                continue
            if text(branch) not in known and not declared:
                shown = rule.written if isinstance(rule, Leaf) else text(node)
                report.add("S11", f"reference '{shown}' has no entry with that fullUrl",
                           "write it as the entry does, or name it under 'external'")  # fmt: skip


def _declared(node: Node, external: Mapping[str, str]) -> bool:
    match node:
        case Variable(name):
            return name in external
        case Call(None, "ref", (Literal(kind), *_)):
            return kind in external
        case Literal(value):
            return str(value).split("/")[0] in external
        case Concat(parts):
            return any(_declared(p, external) for p in parts)
    return False


def _named(rule: Rule, place: str) -> Iterator[tuple[str, Rule]]:
    match rule:
        case Object(items=items):
            for key, child in items.items():
                yield from _named(child, f"{place}.{key}")
        case Items(items=children):
            for index, child in enumerate(children):
                yield from _named(child, f"{place}[{index}]")
        case Choice(then=then, other=other):
            yield from _named(then, place)
            if other is not None:
                yield from _named(other, place)
        case Loop(body=body):
            yield from _named(body, place)
        case _:
            yield place, rule


def _nodes(rule: Rule) -> list[Node]:
    if isinstance(rule, Leaf):
        return [rule.node]
    return [Literal(rule.value)] if isinstance(rule, Constant) else []


def _expanded(node: Node, lets: Mapping[str, Node]) -> Node:
    for _ in range(len(lets) + 1):
        node = replace(node, dict(lets))
    return node


def _branches(node: Node) -> list[Node]:
    if isinstance(node, Call) and node.base is None and node.name == "iif":
        return [leaf for branch in node.args[1:] for leaf in _branches(branch)]
    return [node]


def _spellings(node: Node) -> set[str]:
    """A fullUrl, and the relative reference it answers to."""
    found = {text(b) for b in _branches(node)}
    if isinstance(node, Concat) and len(node.parts) >= 3 and node.parts[1] == Literal("/"):
        rest = node.parts[2:]
        found.add(text(rest[0]) if len(rest) == 1 else text(Concat(rest)))
    return found
