"""Many files at once: each is whole, none is left half-written, and what could not be written is told."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from gateway import wholefile


def test_all_files_are_there_and_nothing_else(tmp_path: Path) -> None:
    files = {tmp_path / f"{n % 3}" / str(n): bytes([n]) * 100 for n in range(3 * wholefile.AT_ONCE)}
    wholefile.write_all(files.items())
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == files


def test_a_folder_is_synced_once_and_when_all_its_names_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many, synced = 2 * wholefile.AT_ONCE + 1, list[int | None]()
    sync = os.fsync

    def told(opened: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(opened).st_mode)
        synced.append(len([p for p in (tmp_path / "a").iterdir() if p.suffix != ".tmp"]) if is_folder else None)
        sync(opened)

    monkeypatch.setattr(os, "fsync", told)
    wholefile.write_all((tmp_path / "a" / str(n), b"one") for n in range(many))
    assert synced == [None] * many + [many]


def test_one_that_cannot_be_written_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "inside").touch()
    with pytest.raises(IsADirectoryError):
        wholefile.write_all([(tmp_path / "before", b""), (tmp_path / "taken", b""), (tmp_path / "behind", b"")])
