"""Where a round takes place: what every process of it is told. Plain data, so that it can be handed to a child."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from gateway import wholefile
from gateway.assembly import Gateway, assemble
from gateway.assembly.clocks import CompressedClock
from gateway.config import Settings
from gateway.journey.world import Knowledge

PARTNERS = ("KEIS", "KEAD", "TRN")
TODAY = date(2026, 11, 23)
ATTEMPT_S, LEASE_S = 0.8, 2.5
BATCH = 4


class Jumping(CompressedClock):
    """A clock that somebody sets: ahead of the real one by what stands in a file."""

    def __init__(self, file: Path) -> None:
        super().__init__(TODAY)
        self._file = file

    def now(self) -> datetime:
        """Protocol time, as this host believes."""
        ahead_s = float(self._file.read_text(encoding="ascii")) if self._file.exists() else 0.0
        return super().now() + timedelta(seconds=ahead_s)


def set_ahead(file: Path, seconds: float) -> None:
    """Let the clock jump."""
    wholefile.write(file, str(seconds).encode("ascii"))


@dataclass(frozen=True)
class Place:
    """A database, a home with keys and the partners' journals, and the two doors."""

    database: str
    home: Path
    partner_port: int
    door_port: int
    lease_s: float = LEASE_S
    attempt_s: float = ATTEMPT_S
    retry_scale: float = 0.02
    idle_s: float = 60.0
    poison_after: int = 1000  # who dies here dies of us, not of the message
    careless: str = ""  # which negative control holds here
    other_port: int = 0  # of a door whose clock jumps, when there is one
    front_port: int = 0  # where partners find our door, when something stands before it

    @property
    def public_url(self) -> str:
        """Our door, as partners know it."""
        return f"http://127.0.0.1:{self.front_port or self.door_port}"

    @property
    def partners(self) -> Path:
        """The folder of the partners' own keys and journals."""
        return self.home / "partners"

    @property
    def said(self) -> Path:
        """What the processes said on their standard error streams; failpoints say there that they were hit."""
        return self.home / "said.ndjson"

    @property
    def ahead(self) -> Path:
        """The file that says by how many seconds a clock that jumps is ahead."""
        return self.home / "ahead"

    def settings(self, **more: Any) -> Settings:
        """The settings of one process. Some limits are shortened afterwards, below what an operator may set."""
        given: dict[str, Any] = {
            "home": self.home,
            "database_url": self.database,
            "public_url": self.public_url,
            "partner_urls": {p: f"http://127.0.0.1:{self.partner_port}/{p.lower()}" for p in PARTNERS},
            "partner_networks": (ip_network("127.0.0.0/8"),),
            "attempt_timeout_s": self.attempt_s,
            "lease_s": self.attempt_s + 5,
            "settle_s": 0.0,
            "retry_scale": self.retry_scale,
            "unit_idle_s": self.idle_s,
            "poison_after": self.poison_after,
            "deliver_batch": BATCH,
            "env": "test",
        }
        return Settings(**(given | more))

    @contextmanager
    def gateway(self, knowledge: Knowledge, *, failpoint: str = "", **parts: Any) -> Iterator[Gateway]:
        """A gateway at this place; `parts` replace parts of its world."""
        clock = CompressedClock(TODAY)
        with assemble(self.settings(failpoint=failpoint), clock=clock, knowledge=knowledge) as built:
            limits = replace(built.world.limits, lease_s=self.lease_s, keys_cached_s=0.0)
            yield replace(built, world=replace(built.world, **{"limits": limits, **parts}))


def bound(port: int = 0) -> socket.socket:
    """A socket on a port of loopback that several processes may listen on; the kernel spreads who comes among them."""
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    found.bind(("127.0.0.1", port))
    return found
