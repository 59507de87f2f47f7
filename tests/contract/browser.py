"""A headless Chromium with one page open, spoken to in the DevTools protocol over two pipes: no driver, no port."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run")
PATIENCE_S = 60.0


class Page:
    """One page. What it asked the network for is in `requested`, what went wrong in it in `complaints`."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to, self._from, self._id, self._rest = to_browser, from_browser, 0, b""
        self._session: str | None = None
        self.requested: list[str] = []
        self.complaints: list[str] = []

    def open(self, path: Path) -> None:
        """Open a file and wait until it is loaded."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log", "DOM"):
            self.call(f"{domain}.enable")
        self.call("Page.navigate", url=path.as_uri())
        self.until("document.readyState === 'complete'")

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until it is true."""
        ends = time.monotonic() + PATIENCE_S
        while not self.evaluate(expression):
            assert time.monotonic() < ends, f"never true: {expression}"
            time.sleep(0.02)

    def choose(self, selector: str, file: Path) -> None:
        """Choose a file in an input, as a person would."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(file)])

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command and its answer; events on the way are looked at."""
        self._id += 1
        said = {"id": self._id, "method": method, "params": params}
        os.write(self._to, orjson.dumps(said | ({"sessionId": self._session} if self._session else {})) + b"\0")
        while True:
            heard = self._hear()
            if heard.get("id") == self._id:
                assert "error" not in heard, heard
                return dict(heard["result"])
            self._note(heard)

    def _hear(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            more = os.read(self._from, 1 << 16)
            assert more, "the browser has gone"
            self._rest += more
        one, _, self._rest = self._rest.partition(b"\0")
        return dict(orjson.loads(one))

    def _note(self, heard: dict[str, Any]) -> None:
        match heard.get("method"):
            case "Network.requestWillBeSent":
                self.requested.append(heard["params"]["request"]["url"])
            case "Log.entryAdded" | "Runtime.exceptionThrown":
                self.complaints.append(str(heard["params"]))


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """A Chromium of its own, with its profile in this folder."""
    name = next(name for name in NAMES if shutil.which(name))
    (theirs_in, ours_out), (ours_in, theirs_out) = _pipe(), _pipe()
    as_three_and_four = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}'
    command = ["bash", "-c", as_three_and_four, name, *OPTIONS, "--remote-debugging-pipe", f"--user-data-dir={folder}"]
    theirs, silent = (theirs_in, theirs_out), subprocess.DEVNULL
    process = subprocess.Popen(command, pass_fds=theirs, stdout=silent, stderr=silent)
    for end in theirs:
        os.close(end)
    try:
        yield Page(ours_out, ours_in)
    finally:
        process.terminate()
        process.wait()
        os.close(ours_out)
        os.close(ours_in)


def _pipe() -> tuple[int, int]:
    """A pipe whose ends are out of the way of 3 and 4."""
    ends = os.pipe()
    out, in_ = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    return out, in_
