"""The leaf: what the log says of one act, so little that anybody may read it for ever.

    {"act":"delivery.attempted","at":"2026-11-23T14:02:11.302Z","event":"<commitment>","id":"<uuid>","mid":"<uuid>",
     "seq":4127,"stream":"KEAD","subj":"<uuid>","v":1,"verdict":"done"}

Rules: RFC 8785 canonical JSON, closed names and a closed list of acts; what the act was about is committed to by HMAC
under a key of its case, never shown. `seq` counts without gaps in each stream (a partner, `access`, `system`, `log`).
Destroying the key of a case leaves every leaf and every proof as it is, and says nothing any more.
Refuses names, numbers of cases and legs, digests that could be guessed, and every field it does not know.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from hmac import digest
from typing import Any, NamedTuple

import orjson

from gateway.errors import LeafInvalid
from gateway.exchange_log.audit import AuditEvent, moment

VERSION = 1
LONGEST = 4096
REMEMBERED = 4096
"""Keys of cases of which the first half of the derivation is kept at hand."""
ACCESS, SYSTEM, LOG = "access", "system", "log"

OPENED, CLOSED, HEARTBEAT = "log.opened", "log.closed", "log.heartbeat"
LOG_ACTS = frozenset({OPENED, CLOSED, HEARTBEAT})
READS = frozenset({
    "message.explained",
    "acts.exported",
    "completeness.reported",
    "work.listed",
    "cases.listed",
    "exchanges.listed",
    "dead.listed",
    "review.read",
    "bundle.made",
})  # fmt: skip
SENDS = frozenset({"referral.prepared", "referral.withdrawn"})
TAKES = "message.received"
BRINGS_A_MESSAGE = SENDS | {TAKES}
"""Acts that bring a message into being here; their leaves commit to its bytes too."""
ACTS = LOG_ACTS | READS | {
    "log.checked",
    "witness.doubted",
    "stamp.doubted",
    "handover.taken",
    "cases.judged",
    "cases.screened",
    "consent.granted",
    "consent.changed",
    "consent.expired",
    "consent.withdrawn",
    "consent.removed",
    "referral.prepared",
    "referral.withdrawn",
    "referrals.reviewed",
    "delivery.leased",
    "delivery.attempted",
    "delivery.released",
    "delivery.postponed",
    "key.added",
    "key.scheduled",
    "key.activated",
    "key.ended",
    "key.revoked",
    "map.activated",
    "map.ended",
    "partner.activated",
    "partner.ended",
    "rules.activated",
    "rules.ended",
    "line.opened",
    "line.closed",
    "line.paused",
    "line.stopped",
    "line.resumed",
    "replay.planned",
    "replay.executed",
    "message.received",
    "message.repeated",
    "nonces.forgotten",
    "review.signed",
    "secret.replaced",
    "secret.rewrapped",
    "books.stated",
    "books.compared",
    "outcomes.judged",
    "records.reviewed",
    "records.destroyed",
    "records.held",
    "records.released",
    "records.returned",
    "reports.missed",
    "retention.due",
    "retention.ended",
    "versions.missed",
    "work.done",
    "writeback.allocated",
    "writeback.written",
}  # fmt: skip
"""Every act there is. A new one is written down here, or no unit of work can commit it."""
OTHER_ACTS = ACTS - LOG_ACTS

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_COMMITMENT = r"[A-Za-z0-9_-]{43}"
_TEXTS: Mapping[str, str] = {
    "id": _UUID,
    "at": r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z",
    "stream": r"[A-Z][A-Z0-9]{1,11}|access|system|log",
    "verdict": "done|refused",
    "code": r"[A-Za-z0-9][A-Za-z0-9._:|/+-]{0,119}",
    "mid": _UUID,
    "subj": _UUID,
    "event": _COMMITMENT,
    "body": _COMMITMENT,
    "previous": r"[^\x00-\x09\x0b-\x1f]{1,3000}",
}
_SHAPES = {name: re.compile(shape, re.ASCII) for name, shape in _TEXTS.items()}


def _member(name: str) -> str:
    return f'"{name}":"(?P<{name}>{_TEXTS[name]})"'


_GLANCE = re.compile(
    rf"""\{{"act":"(?P<act>[a-z.]+)",{_member("at")}(?:,{_member("body")})?(?:,{_member("code")})?,{_member("event")}"""
    rf""",{_member("id")}(?:,{_member("mid")})?,"seq":(?P<seq>[1-9][0-9]{{0,14}}),{_member("stream")}"""
    rf"""(?:,{_member("subj")})?,"v":{VERSION},{_member("verdict")}\}}""",
    re.ASCII,
)
"""The leaf of an act that is not about the log: no value in it could be spelled another way."""


class Leaf(NamedTuple):
    """One leaf. `event` and `body` are commitments; `previous` is the last checkpoint of the log before this one."""

    act: str
    at: datetime
    id: str
    stream: str
    seq: int
    verdict: str = "done"
    code: str | None = None
    mid: str | None = None
    subj: str | None = None
    event: str | None = None
    body: str | None = None
    previous: str | None = None

    def to_bytes(self) -> bytes:
        """The leaf as it is hashed. Raises LeafInvalid."""
        said: dict[str, Any] = {name: value for name, value in self._asdict().items() if value is not None}
        said.update(at=moment(self.at), v=VERSION)
        raw = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
        if not _at_a_glance(raw):
            _judge(said, raw)
        return raw


def read(raw: bytes) -> Leaf:
    """The leaf in these bytes. Raises LeafInvalid unless they are the one way to write it."""
    if found := _at_a_glance(raw):
        act, at, id_, stream, seq, *rest = found.group(*Leaf._fields[:-1])
        return Leaf(act, _moment(at), id_, stream, int(seq), *rest)
    return read_closely(raw)


def read_closely(raw: bytes) -> Leaf:
    """The same for every leaf, field by field, so that a refusal can name the one it is about."""
    try:
        said = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise LeafInvalid("not JSON") from None
    if not isinstance(said, dict) or said.pop("v", None) != VERSION:
        raise LeafInvalid("not a leaf of version 1")
    _judge(said, raw)
    if orjson.dumps({**said, "v": VERSION}, option=orjson.OPT_SORT_KEYS) != raw:
        raise LeafInvalid("not canonical JSON")
    return Leaf(**{**said, "at": _moment(said["at"])})


def _moment(at: str) -> datetime:
    try:
        return datetime.fromisoformat(at)
    except ValueError:
        raise LeafInvalid("at: no such moment") from None


def stream_of(event: AuditEvent) -> str:
    """The stream in which an act is counted."""
    return event.partner or (ACCESS if event.act in READS else SYSTEM)


def direction_of(act: str) -> str:
    """Which way the message went that an act brought into being: in|out. One id may have gone both ways."""
    return "in" if act == TAKES else "out"


@lru_cache(maxsize=REMEMBERED)
def _extracted(case_key: bytes) -> bytes:
    return digest(bytes(sha256().digest_size), case_key, sha256)


def event_key(case_key: bytes, event_id: str) -> bytes:
    """The key of one commitment: HKDF-SHA256 of the case's key (RFC 5869), for this event only."""
    return digest(_extracted(case_key), b"exchange-log " + event_id.encode() + b"\x01", sha256)


