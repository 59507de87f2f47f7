"""The vault: two random keys a case, one that its leaves are committed with and one that its content is sealed with.

Both lie wrapped (RFC 3394) in `vault_key`, under a secret that is a file. Destroying the second makes every copy of the
content unreadable, in backups as well; the first stays as long as the acts do, so that they can still be held against
their leaves. Acts and content of no case have keys that are derived from the first secret and never destroyed.
Secrets have numbers: a later one takes the place of the one before (`gateway.store.rewrap`). RFC 3394 tells by the key
itself whether a secret is the right one, so old and new are read side by side.
Refuses to hand out a key that the database does not hold: what is remembered here is found by the wrapped key only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from hmac import digest
from typing import Any, NamedTuple
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from gateway.errors import SettingsInvalid
from gateway.store.statements import STATEMENTS as _SQL
from gateway.store.statements import Connection

KEY_BYTES, ID_BYTES = 32, 8
REMEMBERED = 1024
"""Keys of acts, and ciphers of content keys, that a process keeps at hand."""


class CaseKey(NamedTuple):
    """The key of a case's acts, and its random name in leaves; acts on no case have a key without a name."""

    key: bytes
    subj: str | None


class ContentKey(NamedTuple):
    """The cipher of a case's content (AES-256-GCM), and which key it has: two keys never have one id."""

    id: bytes
    cipher: AESGCM


class Vault:
    """Makes, wraps and unwraps the keys of cases. `secret` is the first one, 32 bytes; `later()` reads the others."""

    def __init__(
        self, secret: bytes, random: Callable[[int], bytes], later: Callable[[], Mapping[int, bytes]] = dict
    ) -> None:
        self._secrets, self._later, self.random = {1: secret, **later()}, later, random
        self.of_no_case = CaseKey(digest(secret, b"acts on no case", sha256), None)
        self.content_of_no_case = _content_key(digest(secret, b"content of no case", sha256))
        self.content = lru_cache(maxsize=REMEMBERED)(self._content)
        self.acts = lru_cache(maxsize=REMEMBERED)(self.unwrap)

    def require(self, number: int) -> bytes:
        """The secret of this number; one that was brought after we began is found. Raises SettingsInvalid."""
        if number not in self._secrets:
            self._secrets |= self._later()
        if number not in self._secrets:
            raise SettingsInvalid(
                f"keys/vault-{number}.secret is not on this machine: make it (`gateway vault prepare`), or bring it"
            )
        return self._secrets[number]

    def fresh(self, number: int) -> tuple[UUID, bytes]:
        """A new random name and a new key, wrapped with the secret of this number."""
        return UUID(bytes=self.random(16), version=4), self.fresh_key(number)

    def fresh_key(self, number: int) -> bytes:
        """A new key, wrapped with the secret of this number."""
        return aes_key_wrap(self.require(number), self.random(KEY_BYTES))

    def rewrap(self, wrapped: bytes, number: int) -> bytes:
        """The same key, wrapped with the secret of this number."""
        return aes_key_wrap(self.require(number), self.unwrap(wrapped))

    def unwrap(self, wrapped: bytes) -> bytes:
        """The key itself. Raises SettingsInvalid when it was wrapped with a secret that is not here."""
        key = self._unwrapped(wrapped)
        if key is None and (new := self._later()).keys() - self._secrets.keys():
            self._secrets |= new
            key = self._unwrapped(wrapped)
        if key is None:
            raise SettingsInvalid("keys/vault.secret is not the one that the keys of this database are wrapped with")
        return key

    def _unwrapped(self, wrapped: bytes) -> bytes | None:
        for number in sorted(self._secrets, reverse=True):
            with suppress(InvalidUnwrap, ValueError):
                return aes_key_unwrap(self._secrets[number], wrapped)
        return None

    def _content(self, wrapped: bytes) -> ContentKey:
        return _content_key(self.unwrap(wrapped))


def _content_key(key: bytes) -> ContentKey:
    return ContentKey(digest(key, b"id", sha256)[:ID_BYTES], AESGCM(key))


class CaseKeys:
    """The keys that one transaction has met: read once, made where there were none."""

    def __init__(self, connection: Connection, vault: Vault) -> None:
        self._c, self.vault = connection, vault
        self._acts: dict[str, CaseKey] = {}
        self._content: dict[str, bytes] = {}
        self._number = 1

    def of_acts(self, case_nos: Iterable[str]) -> Mapping[str, CaseKey]:
        """The keys of what is done about these cases."""
        self._have(sorted(set(case_nos) - self._acts.keys()), content=False)
        return self._acts

    def met(self, case_no: str, wrapped: bytes) -> None:
        """Remember the content key that came with a row of this case."""
        self._content[case_no] = wrapped

    def meet(self, case_nos: Iterable[str]) -> None:
        """Have the content keys of these cases; one whose content was destroyed begins anew with another."""
        unmet = sorted(set(case_nos) - self._content.keys())
        self._have(unmet, content=True)
        if bare := [case_no for case_no in unmet if case_no not in self._content]:
            keys = [self.vault.fresh_key(self._number) for _ in bare]
            _SQL.add_content_keys(self._c, case_nos=bare, contents=keys, secret=self._number)
            self._look(bare)

    def of_content(self, case_no: str | None) -> ContentKey:
        """The key that what is known about a case is sealed with; the case has been met."""
        return self.vault.content(self._content[case_no]) if case_no else self.vault.content_of_no_case

    def _have(self, case_nos: list[str], *, content: bool) -> None:
        self._look(case_nos)
        if missing := [case_no for case_no in case_nos if case_no not in self._acts]:
            number = self._number
            subjs, wrapped = zip(*(self.vault.fresh(number) for _ in missing), strict=True)
            contents = [self.vault.fresh_key(number) if content else None for _ in missing]
            made = {"case_nos": missing, "subjs": list(subjs), "wrapped": list(wrapped), "contents": contents}
            _SQL.add_case_keys(self._c, **made, secret=number)
            self._look(missing)

    def _look(self, case_nos: list[str]) -> None:
        self.learn(_SQL.keys_of_cases(self._c, case_nos=case_nos) if case_nos else ())

    def learn(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Remember keys as read, and the number of the secret in force, which stays so until this transaction ends."""
        for number, case_no, subj, wrapped, content in rows:
            self._number = number
            if case_no is None:
                continue
            self._acts[case_no] = CaseKey(self.vault.acts(wrapped), str(subj))
            if content:
                self._content[case_no] = content
