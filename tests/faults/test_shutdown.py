"""SIGTERM: nothing new is begun, what is under way is finished, and nothing is left for a lease to run out."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli.partners import free_port
from gateway.cli.running import answers
from gateway.cli.serving import ANSWER_S
from gateway.config import environment
from gateway.worker.embedded import SPARE_S
from tests.faults.stage import ATTEMPT_S, LEASE_S, Stage, wait_for

ENDS_S = ATTEMPT_S + SPARE_S
"""What the gateway promises. A lease is longer, so nothing here is explained by a lease that ran out."""


def ends(process: subprocess.Popen[bytes], patience_s: float) -> float:
    """Ask a process to end; how many seconds it took. It must end by itself, and well."""
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    assert process.wait(patience_s) == 0
    return time.monotonic() - began


@pytest.mark.parametrize("broker", ["with a broker", "with a broker that has died"])
def test_a_worker_that_is_stopped_while_it_delivers_leaves_no_lease(stage: Stage, broker: str) -> None:
    stage.start_broker(to_be_killed="died" in broker)
    stage.start_workers("worker-1")
    with stage.stuck("KEAD"):
        stage.hand_over()
        wait_for("it is in the middle of a delivery", lambda: bool(stage.leased_by("worker-1")))
        if "died" in broker:
            stage.kill("valkey")
        assert ends(stage.processes["worker-1"], ENDS_S + 2) < LEASE_S + 2
        assert stage.count("select count(*) from delivery where state = 'leased' or lease_owner is not null") == 0
        assert stage.waiting("KEAD") > 0
    stage.start("worker-2", sys.executable, "-m", "gateway", "worker")
    stage.until_quiet()
    assert stage.problems() == []


def test_a_worker_that_was_waiting_on_nothing_ends_at_once(stage: Stage) -> None:
    stage.start_broker()
    stage.start_workers("worker-1")
    assert ends(stage.processes["worker-1"], ENDS_S) < ENDS_S
    assert ends(stage.processes["beat"], 5.0) < 5.0


# ── the door ─────────────────────────────────────────────────────────────────────────────────────────────────────────
class OpenDoor:
    """`gateway serve --door-only` as a process of its own."""

    def __init__(self, home: Path, database: str) -> None:
        self.port = free_port()
        env = environment(home=home, port=self.port, database_url=database)
        command = [sys.executable, "-m", "gateway", "serve", "--door-only"]
        self.process = subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL)
        wait_for("the door is open", lambda: answers(f"http://127.0.0.1:{self.port}/health/ready"))

    def call(self, half: bytes) -> socket.socket:
        """A caller who has said half of what it wants to say."""
        caller = socket.create_connection(("127.0.0.1", self.port), timeout=ANSWER_S + 10)
        caller.sendall(half)
        time.sleep(0.2)
        return caller


@pytest.fixture
def door(home: Path, database: str) -> Iterator[OpenDoor]:
    found = OpenDoor(home, database)
    yield found
    found.process.kill()
    found.process.wait()


HEADERS = ("Content-Digest", "Idempotency-Key", "Comwel-Message-JWS", "Signature-Input", "Signature")
HALF = (
    "POST /partners/KEIS/v1/outcomes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 4\r\n"
    + "".join(f"{name}: x\r\n" for name in HEADERS)  # who lacks one is answered before its body is read
    + "\r\n{}"
).encode()


def test_a_request_that_is_under_way_is_answered_and_nobody_else_is_let_in(door: OpenDoor) -> None:
    with door.call(HALF) as caller:
        os.kill(door.process.pid, signal.SIGTERM)
        wait_for("the door is closed", lambda: not answers(f"http://127.0.0.1:{door.port}/health/live"))
        caller.sendall(b"  ")
        assert caller.recv(4096).startswith(b"HTTP/1.1 401 ")
    assert door.process.wait(ANSWER_S) == 0


def test_a_caller_that_never_ends_its_request_keeps_no_door_open(door: OpenDoor) -> None:
    with door.call(HALF):
        assert ANSWER_S - 1 < ends(door.process, ANSWER_S + 8) < ANSWER_S + 5
