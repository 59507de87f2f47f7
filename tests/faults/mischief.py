"""Somebody who pretends to be a partner, or a partner who gets it wrong, beside the honest postmen and at their doors.

    reused     the id of a letter that was taken in, over other bytes, properly sealed and signed
    replayed   a request as it was captured: at once, at another route, as another partner, and later
    revoked    a partner's second key, good for a while and then known to be stolen
    skewed     a partner's clock, or ours, is wrong by so much
    flipped    one bit of the body, of the manifest, or of a header: in transit, or before the attempt was signed

Every attempt is a line in a journal of its own: `forged` when it must not be believed, `answer` when it must.
Refuses to know what the gateway thinks: it sees statuses and receipts.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import cycle, islice
from random import Random
from typing import Any, NamedTuple

from adapters.partners.pretend.journal import Journal
from gateway.assembly.shelf import KEYS_KNOWN_FOR_S
from gateway.sealing.keys import SigningKey, generate, to_jwk
from tests.faults.place import PARTNERS, Place, set_ahead
from tests.faults.sender import Pen, decision_in, pen_of
from tests.journey.world import Letter, knowledge, seal

PATIENCE_S = 15.0
REVOKED_WITHIN_S = 5.0
BELIEVED_S = (-299, -61, -59, -30, 30, 59, 60)
"""How far ahead of us a partner's clock may be, whole seconds, and still be believed; and what is too much."""
TOO_FAR_S = (-301, 61, 301)
LATER_S = (290.0, 310.0, 3600.0, 86_400.0)


class Request(NamedTuple):
    """What is put on the wire, to the byte."""

    path: str
    headers: Mapping[str, bytes]
    body: bytes


@dataclass
class Rogue:
    """One partner's name in other hands."""

    place: Place
    partner: str
    pen: Pen
    rng: Random
    journal: Journal

    def honest(self, letter: dict[str, Any], **other: Any) -> Request:
        """An attempt as the partner itself would make it; `other` as in `Pen.sign`."""
        headers = {name: value.encode() for name, value in self.pen.sign(letter, **other).items()}
        body = other.get("body")
        return Request(
            f"/partners/{self.partner.lower()}/v1/outcomes", headers, letter["body"].encode() if body is None else body
        )

    def say(self, what: str, kind: str, letter: dict[str, Any], request: Request, port: int = 0) -> int:
        """Make the attempt and write down what was heard; the status, 0 when there was none."""
        began = time.time()
        status, receipt = send(port or self.place.door_port, request)
        self.journal.append(
            {"what": what, "kind": kind, "mid": letter["mid"], "at": began, "took": time.time() - began,
             "status": status, "receipt": receipt, "decision": decision_in(receipt)}
        )  # fmt: skip
        return status

    def bring(self, letter: dict[str, Any]) -> Request:
        """Bring a letter as it should be, until it is taken in; the request that was."""
        while True:
            request = self.honest(letter)
            if 200 <= self.say("answer", "honest", letter, request) < 300:
                return request
            time.sleep(0.05)


def send(port: int, request: Request) -> tuple[int, str | None]:
    """Status and receipt of the answer; 0 when there was none."""
    lines = [b"POST %s HTTP/1.1" % request.path.encode(), b"Host: gateway", b"Connection: close"]
    lines += [b"%s: %s" % (name.encode(), value) for name, value in request.headers.items()]
    lines += [b"Content-Length: %d" % len(request.body), b"", request.body]
    answer = b""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), PATIENCE_S) as caller:
        caller.sendall(b"\r\n".join(lines))
        while piece := caller.recv(65_536):
            answer += piece
    status = re.match(rb"HTTP/1\.1 (\d{3})", answer)
    receipt = re.search(rb"\r\ncomwel-receipt-jws: (\S+)\r\n", answer, re.IGNORECASE)
    return int(status[1]) if status else 0, receipt[1].decode() if receipt else None


# ── what is done ─────────────────────────────────────────────────────────────────────────────────────────────────────
def reused(rogue: Rogue, many: int) -> None:
    """Other bytes under the id of a letter."""
    for letter in islice(cycle(rogue.pen.letters), many):
        rogue.bring(letter)
        body = letter["body"].encode() + b" " * rogue.rng.randint(1, 99)
        jws = _sealed(rogue, letter, body, rogue.pen.key)
        rogue.say("forged", "reused", letter, rogue.honest(letter, body=body, jws=jws))


def _sealed(rogue: Rogue, letter: dict[str, Any], body: bytes, key: SigningKey) -> str:
    written = Letter(rogue.partner, body, letter["seq"], letter["mid"])
    return seal(written, datetime.fromtimestamp(time.time(), UTC), key=key)


def replayed(rogue: Rogue, many: int) -> None:
    """Requests that were captured, sent again everywhere; then to a door for which it is later."""
    captured = []
    for letter in islice(cycle(rogue.pen.letters), many):
        request = rogue.bring(letter)
        captured.append((letter, request))
        others = [p.lower() for p in PARTNERS if p != rogue.partner]
        for kind, path in (
            ("at once", request.path),
            ("another partner", request.path.replace(rogue.partner.lower(), rogue.rng.choice(others))),
            ("in capitals", request.path.replace(rogue.partner.lower(), rogue.partner)),
            ("with a query", f"{request.path}?again"),
            ("another route", f"{request.path.removesuffix('outcomes')}messages/{letter['mid']}/receipt"),
        ):
            rogue.say("forged", kind, letter, request._replace(path=path))
    if rogue.place.other_port and rogue.partner == PARTNERS[0]:  # the clock of that door is for one to set
        for later_s in LATER_S:
            for letter, request in captured:
                rogue.say("forged", f"after {later_s:.0f} s", letter, request, _later(rogue.place, later_s))


