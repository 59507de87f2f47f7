"""The YAML of maps: what stays text, what is refused, and at which line."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.documents.gwmap import limits
from gateway.documents.gwmap.yaml_subset import YamlError, load

SCALARS: list[tuple[str, Any]] = [
    ("NO", "NO"), ("on", "on"), ("yes", "yes"), ("010", "010"), ("0x1f", "0x1f"), ("1e3", "1e3"), ("1_000", "1_000"),
    ("2026-11-23", "2026-11-23"), ("12:30", "12:30"), (".5", ".5"), (".inf", ".inf"), ("1.", "1."), ("+1", "+1"),
    ("1.0.0", "1.0.0"), ("12", 12), ("-3", -3), ("0", 0), ("1.50", 1.5), ("true", True), ("False", False),
    ("~", None), ("null", None), ("", None), ("'12'", "12"), ('"true"', "true"), ("=a & 'b'", "=a & 'b'"),
    ("한글", "한글"),
]  # fmt: skip

REFUSED = [
    ("a: 1\nb: 2\na: 3\n", 3, "'a' occurs twice"),
    ("a: {b: 1, b: 2}\n", 1, "'b' occurs twice"),
    ("a: &x 1\n", 1, "anchors"),
    ("a: &x {b: 1}\n", 1, "anchors"),
    ("a: 1\nb: *x\n", 2, "aliases"),
    ("a: !!str 1\n", 1, "tags"),
    ("a: !x {}\n", 1, "tags"),
    ("a: 1\n<<: {b: 1}\n", 2, "merge keys"),
    ("? [a]\n: 1\n", 1, "name must be text"),
    ("a: 1\n---\nb: 2\n", 2, "one document"),
    ("", 1, "empty"),
    ("a: [1\n", 2, "not YAML"),
    ("a: \x01\n", 1, "not YAML"),
    ("a: " + "[" * 40 + "]" * 40, 1, "nested deeper"),
    ("a: [" + "1," * limits.NODES + "1]", 1, "nodes"),
    ("#" + "x" * limits.FILE_BYTES, 1, "larger"),
]


@pytest.mark.parametrize(("text", "value"), SCALARS, ids=[s[0] or "nothing" for s in SCALARS])
def test_a_scalar_is_json_or_stays_text(text: str, value: Any) -> None:
    found = load(f"a: {text}\n").plain()["a"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(("text", "line", "why"), REFUSED, ids=[f"{i}-{r[2]}" for i, r in enumerate(REFUSED)])
def test_what_is_not_in_the_subset_is_refused_with_its_line(text: str, line: int, why: str) -> None:
    with pytest.raises(YamlError, match=why) as caught:
        load(text)
    assert caught.value.line == line


def test_every_node_knows_its_line_and_column() -> None:
    node = load("a:\n  - x\n  - {b: y}\n")
    inner = node.value["a"].value[1].value["b"]
    assert (inner.value, inner.line, inner.column) == ("y", 3, 9)


def test_folded_text_is_text_whatever_it_looks_like() -> None:
    assert load("a: >-\n  12\n").plain() == {"a": "12"}
