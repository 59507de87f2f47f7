"""A1, the nightly fixed-width batch: `RHB_CASE_<date>_<number>.dat` with `.sum` and `.done`.

Two passes over the file, both with one line in memory: the frame and the totals first (`a1_envelope`), so that a file
that must be rejected whole yields nothing; then the records (`a1_record`). A file with more than max(50, 1 %) bad
records is rejected whole as well, at the record that tips it: whoever reads must be able to undo.
It refuses to decide about gaps and resends by itself: `judge` needs to be told which files were good.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from adapters.comwel import a1_envelope, acknowledgement, files, sequence
from adapters.comwel.a1_record import Records
from gateway.errors import Place, TooManyBadRecords
from gateway.ports import FactsRecord, FileHead, HandoverFile, Problem

LEAST_LIMIT = 50
SHARE = 100  # one in a hundred


class A1Batch:
    """Implements `gateway.ports.HandoverReader` for the nightly batch."""

    way = a1_envelope.WAY

    def __init__(self, schemas: Path, site_map: Path | None = None) -> None:
        self.read = Records.load(schemas / "comwel" / "a1", site_map)
        self._acknowledge = acknowledgement.Acknowledgements.load(schemas)

    def ready(self, directory: Path) -> Sequence[Path]:
        """Complete files, by date and number."""
        return files.complete(directory, a1_envelope.NAME)

    def head(self, path: Path) -> FileHead:
        """The head of a complete file. Raises `HandoverRefused` when it is not what it claims to be."""
        return a1_envelope.read_head(path, self.read.layout)

    def named(self, path: Path) -> FileHead | None:
        """Date and number of the name: whoever sent a file with a broken head must hear of it."""
        return a1_envelope.named(path)

    def judge(self, head: FileHead, taken_in: Sequence[HandoverFile]) -> str | None:
        """See `adapters.comwel.sequence`."""
        return sequence.judge(head, taken_in)

    def records(self, path: Path) -> Iterator[FactsRecord | Problem]:
        """All C records in order. Raises `HandoverRefused` before the first, or `TooManyBadRecords` on the way."""
        envelope = a1_envelope.check(path, self.read.layout)
        limit = max(LEAST_LIMIT, envelope.records // SHARE)
        bad = 0
        lines = a1_envelope.lines(path, self.read.layout)
        for number, line in enumerate(islice(lines, 1, envelope.records + 1), start=1):
            record = self.read.read(line, number, path.name, envelope.head.base_date)
            if isinstance(record, Problem):
                bad += 1
                if bad > limit:
                    raise TooManyBadRecords(f"more than {limit} of {envelope.records}", place=Place(path.name, number))
            yield record

    def tidy(self, directory: Path) -> None:
        """See `adapters.comwel.files.put_rest_away`."""
        files.put_rest_away(directory, a1_envelope.NAME)

    def put_away(self, path: Path, *, good: bool) -> None:
        """See `adapters.comwel.files.put_away`."""
        files.put_away(path, files.DONE if good else files.ERR)

    def acknowledge(
        self,
        directory: Path,
        head: FileHead,
        refused: str | None,
        problems: Sequence[Problem],
        total: int,
        *,
        beside: bool = False,
    ) -> Path:
        """Write `RHB_ACK_<date>_<number>.dat`."""
        return self._acknowledge.write(directory, head, refused, problems, total, beside=beside)