def _later(place: Place, seconds: float) -> int:
    """The port of a door for which it is so much later."""
    set_ahead(place.ahead, seconds)
    return place.other_port


def skewed(rogue: Rogue, many: int) -> None:
    """A clock over there that is wrong by whole seconds, at the beginning of a second of ours."""
    letters = islice(cycle(rogue.pen.letters), many)
    for letter in letters:
        rogue.bring(letter)
        for ahead_s in (*BELIEVED_S, *TOO_FAR_S):
            time.sleep(-time.time() % 1.0 if time.time() % 1.0 > 0.3 else 0.0)
            what = "answer" if ahead_s in BELIEVED_S else "forged"
            rogue.say(what, f"{ahead_s:+d} s", letter, rogue.honest(letter, ahead_s=ahead_s))


def revoked(rogue: Rogue, many: int) -> None:
    """A second key is believed beside the first one, until it is revoked; five seconds later nobody believes it."""
    stolen = generate(f"{rogue.partner.lower()}-stolen")
    thief = replace(rogue, pen=replace(rogue.pen, key=stolen))
    letters = list(islice(cycle(rogue.pen.letters), many))
    with rogue.place.gateway(knowledge()) as gateway:
        gateway.shelf.add(rogue.partner, to_jwk(stolen))
        time.sleep(KEYS_KNOWN_FOR_S + 0.5)  # a door looks again after that long
        for letter in letters:
            rogue.bring(letter)
            thief.say("answer", "second key", letter, thief.honest(letter))
        gateway.shelf.revoke(rogue.partner, stolen.kid)
    until = time.monotonic() + REVOKED_WITHIN_S
    while time.monotonic() < until:
        thief.say("meanwhile", "revoked", letters[0], thief.honest(letters[0]))
        time.sleep(0.2)
    for letter in letters:
        thief.say("forged", "revoked", letter, thief.honest(letter))


def flipped(rogue: Rogue, many: int) -> None:
    """One bit somewhere is another."""
    kinds = cycle(FLIPS)
    for letter in islice(cycle(rogue.pen.letters), many):
        kind = next(kinds)
        rogue.say("forged", kind, letter, FLIPS[kind](rogue, letter))


def _flip(raw: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(raw))
    return raw[:at] + bytes([raw[at] ^ 1 << rng.randrange(8)]) + raw[at + 1 :]


def _header(name: str, inside: str = "") -> Callable[[Rogue, dict[str, Any]], Request]:
    """A bit of a header; of the parameter that is called so, where one is named."""

    def flip(rogue: Rogue, letter: dict[str, Any]) -> Request:
        request = rogue.honest(letter)
        value = request.headers[name]
        found = re.search(rf'{inside}="?([^;"]+)'.encode(), value) if inside else None
        begin, end = found.span(1) if found else (0, len(value))
        changed = value[:begin] + _flip(value[begin:end], rogue.rng) + value[end:]
        return request._replace(headers={**request.headers, name: changed})

    return flip


def _body(rogue: Rogue, letter: dict[str, Any]) -> Request:
    request = rogue.honest(letter)
    return request._replace(body=_flip(request.body, rogue.rng))


def _body_signed_anew(rogue: Rogue, letter: dict[str, Any]) -> Request:
    """The attempt is right about the bytes, the manifest is not."""
    return rogue.honest(letter, body=_flip(letter["body"].encode(), rogue.rng))


def _manifest(place: int) -> Callable[[Rogue, dict[str, Any]], Request]:
    """A part of the JWS is another, and the attempt is signed over it: header 0, payload 1, signature 2."""

    def flip(rogue: Rogue, letter: dict[str, Any]) -> Request:
        parts = letter["jws"].split(".")
        at = rogue.rng.randrange(len(parts[place]))
        other = rogue.rng.choice([c for c in _BASE64URL if c != parts[place][at]])
        parts[place] = parts[place][:at] + other + parts[place][at + 1 :]
        return rogue.honest(letter, jws=".".join(parts))

    return flip


_BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
FLIPS: Mapping[str, Callable[[Rogue, dict[str, Any]], Request]] = {
    "body": _body,
    "content type": _header("Content-Type"),
    "content digest": _header("Content-Digest"),
    "message id": _header("Idempotency-Key"),
    "manifest": _header("Comwel-Message-JWS"),
    "signature": _header("Signature"),
    "signature input": _header("Signature-Input"),
    **{name: _header("Signature-Input", name) for name in ("created", "expires", "nonce", "keyid", "alg", "tag")},
    "body, signed anew": _body_signed_anew,
    "manifest header, signed anew": _manifest(0),
    "manifest payload, signed anew": _manifest(1),
    "manifest signature, signed anew": _manifest(2),
}
ACTS = {act.__name__: act for act in (reused, replayed, revoked, skewed, flipped)}


def rogues(place: Place, act: str, many: int) -> None:
    """Do it under the name of each partner, `many` times; then say so, and wait to be ended."""
    doing = [threading.Thread(target=_be, args=(place, partner, act, many)) for partner in PARTNERS]
    for one in doing:
        one.start()
    threading.Event().wait()


def _be(place: Place, partner: str, act: str, many: int) -> None:
    journal = Journal(place.partners / partner.lower() / "rogue.ndjson")
    ACTS[act](Rogue(place, partner, pen_of(place, partner), Random(f"{partner}|{act}"), journal), many)
    journal.append({"what": "done", "at": time.time()})
