"""Rules are immutable: a file that is active, or was, never changes again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from gateway.datafile import digest

RULES = Path(__file__).parents[2] / "mappings" / "rules"
LOCK: dict[str, str] = json.loads((RULES / "lock.json").read_text("utf-8"))["files"]  # noqa: TID251
VERSIONED = [path for room in ("screening", "legal-basis") for path in sorted((RULES / room).glob("*.yaml"))]
IN_FORCE = [p for p in VERSIONED if yaml.safe_load(p.read_text("utf-8"))["status"] != "draft"]


@pytest.mark.parametrize("name", LOCK)
def test_a_locked_rule_file_is_what_it_was(name: str) -> None:
    assert digest(RULES / name) == LOCK[name], f"{name} is in force: undo the change and make a new version instead"


@pytest.mark.parametrize("path", IN_FORCE, ids=lambda p: p.name)
def test_a_rule_file_in_force_is_locked(path: Path) -> None:
    name = path.relative_to(RULES).as_posix()
    assert name in LOCK, f'add to lock.json: "{name}": "{digest(path)}"'


@pytest.mark.parametrize("path", VERSIONED, ids=lambda p: p.name)
def test_a_rule_file_is_named_after_its_version(path: Path) -> None:
    raw = yaml.safe_load(path.read_text("utf-8"))
    assert raw.get("ruleset", raw.get("registry", "")).removeprefix("LB-") == path.stem
