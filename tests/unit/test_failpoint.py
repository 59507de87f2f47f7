"""Failpoints: a closed list, armed only in a test, and a process that hits one is gone at once and leaves its name."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from gateway import failpoint
from gateway.config import Settings, read_settings
from gateway.errors import SettingsInvalid

GATEWAY = Path(failpoint.__file__).parent


class Ended(Exception):
    """What a test puts in the place of the end."""


def ended() -> None:
    raise Ended


def passings_until_the_end(text: str, point: str, most: int = 1000) -> int:
    reached = failpoint.armed(failpoint.read(text), Random(1), ended)
    for n in range(1, most + 1):
        try:
            reached(point)
        except Ended:
            return n
    return 0


@pytest.mark.parametrize(
    ("text", "point", "passings"),
    [
        ("outbox.claimed:1", "outbox.claimed", 1),
        ("outbox.claimed:3", "outbox.claimed", 3),
        ("outbox.claimed:1.0", "outbox.claimed", 1),
        ("outbox.claimed:1", "inbound.fresh", 0),
        ("refer.written:2,outbox.claimed:3", "outbox.claimed", 3),
        ("", "outbox.claimed", 0),
    ],
)
def test_a_point_is_hit_when_its_trigger_says(text: str, point: str, passings: int) -> None:
    assert passings_until_the_end(text, point) == passings


def test_a_probability_is_hit_about_that_often() -> None:
    reached, hits = failpoint.armed(failpoint.read("outbox.claimed:0.25"), Random(1), ended), 0
    for _ in range(2000):
        try:
            reached("outbox.claimed")
        except Ended:
            hits += 1
    assert 420 < hits < 580


def test_who_hits_a_point_is_killed_and_has_said_which() -> None:
    program = (
        "from random import Random; from gateway import failpoint as f\n"
        "f.armed(f.read('outbox.claimed:2'), Random(1))('outbox.claimed')\n"
        "print('once', flush=True)\n"
        "f.armed(f.read('outbox.claimed:1'), Random(1))('outbox.claimed')\n"
        "print('never', flush=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b"once\n")
    assert done.stderr == b'{"event": "failpoint.hit", "subject": "outbox.claimed"}\n'


@pytest.mark.parametrize("text", ["nowhere:1", "outbox.claimed", "outbox.claimed:0", "outbox.claimed:2.5", "x"])
def test_a_point_or_a_number_that_makes_no_sense_is_a_wrong_setting(text: str) -> None:
    with pytest.raises(SettingsInvalid):
        read_settings(env="test", failpoint=text)


def test_outside_a_test_nothing_can_be_armed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_FAILPOINT", "outbox.claimed:1")
    with pytest.raises(SettingsInvalid, match="only with GATEWAY_ENV=test"):
        read_settings()
    monkeypatch.setenv("GATEWAY_ENV", "test")
    assert read_settings().failpoint == "outbox.claimed:1"
    assert Settings.model_fields["env"].default == "production"


def test_every_point_of_the_list_is_on_somebodys_way_and_no_other() -> None:
    code = "\n".join(p.read_text(encoding="utf-8") for p in GATEWAY.rglob("*.py") if p.name != "failpoint.py")
    named = set(
        re.findall(r'"((?:refer|outbox|attempt|delivery|line|request|inbound|receipt|outcome|key|log)\.[a-z]+)"', code)
    )
    assert failpoint.POINTS.keys() <= named
    told = set(re.findall(r'reached\("([a-z.]+)"\)', code))
    assert told <= failpoint.POINTS.keys()