def commit_event(key: bytes, statement: bytes) -> str:
    """The commitment to an event's statement."""
    return _text(digest(key, b"event\x00" + statement, sha256))


def commit_body(key: bytes, body_sha256: bytes) -> str:
    """The commitment to the exact bytes of a message, by their SHA-256."""
    return _text(digest(key, b"body\x00" + body_sha256, sha256))


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _at_a_glance(raw: bytes) -> re.Match[str] | None:
    """Nearly every leaf, whole and judged; None for those about the log, and for what is no leaf."""
    found = _GLANCE.fullmatch(raw.decode("latin-1"))
    return found if found and found["act"] in OTHER_ACTS and found["stream"] != LOG else None


def _judge(said: Mapping[str, Any], raw: bytes) -> None:
    for name, value in said.items():
        if name in ("v", "seq", "act"):
            continue
        shape = _SHAPES.get(name)
        if shape is None or not isinstance(value, str) or not shape.fullmatch(value):
            raise LeafInvalid(name if shape else "a field that leaves do not have")
    if not isinstance(said.get("act"), str) or said["act"] not in ACTS:
        raise LeafInvalid("an act that is not in the list of gateway/exchange_log/leaf.py")
    seq = said.get("seq")
    if type(seq) is not int or not 1 <= seq < 2**53:
        raise LeafInvalid("seq")
    if missing := {"at", "id", "stream", "verdict"} - said.keys():
        raise LeafInvalid(f"{min(missing)} is missing")
    if (said["act"] in LOG_ACTS) == ("event" in said) or (said["act"] in LOG_ACTS) != (said["stream"] == LOG):
        raise LeafInvalid("an act of the log has no event and its own stream, every other act has one")
    if len(raw) > LONGEST:
        raise LeafInvalid(f"longer than {LONGEST} bytes")
