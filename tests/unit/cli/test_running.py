"""Who runs in a home: only the very processes that were started there count."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import cast

import orjson
import pytest

from gateway.cli import pretend, running
from gateway.cli.child import Child
from gateway.cli.supervisor import Supervisor
from gateway.config import Settings
from gateway.errors import NotFit, SettingsInvalid, StoreUnavailable

US = os.getpid()


def write_state(home: Path, *children: dict[str, object], supervisor: dict[str, object] | None = None) -> None:
    said = {"supervisor": supervisor or running.described("supervisor", 0), "ready": True, "children": children}
    running.state_file(home).write_bytes(orjson.dumps(said))


def test_a_number_that_was_given_out_again_is_nobody_of_ours(tmp_path: Path) -> None:
    write_state(tmp_path, running.described("door", US) | {"began": "1"})
    assert not running.is_up(tmp_path)
    assert running.down(tmp_path) == []


def test_a_home_whose_supervisor_is_gone_is_up_as_long_as_somebody_runs(tmp_path: Path) -> None:
    write_state(tmp_path, running.described("door", US))
    assert running.is_up(tmp_path)


def test_down_ends_what_is_left_and_forgets_it(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    write_state(tmp_path, running.described("beat", process.pid))
    assert running.down(tmp_path) == ["beat"]
    assert process.wait() == -15
    assert running.read_state(tmp_path) is None


def test_a_state_that_was_cut_short_is_nobodys(tmp_path: Path) -> None:
    running.state_file(tmp_path).write_bytes(b'{"supervisor": {"pid"')
    assert not running.is_up(tmp_path)
    assert running.down(tmp_path) == []


def test_what_a_home_said_before_its_machine_stopped_says_nothing_about_who_is_started_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_state(tmp_path, running.described("door", US) | {"began": "1"})
    monkeypatch.setenv("GATEWAY_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("GATEWAY_BROKER_URL", "redis://127.0.0.1:1")
    with pytest.raises(StoreUnavailable, match="the supervisor ended"):
        running.up(Settings(home=tmp_path))


def test_a_supervisor_that_died_is_no_wrong_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(NotFit, match=r"the supervisor ended; see .*supervisor\.log"):
        running.up(Settings(home=tmp_path))


def test_nobody_is_supervised_twice_in_one_home(tmp_path: Path) -> None:
    def never(words: object, known: object) -> int:
        return 1

    write_state(tmp_path, running.described("door", US))
    settings = Settings(home=tmp_path, database_url="postgresql://127.0.0.1:1", broker_url="redis://127.0.0.1:1")
    with pytest.raises(SettingsInvalid, match="is up already"):
        Supervisor(settings, 1, never).run()
    assert running.is_up(tmp_path)


class Reborn:
    """A child that died once and runs again."""

    name, pid = "door", US

    def __init__(self) -> None:
        self.changes = [True]

    def look(self, logs: Path) -> bool:
        return bool(self.changes) and self.changes.pop()


def test_a_home_without_room_stops_nobody_and_says_who_runs_as_soon_as_it_can(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    up = Supervisor(Settings(home=tmp_path / "home", port=1), 1, lambda words, known: 1)
    up._children.append(cast(Child, Reborn()))
    up._look()  # there is no such folder, and a file in its way
    (tmp_path / "home").unlink()
    up._look()
    state = running.read_state(tmp_path / "home")
    assert state is not None
    assert [one["pid"] for one in state["children"]] == [US]


def test_a_family_is_a_process_and_what_it_started() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        assert {US, process.pid} <= set(running.family(US))
        assert running.family(process.pid) == [process.pid]
    finally:
        process.kill()
        process.wait()


def test_the_memory_of_a_process_is_known_and_of_none_is_nothing() -> None:
    assert 5 < running.memory_mb(US) < 5_000
    assert running.memory_mb(0) == 0.0


# ── a demo's home ────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_home_with_other_data_never_becomes_a_demos(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    with pytest.raises(SettingsInvalid, match="not a demo's"):
        pretend.mark(Settings(home=tmp_path), pretend.sandbox(tmp_path, 1))
    assert [path.name for path in tmp_path.iterdir()] == ["postgres"]


def test_an_empty_home_becomes_a_demos_and_keeps_its_first_day(tmp_path: Path) -> None:
    first = pretend.sandbox(tmp_path, 1)
    pretend.mark(Settings(home=tmp_path), first)
    assert pretend.sandbox(tmp_path, 1) == first
    pretend.mark(Settings(home=tmp_path), first)
