"""Fixtures of the partners' contract tests; the stage itself is in `stage.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.sealing.keys import SigningKey, generate
from tests.contract.partners.stage import Running, StubGateway, launch


@pytest.fixture(scope="session")
def gateway_key() -> SigningKey:
    return generate("comwel-2026-11")


@pytest.fixture
def stub_gateway(gateway_key: SigningKey) -> Iterator[StubGateway]:
    stub = StubGateway(gateway_key)
    yield stub
    stub.close()


@pytest.fixture
def start(tmp_path: Path, gateway_key: SigningKey, stub_gateway: StubGateway) -> Iterator[Callable[..., Running]]:
    """Start a pretend partner; the same partner twice in one test is the same one after a restart."""
    running: list[Running] = []

    def start(partner: str, *options: str) -> Running:
        usual = ("--gateway", stub_gateway.base, "--slow-seconds", "0")
        it = launch(partner, tmp_path / partner, gateway_key, *usual, *options)
        running.append(it)
        stub_gateway.partners = it.keys()
        return it

    yield start
    for it in running:
        it.stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, gateway_key: SigningKey) -> Iterator[Callable[[str], Running]]:
    """One running partner of each kind for tests that only send messages; its own reports go nowhere."""
    made: dict[str, Running] = {}

    def get(partner: str) -> Running:
        if partner not in made:
            nowhere = ("--gateway", "http://127.0.0.1:9", "--slow-seconds", "0", "--wait-seconds", "0")
            made[partner] = launch(partner, tmp_path_factory.mktemp(partner), gateway_key, *nowhere)
        return made[partner]

    yield get
    for it in made.values():
        it.stop()
