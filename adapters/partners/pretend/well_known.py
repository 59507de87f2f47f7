"""The gateway's public keys as it shows them to everybody: `GET /.well-known/jwks.json`, as long as it says.

Rules: what may be kept how long says `Cache-Control` (RFC 9111), between a minute and a day. Refuses more than 64 kB,
any other status than 200, and to wait: whoever asks has a message in his hands.
"""

from __future__ import annotations

import re
import ssl

import httpx2

from adapters.partners.pretend.keyring import KEEP_S, Fetched

PATH = "/.well-known/jwks.json"
LARGEST = 65_536
PATIENCE_S = 2.0
SHORTEST_S, LONGEST_S = 60.0, 86_400.0


class WellKnown:
    """Call it to ask. `trust` is how the gateway's TLS is verified; see `postman.client_context`."""

    def __init__(self, gateway: str, trust: ssl.SSLContext | bool = True) -> None:
        self._url = gateway.rstrip("/") + PATH
        self._trust = trust

    def __call__(self) -> Fetched | None:
        """The set as it is now; None when there was no good answer."""
        try:
            answer = httpx2.get(self._url, timeout=PATIENCE_S, trust_env=False, verify=self._trust)
        except httpx2.HTTPError:
            return None
        if answer.status_code != 200 or len(answer.content) > LARGEST:
            return None
        return Fetched(answer.content, _keep_s(answer.headers.get("Cache-Control", "")))


def _keep_s(cache_control: str) -> float:
    found = re.search(r"\bmax-age=(\d{1,9})\b", cache_control)
    return min(max(float(found[1]), SHORTEST_S), LONGEST_S) if found else KEEP_S
