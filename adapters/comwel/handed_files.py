"""Files between COMWEL and the gateway that were answered: as long as they lie on the disk, and their end.

COMWEL's lie in done/ and err/ of the drop folder, ours in the folder for COMWEL; all of them have names of the form
`RHB_<kind>_<date>_<number>`, or the temporary name of one that somebody died over. Their age counts from when they were
written. Nothing else in those folders is touched, and nothing in the drop folder itself: what lies there has not been
answered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path

from adapters.comwel.files import DONE, ERR
from adapters.comwel.layout import day_of
from gateway import wholefile
from gateway.errors import FolderUnusable, Place
from gateway.korea import KST
from gateway.ports import HandedFile

_NAME = re.compile(r"RHB_[A-Z]+_([0-9]{8})_([0-9]{1,9})(?:\.[0-9a-f]{12})?\.(?:dat|ndjson)")


class FolderFiles:
    """Implements `gateway.ports.HandedFiles` with folders."""

    def __init__(self, from_comwel: Path, to_comwel: Path) -> None:
        self._folders = (from_comwel / DONE, from_comwel / ERR, to_comwel)

    def older(self, before: date) -> Sequence[HandedFile]:
        """Data files last written before this day, in Korea, folder by folder in order of name."""
        try:
            return [file for folder in self._folders for file in _files(folder) if _written(file.path) < before]
        except OSError as error:
            raise FolderUnusable(place=Place(Path(error.filename or "").name)) from None

    def destroy(self, file: HandedFile) -> None:
        """Delete a file and what lies beside it; the data last, so that half of it is found again."""
        try:
            for suffix in (".done", ".sum", file.path.suffix):
                file.path.with_suffix(suffix).unlink(missing_ok=True)
        except OSError:
            raise FolderUnusable(place=Place(file.path.name)) from None


def _files(folder: Path) -> Iterator[HandedFile]:
    with suppress(FileNotFoundError):
        for path in sorted(folder.iterdir()):
            if name := _NAME.fullmatch(wholefile.meant(path.name)):
                yield HandedFile(path, day_of(name[1]), int(name[2]))  # without a day: such a file was refused


def _written(path: Path) -> date:
    return datetime.fromtimestamp(path.stat().st_mtime, KST).date()
