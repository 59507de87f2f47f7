"""Our witness as strangers meet it: a process of its own, behind a socket, with a home that it made itself."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from adapters.witnesses.own.home import Logs, signer
from gateway.errors import SettingsInvalid
from gateway.exchange_log import witnessing
from gateway.exchange_log.checkpoint import open_checkpoint
from gateway.exchange_log.note import Verifier
from gateway.listening import listen
from tests.conftest import ROOT
from tests.unit.adapters.witnesses.test_witness import COSIGNER, KEY, NAME, ORIGIN, OURS

READY = "WITNESS ready on "


@contextmanager
def running(home: Path) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """The process, its vkey, its address."""
    command = [sys.executable, "-m", "adapters.witnesses.own", "--home", str(home), "--name", NAME]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout
    try:
        vkey, ready = process.stdout.readline().strip(), process.stdout.readline().strip()
        yield process, vkey, ready.removeprefix(READY)
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "witness"
    folder.mkdir()
    (folder / "logs").write_text(f"# the log of 2026\n{KEY.verifier.vkey}\n")
    return folder


def test_a_witness_answers_over_http_and_keeps_its_key_and_its_memory_when_it_is_killed(home: Path) -> None:
    with running(home) as (process, vkey, url), httpx2.Client(trust_env=False) as client:
        said = client.post(f"{url}/add-checkpoint", content=OURS.submission(0, 8).to_bytes())
        open_checkpoint(OURS.note(8) + said.text, KEY.verifier, (Verifier.parse(vkey),))
        os.kill(process.pid, signal.SIGKILL)
    with running(home) as (_, again, url), httpx2.Client(trust_env=False) as client:
        assert (again, client.get(f"{url}/vkey").text) == (vkey, f"{vkey}\n")
        said = client.post(f"{url}/add-checkpoint", content=OURS.submission(0, 13).to_bytes())
        assert (said.status_code, said.text, said.headers["content-type"]) == (409, "8\n", "text/x.tlog.size")
        shown = client.get(f"{url}/{witnessing.latest(ORIGIN)}")
        assert open_checkpoint(shown.text, KEY.verifier, (Verifier.parse(vkey),)).checkpoint == OURS.head(8)
        too_long = client.post(f"{url}/add-checkpoint", content=b"x" * (witnessing.LONGEST + 1))
        assert too_long.status_code == 400
        assert client.get(f"{url}/add-checkpoint").status_code == 405


def test_its_key_is_for_its_own_eyes(home: Path) -> None:
    first = signer(home, NAME)
    assert stat.S_IMODE((home / "witness.pem").stat().st_mode) == 0o600
    assert signer(home, NAME).verifier == first.verifier
    (home / "witness.pem").chmod(0o640)
    with pytest.raises(SettingsInvalid, match="read by others"):
        signer(home, NAME)


@pytest.mark.parametrize("name", ["two words", "a+b", ""])
def test_a_name_that_notes_cannot_carry_is_refused(name: str, home: Path) -> None:
    with pytest.raises(SettingsInvalid, match="name"):
        signer(home, name)


def test_a_log_that_is_added_to_the_list_is_watched_at_once_and_a_broken_list_changes_nothing(home: Path) -> None:
    logs, path = Logs(home / "logs"), home / "logs"
    assert set(logs()) == {ORIGIN}
    rewrite(path, f"{KEY.verifier.vkey}\n{KEY._replace(name='next').verifier.vkey}\n")
    assert set(logs()) == {ORIGIN, "next"}
    for broken in ("nonsense\n", f"{COSIGNER.verifier.vkey}\n", f"{KEY.verifier.vkey}\n" * 2):
        rewrite(path, broken)
        assert set(logs()) == {ORIGIN, "next"}
        with pytest.raises(SettingsInvalid, match="logs, line"):
            Logs(path)


def rewrite(path: Path, text: str) -> None:
    before = path.stat().st_mtime_ns
    path.write_text(text)
    os.utime(path, ns=(time.time_ns(), before + 1_000_000))


def does_not_start(home: Path, *options: str) -> str:
    """What it says instead."""
    command = [sys.executable, "-m", "adapters.witnesses.own", "--home", str(home), "--name", NAME, *options]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=30)
    assert (said.returncode, said.stdout, said.stderr.count("\n")) == (4, "", 1), said.stderr
    return said.stderr


@pytest.mark.parametrize("spoilt", ["witness.pem", "logs"])
def test_it_does_not_start_on_what_it_cannot_read(spoilt: str, home: Path) -> None:
    (home / spoilt).write_text("nonsense")
    (home / spoilt).chmod(0o600)
    assert spoilt in does_not_start(home)


def test_it_does_not_start_on_a_port_that_is_taken(home: Path) -> None:
    with listen("127.0.0.1", 0, "") as taken:
        port = taken.getsockname()[1]
        assert f"port {port} cannot be opened (Address already in use)" in does_not_start(home, "--port", str(port))
