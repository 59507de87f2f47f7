"""Ahead: what is made before it is asked for comes as if it were made then."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.ahead import ahead


def test_what_is_made_ahead_keeps_its_order_and_its_faults_their_place() -> None:
    made: list[int] = []

    def numbers() -> Iterator[int]:
        for n in range(5):
            made.append(n)
            yield n
        raise ValueError("the sixth")

    coming = ahead(numbers())
    for n in range(5):
        assert next(coming) == n
        assert len(made) <= n + 2  # never more than the next one
    with pytest.raises(ValueError, match="the sixth"):
        next(coming)
