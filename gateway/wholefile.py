"""Writing a file so that nobody ever sees half of it, not even after a power failure.

Rules: a temporary name beside it, fsync, rename, fsync of the folder. Refuses to append, and to write in place.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

AT_ONCE = 16
"""How many files are on their way to the disk together: it syncs them as soon as one."""


def write(path: Path, data: bytes, whole: Callable[[], None] = lambda: None) -> None:
    """Write `data` so that `path` is either absent, old, or wholly new. Makes its folder. Raises OSError.

    `whole` is called when the file is on the disk and does not have its name yet.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    whole()
    temporary.replace(path)
    keep_names(path.parent)


def keep_names(folder: Path) -> None:
    """Sync a folder: the names in it outlast a power failure from now on. Raises OSError."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def write_all(files: Iterable[tuple[Path, bytes]]) -> None:
    """Write many files, each so, and some of them side by side; all are there when it returns. Raises OSError."""
    left = iter(files)
    with ThreadPoolExecutor(AT_ONCE, "wholefile") as hands:
        while some := list(islice(left, AT_ONCE)):
            for written in [hands.submit(write, path, data) for path, data in some]:
                written.result()
