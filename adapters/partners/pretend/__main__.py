"""Start one pretend partner: `python -m adapters.partners.pretend --help`.

Prints a banner and one line `PRETEND <NAME> ready on <URL>` when it takes messages. Port 0 takes a free one.
"""

from __future__ import annotations

import argparse
import logging
import sys
from datetime import date
from pathlib import Path

import uvicorn

from adapters.partners.pretend.server import DIALECTS, Options, Partner, build
from gateway.errors import SettingsInvalid
from gateway.listening import WAITING, listen

BANNER = """
  ************************************************************************
  **  PRETEND {name}. This is not {name}: no real person, office or job.
  **  {url}
  **  home {home} | gateway {gateway} | seed {seed} | pace {pace}
  ************************************************************************
"""


def main(argv: list[str] | None = None) -> int:
    """Run until stopped. Returns 4, and says why, when the port cannot be opened."""
    options, host, port = _parse(argv)
    name = options.partner.upper()
    try:
        listening = listen(host, port, "--host, --port")
    except SettingsInvalid as error:
        sys.stderr.write(f"{error}\n")
        return 4
    base = options.base or f"http://127.0.0.1:{listening.getsockname()[1]}"
    partner = Partner(_with_base(options, base))
    logging.basicConfig(stream=sys.stdout, level=logging.WARNING, format=f"PRETEND {name} | %(message)s")
    print(BANNER.format(name=name, url=base, home=options.home, gateway=options.gateway, seed=options.seed,
                        pace=options.pace))  # fmt: skip
    config = uvicorn.Config(
        build(partner), log_config=None, access_log=False, lifespan="off", server_header=False, backlog=WAITING
    )
    partner.start()
    print(f"PRETEND {name} ready on {base}", flush=True)
    try:
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        partner.close()
        print(f"PRETEND {name} | stopped", flush=True)
    return 0


def _parse(argv: list[str] | None) -> tuple[Options, str, int]:
    parser = argparse.ArgumentParser(prog="python -m adapters.partners.pretend", description=__doc__)
    parser.add_argument("--partner", required=True, choices=sorted(DIALECTS))
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--gateway", required=True, help="base URL of the gateway")
    parser.add_argument("--home", type=Path, required=True, help="folder of keys and journal")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pace", choices=("calendar", "bench"), default="calendar")
    parser.add_argument("--base-date", type=date.fromisoformat, default=date(2026, 11, 23), help="first business date")
    parser.add_argument("--public-url", default="", help="base URL the gateway signs for; unset: this host and port")
    parser.add_argument("--slow-seconds", type=float, default=16.0, help="how late a planned slow answer comes")
    parser.add_argument("--wait-seconds", type=float, default=120.0, help="how long the clock waits for receipts")
    parser.add_argument("--threads", type=int, default=16, help="deliveries to the gateway at once")
    parser.add_argument("--tls", type=Path, help="folder of proxy-ca.pem, <partner>.pem and .key, for mutual TLS")
    given = parser.parse_args(argv)
    options = Options(
        partner=given.partner, gateway=given.gateway, home=given.home, seed=given.seed, base=given.public_url,
        base_date=given.base_date, pace=given.pace, slow_s=given.slow_seconds, threads=given.threads,
        wait_s=given.wait_seconds, tls=given.tls,
    )  # fmt: skip
    return options, given.host, given.port


def _with_base(options: Options, base: str) -> Options:
    fields = {name: getattr(options, name) for name in Options.__slots__}
    return Options(**{**fields, "base": base})


if __name__ == "__main__":
    sys.exit(main())
