"""Files on a drop folder: whole or not there; a monstrous line stays outside memory."""

from __future__ import annotations

import os
import re
import tracemalloc
from hashlib import sha256
from pathlib import Path

import pytest

from adapters.comwel import files
from gateway.errors import TotalsMismatch, WrongLength

_NAME = re.compile(r"a\d\.dat")


def test_a_file_is_seen_only_with_its_done(tmp_path: Path) -> None:
    (tmp_path / "a2.dat").write_bytes(b"x")
    files.deliver(tmp_path / "a1.dat", b"y", 0)
    (tmp_path / "other.dat").write_bytes(b"z")
    assert files.complete(tmp_path, _NAME) == [tmp_path / "a1.dat"]
    assert [p.name for p in files.complete(tmp_path, _NAME, marked=False)] == ["a1.dat", "a2.dat"]
    assert files.complete(tmp_path / "nowhere", _NAME) == []


def test_delivering_leaves_three_files_and_no_temporary_one(tmp_path: Path) -> None:
    sha256 = files.deliver(tmp_path / "deep" / "a1.dat", b"data", 3)
    assert sorted(p.name for p in (tmp_path / "deep").iterdir()) == ["a1.dat", "a1.done", "a1.sum"]
    assert files.claimed(tmp_path / "deep" / "a1.dat") == files.Sum(sha256, 4, 3)
    assert files.digest(tmp_path / "deep" / "a1.dat") == sha256


@pytest.mark.parametrize("text", ["", "abc 1 2", "a" * 64 + " 1", "A" * 64 + " 1 2", "a" * 64 + " 1 2 3", "x" * 500])
def test_a_sum_file_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a1.sum").write_text(text)
    with pytest.raises(TotalsMismatch):
        files.claimed(tmp_path / "a1.dat")


def test_a_missing_sum_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TotalsMismatch):
        files.claimed(tmp_path / "a1.dat")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"ab\r\ncd\r\n", [b"ab\r\n", b"cd\r\n"]),
        (b"a\n\r\ncd\r\n", [b"a\n\r\n", b"cd\r\n"]),
        (b"abc\r\nde\r\n", [b"abc\r\n", b"de\r\n"]),
        (b"a\r\ncd\r\n", [b"a\r\n", b"cd\r\n"]),
        (b"ab\r\ncd", [b"ab\r\n", b"cd"]),
        (b"", []),
    ],
)
def test_frames_find_their_way_back_after_a_broken_record(tmp_path: Path, data: bytes, expected: list[bytes]) -> None:
    path = tmp_path / "a1.dat"
    path.write_bytes(data)
    assert list(files.frames(path, 4, 16)) == expected


def test_a_line_of_many_megabytes_is_refused_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "a1.dat"
    with path.open("wb") as file:
        file.truncate(1 << 30)  # sparse: one line of a gigabyte
    tracemalloc.start()
    for read in (files.frames(path, 642, 4096), files.lines(path, 4096)):
        with pytest.raises(WrongLength):
            list(read)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_a_file_is_put_away_with_its_marks_and_nothing_is_overwritten(tmp_path: Path) -> None:
    for data in (b"first", b"second"):
        files.deliver(tmp_path / "a1.dat", data, 0)
        files.put_away(tmp_path / "a1.dat", files.DONE)
    assert [p.name for p in tmp_path.iterdir()] == ["done"]
    kept = {p.name: p.read_bytes() for p in (tmp_path / "done").glob("*.dat")}
    other = f"a1.{sha256(b'second').hexdigest()[:12]}"
    assert kept == {"a1.dat": b"first", f"{other}.dat": b"second"}
    assert files.claimed(tmp_path / "done" / f"{other}.dat").size == len(b"second")
    assert (tmp_path / "done" / f"{other}.done").exists()


def test_a_mark_that_has_lost_its_data_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "done").mkdir()
    (tmp_path / "done" / "a1.sum").write_text("of another")
    files.deliver(tmp_path / "a1.dat", b"data", 0)
    put = files.put_away(tmp_path / "a1.dat", files.DONE)
    assert (tmp_path / "done" / "a1.sum").read_text() == "of another"
    assert (put.name, put.read_bytes()) == (f"a1.{sha256(b'data').hexdigest()[:12]}.dat", b"data")
    assert files.claimed(put).size == len(b"data")


def put_by_halves(path: Path, monkeypatch: pytest.MonkeyPatch, moved: int) -> None:
    """Put a file away and die after so many of its three parts."""
    left = iter([True] * moved + [False])

    def replace(part: Path, target: Path) -> None:
        if not next(left):
            raise OSError
        part.rename(target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", replace)
        with pytest.raises(OSError):  # noqa: PT011
            files.put_away(path, files.DONE)


def test_what_a_crash_leaves_behind_is_not_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.deliver(tmp_path / "a1.dat", b"data", 0)
    put_by_halves(tmp_path / "a1.dat", monkeypatch, 1)
    assert (tmp_path / "a1.dat").read_bytes() == b"data"
    assert files.complete(tmp_path, _NAME) == []


@pytest.mark.parametrize("moved", [1, 2])
@pytest.mark.parametrize("earlier", [False, True])
def test_the_rest_follows_the_done_that_was_put_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moved: int, earlier: bool
) -> None:
    if earlier:
        files.deliver(tmp_path / "a1.dat", b"earlier", 0)
        files.put_away(tmp_path / "a1.dat", files.DONE)
    files.deliver(tmp_path / "a1.dat", b"data", 0)
    put_by_halves(tmp_path / "a1.dat", monkeypatch, moved)
    files.put_rest_away(tmp_path, _NAME)
    assert [p.name for p in tmp_path.iterdir()] == ["done"]
    stem = f"a1.{sha256(b'data').hexdigest()[:12]}" if earlier else "a1"
    assert (tmp_path / "done" / f"{stem}.dat").read_bytes() == b"data"
    assert len(list((tmp_path / "done").iterdir())) == (6 if earlier else 3)


def test_a_file_on_its_way_in_is_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.deliver(tmp_path / "a1.dat", b"data", 0)
    put_by_halves(tmp_path / "a1.dat", monkeypatch, 2)
    later = (tmp_path / "done" / "a1.done").stat().st_mtime + 1
    os.utime(tmp_path / "a1.dat", (later, later))
    (tmp_path / "b1.dat").write_bytes(b"no done yet")
    files.put_rest_away(tmp_path, _NAME)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a1.dat", "b1.dat", "done"]
