"""Sealed columns opened by their description alone, without code of the gateway: for whoever looks into the tables.

0x00 "GS1"  id of the key (8)  nonce (12)  ciphertext and tag of length (4) and LZ4 block;
bound to table|column|place|id of the key
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import lz4.block
import psycopg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap

SEALED = {
    "quarantined_record": (("file_id", "record_no"), ("raw",)),
    "parked_record": (("case_no", "version", "facts_sha256"), ("facts",)),
    "case_record": (("case_no", "revision"), ("facts", "entry", "record")),
    "case_history": (("case_no", "revision"), ("record",)),
    "screening": (("case_no", "revision", "inputs_hash"), ("contributions",)),
    "message": (("partner", "direction", "mid"), ("body", "fhir", "head")),
    "attempt": (("partner", "mid", "fence"), ("head",)),
    "outcome_fact": (("fact_id",), ("content", "fhir")),
    "rtw_update": (("ref_no", "update_no"), ("content",)),
}
MARK = b"\x00GS1"


class Unsealed:
    """The keys of one database. `secret` is a vault's, or the home it lies in."""

    def __init__(self, database: str, secret: bytes | Path = bytes(32)) -> None:
        if isinstance(secret, Path):
            secret = (secret / "keys" / "vault.secret").read_bytes()
        with psycopg.connect(database, options="-c app.partner=*") as owner:
            wrapped = owner.execute("select case_no, content from vault_key where content is not null").fetchall()
            self._cases: dict[str, str] = dict(owner.execute("select ref_no, case_no from leg").fetchall())
            self._sent: dict[str, str | None] = dict(
                owner.execute("select mid::text, case_no from message where direction = 'out'").fetchall()
            )
        self._keys = {case_no: aes_key_unwrap(secret, bytes(content)) for case_no, content in wrapped}
        self._of_no_case = hmac.digest(secret, b"content of no case", hashlib.sha256)

    def rows(self, table: str, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Rows of a table with every sealed column in the clear. Raises KeyError or InvalidTag."""
        place, columns = SEALED.get(table, ((), ()))
        return [row | {c: self._open(table, c, place, row) for c in columns if c in row} for row in rows]

    def shadow(self, connection: psycopg.Connection[dict[str, Any]]) -> None:
        """Let this connection find the tables of content in the clear, under their own names."""
        for table in SEALED:
            rows = self.rows(table, connection.execute(f"select * from public.{table}"))  # noqa: S608 - our own names
            connection.execute(f"create temp table {table} (like public.{table})")
            with connection.cursor() as cursor, cursor.copy(f"copy pg_temp.{table} from stdin") as into:
                for row in rows:
                    into.write_row(list(row.values()))

    def _open(self, table: str, column: str, place: tuple[str, ...], row: dict[str, Any]) -> Any:
        stored = row[column]
        if not isinstance(stored, bytes) or not stored.startswith(MARK):
            return stored
        case_no = self._case_of(table, row)
        key = self._keys[case_no] if case_no else self._of_no_case
        where = "|".join(str(row[name]) for name in place)
        bound = f"{table}|{column}|{where}|".encode() + stored[4:12]
        return lz4.block.decompress(AESGCM(key).decrypt(stored[12:24], stored[24:], bound))

    def _case_of(self, table: str, row: dict[str, Any]) -> Any:
        if table == "outcome_fact":
            return self._cases.get(row["ref_no"])
        return self._sent.get(str(row["mid"])) if table == "attempt" else row["case_no"]
