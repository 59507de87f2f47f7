"""Content at rest: what says something of a person is sealed before it becomes a column, and opened after.

    0x00 "GS1"  id of the key (8)  nonce (12)  ciphertext and tag (AES-256-GCM) of: length (4)  LZ4 block

Rules: content is compressed first, because nothing can compress it afterwards; the key is that of the case; bound in
are table, column, place of the row and id of the key, so that no cipher is moved to another place unseen. What is empty
stays empty. Before phase post of the step that brought it nothing is sealed, because the release before could not read
it; until the rest is sealed, both forms are read.
A key that is gone leaves what a destroyed content leaves. Refuses, as StoreDamaged, what its own key does not open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

import lz4.block
from cryptography.exceptions import InvalidTag

from gateway.errors import StoreDamaged
from gateway.store.statements import STATEMENTS as _SQL
from gateway.store.statements import Connection
from gateway.store.vault import ID_BYTES, CaseKeys, ContentKey, Vault

MARK = b"\x00GS1"
NONCE_BYTES = 12
_KEY, _NONCE = len(MARK) + ID_BYTES, len(MARK) + ID_BYTES + NONCE_BYTES
Row = TypeVar("Row", bound=tuple[Any, ...])


class Sealed(NamedTuple):
    """The sealed columns of a table, each with what it says when its content is destroyed; `place` names the row.

    `key` finds it where the database names rows itself, after they were sealed.
    """

    table: str
    place: tuple[str, ...]
    columns: Mapping[str, bytes | None]
    key: tuple[str, ...] = ()

    def bound(self, column: str, place: str, key: ContentKey) -> bytes:
        """What the cipher in a column of a row is bound to."""
        return f"{self.table}|{column}|{place}|".encode() + key.id

    def where(self, row: Any) -> str:
        """The place of a row."""
        return "|".join([str(getattr(row, name)) for name in self.place])


ASIDE = Sealed("quarantined_record", ("file_id", "record_no"), {"raw": b""})
PARKED = Sealed("parked_record", ("case_no", "version", "facts_sha256"), {"facts": b""})
CASE = Sealed("case_record", ("case_no", "revision"), {"facts": None, "entry": None, "record": None})
JUDGED = CASE._replace(columns={"record": None})
HISTORY = JUDGED._replace(table="case_history")
SCREENING = Sealed("screening", ("case_no", "revision", "inputs_hash"), {"contributions": b"[]"}, ("id",))
MESSAGE = Sealed("message", ("partner", "direction", "mid"), {"body": b"", "fhir": None, "head": None})
ATTEMPT = Sealed("attempt", ("partner", "mid", "fence"), {"head": None})
FACT = Sealed("outcome_fact", ("fact_id",), {"content": b"", "fhir": b""})
TOLD = FACT._replace(columns={"content": b""})
UPDATE = Sealed("rtw_update", ("ref_no", "update_no"), {"content": b"{}"})
ALL = (ASIDE, PARKED, CASE, HISTORY, SCREENING, MESSAGE, ATTEMPT, FACT, UPDATE)
"""Every table that holds content."""


class Sealing:
    """Whether content is sealed here yet; asked until it is, and then never again."""

    def __init__(self, vault: Vault) -> None:
        self.vault, self._begun = vault, False

    def begun(self, connection: Connection) -> bool:
        """The question holds off the step that begins it until this transaction ends."""
        self._begun = self._begun or bool(_SQL.sealing(connection))
        return self._begun


class Seal:
    """Shuts and opens the rows of one transaction."""

    def __init__(self, connection: Connection, sealing: Sealing) -> None:
        self._c, self._sealing = connection, sealing
        self.keys = CaseKeys(connection, sealing.vault)
        self.cases: dict[str, str] = {}  # of the legs that this transaction has met

    def shut(
        self, kind: Sealed, rows: Iterable[Row], case_of: Callable[[Row], str | None] = attrgetter("case_no")
    ) -> list[Row]:
        """Rows as they go into their table."""
        found = list(rows)
        if not found or not self._sealing.begun(self._c):
            return found
        self.keys.meet(case_no for case_no in map(case_of, found) if case_no is not None)
        return [self._shut(kind, row, self.keys.of_content(case_of(row))) for row in found]

    def _shut(self, kind: Sealed, row: Row, key: ContentKey) -> Row:
        place, random = kind.where(row), self._sealing.vault.random
        told = ((name, getattr(row, name)) for name in kind.columns)
        closed = {
            name: seal(content, key, random(NONCE_BYTES), kind.bound(name, place, key))
            for name, content in told
            if content
        }
        return replaced(row, closed)

    def open(self, kind: Sealed, row: Row, key: bytes | None, case_no: str | None) -> Row:
        """A row as it was shut; `key` is the wrapped one of its case, which may be gone."""
        stored = {name: value for name in kind.columns if is_sealed(value := getattr(row, name))}
        if case_no is not None and key is not None:
            self.keys.met(case_no, key)
        if not stored:
            return row
        own = self._sealing.vault.content(key) if key else None
        used = self._sealing.vault.content_of_no_case if case_no is None else own
        return replaced(row, dict(_opened(kind, kind.where(row), stored, used)))


def _opened(
    kind: Sealed, place: str, stored: Mapping[str, bytes], key: ContentKey | None
) -> Iterator[tuple[str, bytes | None]]:
    for name, cipher in stored.items():
        if key is None or key.id != cipher[len(MARK) : _KEY]:
            yield name, kind.columns[name]
        else:
            yield name, unseal(cipher, key, kind.bound(name, place, key))


def is_sealed(stored: bytes | None) -> bool:
    """Whether this is in the sealed form."""
    return stored is not None and stored.startswith(MARK)


def seal(content: bytes, key: ContentKey, nonce: bytes, bound: bytes) -> bytes:
    """The sealed form; `nonce` is random and used once."""
    return b"".join((MARK, key.id, nonce, key.cipher.encrypt(nonce, lz4.block.compress(content), bound)))


def unseal(sealed: bytes, key: ContentKey, bound: bytes) -> bytes:
    """The content. Raises StoreDamaged, naming the place."""
    try:
        compressed = key.cipher.decrypt(sealed[_KEY:_NONCE], sealed[_NONCE:], bound)
    except InvalidTag:
        raise StoreDamaged(bound[: -ID_BYTES - 1].decode()) from None
    content: bytes = lz4.block.decompress(compressed)
    return content


def replaced(row: Row, columns: Mapping[str, Any]) -> Row:
    """The row with other columns; the same when there are none."""
    found: Row = row._replace(**columns) if columns else row  # type: ignore[attr-defined]
    return found
