"""Files on a drop folder: seen only when complete, written so that nobody ever sees half of one.

A data file `X.dat` is complete when `X.done` (empty, written last) is there; `X.sum` says `<sha256> <bytes> <records>`.
Writing: a temporary name, fsync, rename, fsync of the folder; then `.sum` the same way, then `.done`.
Putting away: `.done` first, so that what a crash leaves behind is not taken for a complete file; the rest
is put later where the `.done` lies.
It refuses to delete anything, and to overwrite data with other bytes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from gateway import wholefile
from gateway.errors import TotalsMismatch, WrongLength

DONE, ERR = "done", "err"
"""Where files go that were taken in, and those that were refused."""
_CHUNK = 1 << 20
_PIECE = 1 << 16
_CRLF = b"\r\n"
_LONGEST_SUM = 200
_SUM = re.compile(rb"([0-9a-f]{64})[ \t]+(\d{1,15})[ \t]+(\d{1,9})\s*\Z")


class Sum(NamedTuple):
    """What a `.sum` file claims: SHA-256 in hex, size in bytes, number of data records."""

    sha256: str
    size: int
    records: int


def complete(directory: Path, name: re.Pattern[str], *, marked: bool = True) -> list[Path]:
    """Files of `directory` whose whole name matches, in order of name; with `marked` only those with their `.done`."""
    if not directory.is_dir():
        return []
    found = (p for p in directory.iterdir() if name.fullmatch(p.name) and p.is_file())
    return sorted(p for p in found if not marked or p.with_suffix(".done").exists())


def put_away(path: Path, folder: str) -> Path:
    """Move the `.done`, the `.sum` and the data file into a folder beside it; returns where the data file lies now.

    A name that is taken there by another file gets the digest of this one, so that both are kept.
    """
    directory = path.parent / folder
    directory.mkdir(exist_ok=True)
    suffixes = (".done", ".sum", path.suffix)
    taken = any((directory / (path.stem + suffix)).exists() for suffix in suffixes)
    stem = f"{path.stem}.{digest(path)[:12]}" if taken else path.stem
    for suffix in suffixes:
        with suppress(FileNotFoundError):
            path.with_suffix(suffix).replace(directory / (stem + suffix))
    return directory / (stem + path.suffix)


def put_rest_away(directory: Path, name: re.Pattern[str]) -> None:
    """Move `.sum` and data after a `.done` that was put away without them.

    A data file that was written after that `.done` is another one, on its way in, and stays.
    """
    for path in complete(directory, name, marked=False):
        for done in () if path.with_suffix(".done").exists() else _half_away(path):
            for suffix in (".sum", path.suffix):
                with suppress(FileNotFoundError):
                    path.with_suffix(suffix).replace(done.with_suffix(suffix))


def _half_away(path: Path) -> list[Path]:
    """The `.done` of a data file in a folder beside it that has no data there and is not older; one at most."""
    found = (done for folder in (DONE, ERR) for done in (path.parent / folder).glob(f"{path.stem}*.done"))
    written = path.stat().st_mtime
    return [d for d in found if not d.with_suffix(path.suffix).exists() and written <= d.stat().st_mtime][:1]


def digest(path: Path) -> str:
    """SHA-256 of a file in hex, read in pieces."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            found.update(piece)
    return found.hexdigest()


def claimed(path: Path) -> Sum:
    """The `.sum` beside a data file. Raises `TotalsMismatch` when it is missing or not of its form."""
    try:
        with path.with_suffix(".sum").open("rb") as file:
            raw = file.read(_LONGEST_SUM)
    except OSError:
        raise TotalsMismatch("the .sum file cannot be read") from None
    parts = _SUM.match(raw)
    if not parts:
        raise TotalsMismatch("the .sum file is not '<sha256> <bytes> <records>'")
    return Sum(parts[1].decode(), int(parts[2]), int(parts[3]))


def lines(path: Path, longest: int) -> Iterator[bytes]:
    """Lines with their ends, never more than `longest` bytes in memory. Raises `WrongLength` for a longer one."""
    with path.open("rb") as file:
        while line := file.readline(longest + 1):
            if len(line) > longest:
                raise WrongLength(f"a line is longer than {longest} bytes")
            yield line


def frames(path: Path, size: int, longest: int) -> Iterator[bytes]:
    """Records of `size` bytes that end with CRLF; where one does not, everything up to the next CRLF, as it is.

    A line feed inside a record stays inside it. Never more than a few pieces are in memory: raises `WrongLength` when
    no CRLF comes within `longest` bytes.
    """
    with path.open("rb") as file:
        buffer, at = b"", 0
        while True:
            if len(buffer) - at < longest:
                buffer, at = buffer[at:] + file.read(_PIECE), 0
            if at == len(buffer):
                return
            end = at + size
            if buffer[end - 2 : end] != _CRLF:
                end = buffer.find(_CRLF, at, at + longest) + 2
                if end == 1 and len(buffer) - at >= longest:
                    raise WrongLength(f"a record does not end within {longest} bytes")
                end = end if end > 1 else len(buffer)
            yield buffer[at:end]
            at = end


def deliver(path: Path, data: bytes, records: int) -> str:
    """Write a data file, its `.sum` and, last, its `.done`. Returns the SHA-256 of the data file in hex."""
    sha256 = hashlib.sha256(data).hexdigest()
    wholefile.write(path, data)
    wholefile.write(path.with_suffix(".sum"), f"{sha256} {len(data)} {records}\n".encode())
    wholefile.write(path.with_suffix(".done"), b"")
    return sha256
