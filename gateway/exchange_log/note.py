"""Signed notes (C2SP signed-note) with the two signatures we know: Ed25519 (0x01) and timestamped cosignatures (0x04).

    text, an empty line, then lines of "— <key name> base64(key id ‖ signature)"

Rules: a key is known by name and id; lines of unknown keys are ignored; a line of a known key that does not verify
condemns the whole note; without any line of a known key nothing is believed. Refuses to read a text before that.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gateway.errors import NoteInvalid
from gateway.exchange_log.base64 import decoded

LONGEST = 1 << 16
MOST_SIGNATURES = 64
LOG, COSIGNATURE = 0x01, 0x04
_LINE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_TIME_BYTES = 8


class Verifier(NamedTuple):
    """A public key as notes know it. Written as a vkey: `<name>+<id>+base64(<type> ‖ <key>)`."""

    name: str
    kind: int
    public: bytes

    @property
    def key_id(self) -> bytes:
        """The first four bytes of SHA-256(name ‖ newline ‖ type ‖ key)."""
        return sha256(f"{self.name}\n".encode() + bytes([self.kind]) + self.public).digest()[:4]

    @property
    def vkey(self) -> str:
        """The key as text, to be printed and compared."""
        return f"{self.name}+{self.key_id.hex()}+{b64encode(bytes([self.kind]) + self.public).decode()}"

    @classmethod
    def parse(cls, vkey: str) -> Verifier:
        """Read a vkey. Raises NoteInvalid."""
        name, _, rest = vkey.strip().partition("+")
        key_id, _, material = rest.partition("+")
        raw = _unbase64(material)
        if not name or re.search(r"\s", name) or len(raw) != 33 or raw[0] not in (LOG, COSIGNATURE):
            raise NoteInvalid("not a verifier key of a kind we know")
        found = cls(name, raw[0], raw[1:])
        if found.key_id.hex() != key_id:
            raise NoteInvalid("the key's id does not fit its name and bytes")
        return found


class Signature(NamedTuple):
    """A line that holds: whose, and when it says it was made (cosignatures only)."""

    by: Verifier
    at: datetime | None


class Note(NamedTuple):
    """A note whose known signatures all hold."""

    text: str
    signatures: tuple[Signature, ...]

    def of(self, kind: int) -> list[Signature]:
        """The signatures of one kind."""
        return [s for s in self.signatures if s.by.kind == kind]


class Signer(NamedTuple):
    """A private key under the name that notes know."""

    name: str
    kind: int
    private: Ed25519PrivateKey

    @property
    def verifier(self) -> Verifier:
        """The public half."""
        return Verifier(self.name, self.kind, self.private.public_key().public_bytes_raw())

    def sign(self, text: str, at: datetime | None = None) -> str:
        """One signature line over a text; a cosignature also says when it was made."""
        if self.kind == LOG:
            return _line(self.verifier, self.private.sign(text.encode()))
        if at is None:
            raise ValueError("a cosignature says when it was made")
        seconds = int(at.timestamp())
        signed = self.private.sign(_cosigned(text, seconds))
        return _line(self.verifier, seconds.to_bytes(_TIME_BYTES, "big") + signed)


def write(text: str, lines: Iterable[str]) -> str:
    """A note: a text that ends in a newline, and its signature lines."""
    return f"{text}\n" + "".join(lines)


def open_note(note: str, trusted: Iterable[Verifier]) -> Note:
    """The text with the signatures of trusted keys. Raises NoteInvalid when there is none or when one does not hold."""
    text, lines = split(note)
    known = {(v.name, v.key_id): v for v in trusted}
    found: dict[Verifier, Signature] = {}
    for name, key_id, signed in lines:
        verifier = known.get((name, key_id))
        if verifier and verifier not in found:
            found[verifier] = Signature(verifier, _verify(verifier, text, signed))
    if not found:
        raise NoteInvalid("no key that is trusted has signed it")
    return Note(text, tuple(found.values()))


def lines_of(note: str, by: Verifier) -> list[str]:
    """The signature lines of one key as they stand; nothing is verified. Raises NoteInvalid."""
    whole = zip(note.rpartition("\n\n")[2].split("\n"), split(note)[1], strict=False)
    return [f"{line}\n" for line, (name, key_id, _) in whole if (name, key_id) == (by.name, by.key_id)]


def split(note: str) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """Text, and (name, key id, signature) of each line; nothing is verified yet. Raises NoteInvalid."""
    text, gap, rest = note.rpartition("\n\n")
    lines = rest.split("\n")[:-1]
    if len(note) > LONGEST or not gap or not text or not rest.endswith("\n") or _CONTROL.search(note):
        raise NoteInvalid("not a text, an empty line and signature lines")
    if len(lines) > MOST_SIGNATURES:
        raise NoteInvalid("too many signatures")
    return f"{text}\n", [_read(line) for line in lines]


def _read(line: str) -> tuple[str, bytes, bytes]:
    found = _LINE.fullmatch(line)
    raw = _unbase64(found[2]) if found else b""
    if not found or len(raw) < 5:
        raise NoteInvalid("a signature line is malformed")
    return found[1], raw[:4], raw[4:]


def _verify(verifier: Verifier, text: str, signed: bytes) -> datetime | None:
    at = _moment(_seconds(signed)) if verifier.kind == COSIGNATURE else None
    message, signature = signed_bytes(verifier, text, signed)
    try:
        Ed25519PublicKey.from_public_bytes(verifier.public).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise NoteInvalid(f"the signature of {verifier.name} does not hold") from None
    return at


def signed_bytes(by: Verifier, text: str, signed: bytes) -> tuple[bytes, bytes]:
    """What a line signs, and the Ed25519 signature in it; nothing is verified."""
    if by.kind == COSIGNATURE:
        return _cosigned(text, _seconds(signed)), signed[_TIME_BYTES:]
    return text.encode(), signed


def _seconds(signed: bytes) -> int:
    return int.from_bytes(signed[:_TIME_BYTES], "big")


def _moment(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise NoteInvalid("a cosignature says an impossible time") from None


def _cosigned(text: str, seconds: int) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()


def _line(verifier: Verifier, signed: bytes) -> str:
    return f"— {verifier.name} {b64encode(verifier.key_id + signed).decode()}\n"


def _unbase64(text: str) -> bytes:
    raw = decoded(text)
    if raw is None:
        raise NoteInvalid("not base64")
    return raw
