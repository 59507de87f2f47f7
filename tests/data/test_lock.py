"""Maps, code tables, fragments, rules and measures are immutable: what is in force, or was, never changes again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway import datafile
from tests.data import lock

ROOMS = ("screening", "legal-basis", "retention")
RULES = [p for room in ROOMS for p in sorted((lock.MAPPINGS / "rules" / room).glob("*.yaml"))]


@pytest.fixture(scope="module")
def standing() -> lock.Digests:
    return lock.standing()


@pytest.mark.rule("R-32")
def test_nothing_that_is_in_force_has_changed(standing: lock.Digests) -> None:
    said = lock.refusals(lock.locked(), standing)
    assert said == [], "(before the first release: python -m tests.data.lock --anew)"


def test_everything_in_force_is_locked(standing: lock.Digests) -> None:
    assert lock.unlocked(lock.locked(), standing) == [], "run: python -m tests.data.lock"


@pytest.mark.parametrize("path", RULES, ids=lambda p: p.name)
def test_a_rule_file_is_named_after_its_version(path: Path) -> None:
    raw = datafile.read(path)
    named = next(raw[word] for word in ("ruleset", "registry", "retention") if word in raw)
    assert named.removeprefix("LB-") == path.stem


@pytest.fixture
def changed(tmp_path: Path) -> Callable[[str, str, str], list[str]]:
    """What is refused when one file of a copy reads otherwise; with text "" the file is gone."""
    mappings = tmp_path / "mappings"
    shutil.copytree(lock.MAPPINGS, mappings)

    def change(name: str, old: str, new: str) -> list[str]:
        path = mappings / name
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), "utf-8")
        return lock.refusals(lock.locked(), lock.standing(mappings))

    return change


KEIS = "partners/keis/referral-out/1.0.0/map.yaml"
CHANGES = [
    (KEIS, '"=nameFull"', '"=nameFull.trim()"', ["maps/keis-referral-out|1.0.0"]),
    (KEIS, "# A referral in", "# The referral in", []),
    (KEIS, "status: active", "status: retired", []),
    (KEIS, "status: active", "status: draft", ["maps/keis-referral-out|1.0.0"]),
    (
        "conceptmaps/sex-keis/1.0.0.json",
        '"equivalent"',
        '"equal"',
        ["maps/keis-referral-out|1.0.0", "conceptmaps/sex-keis|1.0.0"],
    ),
    ("rules/screening/PR-2026.1.yaml", "# Who", "# Whoever", ["rules/screening/PR-2026.1.yaml"]),
    ("measures/employment/EMP-KEAD-60H.yaml", "# ", "#  ", ["measures/employment/EMP-KEAD-60H.yaml"]),
    ("rules/caseload/2026-11.yaml", "# Job", "# The job", []),
]


@pytest.mark.parametrize(("name", "old", "new", "named"), CHANGES)
def test_a_change_under_the_same_version_is_refused_and_says_what_to_do(
    changed: Callable[[str, str, str], list[str]], name: str, old: str, new: str, named: list[str]
) -> None:
    said = changed(name, old, new)
    assert [s.partition(" is in force and ")[0] for s in said] == named
    assert all(": undo that, then " in s and ("version" in s) for s in said)


def test_a_changed_fragment_is_refused_with_every_map_that_uses_it(
    changed: Callable[[str, str, str], list[str]],
) -> None:
    said = changed("fragments/leg-task.yaml", "intent: order", "intent: plan")
    assert said[-1] == (
        "fragments/leg-task.yaml is in force and has changed: undo that, then give the changed fragment a new name, "
        "and use it in a new version of the maps"
    )
    assert {"maps/case-to-fhir|1.0.0", "maps/trn-referral-out|1.0.0"} <= {s.split(" ")[0] for s in said}
