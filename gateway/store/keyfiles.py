"""Private keys and secrets as files under the gateway's home: made once, read by their owner only.

Rules: a private key is a PKCS#8 PEM file named for its kid; the secrets of pairwise ids and of the vault are 32 random
bytes each; files are 0600 in a 0700 folder and are written before they are used. Public halves live in the database
with their validity.
Refuses files that others can read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from hashlib import sha256
from hmac import digest
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.errors import KeyRefused, SettingsInvalid
from gateway.sealing.keys import SigningKey, generate

SECRET_BYTES = 32


def own_key(folder: Path, kid: str, *, alg: str = "ES256") -> SigningKey:
    """The gateway's signing key `kid`, made on first use."""
    pem = read_or_make(folder / f"{kid}.pem", lambda: generate(kid, alg).to_pem())
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
    return lambda partner: digest(master, f"pairwise|{partner}".encode(), sha256)


def vault_secret(folder: Path, random: Callable[[int], bytes]) -> bytes:
    """The secret that the keys of cases are wrapped with in the database."""
    return read_or_make(folder / "vault.secret", lambda: random(SECRET_BYTES))


def read_or_make(path: Path, make: Callable[[], bytes]) -> bytes:
    """The bytes of a secret file; made, written and synced first when it is not there. Two makers: the first wins."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        if not path.is_file():
            raise SettingsInvalid(f"GATEWAY_HOME: {path.name} cannot be made, something else is in its place") from None
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise SettingsInvalid(f"{path.name} can be read by others") from None
        return _read(path)
    except OSError as error:
        raise SettingsInvalid(f"GATEWAY_HOME: {path.name} cannot be made ({os.strerror(error.errno or 0)})") from None
    with os.fdopen(handle, "wb") as file:
        made = make()
        file.write(made)
        file.flush()
        os.fsync(file.fileno())
    return made


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsInvalid(f"GATEWAY_HOME: {path.name} cannot be read ({os.strerror(error.errno or 0)})") from None
