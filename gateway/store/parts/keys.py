"""Public keys with their validity."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from psycopg.types.json import Jsonb

from gateway.ports import KeyRow, TurnedKeys
from gateway.store.parts.part import Part
from gateway.store.shapes import as_rows
from gateway.store.statements import STATEMENTS as _SQL


class Keys(Part):
    """See `ports.Keys`."""

    def add(self, row: KeyRow) -> bool:
        return bool(_SQL.add_key(self._c, **(row._asdict() | {"jwk": Jsonb(dict(row.jwk))})))

    def of(self, owner: str) -> Sequence[KeyRow]:
        return as_rows(KeyRow, _SQL.keys_of(self._c, owner=owner))

    def revoke(self, owner: str, kid: str, at: datetime) -> bool:
        return bool(_SQL.revoke_key(self._c, owner=owner, kid=kid, at=at))

    def moment(self) -> datetime:
        found: datetime = _SQL.now(self._c)
        return found

    def schedule(self, owner: str, kid: str, signs_from: datetime, *, not_before: datetime) -> None:
        _SQL.schedule_key(self._c, owner=owner, kid=kid, signs_from=signs_from, not_before=not_before)

    def end(self, owner: str, kid: str, not_after: datetime) -> None:
        _SQL.end_key(self._c, owner=owner, kid=kid, not_after=not_after)

    def turn(self, owner: str) -> TurnedKeys:
        begun, ended = (as_rows(KeyRow, q(self._c, owner=owner)) for q in (_SQL.begun_keys, _SQL.ended_keys))
        return TurnedKeys(begun, ended)
