"""The witness's folder: its key, made at the first start, and the logs it was told to watch.

    witness.pem   its private key (Ed25519), readable by its owner only
    logs          a key of a log a line, as `gateway log keys` prints them; read again whenever it changes
    cosigned.db   what it has cosigned

Rules: whom to watch is told by people, never learned from a log. Refuses a key that others can read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.errors import NoteInvalid, SettingsInvalid
from gateway.exchange_log.note import COSIGNATURE, LOG, Signer, Verifier

KEY, LOGS, MEMORY = "witness.pem", "logs", "cosigned.db"
log = structlog.get_logger()


def signer(home: Path, name: str) -> Signer:
    """The witness's key under the name that notes know it by. Raises SettingsInvalid."""
    found = Signer(name, COSIGNATURE, _private(home / KEY))
    try:
        Verifier.parse(found.verifier.vkey)
    except NoteInvalid:
        raise SettingsInvalid("the name of a witness has neither spaces nor a plus sign") from None
    return found


def _private(path: Path) -> Ed25519PrivateKey:
    if not path.exists():
        _make(path)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise SettingsInvalid(f"{path.name} can be read by others")
    try:
        found = serialization.load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        found = None
    if not isinstance(found, Ed25519PrivateKey):
        raise SettingsInvalid(f"{path.name} does not hold an Ed25519 key")
    return found


def _make(path: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())


class Logs:
    """The keys of the logs to watch, by origin. Raises SettingsInvalid when a line is not the key of a log.

    A file that is changed counts from the next question on; one that became unreadable changes nothing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._changed()
        self._known = self._read()

    def __call__(self) -> Mapping[str, Verifier]:
        """The keys; none where there is no file."""
        if (changed := self._changed()) != self._seen:
            self._seen = changed
            try:
                self._known = self._read()
            except SettingsInvalid as error:
                log.warning("logs.unreadable", subject=error.detail)
        return self._known

    def _changed(self) -> int:
        return self._path.stat().st_mtime_ns if self._path.exists() else 0

    def _read(self) -> Mapping[str, Verifier]:
        return _keys(self._path.read_text(encoding="utf-8")) if self._seen else {}


def _keys(text: str) -> Mapping[str, Verifier]:
    found: dict[str, Verifier] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            key = Verifier.parse(line)
        except NoteInvalid as error:
            raise SettingsInvalid(f"logs, line {number}: {error.detail}") from None
        if key.kind != LOG or key.name in found:
            raise SettingsInvalid(f"logs, line {number}: not the one key of a log")
        found[key.name] = key
    return found
