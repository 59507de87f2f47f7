"""The way to a witness over HTTP (C2SP tlog-witness).

Rules: one request, no redirect followed; five seconds, and no more of the answer than a note can be. Never raises for
anything a witness can do. The connection is opened when it is used for the first time, and kept.
"""

from __future__ import annotations

import threading
import time

import httpx2

from gateway.exchange_log.note import LONGEST
from gateway.exchange_log.witnessing import ADD, latest
from gateway.ports import WitnessAnswer

PATIENCE_S = 5.0


class HttpWitness:
    """A WitnessChannel; `url` is the prefix of both interfaces. Safe for several threads."""

    def __init__(self, url: str, patience_s: float = PATIENCE_S) -> None:
        self._url, self._patience_s = url.rstrip("/"), patience_s
        self._client: httpx2.Client | None = None
        self._lock = threading.Lock()

    def add_checkpoint(self, submission: bytes) -> WitnessAnswer:
        """See `WitnessChannel.add_checkpoint`."""
        return self._ask("POST", ADD, submission)

    def latest(self, origin: str) -> WitnessAnswer:
        """See `WitnessChannel.latest`."""
        return self._ask("GET", latest(origin), None)

    def close(self) -> None:
        """Close the kept-alive connection."""
        if self._client is not None:
            self._client.close()

    def _ask(self, method: str, path: str, body: bytes | None) -> WitnessAnswer:
        try:
            with self._opened().stream(method, f"{self._url}/{path}", content=body) as answer:
                read, until = bytearray(), time.monotonic() + self._patience_s
                for chunk in answer.iter_bytes():
                    read += chunk
                    if len(read) > LONGEST or time.monotonic() > until:
                        return WitnessAnswer(None)
                return WitnessAnswer(answer.status_code, read.decode())
        except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeDecodeError):
            return WitnessAnswer(None)

    def _opened(self) -> httpx2.Client:
        with self._lock:
            if self._client is None:
                self._client = httpx2.Client(timeout=self._patience_s, trust_env=False, follow_redirects=False)
            return self._client
