"""Writing a file so that nobody ever sees half of it, not even after a power failure.

Rules: a temporary name beside it, fsync, rename, fsync of the folder. Refuses to append, and to write in place.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


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
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
