"""Nothing starts with data that could not be used when the first message needs it; each rule counts from its day on."""

from __future__ import annotations

import re
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gateway.assembly.knowledge import know
from gateway.config import Settings
from gateway.errors import DataFileInvalid, MapRefused
from gateway.versions import Versions
from tests.journey.world import TODAY, knowledge


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("profile.yaml", "keis-cancel-out|1.0.0", "keis-cancel-out|1.0.1", "there is no map 'keis-cancel-out|1.0.1'"),
        (
            "profile.yaml",
            "referral: keis-referral-out",
            "referral: kead-referral-out",
            "outbound for KEAD, not outbound",
        ),
        ("cancel-out/1.0.0/map.yaml", "status: active", "status: draft", "'keis-cancel-out|1.0.0', which is draft"),
    ],
)
def test_a_profile_pins_active_maps_of_its_own(tmp_path: Path, file: str, old: str, new: str, said: str) -> None:
    settings = copied(tmp_path)
    path = settings.mappings / "partners" / "keis" / file
    assert old in path.read_text("utf-8")
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    with pytest.raises(MapRefused) as refused:
        know(settings, TODAY)
    assert said in str(refused.value)


AHEAD = {
    "rules/screening": ("PR-2026.1.yaml", "PR-2026.1", "PR-2027.1"),
    "rules/legal-basis": ("2026.3.yaml", "LB-2026.3", "LB-2027.1"),
    "rules/retention": ("RT-2026.2.yaml", "RT-2026.2", "RT-2027.1"),
    "measures/rtw": ("RTW-2026.1.yaml", "RTW-2026.1", "RTW-2027.1"),
}


def test_next_years_rules_lie_ready_and_count_from_their_day_on(tmp_path: Path) -> None:
    settings = copied(tmp_path)
    for folder, (file, now, then) in AHEAD.items():
        add_version(settings.mappings / folder, file, now, then, "2027-01-01")
    known = know(settings, TODAY)
    kinds: tuple[Versions[Any], ...] = (known.rules, known.bases, known.retention, known.rtw)
    assert [kind.on(date(2026, 12, 31)).id for kind in kinds] == [now for _, now, _ in AHEAD.values()]
    assert [kind.on(date(2027, 1, 1)).id for kind in kinds] == [then for *_, then in AHEAD.values()]
    on_record = {f"{Path(folder).name}/{then}" for folder, (*_, then) in AHEAD.items()}
    assert {name for _, name in known.in_force.keys() - knowledge().in_force.keys()} == on_record


@pytest.mark.parametrize("status", ["draft", "retired"])
def test_only_what_is_active_counts(tmp_path: Path, status: str) -> None:
    settings = copied(tmp_path)
    add_version(settings.mappings / "rules/screening", "PR-2026.1.yaml", "PR-2026.1", "PR-2026.2", "2026-11-20", status)
    add_version(settings.mappings / "rules/legal-basis", "2026.3.yaml", "LB-2026.3", "LB-2026.4", "2026-11-20", status)
    known = know(settings, TODAY)
    assert (known.rules.on(TODAY).id, known.bases.on(TODAY).id) == ("PR-2026.1", "LB-2026.3")
    assert known.in_force == knowledge().in_force


def test_nothing_starts_before_the_first_version_begins() -> None:
    with pytest.raises(DataFileInvalid) as refused:
        know(Settings(), date(2026, 10, 31))
    assert "[rules/screening]" in str(refused.value)
    assert "(there is PR-2026.1 from 2026-11-01): add the one that counts until then" in str(refused.value)


def copied(folder: Path) -> Settings:
    """Settings with mappings of their own."""
    settings = Settings(mappings=folder / "mappings")
    shutil.copytree(Settings().mappings, settings.mappings)
    return settings


def add_version(folder: Path, file: str, now: str, then: str, begins: str, status: str = "active") -> None:
    """Copy a version under another name, from another day on."""
    text = (folder / file).read_text("utf-8").replace(now, then).replace("status: active", f"status: {status}")
    (folder / f"{then}.yaml").write_text(re.sub(r"(?m)^(effective_?[fF]rom): .*", rf"\1: {begins}", text), "utf-8")
