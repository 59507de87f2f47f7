"""Evidence files: what was found for a bundle, as files and as the list of them.

Rules: one folder for each act, log, message and owner of keys; whatever is left out is said in the list, with the
reason. So files come first, and the list, which names what they lack, after them.
Refuses to give out a message that was not asked for, or that holds a resident registration number.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gateway.cases import rrn
from gateway.documents.strict_json import loads
from gateway.errors import DocumentRefused
from gateway.exchange_log.bundle import json
from gateway.journey.world import US
from gateway.ports import (
    ActsAsked,
    AttemptRow,
    Evidence,
    KeptEvent,
    KeyRow,
    LogSeen,
    MessageRow,
    ProvenAct,
    ReceiptRow,
)
from gateway.sealing import heads


class Bundled(NamedTuple):
    """A message with what was kept of its way: receipt, attempts, and why it says what it says.

    `heads` by the number of the attempt, from 1; an inbound message has one.
    """

    row: MessageRow
    receipt: ReceiptRow | None
    attempts: Sequence[AttemptRow]
    explanation: bytes | None
    heads: Mapping[int, bytes]


@dataclass(slots=True)
class Found:
    """What a bundle will hold, before it is proven."""

    acts: list[KeptEvent]
    messages: list[Bundled] = field(default_factory=list)
    keys: list[KeyRow] = field(default_factory=list)
    absent: list[dict[str, str]] = field(default_factory=list)

    def lacks(self, what: str, of: str, why: str) -> None:
        """Say in the list that something is not there."""
        self.absent.append({"what": what, "of": of, "why": why})


def files_of(found: Found, proven: Evidence, *, content: bool) -> Iterator[tuple[str, bytes]]:
    """Path and bytes of each file; what is left out is noted in `found`."""
    for act in proven.acts:
        yield from _act_files(act, found)
    for log in proven.logs:
        yield from _log_files(log)
    for bundled in found.messages:
        yield from _message_files(bundled, found, content=content)
    for n, key in enumerate(found.keys):
        terms = {"notBefore": key.not_before, "notAfter": key.not_after, "revokedAt": key.revoked_at}
        yield _key_path(key, n), json({"jwk": dict(key.jwk), **terms})


def _act_files(act: ProvenAct, found: Found) -> Iterator[tuple[str, bytes]]:
    path = f"acts/{act.id}"
    yield f"{path}.leaf.json", act.leaf
    yield f"{path}.tlog-proof", act.proof.encode()
    if act.statement is None or act.key is None:
        found.lacks("statement", act.id, "key-destroyed")
        return
    yield f"{path}.act.json", act.statement
    yield f"{path}.key", f"{b64encode(act.key).decode()}\n".encode()


def _log_files(log: LogSeen) -> Iterator[tuple[str, bytes]]:
    path = f"logs/{log.name}"
    yield f"{path}/checkpoint", log.checkpoint.encode()
    yield f"{path}/earlier", log.earlier.encode()
    yield f"{path}/log.vkey", f"{log.vkey}\n".encode()
    yield f"{path}/consistency", "".join(f"{b64encode(one).decode()}\n" for one in log.consistency).encode()
    yield f"{path}/policy", log.policy.encode()
    if log.stamped:
        note, stamp = log.stamped
        yield f"{path}/stamped", note.encode()
        yield f"{path}/stamped.tsr", stamp


def _message_files(bundled: Bundled, found: Found, *, content: bool) -> Iterator[tuple[str, bytes]]:
    path, row = f"messages/{bundled.row.mid}", bundled.row
    yield f"{path}/manifest.jws", row.jws.encode()
    if bundled.receipt:
        yield f"{path}/receipt.jws", bundled.receipt.jws.encode()
    if bundled.explanation:
        yield f"{path}/explanation.json", bundled.explanation
    for n, head in bundled.heads.items():
        told = heads.told(head, body_sha256=row.body_sha256, mid=row.mid, jws=row.jws)
        yield _head_path(row.mid, n), json(told)
    if reason := _withheld(row, content=content):
        found.lacks("body", row.mid, reason)
    else:
        yield f"{path}/body", row.body


def _withheld(row: MessageRow, *, content: bool) -> str | None:
    """Why the message itself does not go in."""
    if not row.body:
        return "destroyed"
    if not content:
        return "not-asked-for"
    return "holds-a-resident-number" if _holds_number(row.body) else None


def _holds_number(body: bytes) -> bool:
    """In its characters, or in what they mean as JSON, which may write each of them as an escape."""
    try:
        said = loads(body)
    except DocumentRefused:
        said = None
    return rrn.find(body.decode("utf-8", "replace")) or rrn.find_anywhere(said) is not None


def list_of(asked: ActsAsked, found: Found, proven: Evidence, *, content: bool) -> dict[str, Any]:
    """What the list says: what was asked for, what there is, and what is not there."""
    withheld = {one["of"] for one in found.absent if one["what"] == "body"}
    return {
        "asked": {
            "exchange": asked.mid, "case": asked.case_no, "partner": asked.partner,
            "since": asked.since, "until": asked.until, "content": content,
        },
        "signedBy": proven.logs[-1].name,
        "logs": [log.name for log in proven.logs],
        "acts": [
            {"id": act.id, "log": act.log, "entry": act.entry, "open": act.statement is not None}
            for act in proven.acts
        ],
        "messages": [_message(bundled, content=bundled.row.mid not in withheld) for bundled in found.messages],
        "keys": [{"owner": k.owner, "kid": k.kid, "file": _key_path(k, n)} for n, k in enumerate(found.keys)],
        "absent": sorted(found.absent, key=lambda one: (one["what"], one["of"])),
    }  # fmt: skip


def _message(bundled: Bundled, *, content: bool) -> dict[str, Any]:
    row, them = bundled.row, bundled.row.partner.lower()
    return {
        "mid": row.mid,
        "type": row.type,
        "from": US if row.direction == "out" else them,
        "to": them if row.direction == "out" else US,
        "contentType": row.content_type,
        "sha256": row.body_sha256.hex(),
        "content": content,
        "receipt": bundled.receipt is not None,
        "map": row.map_pin,
        "mapDigest": (row.map_digest or "").removeprefix("sha256:") or None,
        "fields": list(row.fields),
        "requests": [_head_path(row.mid, n) for n in bundled.heads],
        "attempts": [
            {"phase": one.phase, "status": one.http_status, "result": one.result, "began": one.began_at,
             "ended": one.ended_at}
            for one in bundled.attempts
        ],
    }  # fmt: skip


def _key_path(key: KeyRow, n: int) -> str:
    return f"keys/{key.owner}/{n}.json"


def _head_path(mid: str, n: int) -> str:
    return f"messages/{mid}/http/{n}.json"
