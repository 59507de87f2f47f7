"""Files that were answered and written long ago: only those, and all of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import pytest

from adapters.comwel import files
from adapters.comwel.handed_files import FolderFiles
from gateway import wholefile
from gateway.errors import FolderUnusable
from gateway.korea import KST

Lay = Callable[[str, datetime], Path]
OLD, DAY = datetime(2026, 12, 31, 23, 59, tzinfo=KST), date(2027, 1, 1)


@pytest.fixture
def lay(tmp_path: Path) -> Lay:
    def one(name: str, written: datetime) -> Path:
        path = tmp_path / name
        files.deliver(path, b"data", 1)
        os.utime(path, (written.timestamp(),) * 2)
        return path

    return one


@pytest.fixture
def folders(tmp_path: Path) -> FolderFiles:
    return FolderFiles(tmp_path / "in", tmp_path / "out")


def test_what_was_answered_or_written_before_the_day_is_old_and_nothing_else(folders: FolderFiles, lay: Lay) -> None:
    old = [
        lay("in/done/RHB_CASE_20261123_00001.dat", OLD),
        lay("in/done/RHB_JC_20261123_00001.ndjson", OLD),
        lay("in/err/RHB_CASE_20261199_00002.0123456789ab.dat", OLD),
        lay("out/RHB_RTW_20261124_00003.dat", OLD),
    ]
    lay("in/RHB_CASE_20261125_00004.dat", OLD)  # not answered yet
    lay("in/done/a note of the operator.txt", OLD)
    lay("in/done/RHB_CASE_20261231_00005.dat", datetime(2027, 1, 1, tzinfo=KST))
    found = folders.older(DAY)
    assert [f.path for f in found] == old
    first, second = date(2026, 11, 23), date(2026, 11, 24)
    assert [(f.base_date, f.file_seq) for f in found] == [(first, 1), (first, 1), (None, 2), (second, 3)]


def test_a_file_ends_with_its_marks(folders: FolderFiles, lay: Lay, tmp_path: Path) -> None:
    lay("out/RHB_RTW_20261124_00003.dat", OLD)
    lay("out/RHB_RTW_20261124_00004.dat", OLD)
    folders.destroy(folders.older(DAY)[0])
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        f"RHB_RTW_20261124_00004.{end}" for end in ("dat", "done", "sum")
    ]


def test_a_file_of_which_only_the_data_is_left_is_found_and_ends(folders: FolderFiles, lay: Lay) -> None:
    path = lay("out/RHB_RTW_20261124_00003.dat", OLD)
    for end in (".done", ".sum"):
        path.with_suffix(end).unlink()
    folders.destroy(folders.older(DAY)[0])
    assert folders.older(DAY) == []


def test_what_somebody_died_over_while_it_was_written_is_found_and_ends(folders: FolderFiles, tmp_path: Path) -> None:
    path = tmp_path / "out" / "RHB_RTW_20261124_00003.dat"

    def killed() -> None:
        raise SystemExit

    with pytest.raises(SystemExit):
        wholefile.write(path, b"personal data", killed)
    [left] = path.parent.iterdir()
    os.utime(left, (OLD.timestamp(),) * 2)
    [found] = folders.older(DAY)
    assert (found.path, found.base_date, found.file_seq) == (left, date(2026, 11, 24), 3)
    folders.destroy(found)
    assert list(path.parent.iterdir()) == []


def test_no_folder_holds_nothing_old(folders: FolderFiles) -> None:
    assert folders.older(DAY) == []


def test_a_file_that_cannot_be_deleted_is_named(folders: FolderFiles, lay: Lay, tmp_path: Path) -> None:
    path = lay("out/RHB_RTW_20261124_00003.dat", OLD)
    (found,) = folders.older(DAY)
    path.unlink()
    path.mkdir()
    with pytest.raises(FolderUnusable, match=path.name):
        folders.destroy(found)
