"""Private keys and secrets as files under the gateway's home: made once, read by their owner only.

Rules: a private key is a PKCS#8 PEM file named for its kid; the secrets of pairwise ids and of the vault are 32 random
bytes each; files are 0600 in a 0700 folder, and are there whole or not at all before they are used. Public halves live
in the database with their validity.
Refuses files that others can read.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import tempfile
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from hmac import digest
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.errors import KeyRefused, SettingsInvalid
from gateway.sealing.keys import SigningKey, generate
from gateway.wholefile import keep_names

SECRET_BYTES = 32


def own_key(folder: Path, kid: str, *, alg: str = "ES256") -> SigningKey:
    """The gateway's signing key `kid`, made on first use."""
    return _private(kid, alg, read_or_make(folder / f"{kid}.pem", lambda: generate(kid, alg).to_pem()))


def kept_key(folder: Path, kid: str) -> SigningKey | None:
    """The gateway's signing key `kid`, if this machine has it; it is not made. Raises SettingsInvalid."""
    path = folder / f"{kid}.pem"
    return _private(kid, "ES256", _kept(path)) if path.exists() else None


def _private(kid: str, alg: str, pem: bytes) -> SigningKey:
    try:
        return SigningKey.from_pem(kid, alg, pem)
    except KeyRefused:
        raise SettingsInvalid(f"{kid}.pem does not hold a private key") from None


def log_key(folder: Path, name: str) -> Ed25519PrivateKey:
    """The key that signs the log of a year, made on first use. Raises SettingsInvalid when it is of another kind."""
    private = own_key(folder, f"log-{name}", alg="Ed25519").private
    if not isinstance(private, Ed25519PrivateKey):
        raise SettingsInvalid(f"keys/log-{name}.pem is not an Ed25519 key")
    return private


def pairwise_secret(folder: Path, random: Callable[[int], bytes]) -> Callable[[str], bytes]:
    """partner id → the secret that keys its pairwise ids; each partner's is derived, none reveals another."""
    master = read_or_make(folder / "pairwise.secret", lambda: random(SECRET_BYTES))
    return lru_cache(maxsize=64)(lambda partner: digest(master, f"pairwise|{partner}".encode(), sha256))


def vault_secret(folder: Path, random: Callable[[int], bytes], number: int = 1) -> bytes:
    """The secret of this number that the keys of cases are wrapped with in the database, made on first use.

    Raises SettingsInvalid when it is the first one and there are later ones: it was lost, and is not made again.
    """
    path = folder / ("vault.secret" if number == 1 else f"vault-{number}.secret")
    if number == 1 and not path.exists() and _later(folder):
        raise SettingsInvalid("keys/vault.secret is missing; bring it back, keys are derived from it")
    return read_or_make(path, lambda: random(SECRET_BYTES))


def later_secrets(folder: Path) -> dict[int, bytes]:
    """The secrets of the vault that came after the first one, by number."""
    return {number: _kept(path) for number, path in _later(folder).items()}


def _later(folder: Path) -> dict[int, Path]:
    found = (
        (re.fullmatch(r"vault-([1-9][0-9]{0,3})\.secret", path.name), path) for path in folder.glob("vault-*.secret")
    )
    return {int(named[1]): path for named, path in found if named}


def read_or_make(path: Path, make: Callable[[], bytes]) -> bytes:
    """The bytes of a secret file; made, written and synced first when it is not there. Two makers: the first wins.

    The file gets its name when it is whole: whoever makes it may die at any moment.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            _write(path, make())
    except OSError as error:
        raise SettingsInvalid(f"GATEWAY_HOME: {path.name} cannot be made ({os.strerror(error.errno or 0)})") from None
    return _kept(path)


def _write(path: Path, made: bytes) -> None:
    handle, unnamed = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(made)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # somebody else was faster
            os.link(unnamed, path)
    finally:
        os.unlink(unnamed)
    keep_names(path.parent)


def _kept(path: Path) -> bytes:
    if not path.is_file():
        raise SettingsInvalid(f"GATEWAY_HOME: {path.name} cannot be made, something else is in its place")
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise SettingsInvalid(f"{path.name} can be read by others")
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsInvalid(f"GATEWAY_HOME: {path.name} cannot be read ({os.strerror(error.errno or 0)})") from None
