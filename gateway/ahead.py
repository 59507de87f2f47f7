"""Ahead: a stream in pieces, of which the next is made while somebody works on the last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar, cast

_T = TypeVar("_T")


def chunks(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    """Cut a stream into lists of at most `size`."""
    stream = iter(items)
    while chunk := list(islice(stream, size)):
        yield chunk


def ahead(items: Iterable[_T]) -> Iterator[_T]:
    """The same; the next one is made, in a thread of its own, while somebody works on the last."""
    with ThreadPoolExecutor(1, "ahead") as maker:
        stream, end = iter(items), object()
        coming = maker.submit(next, stream, end)
        while (item := coming.result()) is not end:
            coming = maker.submit(next, stream, end)
            yield cast(_T, item)
