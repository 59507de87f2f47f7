"""What the two readers of evidence judge, the script and the page: a place of a module's own, and a bundle from it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.bundles import Clean, Place, clean, place


@pytest.fixture(scope="module")
def here(postgres: str, request: pytest.FixtureRequest) -> Iterator[Place]:
    with place(postgres, request.path.stem.removeprefix("test_")) as found:
        yield found


@pytest.fixture(scope="module")
def bundle(here: Place) -> Clean:
    return clean(here)
