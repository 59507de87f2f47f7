"""A small YAML: block and flow collections, quoted, folded and plain scalars, each with its line and column.

Rules: plain scalars are null, true/false, JSON integers and decimals as in the YAML 1.2 core schema; everything else is
text, so that `NO`, `on`, `010`, `0x1f`, `1e3` and dates stay what the analyst typed. One document a file.

It refuses duplicate names, anchors, aliases, tags, merge keys, names that are no text, files, trees and depths beyond
the limits. Nothing is constructed but text, numbers, booleans, null, lists and mappings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from gateway.documents.gwmap import limits

_INT = re.compile(r"-?(0|[1-9][0-9]{0,15})\Z")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+\Z")
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_WORDS |= {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class YamlError(Exception):
    """The file is not in the subset; `line` counts from 1."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line, self.text = line, text


@dataclass(frozen=True, slots=True)
class YNode:
    """A value with its place. `value` is a scalar, a list of nodes, or a dict of nodes."""

    value: Any
    line: int
    column: int

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {name: node.plain() for name, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


def load(text: str) -> YNode:
    """Parse one document. Raises `YamlError` with the line."""
    if len(text.encode()) > limits.FILE_BYTES:
        raise YamlError(1, f"the file is larger than {limits.FILE_BYTES} bytes")
    try:
        return _Builder(yaml.parse(text, Loader=_LOADER)).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlError(mark.line + 1 if mark else 1, f"not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError:
        raise YamlError(1, "not YAML: a character that is not allowed") from None


class _Builder:
    """Walks the parser's events once and builds nodes."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self._nodes = 0

    def document(self) -> YNode:
        self._expect(yaml.StreamStartEvent)
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            raise YamlError(1, "the file is empty")
        node = self._node(next(self._events), 0)
        self._expect(yaml.DocumentEndEvent)
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise YamlError(_line(event), "one document a file")
        return node

    def _expect(self, kind: type[yaml.Event]) -> None:
        event = next(self._events)
        if not isinstance(event, kind):
            raise YamlError(_line(event), "unexpected structure")

    def _node(self, event: yaml.Event, depth: int) -> YNode:
        line, column = _line(event), _column(event)
        self._nodes += 1
        if self._nodes > limits.NODES:
            raise YamlError(line, f"more than {limits.NODES} nodes")
        if depth > limits.DEPTH:
            raise YamlError(line, f"nested deeper than {limits.DEPTH}")
        self._refuse_extras(event, line)
        if isinstance(event, yaml.ScalarEvent):
            return YNode(_scalar(event), line, column)
        if isinstance(event, yaml.SequenceStartEvent):
            return YNode(self._list(depth), line, column)
        return YNode(self._mapping(depth), line, column)

    @staticmethod
    def _refuse_extras(event: yaml.Event, line: int) -> None:
        if isinstance(event, yaml.AliasEvent):
            raise YamlError(line, "aliases (*name) are not allowed")
        if getattr(event, "anchor", None) is not None:
            raise YamlError(line, "anchors (&name) are not allowed")
        if getattr(event, "tag", None) is not None:
            raise YamlError(line, "tags (!name) are not allowed")

    def _list(self, depth: int) -> list[YNode]:
        items: list[YNode] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return items

    def _mapping(self, depth: int) -> dict[str, YNode]:
        items: dict[str, YNode] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            name = self._name(event, items)
            items[name] = self._node(next(self._events), depth + 1)
        return items

    def _name(self, event: yaml.Event, taken: dict[str, YNode]) -> str:
        line = _line(event)
        self._refuse_extras(event, line)
        if not isinstance(event, yaml.ScalarEvent):
            raise YamlError(line, "a name must be text")
        if event.value == "<<":
            raise YamlError(line, "merge keys (<<) are not allowed")
        if event.value in taken:
            raise YamlError(line, f"the name '{event.value}' occurs twice")
        return str(event.value)


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _column(event: yaml.Event) -> int:
    return event.start_mark.column + 1 if event.start_mark else 1


def _scalar(event: yaml.ScalarEvent) -> Any:
    text = str(event.value)
    if event.style:  # quoted or folded
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INT.match(text):
        return int(text)
    return float(text) if _DECIMAL.match(text) else text
