"""Pretend partners: spoken to over HTTP wherever they run; or started here, as processes of their own, and stopped."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import httpx2
import orjson

from gateway.config import environment_without
from gateway.errors import AttemptFailed

START_S = 30.0
CLOCK_S = 300.0


# Below the ports that the kernel gives to outgoing connections (from 32768, ip(7)).
_LISTENED = range(10_000, 32_000)
_given = itertools.count(os.getpid() * 61)


def free_port() -> int:
    """A port that is free now, and that no outgoing connection takes before its owner listens; never one twice here."""
    for number in itertools.islice(_given, len(_LISTENED)):
        port = _LISTENED[number % len(_LISTENED)]
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError(f"no port from {_LISTENED.start} to {_LISTENED.stop} is free; end what listens there")


class Partners:
    """Pretend partners that run somewhere, by id, spoken to over HTTP. `patience_s`: how long one may be away."""

    def __init__(self, urls: Mapping[str, str], *, patience_s: float = 0.0) -> None:
        self._urls, self._patience_s = dict(urls), patience_s
        self._http = httpx2.Client(timeout=CLOCK_S, trust_env=False)
        self._side_by_side = ThreadPoolExecutor(max(1, len(self._urls)))

    def url(self, partner: str) -> str:
        """Base URL of a partner."""
        return self._urls[partner]

    def keys(self, partner: str) -> list[dict[str, Any]]:
        """A partner's public keys."""
        found: list[dict[str, Any]] = self._ask(partner, "/.well-known/jwks.json")["keys"]
        return found

    def status(self, partner: str) -> dict[str, Any]:
        """A partner's own counters."""
        return self._ask(partner, "/pretend/status")

    def statuses(self) -> list[dict[str, Any]]:
        """The counters of all of them."""
        return list(self._side_by_side.map(self.status, self._urls))

    def set_today(self, today: date) -> list[dict[str, Any]]:
        """Let the business day begin everywhere; returns when all that was due has been delivered to the gateway."""
        day = {"today": today.isoformat()}
        return list(self._side_by_side.map(lambda p: self._ask(p, "/pretend/clock", day), self._urls))

    def promises(self, logs: Sequence[str]) -> dict[str, dict[str, Any]]:
        """What became of the promises in our receipts, by the word of each partner; `logs` are keys of our logs."""
        keys = {"logs": list(logs)}
        said = self._side_by_side.map(lambda p: self._ask(p, "/pretend/promises", keys), self._urls)
        return dict(zip(self._urls, said, strict=True))

    def _ask(self, partner: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One request, repeated while the partner is away; all of them may be."""
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                answer = self._http.request("POST" if body else "GET", self.url(partner) + path, json=body)
            except httpx2.TransportError:
                if time.monotonic() > deadline:
                    raise AttemptFailed(f"the pretend partner {partner} is gone") from None
                time.sleep(0.1)
            else:
                found: dict[str, Any] = answer.json()
                return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._urls)

    def close(self) -> None:
        """Give the connections back."""
        self._side_by_side.shutdown()
        self._http.close()


class PretendPartners(Partners):
    """Pretend partners that are started here. A context manager: leaves none behind."""

    def __init__(
        self, home: Path, ports: Mapping[str, int], *, gateway: str, seed: int, base: date, slow_s: float, pace: str
    ) -> None:
        super().__init__({partner: f"http://127.0.0.1:{port}" for partner, port in ports.items()})
        self._home, self._ports = home, dict(ports)
        self._options = ["--gateway", gateway, "--seed", str(seed), "--base-date", base.isoformat(),
                         "--slow-seconds", str(slow_s), "--pace", pace]  # fmt: skip
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

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
                    env=environment_without("owner_url"), stdout=log, stderr=log,
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

    def pid(self, partner: str) -> int:
        """The process of a partner."""
        return self._processes[partner].pid

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
        self.close()
