"""The supervisor: what those who run under it are told, and what not."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli import running, supervisor
from gateway.cli.child import Child
from gateway.cli.partners import free_port
from gateway.config import Settings, environment
from gateway.errors import GatewayError, NotFit, StoreUnavailable
from gateway.worker.embedded import SPARE_S
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
STOPPED = "import os, signal" + PLAYED.replace(
    "    while words", "    os.kill(os.getppid(), signal.SIGTERM)\n    while words"
)
SLOW = "from gateway.cli import supervisor\nsupervisor.READY_S = 0.0\n" + PLAYED
LOGIN, NOBODY = OWNER.replace("owner", "login"), "redis://127.0.0.1:1"


@pytest.fixture(params=["GATEWAY_OWNER_URL", "gateway_owner_url"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A home that is up, begun with the owner's address."""
    env = environment(home=tmp_path, port=free_port(), database_url=LOGIN, broker_url=NOBODY) | {request.param: OWNER}
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


def test_a_home_is_up_from_the_first_moment_on_and_not_any_more_when_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []

    def starting(home: Path) -> None:
        seen.append(running.is_up(home))
        raise StoreUnavailable

    monkeypatch.setattr(supervisor, "embedded_postgres", starting)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(StoreUnavailable):
        supervisor.Supervisor(Settings(home=tmp_path, port=1), 1, lambda words, known: 1).run()
    assert (seen, running.read_state(tmp_path)) == ([True], None)


def test_who_is_told_to_stop_while_the_database_is_prepared_starts_nobody(tmp_path: Path) -> None:
    env = environment(home=tmp_path, port=free_port(), database_url=LOGIN, broker_url=NOBODY)
    done = subprocess.run([sys.executable, "-c", STOPPED], env=env, timeout=60, check=False)
    assert (done.returncode, told(tmp_path), running.read_state(tmp_path)) == (0, ["migrate None"], None)


@pytest.mark.parametrize(("code", "error"), [(1, NotFit), (running.DATABASE_AWAY, StoreUnavailable)])
def test_a_database_that_is_not_prepared_is_no_wrong_setting(
    code: int, error: type[GatewayError], tmp_path: Path
) -> None:
    up = supervisor.Supervisor(Settings(home=tmp_path, port=1), 1, lambda words, known: code)
    (tmp_path / "logs").mkdir()
    with pytest.raises(error, match=f"ended with {code}; see .*prepare.log"):
        up._prepare(up._prepared)


def test_who_is_not_ready_in_time_is_named_and_is_no_wrong_setting(tmp_path: Path) -> None:
    env = environment(home=tmp_path, port=free_port(), database_url=LOGIN, broker_url=NOBODY)
    done = subprocess.run([sys.executable, "-c", SLOW], env=env, timeout=60, check=False, stderr=subprocess.PIPE)
    assert NotFit.code.encode() in done.stderr
    assert b"not ready in 0 s: door" in done.stderr
    assert running.read_state(tmp_path) is None


def test_who_is_in_the_middle_of_a_long_attempt_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(Child, "stop", lambda _child, at_least_s=0.0: waited.append(at_least_s))
    settings = Settings(home=tmp_path, port=1, attempt_timeout_s=60, lease_s=90)
    up = supervisor.Supervisor(settings, 1, lambda words, known: 1)
    up._children.append(Child("worker-1", lambda: 0, lambda: True))
    up._write()
    up._down()
    state = running.read_state(tmp_path)
    assert state is not None
    assert min(waited[0], state["ends_s"]) > 60 + SPARE_S


@pytest.mark.parametrize(("url", "on_a_server"), [(None, False), (LOGIN, True)])
def test_whether_the_database_is_a_servers_is_told_to_who_visits(
    url: str | None, on_a_server: bool, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path, port=1, database_url=url)
    supervisor.Supervisor(settings, 1, lambda words, known: 1)._write()
    state = running.read_state(tmp_path)
    assert state is not None
    assert state["on_a_server"] is on_a_server
