"""Data files say what their authors wrote: a plain scalar is a number only where JSON would write it so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway import datafile
from gateway.errors import DataFileInvalid

TEXTS = ["010", "07", "0x1f", "0b11", "1_000", "12:30", "190:20:30", "NO", "on", "True", "2026-01-01", "1e3", "+7",
         ".5", "1.", ".inf", ".nan", "1.0.0"]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_what_json_does_not_write_so_stays_text(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, f"a: {text}\nb: [{text}]") == {"a": text, "b": [text]}


def test_numbers_booleans_and_nothing_are_those_of_json(tmp_path: Path) -> None:
    found = read(tmp_path, "a: [0, -7, 42, 0.5, -1.25, true, false, null, ~]\nb:")
    assert found == {"a": [0, -7, 42, 0.5, -1.25, True, False, None, None], "b": None}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: 1\nb: 2\na: 3", "a key appears twice"),
        ("1: a", "a key is no text"),
        ("? [a, b]\n: c", "a key is no text"),
        ("<<: {a: 1}", "merges others"),
        ("a: !!python/none x", "could not determine a constructor"),
        ("a: 1\n---\nb: 2", "single document"),
    ],
)
def test_anything_else_is_refused_with_its_file(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(DataFileInvalid, match=why) as refused:
        read(tmp_path, text)
    assert refused.value.place.file == f"{tmp_path.name}/data.yaml"


def read(folder: Path, text: str) -> Any:
    path = folder / "data.yaml"
    path.write_text(text, "utf-8")
    return datafile.read(path)
