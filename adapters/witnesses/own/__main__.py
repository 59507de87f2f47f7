"""Start the witness: `python -m adapters.witnesses.own --help`.

Prints its key and `WITNESS ready on URL` when it takes checkpoints. Port 0 takes a free one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import structlog
import uvicorn

from adapters.witnesses.own.home import LOGS, MEMORY, Logs, signer
from adapters.witnesses.own.memory import Memory
from adapters.witnesses.own.server import build
from adapters.witnesses.own.witness import Witness
from gateway.errors import SettingsInvalid
from gateway.listening import listen


def main(argv: Sequence[str] | None = None) -> int:
    """Run until stopped. Returns 4, and says why, when its home is no good or the port cannot be opened."""
    given = _parse(argv)
    structlog.configure(
        processors=[structlog.processors.TimeStamper(fmt="iso"), structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        key, logs = signer(given.home, given.name), Logs(given.home / LOGS)
        listening = listen(given.host, given.port, "--host, --port")
    except SettingsInvalid as error:
        sys.stderr.write(f"{error}\n")
        return 4
    with closing(Memory(given.home / MEMORY)) as memory:
        witness = Witness(key, memory, logs, lambda: datetime.now(UTC))  # noqa: TID251 - the witness's own clock
        door = build(witness, key.verifier.vkey)
        config = uvicorn.Config(door, log_config=None, access_log=False, lifespan="off", server_header=False)
        sys.stdout.write(f"{key.verifier.vkey}\nWITNESS ready on http://{given.host}:{listening.getsockname()[1]}\n")
        sys.stdout.flush()
        uvicorn.Server(config).run(sockets=[listening])
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m adapters.witnesses.own", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="folder of key, database and the list `logs`")
    parser.add_argument("--name", required=True, help="its name in cosignatures: witness.example/comwel")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
