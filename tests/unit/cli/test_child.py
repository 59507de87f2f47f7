"""A process under the supervisor: forked, watched, started again, and stopped."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkProcess
from pathlib import Path

import pytest

from gateway.cli import child
from gateway.cli.child import Backoff, Child, run_to_its_end

PATIENCE_S = 10.0


def sleep_on() -> int:
    while True:
        time.sleep(1)


def within_patience(fulfilled: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while not fulfilled():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Child]:
    found = Child("sleeper", sleep_on, lambda: True)
    found.start(tmp_path)
    yield found
    found.stop()


def test_a_child_that_was_killed_is_started_again(sleeper: Child, tmp_path: Path) -> None:
    first = sleeper.pid
    assert not sleeper.look(tmp_path)
    os.kill(first, signal.SIGKILL)
    assert within_patience(lambda: sleeper.look(tmp_path))
    assert sleeper.pid not in (0, first)


def test_between_its_death_and_its_next_life_it_has_no_process(sleeper: Child, tmp_path: Path) -> None:
    os.kill(sleeper.pid, signal.SIGKILL)
    assert within_patience(lambda: not sleeper.look(tmp_path) and sleeper.pid == 0)


def test_a_child_for_which_there_is_no_room_is_started_when_there_is(
    sleeper: Child, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, tries = sleeper.pid, list[float]()

    def refuse(_process: ForkProcess) -> None:
        tries.append(time.monotonic())
        raise BlockingIOError

    sleeper.backoff.started_at -= child.STEADY_S + 1
    os.kill(first, signal.SIGKILL)
    with monkeypatch.context() as crowded:
        crowded.setattr(ForkProcess, "start", refuse)
        assert within_patience(lambda: not sleeper.look(tmp_path) and len(tries) == 3)
    assert tries[2] - tries[1] > tries[1] - tries[0]
    assert within_patience(lambda: sleeper.look(tmp_path))
    assert sleeper.pid not in (0, first)


def test_a_child_that_will_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "STOP_S", 0.3)
    heard = tmp_path / "heard"

    def stubborn() -> int:
        signal.signal(signal.SIGTERM, lambda *_: heard.touch())
        (tmp_path / "up").touch()
        return sleep_on()

    one = Child("stubborn", stubborn, lambda: True)
    one.start(tmp_path)
    assert within_patience((tmp_path / "up").exists)
    one.stop()
    assert heard.exists()
    assert one.process is not None
    assert one.process.exitcode == -signal.SIGKILL


def test_a_child_that_may_need_longer_is_given_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "STOP_S", 0.1)

    def thorough() -> int:
        asked = list[int]()
        signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
        (tmp_path / "up").touch()
        while not asked:
            time.sleep(0.01)
        time.sleep(0.5)
        return 0

    one = Child("thorough", thorough, lambda: True)
    one.start(tmp_path)
    assert within_patience((tmp_path / "up").exists)
    one.stop(PATIENCE_S)
    assert one.process is not None
    assert one.process.exitcode == 0


def test_each_death_in_a_row_waits_longer_and_a_long_life_is_forgiven() -> None:
    one = Backoff()
    waits = []
    for _ in range(10):
        one.died()
        waits.append(round(one.not_before - time.monotonic(), 1))
    assert waits[:4] == [0.2, 0.5, 1.0, 2.0]
    assert waits[-1] == child.LONGEST_BACKOFF_S
    one.started_at -= child.STEADY_S + 1
    one.died()
    assert one.not_before - time.monotonic() < child.BACKOFF_S + 0.01


def test_what_it_says_is_in_its_log_and_its_exit_code_comes_back(tmp_path: Path) -> None:
    def speak() -> int:
        os.write(1, b"said\n")
        os.write(2, b"also said\n")
        return 3

    assert run_to_its_end("speaker", speak, tmp_path) == 3
    assert (tmp_path / "speaker.log").read_text() == "said\nalso said\n"


def test_an_error_that_nobody_expected_ends_it_without_the_words_of_the_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hook(kind: type[BaseException], *_: object) -> None:
        os.write(2, kind.__name__.encode())

    monkeypatch.setattr("sys.excepthook", hook)

    def fail() -> int:
        raise ValueError("a name of a person")

    assert run_to_its_end("failing", fail, tmp_path) == 1
    assert (tmp_path / "failing.log").read_text() == "ValueError"
