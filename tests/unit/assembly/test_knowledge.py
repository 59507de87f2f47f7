"""Nothing starts with a profile whose maps could not be used when the first message needs them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gateway.assembly.knowledge import know
from gateway.config import Settings
from gateway.errors import MapRefused


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
    settings = Settings(mappings=tmp_path / "mappings")
    shutil.copytree(Settings().mappings, settings.mappings)
    path = settings.mappings / "partners" / "keis" / file
    assert old in path.read_text("utf-8")
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    with pytest.raises(MapRefused) as refused:
        know(settings)
    assert said in str(refused.value)
