"""The proof of one attempt: an HTTP signature (RFC 9421) over a request with a body digest (RFC 9530), fresh each time.

One fixed profile: label `sig1`, tag `comwel-v1`, and these components in this order, each once:

    "@method" "@target-uri" "content-type" "content-digest" "idempotency-key" "comwel-message-jws"

with the parameters created, expires, nonce, keyid, alg and tag (their order is the signer's; we write the one above).
`Content-Digest` is SHA-256. The verifier rebuilds `@target-uri` from the configured public base URL and the raw path:
the `Host` header is not asked.

This module refuses any other label, component, parameter or spelling; a header that comes twice; a target or a content
type that is too long to be kept with the message; and requests older than 300 s or more than 60 s ahead. It does not
remember nonces: the door does, for 15 minutes.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Container, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from gateway.errors import DigestMismatch, KeyRefused, NotFresh, Place, SignatureInvalid
from gateway.sealing import claims
from gateway.sealing.algorithms import ALGORITHMS
from gateway.sealing.heads import Head, digest_field
from gateway.sealing.keys import KeyFinder, SigningKey, VerifyKey
from gateway.sealing.step import Step

OLDEST = timedelta(seconds=300)
AHEAD = timedelta(seconds=60)
LIFETIME = timedelta(seconds=300)
LONGEST_TARGET, LONGEST_TYPE = 2048, 255
"""Characters: both are kept with the message, and a stranger says how long they are."""

_FIELDS = ("content-type", "content-digest", "idempotency-key", "comwel-message-jws")
_HEADERS = (*_FIELDS, "signature-input", "signature")
_COMPONENTS = " ".join(f'"{name}"' for name in ("@method", "@target-uri", *_FIELDS))
_TAG = "comwel-v1"

_ONE_LINE = claims.text(r"[!-~]([ -~]*[!-~])?")  # printable ASCII, no space at either end
_TOKEN = claims.text(r"[A-Z]{1,16}")
_URI = claims.text(rf"https?://[!-~]{{1,{LONGEST_TARGET - 8}}}")
_NONCE = claims.text(r"[A-Za-z0-9+/=_-]{22,88}")  # 22 characters of base64 hold 128 bits

_PARAMETER = r';([a-z]+)=([1-9][0-9]{9}|"[!#-\[\]-~]*")'
_INPUT = re.compile(rf"sig1=(\({re.escape(_COMPONENTS)}\)((?:{_PARAMETER})+))", re.ASCII)
_EACH_PARAMETER = re.compile(_PARAMETER, re.ASCII)
_SIGNATURE = re.compile(r"sig1=:([A-Za-z0-9+/]+={0,2}):", re.ASCII)
_PARAMETERS = frozenset({"created", "expires", "nonce", "keyid", "alg", "tag"})
_NUMBERS = frozenset({"created", "expires"})


class Attempt(NamedTuple):
    """A request whose origin, target and freshness are proven; `nonce` must still be seen for the first time."""

    kid: str
    owner: str  # partner id in lower case; must equal the manifest's `iss`
    created: datetime
    nonce: str
    mid: str  # Idempotency-Key as signed; must equal the manifest's `mid`
    jws: str  # Comwel-Message-JWS as signed
    head: Head  # all of it that was signed


class _Terms(NamedTuple):
    """The signature parameters, and their exact text for the signature base."""

    text: str
    created: int
    expires: int
    nonce: str
    keyid: str
    alg: str


def content_digest(body: bytes) -> str:
    """Return the value of `Content-Digest` for `body` (RFC 9530 §2)."""
    return digest_field(sha256(body).digest())


def sign(
    method: str,
    target_uri: str,
    content_type: str,
    body: bytes,
    mid: str,
    jws: str,
    *,
    key: SigningKey,
    created: datetime,
    nonce: str,
) -> dict[str, str]:
    """Return the six headers of an attempt to bring a message across.

    `nonce` is at least 128 random bits in base64url, new for every attempt; the signature expires 300 s after
    `created`. Raises SignatureInvalid for what `verify` would refuse to read.
    """
    if not _NONCE(nonce):
        raise SignatureInvalid("a nonce has 22 to 88 characters of base64")
    at = int(created.timestamp())
    headers = {
        "Content-Type": content_type,
        "Content-Digest": content_digest(body),
        "Idempotency-Key": mid,
        "Comwel-Message-JWS": jws,
    }
    terms = (
        f'({_COMPONENTS});created={at};expires={at + int(LIFETIME.total_seconds())};nonce="{nonce}"'
        f';keyid="{key.kid}";alg="{ALGORITHMS[key.alg].http_name}";tag="{_TAG}"'
    )
    base = _base(method, target_uri, {name.lower(): value for name, value in headers.items()}, terms)
    signature = b64encode(key.sign_http(base)).decode("ascii")
    return {**headers, "Signature-Input": f"sig1={terms}", "Signature": f"sig1=:{signature}:"}


def verify(
    method: str, target_uri: str, headers: Mapping[str, str], body: bytes, *, keys: KeyFinder, now: datetime
) -> Attempt:
    """Return the attempt that a request proves to be. `target_uri` is our public base URL + the raw path and query.

    Raises SignatureInvalid, NotFresh, KeyRefused or DigestMismatch, naming the step.
    """
    # 1. Every header that matters is there once.
    # 2. The signature is of our profile, to the letter.
    # 3. It is fresh: created within [now - 300 s, now + 60 s], not expired, not valid for longer than 300 s.
    # 4. Its key is valid now and registered for its algorithm.
    # 5. The body has the digest that was signed.
    # 6. The signature holds over this method, this target and these headers.

    with Step(1, "the headers"):
        found = _once(headers)
    with Step(2, "the profile"):
        terms = _terms(found["signature-input"])
        signature = _signature(found["signature"])
    with Step(3, "the time"):
        created = _must_be_fresh(terms, now)
    with Step(4, "the key"):
        key = _key(keys, terms, now)
    with Step(5, "the body"):
        if found["content-digest"] != content_digest(body):
            raise DigestMismatch("Content-Digest is not sha-256 of the body")
    with Step(6, "the signature"):
        key.verify_http(signature, _base(method, target_uri, found, terms.text))
    head = head_of(method, target_uri, found)
    return Attempt(
        key.kid, key.owner, created, terms.nonce, found["idempotency-key"], found["comwel-message-jws"], head
    )


def head_of(method: str, target_uri: str, headers: Mapping[str, str]) -> Head:
    """What is kept of the head of a request; `headers` as `sign` names them, or all in lower case."""
    found = {name.lower(): value for name, value in headers.items()}
    return Head(method, target_uri, found["content-type"], found["signature-input"], found["signature"])


def _base(method: str, target_uri: str, fields: Mapping[str, str], terms: str) -> bytes:
    """Return the signature base (RFC 9421 §2.5): one line per component, the parameters last, no newline at the end."""
    if not _TOKEN(method) or not _URI(target_uri):
        raise SignatureInvalid("not a method in capitals and an absolute http(s) target in ASCII, not too long")
    for name in _FIELDS:
        if not _ONE_LINE(fields[name]):
            raise SignatureInvalid("a header is not one line of ASCII", place=Place(field=name))
    if len(fields["content-type"]) > LONGEST_TYPE:
        raise SignatureInvalid(f"longer than {LONGEST_TYPE} characters", place=Place(field="content-type"))
    lines = [f'"@method": {method}', f'"@target-uri": {target_uri}']
    lines += [f'"{name}": {fields[name]}' for name in _FIELDS]
    return "\n".join([*lines, f'"@signature-params": {terms}']).encode("ascii")


def present(names: Container[str]) -> None:
    """Raises SignatureInvalid unless these hold every header, in lower case: so much can be said without the body."""
    with Step(1, "the headers"):
        for name in _HEADERS:
            if name not in names:
                raise SignatureInvalid("a header is missing", place=Place(field=name))


def _once(headers: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in headers.items():
        lower = name.lower()
        if lower in _HEADERS:
            if lower in found:
                raise SignatureInvalid("a header comes twice", place=Place(field=lower))
            found[lower] = value.strip(" \t")
    for name in _HEADERS:
        if name not in found:
            raise SignatureInvalid("a header is missing", place=Place(field=name))
    return found


def _terms(value: str) -> _Terms:
    match = _INPUT.fullmatch(value)
    if match is None:
        raise SignatureInvalid("not the fixed profile", place=Place(field="signature-input"))
    pairs = _EACH_PARAMETER.findall(match[2])
    found = dict(pairs)
    if found.keys() != _PARAMETERS or len(pairs) != len(_PARAMETERS):
        raise SignatureInvalid("not the parameters of the profile, each once", place=Place(field="signature-input"))
    if any((name in _NUMBERS) == text.startswith('"') for name, text in pairs):
        raise SignatureInvalid("a parameter is of the wrong type", place=Place(field="signature-input"))
    texts = {name: text.strip('"') for name, text in pairs}
    if texts["tag"] != _TAG or not _NONCE(texts["nonce"]) or not claims.KID(texts["keyid"]):
        raise SignatureInvalid("tag, nonce or keyid is not of the profile", place=Place(field="signature-input"))
    created, expires = int(texts["created"]), int(texts["expires"])
    return _Terms(match[1], created, expires, texts["nonce"], texts["keyid"], texts["alg"])


def _signature(value: str) -> bytes:
    match = _SIGNATURE.fullmatch(value)
    try:
        raw = b64decode(match[1], validate=True) if match else b""
    except ValueError:
        raw = b""
    if match is None or b64encode(raw).decode("ascii") != match[1]:
        raise SignatureInvalid("not one byte sequence under sig1", place=Place(field="signature"))
    return raw


def _must_be_fresh(terms: _Terms, now: datetime) -> datetime:
    created = datetime.fromtimestamp(terms.created, UTC)
    expires = datetime.fromtimestamp(terms.expires, UTC)
    if created < now - OLDEST:
        raise NotFresh("created more than 300 s ago")
    if created > now + AHEAD:
        raise NotFresh("created more than 60 s ahead")
    if not created < expires <= created + LIFETIME:
        raise NotFresh("valid for no time, or for more than 300 s")
    if expires < now:
        raise NotFresh("expired")
    return created


def _key(keys: KeyFinder, terms: _Terms, now: datetime) -> VerifyKey:
    key = keys(terms.keyid, now)
    key.usable(now)
    if key.kid != terms.keyid or ALGORITHMS[key.alg].http_name != terms.alg:
        raise KeyRefused("alg is not the one this key is registered for")
    return key
