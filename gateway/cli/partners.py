"""The demo's three pretend partners: started as processes of their own, spoken to over HTTP, stopped by their id."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import httpx2
import orjson

from gateway.errors import AttemptFailed

START_S = 30.0
CLOCK_S = 300.0


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class PretendPartners:
    """Partner processes by id. A context manager: leaves none behind."""

    def __init__(
        self, home: Path, ports: Mapping[str, int], *, gateway: str, seed: int, base: date, slow_s: float, pace: str
    ) -> None:
        self._home, self._ports = home, dict(ports)
        self._options = ["--gateway", gateway, "--seed", str(seed), "--base-date", base.isoformat(),
                         "--slow-seconds", str(slow_s), "--pace", pace]  # fmt: skip
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._http = httpx2.Client(timeout=CLOCK_S, trust_env=False)
        self._side_by_side = ThreadPoolExecutor(max(1, len(self._ports)))

    def start(self, gateway_keys: Mapping[str, Any]) -> None:
        """Give every partner the gateway's public keys, start them, and wait until all of them answer."""
        for partner, port in self._ports.items():
            home = self._home / partner.lower()
            home.mkdir(parents=True, exist_ok=True)
            (home / "gateway.jwks.json").write_bytes(orjson.dumps(gateway_keys))
            with (home / "out.log").open("wb") as log:
                self._processes[partner] = subprocess.Popen(  # noqa: S603 - our own module
                    [sys.executable, "-m", "adapters.partners.pretend", "--partner", partner.lower(),
                     "--port", str(port), "--home", str(home), *self._options],
                    stdout=log, stderr=log,
                )  # fmt: skip
        for partner in self._ports:
            self._wait(partner)

    def _wait(self, partner: str) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self._processes[partner].poll() is None:
            try:
                self._http.get(f"{self.url(partner)}/pretend/status", timeout=2.0)
            except httpx2.TransportError:
                time.sleep(0.05)
            else:
                return
        raise AttemptFailed(f"the pretend partner {partner} did not start; see {partner.lower()}/out.log")

    def url(self, partner: str) -> str:
        """Base URL of a partner."""
        return f"http://127.0.0.1:{self._ports[partner]}"

    def pid(self, partner: str) -> int:
        """The process of a partner."""
        return self._processes[partner].pid

    def keys(self, partner: str) -> list[dict[str, Any]]:
        """A partner's public keys."""
        found: list[dict[str, Any]] = self._http.get(f"{self.url(partner)}/.well-known/jwks.json").json()["keys"]
        return found

    def status(self, partner: str) -> dict[str, Any]:
        """A partner's own counters."""
        found: dict[str, Any] = self._http.get(f"{self.url(partner)}/pretend/status").json()
        return found

    def set_today(self, today: date) -> list[dict[str, Any]]:
        """Let the business day begin everywhere; returns when all that was due has been delivered to the gateway."""
        return list(self._side_by_side.map(lambda p: self._clock(p, today), self._ports))

    def _clock(self, partner: str, today: date) -> dict[str, Any]:
        found: dict[str, Any] = self._http.post(
            f"{self.url(partner)}/pretend/clock", json={"today": today.isoformat()}
        ).json()
        return found

    def __iter__(self) -> Iterable[str]:
        return iter(self._ports)

    def __enter__(self) -> PretendPartners:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._side_by_side.shutdown()
        self._http.close()
