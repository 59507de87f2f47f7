"""Rows in the shapes that statements take and give: as arrays, as JSON, as lines of text, a few hundred at a time.

COPY is not possible under row-level security, so many rows go as one array a column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import orjson

SLICE = 256
"""How many rows of a night go in one statement."""

Row = TypeVar("Row", bound=tuple[Any, ...])


def as_rows(make: Callable[..., Row], found: Iterable[tuple[Any, ...]]) -> list[Row]:
    """What a statement found, a named row each."""
    return [make(*columns) for columns in found]


def as_dicts(rows: Iterable[Any]) -> list[dict[str, Any]]:
    """Named rows as parameters of a statement, one set a row."""
    return [row._asdict() for row in rows]


def in_slices(rows: Sequence[Row], size: int = SLICE) -> Iterator[Sequence[Row]]:
    """Rows a few hundred at a time: as arrays they are in memory three times over while they are sent."""
    return (rows[at : at + size] for at in range(0, len(rows), size))


def as_arrays(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> dict[str, list[Any]]:
    """Rows as one array a column, for `unnest`."""
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return {name: list(column) for name, column in zip(names, columns, strict=True)}


def as_texts(words: Iterable[Iterable[str]]) -> list[str]:
    """An array a row as one text a row: `unnest` would flatten an array of arrays."""
    return ["\n".join(each) for each in words]


def as_json(rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as one parameter of one statement, for `json_populate_recordset`: one plan, however many they are."""
    return orjson.dumps(list(rows), default=_hexadecimal).decode()


def _hexadecimal(value: Any) -> str:
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    raise TypeError(type(value).__name__)
