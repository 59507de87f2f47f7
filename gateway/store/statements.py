"""The statements of `sql/*.sql`, as methods of one object: what is SQL stands in SQL files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiosql
import psycopg
from aiosql.adapters.pyformat import PyFormatAdapter

Connection = psycopg.Connection[tuple[Any, ...]]


class _Adapter(PyFormatAdapter):
    """Results come in binary, or bytes would come as hexadecimal text, twice as long.

    All rows of a result are made at once: they have come already, and one at a time costs ten times as much.
    One row goes as a plain statement: `executemany` would open a pipeline for it. No row is no statement.
    """

    def _cursor(self, conn: Any) -> Any:
        return conn.cursor(binary=True)

    def select(self, conn: Any, query_name: str, sql: str, parameters: Any, record_class: Any = None) -> Any:
        with self._cursor(conn) as cursor:
            return cursor.execute(sql, parameters).fetchall()

    def insert_update_delete_many(self, conn: Any, query_name: str, sql: str, parameters: Any) -> int:
        with conn.cursor() as cursor:
            if len(parameters) == 1:
                cursor.execute(sql, parameters[0])
            elif parameters:
                cursor.executemany(sql, parameters)
            return max(0, int(cursor.rowcount))


def load(sql: str) -> Any:
    """The statements of all files, by name. Raises SQLLoadException for a name that is used twice."""
    return aiosql.from_str(sql, _Adapter, mandatory_parameters=False)


SQL = "\n\n".join(file.read_text(encoding="utf-8") for file in sorted((Path(__file__).parent / "sql").glob("*.sql")))
STATEMENTS: Any = load(SQL)


def in_one_trip(connection: Connection, *asked: tuple[Any, Mapping[str, Any]]) -> list[list[tuple[Any, ...]]]:
    """What each of these statements finds. The database runs them one after the other, as if they were asked so."""
    with connection.pipeline():
        cursors = [connection.cursor(binary=True).execute(statement.sql, given) for statement, given in asked]
    return [cursor.fetchall() for cursor in cursors]
