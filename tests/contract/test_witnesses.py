"""The port to a witness: the way over HTTP to a process, and the near one that tests use, give the same answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import uvicorn

from adapters.witnesses.http import HttpWitness
from adapters.witnesses.own.memory import Memory
from adapters.witnesses.own.server import build
from adapters.witnesses.own.witness import Witness
from gateway.cli.serving import listen
from gateway.exchange_log.checkpoint import open_checkpoint
from gateway.exchange_log.witnessing import LONGEST
from gateway.ports import WitnessAnswer, WitnessChannel
from tests.fakes.witnesses import Near
from tests.unit.adapters.witnesses.test_witness import COSIGNER, FORKED, KEY, ORIGIN, OURS, Watch

Serve = Callable[[object], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Runs an ASGI application on a socket; gives its address."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(app: object) -> str:
        listening = listen("127.0.0.1", 0)
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))  # type: ignore[arg-type]
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        running.append((server, thread))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        return f"http://127.0.0.1:{listening.getsockname()[1]}/"

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join()


@pytest.fixture(params=["near", "http"])
def channel(request: pytest.FixtureRequest, tmp_path: Path, serve: Serve) -> Iterator[WitnessChannel]:
    with closing(Memory(tmp_path / "cosigned.db")) as memory:
        witness = Witness(COSIGNER, memory, lambda: {ORIGIN: KEY.verifier}, Watch())
        found: WitnessChannel = Near(witness)
        if request.param == "http":
            found = HttpWitness(serve(build(witness, COSIGNER.verifier.vkey)))
        with closing(found):
            yield found


def test_a_cosignature_comes_back_as_it_was_made(channel: WitnessChannel) -> None:
    said = channel.add_checkpoint(OURS.submission(0, 8).to_bytes())
    assert said.status == 200
    assert open_checkpoint(OURS.note(8) + said.body, KEY.verifier, (COSIGNER.verifier,)).checkpoint == OURS.head(8)


def test_what_it_does_not_cosign_comes_back_with_its_reason(channel: WitnessChannel) -> None:
    channel.add_checkpoint(OURS.submission(0, 8).to_bytes())
    assert channel.add_checkpoint(OURS.submission(0, 13).to_bytes()) == WitnessAnswer(409, "8\n")
    assert channel.add_checkpoint(FORKED.submission(8, 13).to_bytes()).status == 422
    assert channel.add_checkpoint(b"nonsense").status == 400


def test_it_shows_what_it_has_cosigned_and_nothing_else(channel: WitnessChannel) -> None:
    assert channel.latest(ORIGIN).status == 404
    channel.add_checkpoint(OURS.submission(0, 8).to_bytes())
    assert open_checkpoint(channel.latest(ORIGIN).body, KEY.verifier).checkpoint == OURS.head(8)
    assert channel.latest("other.example/log").status == 404


# ── over HTTP only: whatever it does, it is an answer or none ────────────────────────────────────────────────────────
async def chatty(_scope: object, _receive: object, send: Callable[[dict[str, object]], object]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[misc]
    await send({"type": "http.response.body", "body": b"x" * (LONGEST + 1)})  # type: ignore[misc]


async def not_a_text(_scope: object, _receive: object, send: Callable[[dict[str, object]], object]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[misc]
    await send({"type": "http.response.body", "body": b"\xff"})  # type: ignore[misc]


async def dripping(_scope: object, _receive: object, send: Callable[[dict[str, object]], object]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[misc]
    for _ in range(30):
        await send({"type": "http.response.body", "body": b"x", "more_body": True})  # type: ignore[misc]
        time.sleep(0.05)


@pytest.mark.parametrize("app", [chatty, not_a_text, dripping])
def test_a_witness_that_talks_without_end_has_not_answered(app: object, serve: Serve) -> None:
    with closing(HttpWitness(serve(app), patience_s=0.5)) as channel:
        began = time.monotonic()
        assert channel.add_checkpoint(b"") == WitnessAnswer(None)
        assert time.monotonic() - began < 1.4


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://[nowhere", "ftp://127.0.0.1/"])
def test_a_witness_that_is_nowhere_has_not_answered(url: str) -> None:
    with closing(HttpWitness(url, patience_s=0.5)) as channel:
        assert channel.latest(ORIGIN) == WitnessAnswer(None)
