"""`gateway up` and `gateway down`, as an operator types them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import orjson

from gateway.cli.partners import free_port
from gateway.cli.running import alive, answers, read_state
from gateway.config import environment
from tests.faults.stage import wait_for

READY_S = 45.0
"""Bounded, and generous: it takes 6 to 12 s on two shared cores, and other tests may be running beside."""
NAMES = {"postgres", "valkey", "door", "worker-1", "worker-2", "beat"}


def run(home: Path, *words: str, port: int, **settings: object) -> subprocess.CompletedProcess[bytes]:
    env = environment(home=home, port=port, **settings)
    command = [sys.executable, "-m", "gateway", *words]
    return subprocess.run(command, env=env, capture_output=True, timeout=90, check=False)


def children(home: Path) -> dict[str, dict[str, Any]]:
    state = read_state(home)
    assert state is not None
    return {one["name"]: one for one in state["children"]}


def test_up_is_ready_soon_replaces_who_dies_and_down_leaves_nobody(home: Path) -> None:
    port, began = free_port(), time.monotonic()
    done = run(home, "up", port=port)
    try:
        assert done.returncode == 0, done.stderr.decode()
        assert time.monotonic() - began < READY_S
        assert httpx2.get(f"http://127.0.0.1:{port}/health/ready", trust_env=False).status_code == 200
        before = children(home)
        assert before.keys() == NAMES
        assert all(map(alive, before.values()))
        assert b"is up already" in run(home, "up", port=port).stderr
        status = orjson.loads(run(home, "status", "--json", port=port).stdout)
        assert {one["name"] for one in status["processes"] if one["since"]} == NAMES | {"supervisor"}
        assert (status["ready"], status["because"]) == (True, [])

        os.kill(before["door"]["pid"], signal.SIGKILL)
        wait_for("another door", lambda: children(home)["door"]["pid"] != before["door"]["pid"])
        wait_for("the door is open again", lambda: answers(f"http://127.0.0.1:{port}/health/ready"))
        after = children(home)
        assert {name for name in NAMES if after[name] != before[name]} == {"door"}
        state = read_state(home)
        assert state is not None
    finally:
        down = run(home, "down", port=port)
    assert (down.returncode, down.stderr) == (0, b"")
    assert read_state(home) is None
    assert not [one["name"] for one in (*after.values(), state["supervisor"]) if alive(one)]
    assert run(home, "down", port=port).returncode == 0


def neighbours() -> int:
    """A free port whose successor is free too."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as first:
            port: int = first.getsockname()[1]
            with suppress(OSError), socket.create_server(("127.0.0.1", port + 1)):
                return port


def test_metrics_are_on_ports_side_by_side_and_down_stops_the_children_of_a_supervisor_that_was_killed(
    home: Path,
) -> None:
    port, metrics = free_port(), neighbours()
    assert run(home, "up", "--workers", "1", port=port, metrics_port=metrics).returncode == 0
    state = read_state(home)
    assert state is not None
    at_door, at_worker = (httpx2.get(f"http://127.0.0.1:{metrics + n}", trust_env=False).text for n in (0, 1))
    assert "gateway_database_up 1.0" in at_door
    assert "gateway_wakes_total" in at_worker
    os.kill(state["supervisor"]["pid"], signal.SIGKILL)
    down = run(home, "down", port=port)
    assert b"the supervisor was gone" in down.stderr
    assert not [one["name"] for one in state["children"] if alive(one)]
