"""Promises: does the gateway's log hold what its receipts promised? Asked as any partner can, receipt by receipt.

Rules: the keys of the log are those of whoever tells us to look, for a partner has them from its agreement and not from
the gateway. What has no place yet waits, for a day at most. Of many receipts some are looked at, spread over all.
Refuses to call kept what it has not verified itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from gateway.errors import LogRefused
from gateway.exchange_log.note import Verifier
from gateway.exchange_log.proof import keep
from gateway.sealing import base64url
from gateway.sealing.receipts import Promise, promised

LONGEST = timedelta(days=1)
MOST = 100
Ask = Callable[[str], str | None]
"""message id → the gateway's proof for its receipt, or nothing yet"""


class _Became(StrEnum):
    KEPT = "kept"
    WAITING = "waiting"
    BROKEN = "broken"


class Found(NamedTuple):
    """What became of the promises that were looked at; `broken` names the messages."""

    kept: int
    waiting: int
    broken: list[str]


def look(lines: Iterable[Mapping[str, Any]], ask: Ask, logs: Sequence[Verifier], now: datetime) -> Found:
    """Look at the receipts in a journal."""
    receipts = {line["mid"]: line["receipt"] for line in lines if line["what"] in ("answered", "refused")}
    said = [(mid, promise) for mid, jws in receipts.items() if (promise := promised(jws))]
    some = said[:: max(1, -(-len(said) // MOST))]
    became = {mid: _became(promise, ask(mid), logs, now) for mid, promise in some}
    count = list(became.values()).count
    broken = [mid for mid, what in became.items() if what is _Became.BROKEN]
    return Found(count(_Became.KEPT), count(_Became.WAITING), broken)


def _became(promise: Promise, proof: str | None, logs: Sequence[Verifier], now: datetime) -> _Became:
    if proof is None:
        return _Became.WAITING if now - datetime.fromisoformat(promise.at) < LONGEST else _Became.BROKEN
    return _Became.KEPT if any(_keeps(promise, proof, log) for log in logs) else _Became.BROKEN


def _keeps(promise: Promise, proof: str, log: Verifier) -> bool:
    try:
        keep(proof, log, promise.log, base64url.decode(promise.leaf))
    except LogRefused:
        return False
    return True
