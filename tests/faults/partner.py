"""The scripted partners: three in one process, each with its own key and its own append-only journal.

Rules: what happens to an attempt is drawn from the message id and how often it came, so that the same round has the
same troubles; nothing is answered that is not in the journal before. It proves every message, remembers for ever, and
keeps the bytes of the proofs, for the checker to judge them again. Refuses to be clever: it has no cases and no order.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
import uvicorn

from adapters.partners.pretend.dialects import Dialect, Verdict
from adapters.partners.pretend.dialects.kead import KEAD
from adapters.partners.pretend.dialects.keis import KEIS
from adapters.partners.pretend.dialects.trn import TRN
from adapters.partners.pretend.journal import Journal
from adapters.partners.pretend.keyring import GATEWAY, GatewayKeys, own_key
from adapters.partners.pretend.well_known import WellKnown
from gateway.errors import SealRefused
from gateway.sealing import http, receipts
from gateway.sealing.manifest import open_sealed
from gateway.sealing.receipts import Decision
from tests.faults.place import Place

DIALECTS = {d.id: d for d in (KEIS, KEAD, TRN)}
REJECTED = "OUT-OF-AREA"


class Manners(NamedTuple):
    """How often, of a thousand attempts (of a thousand messages: `rejects`), a partner behaves like this."""

    busy: int = 0  # 500, 503 or 429 with Retry-After: 1, nothing done
    deaf: int = 0  # taken in, and then nothing is said until the caller has given up
    trickle: int = 0  # taken in, answered one byte a second
    rejects: int = 0  # a signed no
    down: int = 0  # of all messages: 500 for ever
    shy: bool = False  # 500 the first time a message comes
    only: str = ""  # only this partner; all when empty


class Desk:
    """One partner."""

    def __init__(self, place: Place, dialect: Dialect, manners: Manners) -> None:
        home = place.partners / dialect.id
        self.dialect, self.manners = dialect, manners
        self.url = f"http://127.0.0.1:{place.partner_port}/{dialect.id}"
        self._key = own_key(home, dialect.id)
        self._gateway = GatewayKeys(home, WellKnown(place.public_url), again_s=0.0)
        self._journal = Journal(home / "journal.ndjson")
        self._taken = {line["mid"]: line for line in self._journal.lines() if line["what"] == "received"}
        self._came = Counter[str]()

    def write(self, what: str, **more: Any) -> dict[str, Any]:
        """One line of the journal."""
        line = {"what": what, "at": time.time(), **more}
        self._journal.append(line)
        return line

    def judge(self, headers: dict[str, str], body: bytes) -> tuple[int, bytes, dict[str, str], str]:
        """Status, body, headers and manner of the answer."""
        now = datetime.fromtimestamp(time.time(), UTC)
        try:
            attempt = http.verify("POST", self.url, headers, body, keys=self._gateway, now=now)
            manifest = open_sealed(
                attempt.jws, {"body": body}, keys=self._gateway, audience=self.dialect.id, sender=GATEWAY, received=now
            )
        except SealRefused as error:
            self.write("unproven", code=error.code)
            reply = self.dialect.reply(Verdict.NOT_PROVEN, None, error.code)
            return reply.status, reply.body, {}, ""
        self._came[manifest.mid] += 1
        manner = self._manner(manifest.mid, self._came[manifest.mid])
        if manner in ("busy", "down"):
            status = 500 if manner == "down" else (500, 503, 429)[self._came[manifest.mid] % 3]
            self.write("busy", mid=manifest.mid, status=status)
            return status, b"", {} if status == 500 else {"Retry-After": "1"}, ""
        known = self._taken.get(manifest.mid)
        if known:
            self.write("duplicate", mid=manifest.mid, same=known["jws"] == attempt.jws)
            receipt, verdict = known["receipt"], Verdict.DUPLICATE if known["decision"] == "accepted" else None
        else:
            no = manner == "rejects"
            decision = Decision.REJECTED if no else Decision.ACCEPTED
            word = receipts.acknowledge(
                manifest, attempt.jws, decision, now, code=REJECTED if no else None,
                inbox_seq=None if no else len(self._taken),
            )  # fmt: skip
            receipt, verdict = receipts.make(word, self._key), None if no else Verdict.OK
            self._taken[manifest.mid] = self.write(
                "received", mid=manifest.mid, case=manifest.case, seq=manifest.seq, type=manifest.type,
                jws=attempt.jws, sha256=hashlib.sha256(body).hexdigest(), decision=decision, receipt=receipt,
            )  # fmt: skip
        if manner in ("deaf", "trickle"):
            self.write(manner, mid=manifest.mid)
        reply = self.dialect.reply(verdict or Verdict.WRONG_PERSON, receipt, "")
        return reply.status, reply.body, {"Comwel-Receipt-JWS": receipt}, manner

    def _manner(self, mid: str, times: int) -> str:
        m = self.manners
        if m.only not in ("", self.dialect.id.upper()):
            return ""
        if _draw(mid) < m.down or (m.shy and times == 1):
            return "down"
        if _draw(mid) >= 1000 - m.rejects:
            return "rejects"
        at = _draw(f"{mid}|{times}")
        for name in ("busy", "deaf", "trickle"):
            share: int = getattr(m, name)
            if at < share:
                return name
            at -= share
        return ""


def _draw(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % 1000


class Partners:
    """ASGI: the path says which partner."""

    def __init__(self, place: Place, manners: Manners) -> None:
        self._desks = {name: Desk(place, dialect, manners) for name, dialect in DIALECTS.items()}
        self._deaf_s = place.attempt_s * 1.5

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One attempt."""
        body = b""
        while True:
            event = await receive()
            if event["type"] == "http.disconnect":
                return
            body += event.get("body", b"")
            if not event.get("more_body"):
                break
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        status, answer, more, manner = self._desks[scope["path"].strip("/")].judge(headers, body)
        if manner == "deaf":
            await asyncio.sleep(self._deaf_s)
        fields = [(k.lower().encode(), v.encode()) for k, v in more.items()]
        fields += [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": fields})
        for n in range(len(answer) if manner == "trickle" else 0):
            await send({"type": "http.response.body", "body": answer[n : n + 1], "more_body": True})
            await asyncio.sleep(1.0)
        await send({"type": "http.response.body", "body": b"" if manner == "trickle" else answer})


def partners(place: Place, listening: socket.socket, manners: Manners = Manners()) -> None:  # noqa: B008 - immutable
    """Be all three partners until killed."""
    app = Partners(place, manners)
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", server_header=False, backlog=2048)
    uvicorn.Server(config).run(sockets=[listening])


def show_keys(place: Place, jwks: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Give the partners the gateway's keys; returns theirs, public, by partner."""
    from gateway.sealing.keys import to_jwk

    found = {}
    for name in DIALECTS:
        home = place.partners / name
        home.mkdir(parents=True, exist_ok=True)
        (home / "gateway.jwks.json").write_bytes(orjson.dumps(jwks))
        found[name.upper()] = to_jwk(own_key(home, name))
    return found
