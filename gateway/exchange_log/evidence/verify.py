#!/usr/bin/env python3
"""증거 묶음 검증 · verify an evidence bundle of the COMWEL referral gateway, without the gateway.

    python3 verify.py BUNDLE.zip [--vkey KEY]… [--policy FILE] [--lang ko|en]

It needs Python 3.11 and the package `cryptography`, no network, and nothing of the gateway: hashes are RFC 6962, heads
of the log are C2SP signed notes and checkpoints, proofs C2SP tlog-proof, messages and receipts compact JWS (RFC 7515),
heads of requests HTTP signatures (RFC 9421, RFC 9530).
One line a check; exit 0 when every check holds, 1 when one does not. `--vkey` is the key of the log as you were given
it, on paper or by somebody else: without it you learn that the bundle holds together, not that it is of our log.
`--policy` says which witnesses you believe, and how many of them are enough (C2SP tlog-policy): their keys as you have
them from themselves. Whoever holds the key of the log can name witnesses of his own in a bundle, so without it the
check `witnesses` is never more than a note.
Refuses to believe anything because the bundle says so, except what its list is a list of.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import re
import struct
import sys
import zlib
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

# ── words: the same in verify.html ───────────────────────────────────────────────────────────────────────────────────
CHECKS = {
    "files": ("every file is the one in the list; none is missing, none was added",
              "모든 파일이 목록과 같고, 빠지거나 더해진 파일이 없다"),
    "list": ("the list is signed with the key of the log", "목록이 로그의 키로 서명되어 있다"),
    "log-key": ("the key of the log is the one you were given", "로그의 키가 따로 받은 키와 같다"),
    "checkpoint": ("the head of the log is signed with its key", "로그의 체크포인트가 로그의 키로 서명되어 있다"),
    "witnesses": ("outside witnesses have signed the same head", "외부 증인이 같은 체크포인트에 서명하였다"),
    "growth": ("since the first head that held these acts the log has only grown",
               "이 행위를 처음 담은 체크포인트 이후 로그는 늘어나기만 하였다"),
    "leaves": ("every leaf stands in the log at its place", "모든 리프가 로그의 제자리에 있다"),
    "acts": ("every act is the one its leaf commits to", "모든 행위가 리프가 해시로 고정한 그 행위이다"),
    "keys": ("every key was introduced by an act of the log", "모든 키가 로그의 행위로 등록되었다"),
    "messages": ("every message was sealed by its sender", "모든 메시지를 보낸 쪽이 봉인하였다"),
    "bytes": ("every message has the bytes that its seal and its leaf name",
              "모든 메시지의 바이트가 봉인과 리프가 가리키는 그 바이트이다"),
    "requests": ("every request that brought a message has the head that the sender signed for it",
                 "메시지를 실어 온 모든 요청의 헤더가 보낸 쪽이 그 메시지를 위해 서명한 그대로이다"),
    "receipts": ("every receipt is the receiver's, and about this message",
                 "모든 수신증이 받은 쪽의 것이며 그 메시지에 관한 것이다"),
    "promises": ("every leaf that a receipt promised stands in the log", "수신증이 약속한 모든 리프가 로그에 있다"),
    "maps": ("every message sent was made by a map that the log knows",
             "보낸 모든 메시지가 로그에 기록된 매핑으로 만들어졌다"),
}  # fmt: skip
REASONS = {
    "zip": ("not a ZIP file as these bundles are", "이 묶음의 형식으로 된 ZIP 파일이 아니다"),
    "unreadable": ("it cannot be read", "읽을 수 없다"),
    "missing": ("{} is missing", "{}: 없다"),
    "added": ("{} is not in the list", "{}: 목록에 없다"),
    "changed": ("{} is not what the list says", "{}: 목록과 다르다"),
    "signature": ("the signature of {} does not hold", "{}: 서명이 맞지 않는다"),
    "unsigned": ("{} is not signed with the key it must be signed with", "{}: 서명해야 할 키의 서명이 없다"),
    "form": ("{} is malformed", "{}: 형식에 맞지 않는다"),
    "other-key": ("it is {}", "묶음의 키는 {}"),
    "quorum": ("not as many as the policy asks: {}", "정책이 요구하는 수에 못 미친다: {}"),
    "path": ("the hashes of {} do not lead to the signed root", "{}: 해시가 서명된 루트에 이르지 않는다"),
    "other-head": ("{} is proven against another head", "{}: 다른 체크포인트에 대한 증명이다"),
    "other-leaf": ("{} is about another leaf", "{}: 다른 리프에 관한 것이다"),
    "commitment": ("{} is not what the leaf commits to", "{}: 리프가 해시로 고정한 것과 다르다"),
    "no-act": ("no act of the log introduced {}", "{}: 로그에 등록 행위가 없다"),
    "no-key": ("the key of {} is not there", "{}: 키가 없다"),
    "time": ("{} was signed when its key was not valid", "{}: 키가 유효하지 않은 때에 서명되었다"),
    "other-message": ("{} is about another message", "{}: 다른 메시지에 관한 것이다"),
    "other-bytes": ("the bytes of {} are not those that were sealed", "{}: 봉인된 바이트가 아니다"),
    "no-leaf": ("no leaf commits to {}", "{}: 이를 해시로 고정한 리프가 없다"),
    "promise": ("the leaf that {} promises is not in the log", "{}: 약속한 리프가 로그에 없다"),
    "bare": ("{} bears no signature", "{}: 서명이 없다"),
    "no-head": ("no head of the request that brought {}, and the list does not say why",
                "{}: 이를 실어 온 요청의 헤더가 없고, 목록에 그 까닭도 없다"),
    "other-party": ("{} is not by the one it must be by", "{}: 작성해야 할 당사자의 것이 아니다"),
}  # fmt: skip
NOTES = {
    "not-compared": ("not compared: you gave no key; it is {}", "비교하지 않음: 받은 키를 주지 않았다; 묶음의 키는 {}"),
    "own-witnesses": ("the bundle's own list of witnesses: {}; give yours with --policy",
                      "묶음 자신이 적은 증인 목록이다: {}; 따로 받은 목록을 --policy로 준다"),
    "no-quorum": ("the policy asks for none; {} have signed", "정책이 증인을 요구하지 않는다; 서명한 증인 {}"),
    "nothing": ("there is none in this bundle", "이 묶음에는 없다"),
    "absent": ("{}, and {} that the list says are not there", "{}, 목록이 없다고 밝힌 것 {}"),
}  # fmt: skip
ENDS = {
    True: ("everything that could be checked holds", "검사할 수 있는 것은 모두 맞다"),
    False: ("DO NOT RELY ON THIS BUNDLE", "이 묶음을 믿지 마십시오"),
}
MARKS = {"yes": "ok", "no": "NO", "note": "--"}


class Given(NamedTuple):
    """What whoever checks was given from elsewhere: keys of logs, and a policy that names the witnesses believed."""

    vkeys: list[str]
    policy: str | None


class Said(NamedTuple):
    """What came of a check: yes, no or note, and what there is to say besides the sentence of the check."""

    check: str
    state: str
    why: str = ""
    of: tuple[str, ...] = ()

    def line(self, lang: int) -> str:
        """One line in words; `lang` 0 is English, 1 Korean."""
        said = {**REASONS, **NOTES}.get(self.why, ("{}", "{}"))[lang].format(*self.of)
        return f"{MARKS[self.state]}  {self.check}: {CHECKS[self.check][lang]}" + (f" — {said}" if said else "")


class No(Exception):
    """A check does not hold: which reason, and about what."""

    def __init__(self, why: str, *of: str) -> None:
        self.why, self.of = why, of


class Note(Exception):
    """A check says less than yes: which note, and about what."""

    def __init__(self, why: str, *of: str) -> None:
        self.why, self.of = why, of


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────
ENTRY, DIRECTORY, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"


def unzip(raw: bytes) -> dict[str, bytes]:
    """The files of a ZIP as bundles are: stored entries one behind the other, their directory, its end, and nothing
    else. Other readers of ZIP files skip and repair; here all of them would read the same."""
    files: dict[str, bytes] = {}
    place = 0
    try:
        disks, many, again, size, at = struct.unpack("<4xIHHII2x", raw[-22:])
        if raw[-22:-18] != END or raw[-2:] != b"\0\0" or disks or many != again or at + size != len(raw) - 22:
            raise No("zip")
        ends = at
        for _ in range(many):
            flags, method, crc, packed, length, named, more = struct.unpack_from("<8xHH4xIIIHI", raw, at)
            start = place + 30 + named
            name, data = raw[at + 46 : at + 46 + named], raw[start : start + length]
            if raw[at : at + 4] != DIRECTORY or raw[place : place + 4] != ENTRY or flags or method or more:
                raise No("zip")
            if raw[at + 34 : at + 36] != b"\0\0" or struct.unpack_from("<I", raw, at + 42) != (place,):
                raise No("zip")
            if raw[place + 4 : place + 30] != raw[at + 6 : at + 32] or raw[place + 30 : start] != name:
                raise No("zip")
            if packed != length or start + length > ends or zlib.crc32(data) != crc:
                raise No("zip")
            files[name.decode("ascii")] = data
            place, at = start + length, at + 46 + named
    except (struct.error, UnicodeDecodeError):
        raise No("zip") from None
    if (place, at, len(files)) != (ends, len(raw) - 22, many) or not all(map(is_plain, files)):
        raise No("zip")
    return files


def is_plain(text: object) -> bool:
    """Whether it is a text that looks the same to everybody."""
    return isinstance(text, str) and re.fullmatch("[ -~]+", text) is not None


def is_digest(text: object) -> bool:
    return isinstance(text, str) and re.fullmatch("[0-9a-f]{64}", text) is not None


def is_flag(value: object) -> bool:
    return isinstance(value, bool)


def is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def are(values: object, *, plain: str = "", flags: str = "") -> bool:
    """Whether these are objects, each with such members."""
    return isinstance(values, list) and all(
        isinstance(one, dict)
        and all(is_plain(one.get(name)) for name in plain.split())
        and all(is_flag(one.get(name)) for name in flags.split())
        for one in values
    )


def is_made(message: dict[str, Any]) -> bool:
    """Whether the rest of what the list says of a message has its form."""
    requests, attempts = message.get("requests", []), message.get("attempts")
    return (
        is_digest(message.get("sha256"))
        and (message.get("map") is None or (is_plain(message["map"]) and is_digest(message.get("mapDigest"))))
        and isinstance(requests, list)
        and all(map(is_plain, requests))
        and isinstance(attempts, list)
        and all(isinstance(one, dict) and (one.get("status") is None or is_number(one["status"])) for one in attempts)
    )


def is_list(said: dict[str, Any]) -> bool:
    """Whether the list of a bundle has the form of one."""
    files, logs = said.get("files"), said.get("logs")
    return (
        isinstance(files, dict)
        and all(is_plain(path) and is_digest(digest) for path, digest in files.items())
        and is_plain(said.get("signedBy"))
        and isinstance(logs, list)
        and all(map(is_plain, logs))
        and are(said.get("acts"), plain="id log", flags="open")
        and are(said.get("messages"), plain="mid from to", flags="content receipt")
        and all(map(is_made, said["messages"]))
        and are(said.get("keys"), plain="owner kid file")
        and are(said.get("absent"), plain="what of why")
    )


class Bundle:
    """The files of a bundle, and its list. Nothing in them is believed before its check."""

    def __init__(self, raw: bytes) -> None:
        self.files = unzip(raw)
        self.list: dict[str, Any] = self.json("manifest.json")
        if not is_list(self.list):
            raise No("form", "manifest.json")
        self.statements: dict[str, dict[str, Any]] = {}

    def raw(self, path: str) -> bytes:
        if path not in self.files:
            raise No("missing", path)
        return self.files[path]

    def text(self, path: str) -> str:
        try:
            return self.raw(path).decode()
        except UnicodeDecodeError:
            raise No("form", path) from None

    def json(self, path: str) -> dict[str, Any]:
        return parsed(self.raw(path), path)


def parsed(raw: bytes, what: str) -> dict[str, Any]:
    """A JSON object in UTF-8, and no more than JSON."""
    try:
        found = json.loads(raw.decode(), parse_constant=int)  # noqa: TID251 - this file stands alone; NaN is no number
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise No("form", what)
    return found


def bare(text: str) -> str:
    """Without blanks and ends of lines around it."""
    return text.strip(" \t\r\n")


def un64(text: str, what: str) -> bytes:
    """Strict base64. No malformed text passes for the same bytes."""
    try:
        raw = b64decode(text, validate=True)
    except ValueError:
        raise No("form", what) from None
    if b64encode(raw).decode() != text:
        raise No("form", what)
    return raw


def url64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def un_url64(text: str, what: str) -> bytes:
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise No("form", what) from None
    if url64(raw) != text:
        raise No("form", what)
    return raw


def named(name: str, digest: bytes) -> str:
    """How an act names what has a content of its own."""
    return f"{name}/sha256-{b64encode(digest).decode().rstrip('=')}"


# ── signed notes (C2SP signed-note, tlog-checkpoint, tlog-cosignature) ───────────────────────────────────────────────
class NoteKey(NamedTuple):
    """A key as notes know it: 1 a log's, 4 a witness's."""

    name: str
    kind: int
    public: bytes

    @property
    def id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]


class Head(NamedTuple):
    """A checkpoint: the first `size` leaves of a log, and their root."""

    origin: str
    size: int
    root: bytes
    text: str


def note_key(vkey: str, what: str) -> NoteKey:
    name, _, rest = bare(vkey).partition("+")
    number, _, material = rest.partition("+")
    raw = un64(material, what)
    key = NoteKey(name, raw[0] if raw else 0, raw[1:])
    if not name or len(key.public) != 32 or key.kind not in (1, 4) or key.id.hex() != number:
        raise No("form", what)
    return key


def signatures(note: str, what: str) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """The text of a note, and (name, key id, signature) of every line below it."""
    text, gap, below = note.rpartition("\n\n")
    lines = [re.fullmatch("— ([^ ]+) ([A-Za-z0-9+/=]+)", line) for line in below.split("\n")[:-1]]
    if not gap or not below.endswith("\n") or not lines or not all(lines):
        raise No("form", what)
    raws = [(line[1], un64(line[2], what)) for line in lines if line]
    return f"{text}\n", [(name, raw[:4], raw[4:]) for name, raw in raws]


def holds(key: NoteKey, text: str, signed: bytes) -> bool:
    """Whether a signature of this key is over this text; a witness's says first when it was made."""
    message = text.encode()
    if key.kind == 4:
        seconds, signed = int.from_bytes(signed[:8], "big"), signed[8:]
        message = f"cosignature/v1\ntime {seconds}\n{text}".encode()
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(key.public).verify(signed, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def opened(note: str, key: NoteKey, what: str) -> str:
    """The text of a note that this key has signed."""
    text, lines = signatures(note, what)
    mine = [signed for name, number, signed in lines if (name, number) == (key.name, key.id)]
    if not mine:
        raise No("unsigned", what)
    if not all(holds(key, text, signed) for signed in mine):
        raise No("signature", what)
    return text


def head(note: str, key: NoteKey, what: str) -> Head:
    text = opened(note, key, what)
    lines = text.split("\n")
    if len(lines) != 4 or lines[0] != key.name or not re.fullmatch("0|[1-9][0-9]{0,14}", lines[1], re.ASCII):
        raise No("form", what)
    root = un64(lines[2], what)
    if len(root) != 32:
        raise No("form", what)
    return Head(lines[0], int(lines[1]), root, text)


# ── the tree (RFC 6962 §2.1, by its definitions) ─────────────────────────────────────────────────────────────────────
def hashes_in(lines: list[str], what: str) -> list[bytes]:
    found = [un64(line, what) for line in lines]
    if any(len(one) != 32 for one in found):
        raise No("form", what)
    return found


def leaf_hash(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\0" + leaf).digest()


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def root_from(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes | None:
    """The root that a path of inclusion leads to; None when the path is too short or too long."""
    if size == 1:
        return None if path else leaf
    if not path:
        return None
    left = split(size)
    inner = root_from(leaf, index, left, path[:-1]) if index < left else root_from(
        leaf, index - left, size - left, path[:-1])  # fmt: skip
    if inner is None:
        return None
    return node(inner, path[-1]) if index < left else node(path[-1], inner)


def roots_from(old: int, new: int, path: list[bytes], whole: bytes | None) -> tuple[bytes, bytes] | None:
    """The roots of the old and of the new tree that a path of consistency leads to. `whole`: the old root, where the
    old tree is a subtree of the new one."""
    if old == new:
        known = whole or (path[0] if len(path) == 1 else None)
        return None if known is None or (whole and path) else (known, known)
    if not path:
        return None
    left = split(new)
    if old <= left:
        inner = roots_from(old, left, path[:-1], whole)
        return inner and (inner[0], node(inner[1], path[-1]))
    inner = roots_from(old - left, new - left, path[:-1], None)
    return inner and (node(path[-1], inner[0]), node(path[-1], inner[1]))


# ── JWS (RFC 7515) and its keys (RFC 7517, RFC 7518, RFC 7638) ───────────────────────────────────────────────────────
MEMBERS = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n"), "OKP": ("crv", "kty", "x")}


KINDS = {"ES256": ("EC", "P-256"), "ES384": ("EC", "P-384"), "Ed25519": ("OKP", "Ed25519"),
         "PS256": ("RSA", None), "RS256": ("RSA", None)}  # fmt: skip


def members(jwk: Any, what: str) -> dict[str, str]:
    """What makes a public key, and nothing else of its record."""
    kty = jwk.get("kty") if isinstance(jwk, dict) else None
    names = MEMBERS.get(kty) if isinstance(kty, str) else None
    if not names or not all(is_plain(jwk.get(name)) for name in names):
        raise No("form", what)
    return {name: jwk[name] for name in names}


def thumbprint(jwk: Any, what: str) -> bytes:
    said = json.dumps(members(jwk, what), separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(said.encode()).digest()


def jws_holds(jwk: dict[str, Any], signed: bytes, signature: bytes, what: str, *, http: bool = False) -> bool:
    """Whether the key, by the algorithm of its own record, has made this signature, in a JWS or over a request."""
    public = members(jwk, what)
    numbers = {name: un_url64(value, what) for name, value in public.items() if name in ("x", "y", "n", "e")}
    if KINDS.get(str(jwk.get("alg"))) != (public["kty"], public.get("crv")):
        return False
    try:
        _verify(jwk, numbers, signed, signature, http)
    except (InvalidSignature, ValueError, KeyError):
        return False
    return True


def _verify(jwk: dict[str, Any], numbers: dict[str, bytes], signed: bytes, signature: bytes, http: bool) -> None:
    curves: dict[str, tuple[ec.EllipticCurve, int, hashes.HashAlgorithm]] = {
        "ES256": (ec.SECP256R1(), 32, hashes.SHA256()),
        "ES384": (ec.SECP384R1(), 48, hashes.SHA384()),
    }
    match jwk["alg"]:
        case "ES256" | "ES384" as alg:
            curve, size, digest = curves[alg]
            if {len(signature), 2 * len(numbers["x"]), 2 * len(numbers["y"])} != {2 * size}:
                raise ValueError("length")
            point = ec.EllipticCurvePublicKey.from_encoded_point(curve, b"\4" + numbers["x"] + numbers["y"])
            r, s = (int.from_bytes(half, "big") for half in (signature[:size], signature[size:]))
            point.verify(encode_dss_signature(r, s), signed, ec.ECDSA(digest))
        case "Ed25519":
            ed25519.Ed25519PublicKey.from_public_bytes(numbers["x"]).verify(signature, signed)
        case "PS256" | "RS256" as alg:
            hashed = hashes.SHA512() if http and alg == "PS256" else hashes.SHA256()  # RFC 9421 §3.3.1
            pad = padding.PSS(padding.MGF1(hashed), hashed.digest_size) if alg == "PS256" else padding.PKCS1v15()
            n, e = (int.from_bytes(numbers[name], "big") for name in ("n", "e"))
            rsa.RSAPublicNumbers(e, n).public_key().verify(signature, signed, pad, hashed)
        case _:
            raise ValueError("algorithm")


def jws_payload(bundle: Bundle, path: str, typ: str, by: str) -> dict[str, Any]:
    """What a JWS says that `by` has signed while his key was valid."""
    text = bundle.text(path)
    parts = text.split(".")
    if len(parts) != 3:
        raise No("form", path)
    header, payload, signature = (un_url64(part, path) for part in parts)
    told, said = parsed(header, path), parsed(payload, path)
    if told.keys() != {"alg", "kid", "typ"} or told["typ"] != typ:
        raise No("form", path)
    if said.get("iss") != by:
        raise No("other-party", path)
    record = key_record(bundle, by, told["kid"], path)
    signed = text.rpartition(".")[0].encode()
    if record["jwk"].get("alg") != told["alg"] or not jws_holds(record["jwk"], signed, signature, path):
        raise No("signature", path)
    in_time(record, said.get("at") if said.get("iat") is None else said["iat"], path)
    return said


def key_record(bundle: Bundle, owner: str, kid: object, what: str) -> dict[str, Any]:
    """The key of this owner and name, with its validity."""
    key = next((k for k in bundle.list["keys"] if (k["owner"], k["kid"]) == (owner, kid)), None)
    if key is None:
        raise No("no-key", what)
    record = bundle.json(key["file"])
    members(record.get("jwk"), key["file"])
    return record


def in_time(record: dict[str, Any], made: object, what: str) -> None:
    """What was signed at this second was signed while the key was valid."""
    if not is_number(made):
        raise No("form", what)
    ends = [seconds(record[name], what) for name in ("notAfter", "revokedAt") if record.get(name) is not None]
    if made < seconds(record.get("notBefore"), what) or any(made >= end for end in ends):
        raise No("time", what)


MOMENT = r"([0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3])(?::[0-5][0-9]){2})(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})"


def seconds(moment: object, what: str) -> float:
    found = re.fullmatch(MOMENT, moment, re.ASCII) if isinstance(moment, str) else None
    if not found:
        raise No("form", what)
    try:
        return datetime.fromisoformat(found[1] + found[3]).timestamp() + float(f"0{found[2] or ''}")
    except ValueError:
        raise No("form", what) from None


# ── HTTP signatures (RFC 9421), in the one profile that is accepted ──────────────────────────────────────────────────
COVERED = ("content-type", "content-digest", "idempotency-key", "comwel-message-jws")
COMPONENTS = " ".join(f'"{name}"' for name in ("@method", "@target-uri", *COVERED))
TERM = r';([a-z]+)=([1-9][0-9]{9}|"[!#-\[\]-~]*")'
HTTP_NAMES = {"ES256": "ecdsa-p256-sha256", "ES384": "ecdsa-p384-sha384", "PS256": "rsa-pss-sha512",
              "RS256": "rsa-v1_5-sha256", "Ed25519": "ed25519"}  # fmt: skip


def request_headers(bundle: Bundle, path: str, by: str) -> dict[str, str]:
    """The header fields of a request whose head `by` has signed while his key was valid."""
    request = bundle.json(path).get("request")
    headers = request.get("headers") if isinstance(request, dict) else None
    if not isinstance(request, dict) or not isinstance(headers, dict):
        raise No("form", path)
    if not headers.get("signature-input") or not headers.get("signature"):
        raise No("bare", path)
    lines = [request.get("method"), request.get("target"), *(headers.get(name) for name in COVERED)]
    if not all(map(is_plain, [*lines, headers["signature-input"], headers["signature"]])):
        raise No("form", path)
    said = re.fullmatch(rf"sig1=(\({re.escape(COMPONENTS)}\)((?:{TERM})+))", headers["signature-input"], re.ASCII)
    signed = re.fullmatch(r"sig1=:([A-Za-z0-9+/=]+):", headers["signature"], re.ASCII)
    terms = {name: value.strip('"') for name, value in re.findall(TERM, said[2])} if said else {}
    if not said or not signed or not re.fullmatch("[1-9][0-9]{9}", terms.get("created", ""), re.ASCII):
        raise No("form", path)
    names = [*COMPONENTS.split(), '"@signature-params"']
    base = "\n".join(f"{name}: {line}" for name, line in zip(names, [*lines, said[1]], strict=True))
    record, signature = key_record(bundle, by, terms.get("keyid"), path), un64(signed[1], path)
    jwk = record["jwk"]
    agreed = HTTP_NAMES.get(str(jwk.get("alg"))) == terms.get("alg", "")
    if not agreed or not jws_holds(jwk, base.encode(), signature, path, http=True):
        raise No("signature", path)
    in_time(record, int(terms["created"]), path)
    return headers


# ── the checks ───────────────────────────────────────────────────────────────────────────────────────────────────────
def check_files(bundle: Bundle, _: Given) -> str:
    listed = bundle.list["files"]
    for path in sorted(bundle.files):
        if path not in listed and path not in ("manifest.json", "manifest.sig"):
            raise No("added", path)
    for path, digest in sorted(listed.items()):
        if hashlib.sha256(bundle.raw(path)).hexdigest() != digest:
            raise No("changed", path)
    return str(len(listed))


def check_list(bundle: Bundle, _: Given) -> str:
    key = log_key(bundle, bundle.list["signedBy"])
    digest = b64encode(hashlib.sha256(bundle.raw("manifest.json")).digest()).decode()
    if opened(bundle.text("manifest.sig"), key, "manifest.sig") != f"evidence-bundle/v1\n{key.name}\n{digest}\n":
        raise No("changed", "manifest.json")
    return ""


def log_key(bundle: Bundle, log: str) -> NoteKey:
    path = f"logs/{log}/log.vkey"
    return note_key(bundle.text(path), path)


def check_log_key(bundle: Bundle, given: Given) -> str:
    logs = dict.fromkeys([*bundle.list["logs"], bundle.list["signedBy"]])
    mine = [bare(bundle.text(f"logs/{log}/log.vkey")) for log in logs]
    if not given.vkeys:
        raise Note("not-compared", ", ".join(mine))
    if other := [key for key in mine if key not in map(bare, given.vkeys)]:
        raise No("other-key", ", ".join(other))
    return ""


def check_checkpoint(bundle: Bundle, _: Given) -> str:
    return ", ".join(f"{newest(bundle, log).origin} {newest(bundle, log).size}" for log in bundle.list["logs"])


def newest(bundle: Bundle, log: str) -> Head:
    path = f"logs/{log}/checkpoint"
    return head(bundle.text(path), log_key(bundle, log), path)


def check_witnesses(bundle: Bundle, given: Given) -> str:
    """Whom the bundle itself names is nobody whom anybody has asked."""
    enough, names = True, []
    for log in some(bundle, "logs"):
        path = f"logs/{log}/checkpoint"
        text, lines = signatures(bundle.text(path), path)
        witnesses, groups, quorum = whom_to_believe(bundle, log, given)
        signed = {
            name
            for name, key in witnesses.items()
            for who, number, raw in lines
            if (who, number) == (key.name, key.id) and must_hold(key, text, raw)
        }
        names += sorted(signed)
        enough = enough and quorum != "none"
        if quorum != "none" and not stands(quorum, signed, groups):
            raise No("quorum", ", ".join(sorted(signed)) or "0")
    if not enough:
        raise Note("no-quorum", str(len(names)))
    if given.policy is None:
        raise Note("own-witnesses", ", ".join(names))
    return ", ".join(names)


def whom_to_believe(bundle: Bundle, log: str, given: Given) -> Policy:
    if given.policy is not None:
        return policy(given.policy, "--policy")
    return policy(bundle.text(f"logs/{log}/policy"), f"logs/{log}/policy")


Groups = dict[str, tuple[int, list[str]]]
Policy = tuple[dict[str, NoteKey], Groups, str]
NUMBER = re.compile("[1-9][0-9]{0,3}", re.ASCII)


def must_hold(key: NoteKey, text: str, signed: bytes) -> bool:
    if not holds(key, text, signed):
        raise No("signature", key.name)
    return True


def stands(name: str, signed: set[str], groups: Groups) -> bool:
    if name not in groups:
        return name in signed
    needed, members = groups[name]
    return sum(stands(member, signed, groups) for member in members) >= needed


def policy(text: str, what: str) -> Policy:
    """Whom to believe (C2SP tlog-policy): witnesses, groups of them, and who is enough. Nobody counts twice."""
    witnesses: dict[str, NoteKey] = {}
    groups: Groups = {}
    free: set[str] = set()
    quorum = ""
    for line in text.split("\n"):
        match re.split("[ \t\r]+", bare(line)):
            case [""]:
                continue
            case [word, *rest] if word.startswith("#") or (word == "log" and rest):
                continue
            case ["witness", name, vkey, *_] if name not in {"none", *witnesses, *groups}:
                key = note_key(vkey, what)
                if key.kind != 4 or any(key.public == other.public for other in witnesses.values()):
                    raise No("form", what)
                witnesses[name] = key
                free.add(name)
            case ["group", name, needed, *of] if name not in {"none", *witnesses, *groups} and of:
                number = {"any": "1", "all": str(len(of))}.get(needed, needed)
                if len(set(of)) < len(of) or not free.issuperset(of) or not NUMBER.fullmatch(number):
                    raise No("form", what)
                groups[name] = int(number), of
                free = free.difference(of) | {name}
            case ["quorum", name] if not quorum and name in {"none", *witnesses, *groups}:
                quorum = name
            case _:
                raise No("form", what)
    if not quorum:
        raise No("form", what)
    return witnesses, groups, quorum


def check_growth(bundle: Bundle, _: Given) -> str:
    grown = []
    for log in bundle.list["logs"]:
        earlier, path = f"logs/{log}/earlier", f"logs/{log}/consistency"
        old, new = head(bundle.text(earlier), log_key(bundle, log), earlier), newest(bundle, log)
        hashes_ = hashes_in(bundle.text(path).split("\n")[:-1], path)
        roots = roots_from(old.size, new.size, hashes_, old.root) if 0 < old.size <= new.size else None
        if roots != (old.root, new.root):
            raise No("path", path)
        grown.append(f"{old.size} → {new.size}")
    return ", ".join(grown)


def check_leaves(bundle: Bundle, _: Given) -> str:
    for act in bundle.list["acts"]:
        path = f"acts/{act['id']}.tlog-proof"
        first, gap, note = bundle.text(path).partition("\n\n")
        lines = first.split("\n")
        place = re.fullmatch("index (0|[1-9][0-9]{0,14})", lines[2], re.ASCII) if len(lines) > 2 else None
        if not gap or lines[0] != "c2sp.org/tlog-proof@v1" or not lines[1].startswith("extra ") or not place:
            raise No("form", path)
        leaf = bundle.raw(f"acts/{act['id']}.leaf.json")
        if (
            un64(lines[1].removeprefix("extra "), path) != leaf
            or bundle.json(f"acts/{act['id']}.leaf.json").get("id") != act["id"]
        ):
            raise No("other-leaf", path)
        signed = newest(bundle, act["log"])
        if note != bundle.text(f"logs/{act['log']}/checkpoint"):
            raise No("other-head", path)
        index, hashes_ = int(place[1]), hashes_in(lines[3:], path)
        if index >= signed.size or root_from(leaf_hash(leaf), index, signed.size, hashes_) != signed.root:
            raise No("path", path)
    return str(len(bundle.list["acts"]))


def check_acts(bundle: Bundle, _: Given) -> str:
    closed, wrong = 0, []
    for act in bundle.list["acts"]:
        if not act["open"]:
            closed += 1
            continue
        path = f"acts/{act['id']}.act.json"
        leaf, said = bundle.json(f"acts/{act['id']}.leaf.json"), bundle.raw(path)
        if leaf.get("event") == url64(keyed(bundle, act["id"], b"event\0" + said)):
            bundle.statements[act["id"]] = bundle.json(path)
        else:
            wrong.append(path)
    if wrong:
        raise No("commitment", wrong[0])
    if closed:
        raise Note("absent", str(len(bundle.statements)), str(closed))
    return str(len(bundle.statements))


def keyed(bundle: Bundle, act: str, said: bytes) -> bytes:
    """The commitment of an act: HMAC-SHA256 under the key of this act alone."""
    path = f"acts/{act}.key"
    key = un64(bare(bundle.text(path)), path)
    if len(key) != 32:
        raise No("form", path)
    return hmac.digest(key, said, "sha256")


def check_keys(bundle: Bundle, _: Given) -> str:
    if not bundle.list["keys"]:
        raise Note("nothing")
    for key in bundle.list["keys"]:
        subject = named(key["owner"], thumbprint(bundle.json(key["file"]).get("jwk"), key["file"]))
        if not introduced(bundle, subject, "key.added"):
            raise No("no-act", key["file"])
    return counted(bundle, len(bundle.list["keys"]), "key.added")


def absent(bundle: Bundle, what: str, of: str) -> bool:
    """Whether the signed list itself says that something is not there."""
    return any((one["what"], one["of"]) == (what, of) for one in bundle.list["absent"])


def introduced(bundle: Bundle, subject: str, act: str) -> bool:
    """Whether such an act introduced it, or the list says that there is none, which `counted` counts."""
    said = ((one.get("act"), one.get("subject")) for one in bundle.statements.values())
    lacks = ((one["what"], one["of"], one["why"]) for one in bundle.list["absent"])
    return (act, subject) in said or ("act", subject, act) in lacks


def counted(bundle: Bundle, many: int, act: str) -> str:
    gone = sum(one["what"] == "act" and one["why"] == act for one in bundle.list["absent"])
    if gone:
        raise Note("absent", str(many), str(gone))
    return str(many)


def check_messages(bundle: Bundle, _: Given) -> str:
    for message in some(bundle, "messages"):
        said = jws_payload(bundle, f"messages/{message['mid']}/manifest.jws", "comwel-msg+jwt", message["from"])
        if said.get("mid") != message["mid"] or said.get("aud") != message["to"]:
            raise No("other-message", f"messages/{message['mid']}/manifest.jws")
    return str(len(bundle.list["messages"]))


def some(bundle: Bundle, kind: str) -> Iterator[Any]:
    if not bundle.list[kind]:
        raise Note("nothing")
    yield from bundle.list[kind]


def sealed(bundle: Bundle, mid: str) -> dict[str, Any]:
    """What a manifest says; who signed it is another check."""
    return stated(bundle, f"messages/{mid}/manifest.jws")


def stated(bundle: Bundle, path: str) -> dict[str, Any]:
    parts = bundle.text(path).split(".")
    if len(parts) != 3:
        raise No("form", path)
    return parsed(un_url64(parts[1], path), path)


def parts_of(said: dict[str, Any], what: str) -> dict[str, dict[str, Any]]:
    """The digests of parts that a manifest or a receipt states, by their names."""
    parts = said.get("parts")
    if not isinstance(parts, list) or not are(parts, plain="name s256"):
        raise No("form", what)
    found = {part["name"]: part for part in parts}
    if len(found) != len(parts):
        raise No("form", what)
    return found


def check_bytes(bundle: Bundle, _: Given) -> str:
    gone = 0
    for message in some(bundle, "messages"):
        mid, digest = message["mid"], bytes.fromhex(message["sha256"])
        part = parts_of(sealed(bundle, mid), f"messages/{mid}/manifest.jws").get("body")
        if part is None or part["s256"] != url64(digest):
            raise No("other-bytes", f"messages/{mid}")
        if message["content"]:
            body = bundle.raw(f"messages/{mid}/body")
            if hashlib.sha256(body).digest() != digest or not is_number(part.get("len")) or len(body) != part["len"]:
                raise No("other-bytes", f"messages/{mid}")
        open_ = committed(bundle, message, digest)
        if not open_ and not absent(bundle, "leaf", mid):
            raise No("no-leaf", f"messages/{mid}")
        gone += not (open_ and message["content"])
    if gone:
        raise Note("absent", str(len(bundle.list["messages"])), str(gone))
    return str(len(bundle.list["messages"]))


def committed(bundle: Bundle, message: dict[str, Any], digest: bytes) -> bool:
    """Whether an act about this message commits to these bytes, by their SHA-256. Two messages may have one id."""
    mid = message["mid"]
    for act, said in bundle.statements.items():
        leaf = bundle.json(f"acts/{act}.leaf.json")
        side = message["from" if said.get("act") == "message.received" else "to"]
        partner = said["partner"].lower() if is_plain(said.get("partner")) else None
        if said.get("mid") == leaf.get("mid") == mid and "body" in leaf and partner == side:
            if leaf["body"] != url64(keyed(bundle, act, b"body\0" + digest)):
                raise No("commitment", f"messages/{mid}")
            return True
    return False


def check_requests(bundle: Bundle, _: Given) -> str:
    """What came back stands beside it: the sender heard it, nobody signed it, and so it is not checked."""
    many, gone = 0, 0
    for message in some(bundle, "messages"):
        mid, paths = message["mid"], message.get("requests", [])
        digest = f"sha-256=:{b64encode(bytes.fromhex(message['sha256'])).decode()}:"
        for path in paths:
            headers = request_headers(bundle, path, message["from"])
            seal = bundle.text(f"messages/{mid}/manifest.jws")
            if (headers["idempotency-key"], headers["comwel-message-jws"]) != (mid, seal):
                raise No("other-message", path)
            if headers["content-digest"] != digest:
                raise No("other-bytes", path)
        tries = [one.get("status") for one in message["attempts"]] if message["from"] == "comwel" else [0]
        answered = [f"messages/{mid}/http/{n}.json" for n, status in enumerate(tries, 1) if status is not None]
        lost = [path for path in answered if path not in paths]
        if lost and not absent(bundle, "http", mid):
            raise No("no-head", f"messages/{mid}")
        many, gone = many + len(paths), gone + len(lost)
    if gone:
        raise Note("absent", str(many), str(gone))
    if not many:
        raise Note("nothing")
    return str(many)


def check_receipts(bundle: Bundle, _: Given) -> str:
    many = 0
    for message in bundle.list["messages"]:
        if not message["receipt"]:
            continue
        many += 1
        path, mid = f"messages/{message['mid']}/receipt.jws", message["mid"]
        said = jws_payload(bundle, path, "comwel-receipt+jwt", message["to"])
        digest = url64(hashlib.sha256(bundle.raw(f"messages/{mid}/manifest.jws")).digest())
        told, sealed_ = parts_of(said, path), parts_of(sealed(bundle, mid), f"messages/{mid}/manifest.jws")
        if (said.get("mid"), said.get("mjws_s256"), said.get("aud")) != (mid, digest, message["from"]):
            raise No("other-message", path)
        if {n: part["s256"] for n, part in told.items()} != {n: part["s256"] for n, part in sealed_.items()}:
            raise No("other-message", path)
    if not many:
        raise Note("nothing")
    return str(many)


def check_promises(bundle: Bundle, _: Given) -> str:
    """The receiver of what comes in keeps this log, and promises the leaf of the message in his receipt."""
    kept, waiting = 0, 0
    acts = {url64(leaf_hash(bundle.raw(f"acts/{act['id']}.leaf.json"))): act for act in bundle.list["acts"]}
    for message in bundle.list["messages"]:
        path = f"messages/{message['mid']}/receipt.jws"
        promise = stated(bundle, path).get("promise") if message["receipt"] and message["to"] == "comwel" else None
        if promise is None:
            continue
        if not isinstance(promise, dict) or not is_plain(promise.get("leaf")):
            raise No("promise", path)
        act = acts.get(promise["leaf"])
        if act is not None:
            leaf, origin = bundle.json(f"acts/{act['id']}.leaf.json"), bundle.text(f"logs/{act['log']}/checkpoint")
            said = {"log": origin.partition("\n")[0].rpartition("/")[0], "leaf": promise["leaf"]}
            said |= {name: leaf.get(name) for name in ("stream", "seq", "at")}
            typed = is_plain(said["stream"]) and is_plain(said["at"]) and is_number(promise.get("seq"))
            if leaf.get("mid") != message["mid"] or not typed or promise != said:
                raise No("promise", path)
            kept += 1
        elif absent(bundle, "leaf", message["mid"]):
            waiting += 1
        else:
            raise No("promise", path)
    if waiting:
        raise Note("absent", str(kept), str(waiting))
    if not kept:
        raise Note("nothing")
    return str(kept)


def check_maps(bundle: Bundle, _: Given) -> str:
    made = [message for message in bundle.list["messages"] if message.get("map") is not None]
    if not made:
        raise Note("nothing")
    for message in made:
        subject = named(message["map"], bytes.fromhex(message["mapDigest"]))
        if sealed(bundle, message["mid"]).get("profile") != message["map"]:
            raise No("other-message", f"messages/{message['mid']}")
        if not introduced(bundle, subject, "map.activated"):
            raise No("no-act", message["map"])
    return counted(bundle, len(made), "map.activated")


CHECK: dict[str, Callable[[Bundle, Given], str]] = {
    "files": check_files, "list": check_list, "log-key": check_log_key, "checkpoint": check_checkpoint,
    "witnesses": check_witnesses, "growth": check_growth, "leaves": check_leaves, "acts": check_acts,
    "keys": check_keys, "messages": check_messages, "bytes": check_bytes, "requests": check_requests,
    "receipts": check_receipts, "promises": check_promises, "maps": check_maps,
}  # fmt: skip


def verify(raw: bytes, vkeys: list[str], policy: str | None = None) -> Iterator[Said]:
    """What each check says, in order."""
    given = Given(vkeys, policy)
    try:
        bundle = Bundle(raw)
    except No as error:
        yield Said("files", "no", error.why, error.of)
        return
    for name, check in CHECK.items():
        try:
            yield Said(name, "yes", "", (check(bundle, given),))
        except No as error:
            yield Said(name, "no", error.why, error.of)
        except Note as note:
            yield Said(name, "note", note.why, note.of)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            yield Said(name, "no", "unreadable")


def main() -> int:
    """Verify the bundle that the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("bundle", help="RX-….zip")
    parser.add_argument(
        "--vkey", action="append", default=[], help="the key of the log as you were given it (not from this bundle)"
    )
    parser.add_argument("--policy", help="a file: the witnesses that you believe, and how many (not from this bundle)")
    parser.add_argument("--lang", choices=("en", "ko"), default="en")
    asked = parser.parse_args()
    lang = ("en", "ko").index(asked.lang)
    policy = None if asked.policy is None else Path(asked.policy).read_text("utf-8-sig", errors="replace")
    said = list(verify(Path(asked.bundle).read_bytes(), asked.vkey, policy))
    good = all(one.state != "no" for one in said)
    lines = [*(one.line(lang) for one in said), "", ENDS[good][lang], ""]
    sys.stdout.buffer.write("\n".join(lines).encode(errors="replace"))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
