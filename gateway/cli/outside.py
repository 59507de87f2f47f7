"""What a stranger's tool says of a published log: OpenSSL's command checks who signed the checkpoint.

Rules: it is given nothing but what is published, cut into key, text and signature; what it says counts. Refuses to take
our own verdict for that of another.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.exchange_log import note, policy
from gateway.exchange_log.checkpoint import Checkpoint, parse
from gateway.exchange_log.note import COSIGNATURE, Verifier

TOOL = "openssl"
PATIENCE_S = 60.0


class Heard(NamedTuple):
    """What the tool says: which tool it is, of which checkpoint, who signed it by its word, and what does not hold."""

    tool: str
    checkpoint: Checkpoint
    signed: list[str]
    problems: list[str]

    def __str__(self) -> str:
        return f"{self.tool} says: the checkpoint of {self.checkpoint.size} leaves is {' and '.join(self.signed)}"


def ask(folder: Path) -> Heard | None:
    """Ask OpenSSL about the newest checkpoint of a published log that has its witnesses; None when it is not here.

    That it does not answer in time is a problem. Raises NoteInvalid when the files are not those of a log.
    """
    tool = shutil.which(TOOL)
    if tool is None:
        return None
    witnessed = folder / "witnessed"
    signed = (witnessed if witnessed.exists() else folder / "checkpoint").read_text(encoding="utf-8")
    text, lines = note.split(signed)
    trusted = policy.parse((folder / "policy").read_text(encoding="utf-8"))
    checkpoint = parse(text)
    try:
        version = _run(tool, "version").stdout.partition(" (")[0].strip()
        return _hear(tool, Heard(version, checkpoint, [], []), text, lines, trusted)
    except subprocess.TimeoutExpired:
        return Heard(TOOL, checkpoint, [], [f"{TOOL} has not answered within {PATIENCE_S:.0f} s"])


def _hear(
    tool: str, heard: Heard, text: str, lines: Sequence[tuple[str, bytes, bytes]], trusted: policy.Policy
) -> Heard:
    held: list[Verifier] = []
    for key in [*trusted.logs, *(one.key for one in trusted.witnesses.values())]:
        for raw in [raw for name, key_id, raw in lines if (name, key_id) == (key.name, key.key_id)][:1]:
            if _holds(tool, key, text, raw):
                held.append(key)
                heard.signed.append(_words(key, raw))
            else:
                heard.problems.append(f"the signature of {key.name} does not hold, says {TOOL}")
    if not set(held).intersection(trusted.logs) or not trusted.enough(held):
        heard.problems.append(f"{TOOL} has not found enough signatures that hold")
    return heard


def _words(key: Verifier, raw: bytes) -> str:
    if key.kind != COSIGNATURE:
        return f"signed by {key.name}"
    at = datetime.fromtimestamp(int.from_bytes(raw[:8], "big"), UTC)
    return f"cosigned by {key.name} at {at:%Y-%m-%d %H:%M:%S} UTC"


def _holds(tool: str, key: Verifier, text: str, raw: bytes) -> bool:
    """One signature, as a key in PEM, the bytes that were signed, and 64 bytes."""
    message, signature = note.signed_bytes(key, text, raw)
    pem = Ed25519PublicKey.from_public_bytes(key.public).public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    with TemporaryDirectory(prefix="gateway-outside-") as folder:
        files = {"key.pem": pem, "text": message, "signature": signature}
        for name, content in files.items():
            Path(folder, name).write_bytes(content)
        where = {name: str(Path(folder, name)) for name in files}
        said = _run(tool, "pkeyutl", "-verify", "-pubin", "-inkey", where["key.pem"], "-rawin", "-in", where["text"],
                    "-sigfile", where["signature"])  # fmt: skip
    return said.returncode == 0 and "Verified Successfully" in said.stdout


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=PATIENCE_S)  # noqa: S603 - no shell
