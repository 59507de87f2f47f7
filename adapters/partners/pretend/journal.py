"""The journal: one line of JSON per thing that happened, appended before anybody is told, read back at the start.

`{"what": …, "at": "<UTC>", …}`. The kinds of line are those of `desk.Desk`. A line is written with one system call on a
file opened for appending, so a killed process loses at most the line it was writing; a torn last line is cut off at the
next start. It keeps numbers, digests, receipts and what this partner said itself: it refuses to keep what COMWEL wrote
about a worker, so there is nothing to erase when a consent is withdrawn.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson


class Journal:
    """An append-only NDJSON file. Not for two processes at once."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._cut_torn_line()
        self._end = os.fstat(self._file).st_size

    def append(self, line: Mapping[str, Any]) -> int:
        """Write one line through to the operating system; returns its place, the byte at which it begins."""
        raw, place = orjson.dumps(line) + b"\n", self._end
        os.write(self._file, raw)
        self._end += len(raw)
        return place

    def lines(self) -> Iterator[dict[str, Any]]:
        """Every line, oldest first."""
        return (line for _, line in self.placed())

    def placed(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Every line and its place, oldest first."""
        place = 0
        with self._path.open("rb") as lines:
            for raw in lines:
                yield place, orjson.loads(raw)
                place += len(raw)

    def at(self, place: int) -> dict[str, Any]:
        """The line at a place."""
        with self._path.open("rb") as lines:
            lines.seek(place)
            found: dict[str, Any] = orjson.loads(lines.readline())
            return found

    def close(self) -> None:
        """Close the file. Nothing may be appended afterwards."""
        os.close(self._file)

    def _cut_torn_line(self) -> None:
        content = self._path.read_bytes()
        if content and not content.endswith(b"\n"):
            os.ftruncate(self._file, content.rfind(b"\n") + 1)
