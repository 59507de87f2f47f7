"""What is kept of the head of a request and of its answer, beside the message that the request brought.

    [method, target, Content-Type, Signature-Input, Signature, status, [[name, value], …]]     JSON, in this order

Rules: of a request that is kept which its signature (RFC 9421) covers, and the signature; what stands with the message
anyway is not kept twice, and `told` puts it back: the digest, the id and the manifest. Of an answer six fields are
kept, each as one line of ASCII of up to `LONGEST` characters; of one that is longer or anything else, its name alone.
Nobody has signed an answer's head: it is what we heard.
Refuses to keep what else a head may hold: addresses, tokens, cookies, the way of hops and traces.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from gateway.sealing import claims

LONGEST = 1024
"""Characters of one field of an answer: a signature of RSA with 4096 bits in base64, and some."""
OF_AN_ANSWER = ("date", "content-type", "content-digest", "retry-after", "signature-input", "signature")

Fields = tuple[tuple[str, str | None], ...]
"""Header fields by their names in lower case; None: it was there, and not as a field is to be kept."""

_LINE = claims.text(r"[ -~]*")


class Head(NamedTuple):
    """The head of a request as it was signed; `status` and `answer` are what came back, None and () if nothing did."""

    method: str
    target_uri: str
    content_type: str
    signature_input: str
    signature: str
    status: int | None = None
    answer: Fields = ()


def of_answer(headers: Mapping[str, str]) -> Fields:
    """The fields of an answer that are kept; `headers` by lower-case name."""
    return tuple((name, _kept(headers[name])) for name in OF_AN_ANSWER if name in headers)


def _kept(value: str) -> str | None:
    return value if len(value) <= LONGEST and _LINE(value) else None


def keep(head: Head) -> bytes:
    """The head as it is kept."""
    return orjson.dumps(list(head))


def digest_field(digest: bytes) -> str:
    """The value of `Content-Digest` (RFC 9530 §2) for a SHA-256."""
    return f"sha-256=:{b64encode(digest).decode('ascii')}:"


def told(kept: bytes, *, body_sha256: bytes, mid: str, jws: str) -> dict[str, Any]:
    """The head of a request as it went, and what came back, for whoever checks it without us."""
    method, target_uri, content_type, signature_input, signature, status, answer = orjson.loads(kept)
    headers = {
        "content-type": content_type,
        "content-digest": digest_field(body_sha256),
        "idempotency-key": mid,
        "comwel-message-jws": jws,
        "signature-input": signature_input,
        "signature": signature,
    }
    heard = None if status is None else {"status": status, "headers": dict(answer)}
    return {"request": {"method": method, "target": target_uri, "headers": headers}, "answer": heard}
