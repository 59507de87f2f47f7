"""One attempt over HTTP: the exact bytes and headers out, an answer or the phase of the failure back.

Rules: one POST, no redirect followed, nothing sent twice; at most 256 kB of the answer are read, of a list that was
asked for as much as was agreed. A refusal to begin is phase `before`, a partner that cannot be reached or does not
answer in time is phase `attempt`, an answer of any kind is `after`, even one that broke off: its headers may carry the
receipt. Never raises for anything a partner can do.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import httpx2

from adapters.partners.answers import LARGEST, Heard
from adapters.partners.egress import CONNECT_S, AddressRefused, Egress, Network, Resolver
from gateway.ports import Answer, Outgoing, Said


class Failure(NamedTuple):
    """An attempt that got no answer: `phase` before|attempt, why in our own words, and whether any of it left us."""

    phase: str
    detail: str
    sent: bool

    def answer(self) -> Answer:
        """The same as an Answer of the port."""
        return Answer(self.phase, None, None, None, None, self.detail, self.sent)


_SENTENCES: tuple[tuple[type[Exception], str, str, bool], ...] = (
    # exception               phase      in our own words, and whether any of the request may have left
    (httpx2.PoolTimeout, "before", "no free connection", False),
    (httpx2.UnsupportedProtocol, "before", "neither http nor https", False),
    (httpx2.LocalProtocolError, "before", "the request is malformed", False),
    (httpx2.InvalidURL, "before", "the address is malformed", False),
    (httpx2.ConnectTimeout, "attempt", "no connection in time", False),
    (httpx2.ConnectError, "attempt", "cannot connect", False),
    (httpx2.ReadTimeout, "attempt", "no answer in time", True),
    (httpx2.WriteTimeout, "attempt", "the message could not be written in time", True),
    (httpx2.RemoteProtocolError, "attempt", "the answer is not HTTP, or the connection was closed", True),
    (httpx2.NetworkError, "attempt", "the connection broke", True),
    (httpx2.TransportError, "attempt", "the transport failed", True),
    (ValueError, "before", "a header or the address is malformed", False),
)
_RAISED = tuple(kind for kind, *_ in _SENTENCES)


class Line:
    """The connections to one partner. `attempt_s` bounds one attempt from begin to end. Safe for several threads."""

    def __init__(
        self,
        attempt_s: float,
        networks: Sequence[Network] = (),
        *,
        connections: int = 4,
        resolve: Resolver | None = None,
    ) -> None:
        self._attempt_s = attempt_s
        self._egress = Egress(networks, connections=connections, resolve=resolve)
        steps = {"connect": CONNECT_S, "read": attempt_s, "write": attempt_s, "pool": CONNECT_S}
        self._extensions = {"timeout": steps}

    def ask(self, message: Outgoing, most: int) -> Said:
        """Make one attempt, and give the whole answer, up to `most` bytes."""
        heard = self.post(message, message.content_type, most)
        if isinstance(heard, Failure):
            return Said(heard.phase, None, None, heard.detail)
        return Said("after", heard.status, heard.body, f"HTTP {heard.status}{heard.flaw and ', '}{heard.flaw}")

    def post(self, message: Outgoing, accept: str, most: int = LARGEST) -> Heard | Failure:
        """Make one attempt; of an answer that is larger than `most` bytes there is no body."""
        headers = {"Accept": accept, "Accept-Encoding": "identity", **message.headers}
        try:
            request = httpx2.Request(
                "POST", _url(message.url), headers=headers, content=message.body, extensions=self._extensions
            )
            with self._egress.attempt(self._attempt_s, plain=request.url.scheme == "http"):
                answer = self._egress.handle_request(request)
                try:
                    return _heard(answer, most)
                finally:
                    answer.close()
        except _RAISED as error:
            return _failure(error)

    def close(self) -> None:
        """Close the kept-alive connections."""
        self._egress.close()


@lru_cache(maxsize=64)
def _url(text: str) -> httpx2.URL:
    """Parse an address; a partner has one or two, and parsing costs 50 µs."""
    return httpx2.URL(text)


def _heard(answer: httpx2.Response, most: int) -> Heard:
    """Read the answer, as far as it comes and no further than allowed."""
    status, headers = answer.status_code, {k.lower(): v for k, v in answer.headers.items()}
    chunks, size = [], 0
    try:
        for chunk in answer.iter_raw():
            size += len(chunk)
            if size > most:
                return Heard(status, headers, None, f"larger than {most >> 10} kB")
            chunks.append(chunk)
    except httpx2.TransportError:
        return Heard(status, headers, None, "broke off")
    return Heard(status, headers, b"".join(chunks))


def _failure(error: Exception) -> Failure:
    if isinstance(error.__cause__, AddressRefused):
        return Failure("before", "the address is outside the agreement", sent=False)
    return next(Failure(phase, sentence, sent) for kind, phase, sentence, sent in _SENTENCES if isinstance(error, kind))
