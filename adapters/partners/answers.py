"""How a partner's answer is read: a receipt, a result, a wish to wait, and a sentence for the log.

Rules: where receipt and result stand is the profile's business (`gateway.partners.dialect`); the header
`Comwel-Receipt-JWS` is looked at for every partner. A receipt is found here, not believed: its signature is checked by
the caller. Whatever is not JSON of the expected kind has no result. `detail` is made of our own words, numbers and
media types only, never of the partner's text, so no personal data can be in it. Of the head that is kept which evidence
wants (`gateway.sealing.heads`), however much of it there is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from gateway.documents import strict_json
from gateway.errors import DocumentRefused
from gateway.partners.dialect import Dialect
from gateway.ports import Answer
from gateway.sealing import compact, heads

RECEIPT_HEADER = "Comwel-Receipt-JWS"
LARGEST = 262_144
LONGEST_WAIT_S = 3600.0

Meaning = Callable[[Any], str | None]
"""What a parsed body says happened: ok | duplicate | permanent | retry, or None when it does not say."""

_JWS = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_MEDIA_TYPE = re.compile(r"[a-z]{1,20}/[a-z0-9.+-]{1,60}")


class Heard(NamedTuple):
    """An HTTP answer: `body` is None when it broke off or was too large; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None
    flaw: str = ""


def read(heard: Heard, dialect: Dialect, meaning: Meaning) -> Answer:
    """Read an answer, whatever it is."""
    body = _document(heard.body)
    receipt = _jws(heard.headers.get(RECEIPT_HEADER.lower())) or _jws(dialect.receipt_in(body))
    result = None if body is None else meaning(body)
    detail = f"HTTP {heard.status}, {heard.flaw or _kind(heard, body)}"
    head = heads.of_answer(heard.headers)
    return Answer("after", heard.status, receipt, result, retry_after(heard.headers), detail, head=head)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds the partner asks us to wait (RFC 9110 §10.2.3), at most an hour; a date counts from the answer's Date."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), LONGEST_WAIT_S)
    try:
        wait_s = (parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("date", ""))).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait_s, 0.0), LONGEST_WAIT_S)


def _document(body: bytes | None) -> Any:
    if not body:
        return None
    try:
        return strict_json.loads(body, max_bytes=LARGEST)
    except DocumentRefused:
        return None


def _jws(text: str | None) -> str | None:
    return text if text is not None and len(text) <= compact.MAX_LENGTH and _JWS.fullmatch(text) else None


def _kind(heard: Heard, body: Any) -> str:
    if body is not None:
        return "JSON"
    media_type = heard.headers.get("content-type", "").partition(";")[0].strip().lower()
    return f"no JSON ({media_type if _MEDIA_TYPE.fullmatch(media_type) else 'media type unknown'})"
