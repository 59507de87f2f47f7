"""Sealing the rest: what the release before wrote in the clear, table by table, batch by batch, while the work goes on.

Rules: runs as the owner, who alone may change rows of append-only tables; the end is written down, so that it is looked
for once. Refuses to begin before phase post, when nobody writes in the clear any more and nobody has to read it.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterator, Sequence
from typing import Any, LiteralString

from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from gateway.store.migrate import straight
from gateway.store.sealed import ALL, ATTEMPT, FACT, MARK, Seal, Sealed, Sealing
from gateway.store.statements import STATEMENTS as _SQL
from gateway.store.statements import Connection
from gateway.store.vault import Vault

BATCH = 256
_OF_MESSAGE = "join (select partner, mid, case_no from message where direction = 'out') m using (partner, mid)"
_WHOSE: dict[str, LiteralString] = {FACT.table: "join leg using (ref_no)", ATTEMPT.table: _OF_MESSAGE}
"""Where tables that do not name their case find it."""


def seal_rest(url: str, vault: Vault) -> int:
    """Seal what lies in the clear, unless that was done before or is too early; returns how many rows that was.

    Raises StoreUnavailable.
    """
    with straight(url, autocommit=True, options="-c app.partner=*") as connection:
        if not _SQL.rest_is_due(connection):
            return 0
        sealing = Sealing(vault)
        many = sum(_seal(connection, sealing, kind, some) for kind in ALL for some in _clear(url, kind))
        _SQL.rest_is_sealed(connection)
        return many


def _clear(url: str, kind: Sealed) -> Iterator[list[tuple[Any, ...]]]:
    """The places of rows in the clear, as they were when this was asked, a batch at a time."""
    with straight(url, options="-c app.partner=*") as reading, reading.cursor(name="clear") as places:
        where = SQL(" or ").join(_is_clear(column, gone) for column, gone in kind.columns.items())
        places.execute(SQL("select {} from {} where {}").format(_names(_key(kind)), Identifier(kind.table), where))
        while some := places.fetchmany(BATCH):
            yield some


def _is_clear(column: str, gone: bytes | None) -> Composed:
    return SQL("({0} <> '' and {0} <> {1} and substr({0}, 1, {2}) <> {3})").format(
        Identifier(column), Literal(gone or b""), Literal(len(MARK)), Literal(MARK)
    )


def _seal(connection: Connection, sealing: Sealing, kind: Sealed, places: Sequence[tuple[Any, ...]]) -> int:
    """Seal the rows in these places; what was destroyed meanwhile is empty and stays so."""
    names = list(dict.fromkeys((*_key(kind), *kind.place, *kind.columns, "case_no")))
    make: Any = namedtuple("make", names)  # type: ignore[misc]
    with connection.transaction():
        _SQL.seals(connection)
        found = connection.execute(_read(kind, names, len(places)), [value for each in places for value in each])
        rows = Seal(connection, sealing).shut(kind, [make(*row) for row in found])
        told = [[getattr(row, name) for name in (*kind.columns, *_key(kind))] for row in rows]
        with connection.cursor() as cursor:
            cursor.executemany(_write(kind), told)
    return len(rows)


def _read(kind: Sealed, columns: Sequence[str], many: int) -> Composed:
    one = SQL("({})").format(SQL(", ").join([SQL("%s")] * len(_key(kind))))
    return SQL("select {} from {} t {} where ({}) in ({}) for update of t").format(
        _names(columns),
        Identifier(kind.table),
        SQL(_WHOSE.get(kind.table, "")),
        _names(_key(kind)),
        SQL(", ").join([one] * many),
    )


def _write(kind: Sealed) -> Composed:
    told = SQL(", ").join(SQL("{} = %s").format(Identifier(name)) for name in kind.columns)
    where = SQL(" and ").join(SQL("{} = %s").format(Identifier(name)) for name in _key(kind))
    return SQL("update {} set {} where {}").format(Identifier(kind.table), told, where)


def _key(kind: Sealed) -> tuple[str, ...]:
    return kind.key or kind.place


def _names(names: Sequence[str]) -> Composable:
    return SQL(", ").join(map(Identifier, names))
