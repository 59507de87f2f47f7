"""The supervisor: what those who run under it are told, and what not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli import running
from gateway.cli.partners import free_port
from gateway.config import environment
from tests.faults.stage import wait_for

OWNER = "postgresql://owner:secret@127.0.0.1:1/gateway"
PLAYED = """
import time
from gateway.cli.supervisor import Supervisor
from gateway.config import read_settings

def act(words, known):
    with (read_settings().home / "told").open("a") as told:
        print(words[0], read_settings().owner_url, file=told)
    while words[0] != "migrate":
        time.sleep(1)
    return 0

Supervisor(read_settings(), 1, act).run()
"""
"""A supervisor whose commands only say what they were told; neither database nor broker is asked."""


@pytest.fixture(params=["GATEWAY_OWNER_URL", "gateway_owner_url"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A home that is up, begun with the owner's address."""
    login, nobody = OWNER.replace("owner", "login"), "redis://127.0.0.1:1"
    env = environment(home=tmp_path, port=free_port(), database_url=login, broker_url=nobody) | {request.param: OWNER}
    process = subprocess.Popen([sys.executable, "-c", PLAYED], env=env)
    try:
        yield tmp_path
    finally:
        process.terminate()
        process.wait()


def told(home: Path) -> list[str]:
    path = home / "told"
    return sorted(path.read_text().splitlines()) if path.exists() else []


def test_the_owners_address_is_for_the_migration_and_nobody_who_runs_then_has_it(home: Path) -> None:
    everybody = ["beat None", "migrate None", f"migrate {OWNER}", "serve None", "worker None"]
    wait_for("everybody was told", lambda: len(told(home)) >= len(everybody))
    assert told(home) == everybody
    state = running.read_state(home)
    assert state is not None
    for one in (state["supervisor"], *state["children"]):
        assert OWNER.encode() not in Path(f"/proc/{one['pid']}/environ").read_bytes(), one["name"]
