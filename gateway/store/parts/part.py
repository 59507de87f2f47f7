"""What every part of a unit of work stands on: a connection, and the seal of what is kept through it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from gateway.store.sealed import Seal, Sealed
from gateway.store.shapes import Row
from gateway.store.statements import Connection


class Part:
    """A part of a unit: the connection, and the seal of what it keeps."""

    def __init__(self, connection: Connection, seal: Seal) -> None:
        self._c, self._seal = connection, seal

    def _opened(self, kind: Sealed, make: Callable[..., Row], found: Iterable[Sequence[Any]]) -> list[Row]:
        """Rows of a table of cases, each with the key of its case in the last column."""
        return [self._open(kind, make, columns) for columns in found]

    def _open(self, kind: Sealed, make: Callable[..., Row], columns: Sequence[Any]) -> Row:
        *said, key = columns
        row = make(*said)
        return self._seal.open(kind, row, key, row.case_no)  # type: ignore[attr-defined]
