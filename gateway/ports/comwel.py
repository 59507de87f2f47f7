"""Ways in which COMWEL hands over, and takes back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from gateway.errors import Place
from gateway.ports.handovers import HandoverFile


class Problem(NamedTuple):
    """A record that cannot be taken in, and why."""

    record_no: int
    case_no: str | None
    reason: str
    field: str | None
    raw: bytes
    sha256: str


def place_of(problem: Problem, file: str) -> Place:
    """Where a problem is, for an error or a report."""
    return Place(file, problem.record_no, problem.field)


class FactsRecord(NamedTuple):
    """One good A1 record: change I U D M X, and the facts in canonical names."""

    record_no: int
    change: str
    case_no: str
    version: int
    old_case_no: str | None
    facts: Mapping[str, Any]
    sha256: str


class EntryRecord(NamedTuple):
    """One good A6 entry; `held_rrn` says where a resident registration number was removed."""

    record_no: int
    case_no: str
    version: int
    entry: Mapping[str, Any]
    sha256: str
    held_rrn: str | None


class FileHead(NamedTuple):
    """What a file says about itself."""

    name: str
    way: str
    base_date: date
    file_seq: int
    previous_seq: int | None
    original_seq: int | None
    mode: str
    sha256: str


class HandoverReader(Protocol):
    """One way in which COMWEL hands over files."""

    way: str

    def ready(self, directory: Path) -> Sequence[Path]:
        """Files that are complete, in order of base date and number."""
        ...

    def head(self, path: Path) -> FileHead:
        """Read the head. Raises HandoverRefused when the file is not what it claims to be."""
        ...

    def named(self, path: Path) -> FileHead | None:
        """What the name alone says, to answer a file whose head is refused; None when it names no day and number."""
        ...

    def judge(self, head: FileHead, taken_in: Sequence[HandoverFile]) -> str | None:
        """Does this file follow those taken in? Returns the id of a file it replaces. Raises HandoverRefused."""
        ...

    def records(self, path: Path) -> Iterator[FactsRecord | EntryRecord | Problem]:
        """Read all records. Raises HandoverRefused when the whole file must be rejected, at the latest at its end."""
        ...

    def acknowledge(
        self,
        directory: Path,
        head: FileHead,
        refused: str | None,
        problems: Sequence[Problem],
        total: int,
        *,
        beside: bool = False,
    ) -> Path | None:
        """Write the acknowledgement back, atomically; `beside` that of another file with the same date and number."""
        ...

    def tidy(self, directory: Path) -> None:
        """Put away the rest of files that were put away by halves, when somebody died. Raises OSError."""
        ...

    def put_away(self, path: Path, *, good: bool) -> None:
        """Move a file that has been answered out of the folder: nothing is deleted or overwritten. Raises OSError."""
        ...


class HandedFile(NamedTuple):
    """A file between COMWEL and the gateway that was answered. `base_date` (None: no day) and `file_seq` as named."""

    path: Path
    base_date: date | None
    file_seq: int


class HandedFiles(Protocol):
    """Files that were handed over and answered, both ways, as long as they lie there."""

    def older(self, before: date) -> Sequence[HandedFile]:
        """Those last written before this day, in Korea. Raises FolderUnusable."""
        ...

    def destroy(self, file: HandedFile) -> None:
        """Delete a file and its marks. Raises FolderUnusable."""
        ...


class RtwRegister(Protocol):
    """COMWEL's return-to-work register, written back as files."""

    def check(self, row: Mapping[str, Any]) -> None:
        """Whether a file has room for a row. Raises HandoverRefused."""
        ...

    def write(self, directory: Path, file_date: date, file_seq: int, rows: Sequence[Mapping[str, Any]]) -> str:
        """Write one file atomically; the same rows give the same bytes. Returns their SHA-256, hex.

        Raises FolderUnusable with the name of the file.
        """
        ...
