"""Writing a file so that nobody ever sees half of it, not even after a power failure.

Rules: a temporary name beside it, fsync, rename, fsync of the folder: of many files once, behind the last of them.
Refuses to append, and to write in place.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

AT_ONCE = 16
"""How many files are on their way to the disk together: it syncs them as soon as one."""
FEW = 2
"""So many are as soon there one after the other: a thread for each costs more than it spares."""
_TEMPORARY = re.compile(r"\.(.+)\.[0-9]+\.tmp", re.ASCII)


def write(path: Path, data: bytes, whole: Callable[[], None] = lambda: None) -> None:
    """Write `data` so that `path` is either absent, old, or wholly new. Makes its folder. Raises OSError.

    `whole` is called when the file is on the disk and does not have its name yet.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _on_disk(path, data)
    whole()
    temporary.replace(path)
    keep_names(path.parent)


def _on_disk(path: Path, data: bytes) -> Path:
    """The file under a temporary name, synced. Its folder is there."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb", buffering=0) as file:
        left = memoryview(data)
        while left:
            left = left[file.write(left) :]
        os.fsync(file.fileno())
    return temporary


def meant(name: str) -> str:
    """The name that a file under a temporary one was to have, whoever died over it; any other name is its own."""
    found = _TEMPORARY.fullmatch(name)
    return found[1] if found else name


def keep_names(folder: Path) -> None:
    """Sync a folder: the names in it outlast a power failure from now on. Raises OSError."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def write_all(files: Iterable[tuple[Path, bytes]]) -> None:
    """Write many files, each so, and some of them side by side; all are there when it returns. Raises OSError."""
    left, folders = iter(files), set[Path]()
    with ThreadPoolExecutor(AT_ONCE, "wholefile") as hands:
        while some := list(islice(left, AT_ONCE)):
            for folder in {path.parent for path, _ in some} - folders:
                folder.mkdir(parents=True, exist_ok=True)
                folders.add(folder)
            each = hands.map if len(some) > FEW else map
            for (path, _), temporary in zip(some, each(_on_disk, *zip(*some, strict=True)), strict=True):
                temporary.replace(path)
    for folder in folders:
        keep_names(folder)
