"""Nothing in gateway/ or adapters/ evaluates Python text, and the benchmark's twins agree."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
BANNED = {"eval", "exec", "compile", "__import__"}
FILES = sorted(p for room in ("gateway", "adapters") for p in (ROOT / room).rglob("*.py"))


def calls(source: str) -> set[str]:
    """Names of banned builtins a module calls or hands on, also as `builtins.x`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and node.id in BANNED:
            found.add(node.id)
        if isinstance(node, ast.Attribute) and node.attr in BANNED and isinstance(node.value, ast.Name):
            found |= {node.attr} - ({"compile"} if node.value.id == "re" else set())
    return found


@pytest.mark.parametrize("path", FILES, ids=[str(p.relative_to(ROOT)) for p in FILES])
def test_no_module_evaluates_python_text(path: Path) -> None:
    assert calls(path.read_text(encoding="utf-8")) == set()


def test_the_scan_sees_what_it_must() -> None:
    assert calls("eval('1')") == {"eval"}
    assert calls("f = exec\nf('1')") == {"exec"}
    assert calls("import builtins\nbuiltins.compile('1', '', 'eval')") == {"compile"}
    assert calls("import re\nre.compile('a')") == set()


def test_the_benchmarked_map_makes_what_the_bare_literal_makes() -> None:
    spec = importlib.util.spec_from_file_location("bench_gwmap", ROOT / "tests" / "bench" / "bench_gwmap.py")
    assert spec is not None
    assert spec.loader is not None
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    figures = bench.run(rounds=1, times=5)
    assert (figures["source_values"], figures["entries"]) == (77, 12)
    assert figures["bundles_per_s"] > 0
