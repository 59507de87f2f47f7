"""Three partners in one small process that take messages and do nothing with them: the load side of the engine's bench.

    python -m tests.bench.taker --home DIR --port N [--delay SECONDS]

It proves every attempt (RFC 9421) and every manifest, remembers message ids, and answers in the partner's dialect with
a receipt it signs; with `--delay` each answer is that late, as a partner far away would be. It keeps no journal and has
no casework: what it costs is what any partner's door must cost. Not for anything but measuring.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapters.partners.pretend.dialects import Verdict
from adapters.partners.pretend.keyring import GATEWAY, GatewayKeys, own_key
from adapters.partners.pretend.server import DIALECTS
from gateway.assembly.clocks import RealClock
from gateway.cli.serving import listen
from gateway.sealing import http, receipts
from gateway.sealing.manifest import open_sealed
from gateway.sealing.receipts import Decision

CLOCK = RealClock()


class Taker:
    """One partner's door."""

    def __init__(self, partner: str, home: Path, base: str, delay_s: float) -> None:
        self._dialect, self._url, self._delay_s = DIALECTS[partner.lower()], f"{base}/{partner}", delay_s
        self._own, self._keys = own_key(home / partner, partner.lower()), GatewayKeys(home / partner)
        self._taken: dict[str, int] = {}

    async def take(self, request: Request) -> Response:
        """Prove, remember, sign, answer."""
        body, now = await request.body(), CLOCK.now()
        attempt = http.verify("POST", self._url, request.headers, body, keys=self._keys, now=now)
        manifest = open_sealed(
            attempt.jws, {"body": body}, keys=self._keys, audience=self._dialect.id, sender=GATEWAY, received=now
        )
        decision = Decision.DUPLICATE if manifest.mid in self._taken else Decision.ACCEPTED
        place = self._taken.setdefault(manifest.mid, len(self._taken) + 1)
        said = receipts.acknowledge(manifest, attempt.jws, decision, now, inbox_seq=place)
        receipt = receipts.make(said, self._own)
        if self._delay_s:
            await asyncio.sleep(self._delay_s)
        reply = self._dialect.reply(Verdict.OK, receipt, "")
        head = {"Comwel-Receipt-JWS": receipt, "Content-Type": reply.content_type}
        return Response(reply.body, reply.status, head)


def main(arguments: list[str]) -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--delay", type=float, default=0.0)
    given = parser.parse_args(arguments)
    base = f"http://127.0.0.1:{given.port}"
    takers = {name.upper(): Taker(name.upper(), given.home, base, given.delay) for name in DIALECTS}
    app = Starlette(routes=[Route(f"/{name}", taker.take, methods=["POST"]) for name, taker in takers.items()])
    config = uvicorn.Config(app, log_level="error", access_log=False, lifespan="off", backlog=2048)
    uvicorn.Server(config).run(sockets=[listen("127.0.0.1", given.port)])


if __name__ == "__main__":
    main(sys.argv[1:])
