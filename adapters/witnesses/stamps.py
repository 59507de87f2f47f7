"""The way to a time stamping authority over HTTP (RFC 3161 §3.4).

Rules: one request, no redirect followed; ten seconds, and no more of the answer than a stamp can be. Never raises for
anything an authority can do.
"""

from __future__ import annotations

import time

import httpx2

PATIENCE_S = 10.0
LONGEST = 65_536
ASKS, ANSWERS = "application/timestamp-query", "application/timestamp-reply"


class HttpAuthority:
    """Asks the authority at `url`: a request in DER, an answer in DER, or nothing."""

    def __init__(self, url: str, patience_s: float = PATIENCE_S) -> None:
        self._url, self._patience_s = url, patience_s

    def __call__(self, request: bytes) -> bytes | None:
        """One stamp."""
        headers = {"Content-Type": ASKS, "Accept": ANSWERS}
        read, until = bytearray(), time.monotonic() + self._patience_s
        try:
            with (
                httpx2.Client(timeout=self._patience_s, trust_env=False, follow_redirects=False) as client,
                client.stream("POST", self._url, content=request, headers=headers) as answer,
            ):
                for chunk in answer.iter_bytes():
                    read += chunk
                    if len(read) > LONGEST or time.monotonic() > until:
                        return None
                return bytes(read) if answer.status_code == 200 else None
        except (httpx2.HTTPError, httpx2.InvalidURL):
            return None
