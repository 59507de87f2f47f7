"""The compose file, played by processes on this machine: there is no container engine here.

Every service of ours, and the proxy, is started with the command, the environment, the dependencies and the health
check that stand in `docker-compose.yml`; only addresses and paths are translated, in the one table of `Machine.local`.
PostgreSQL is the test session's; Redis is the wheel's Valkey, or one that runs already.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import orjson
import yaml

from gateway.cli.partners import free_port
from gateway.worker import broker

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
IMAGE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
ENTRYPOINT: list[str] = orjson.loads(re.findall(r"^ENTRYPOINT (.*)$", IMAGE, re.MULTILINE)[0])
NGINX = shutil.which("nginx") or str(ROOT / ".venv" / "nginx" / "usr" / "sbin" / "nginx")
PARTNERS = ("keis", "kead", "trn")
HEALTHY_S = 90.0


class Machine:
    """Where everything is, who runs, and how what the compose file says is said here."""

    def __init__(self, folder: Path, database: str, running_broker: str | None) -> None:
        self.folder, self.database, self._running_broker = folder, database, running_broker
        self.home, self.partners, self.secrets = folder / "data", folder / "partners", folder / "secrets"
        subprocess.run([ROOT / "gateway" / "proxy" / "sandbox-secrets", self.secrets], check=True)
        self.partners.mkdir()
        self.doors = [free_port() for _ in range(replicas("api"))]
        self.proxy = free_port()
        self.ports = {partner: free_port() for partner in PARTNERS}
        self.witness = free_port()
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.started: set[str] = set()

    # ── the one table ────────────────────────────────────────────────────────────────────────────────────────────────
    def local(self, text: str, own: Path, door: int | None = None, partner: str = "") -> str:
        """What a text of the compose file is here. `own` is the container's own /tmp."""
        table = {
            **{f"http://{name}:8801": f"http://127.0.0.1:{port}" for name, port in self.ports.items()},
            "https://proxy:8443": f"https://127.0.0.1:{self.proxy}",
            "http://127.0.0.1:8801": f"http://127.0.0.1:{self.ports.get(partner)}",
            "http://witness:8720": f"http://127.0.0.1:{self.witness}",
            "http://127.0.0.1:8720": f"http://127.0.0.1:{self.witness}",
            "http://127.0.0.1:8700": f"http://127.0.0.1:{door}",
            "redis://redis:6379/0": self._running_broker or broker.broker_url(self.home),
            SERVICES["api"]["environment"]["GATEWAY_DATABASE_URL"]: self.database,
            "172.30.70.0/24": "127.0.0.0/8",
            "0.0.0.0": "127.0.0.1",  # noqa: S104 - it is what is taken away
            "/run/secrets": str(self.secrets),
            "/etc/nginx/nginx.conf": str(self.folder / "nginx.conf"),
        }
        folders = {
            "/tmp": str(own),  # noqa: S108
            "/data": str(self.home),
            "/partners": str(self.partners),
            "/witness": str(self.folder / "witness"),
        }
        there = "|".join([*map(re.escape, table), *(rf"(?<![\w/.:-]){folder}\b" for folder in folders)])
        return re.sub(there, lambda m: {**table, **folders}[m[0]], text)

    # ── starting ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def start_stores(self) -> None:
        """What stands in for the services `postgres` and `redis`."""
        self.home.mkdir()
        if not self._running_broker:
            self._run("redis", broker.command(self.home), {})
            until("Valkey listens", broker.socket_of(self.home).exists)
        self.started |= {"postgres", "redis"}

    def start(self, name: str) -> None:
        """Start a service, after what it depends on is as it says."""
        if name in self.started:
            return
        self.started.add(name)
        for other, wanted in SERVICES[name].get("depends_on", {}).items():
            self.start(other)
            self._await(other, wanted["condition"])
        for number in range(replicas(name)):
            self._start(name, number)

    def _start(self, name: str, number: int) -> None:
        service, own = SERVICES[name], self.own(name, number)
        own.mkdir(parents=True)
        if name == "proxy":
            self.configure(self.folder / "nginx.conf", self.doors, own)
        door = self.doors[number] if name == "api" else None
        words = [*service.get("entrypoint", ENTRYPOINT), *service["command"]]
        ports = {"8801": self.ports.get(name), "8720": self.witness}
        words = [str(ports[word]) if word in ports else self.local(word, own, door) for word in words]
        told = {key: self.local(value, own) for key, value in service.get("environment", {}).items()}
        image = {"GATEWAY_HOME": str(self.home), "GATEWAY_PORT": str(door or 0)} if name not in PARTNERS else {}
        self._run(f"{name}-{number}", [program(words[0]), *as_we_are(words[1:])], told | image)

    def _run(self, name: str, command: list[str], env: dict[str, str]) -> None:
        path = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}  # noqa: TID251 - what a container is given
        with (self.folder / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen(command, cwd=self.folder, env=path | env, stdout=log, stderr=log)

    def configure(self, path: Path, doors: list[int], own: Path) -> None:
        """The proxy's configuration, with the addresses of here."""
        text = (ROOT / "gateway" / "proxy" / "nginx.conf").read_text(encoding="utf-8")
        line = re.findall(r"^ *server api:8700.*$", text, re.MULTILINE)[0]
        here = "\n".join(line.replace("api:8700", f"127.0.0.1:{port}") for port in doors)
        text = text.replace(line, here).replace("listen 8443", f"listen 127.0.0.1:{self.proxy}")
        path.write_text(self.local(text, own), encoding="utf-8")

    def own(self, name: str, number: int) -> Path:
        """The /tmp of one container."""
        return self.folder / "tmp" / f"{name}-{number}"

    # ── waiting ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def _await(self, name: str, condition: str) -> None:
        if condition == "service_completed_successfully":
            assert self.running[f"{name}-0"].wait(HEALTHY_S) == 0, self.log(f"{name}-0")
        elif name not in ("postgres", "redis"):
            for number in range(replicas(name)):
                until(f"{name}-{number} is healthy", lambda n=number: self.healthy(name, n))

    def healthy(self, name: str, number: int) -> bool:
        """What the service's own health check says. One that has ended is not waited for."""
        assert self.running[f"{name}-{number}"].poll() is None, self.log(f"{name}-{number}")
        kind, *words = SERVICES[name]["healthcheck"]["test"]
        door = self.doors[number] if name == "api" else None
        words = [self.local(word, self.own(name, number), door, name).replace("$$", "$") for word in words]
        command = ["sh", "-c", *words] if kind == "CMD-SHELL" else [program(words[0]), *words[1:]]
        return subprocess.run(command, capture_output=True, timeout=10, check=False).returncode == 0

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")[-3000:]

    def stop(self) -> dict[str, int]:
        """SIGTERM to everybody, callers before who is called; exit codes by name."""
        order = sorted(self.running, key=lambda name: name.startswith(("redis", "api")))
        for name in order:
            self.running[name].terminate()
            try:
                self.running[name].wait(grace(name.rpartition("-")[0]))
            except subprocess.TimeoutExpired:
                self.running[name].kill()
                self.running[name].wait()
        return {name: process.returncode for name, process in self.running.items()}


def replicas(name: str) -> int:
    return int(SERVICES[name].get("deploy", {}).get("replicas", 1))


def grace(name: str) -> float:
    """The seconds a service is given to end: its own, or the specification's ten."""
    return float(SERVICES.get(name, {}).get("stop_grace_period", "10s").removesuffix("s"))


def program(name: str) -> str:
    return {"python": sys.executable, "nginx": NGINX}.get(name, name)


def as_we_are(words: list[str]) -> list[str]:
    """A proxy that root starts would give its temporary folders to a user that these tests do not have."""
    return [f"{word} user root;" if word == "daemon off;" and os.geteuid() == 0 else word for word in words]


def until(what: str, fulfilled: Any, patience_s: float = HEALTHY_S) -> None:
    deadline = time.monotonic() + patience_s
    while not fulfilled():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.1)
