"""See `gateway.store.parts.keys`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from gateway.ports import KeyRow, TurnedKeys
from tests.fakes.shelf import Part, right_now


class Keys(Part):
    def add(self, row: KeyRow) -> bool:
        return self.s.keys.setdefault((row.owner, row.kid), row) is row

    def of(self, owner: str) -> Sequence[KeyRow]:
        return sorted((k for k in self.s.keys.values() if k.owner == owner), key=lambda k: (k.not_before, k.kid))

    def revoke(self, owner: str, kid: str, at: datetime) -> bool:
        row = self.s.keys.get((owner, kid))
        if row is None or row.revoked_at is not None:
            return False
        self.s.keys[owner, kid] = row._replace(revoked_at=at)
        return True

    def moment(self) -> datetime:
        return right_now()

    def schedule(self, owner: str, kid: str, signs_from: datetime, *, not_before: datetime) -> None:
        if (owner, kid) not in self.s.begun:
            row = self.s.keys[owner, kid]
            self.s.keys[owner, kid] = row._replace(signs_from=signs_from, not_before=min(row.not_before, not_before))

    def end(self, owner: str, kid: str, not_after: datetime) -> None:
        row = self.s.keys[owner, kid]
        self.s.keys[owner, kid] = row._replace(not_after=min(row.not_after, not_after))

    def turn(self, owner: str) -> TurnedKeys:
        ours, now = [row for row in self.of(owner) if row.signs_from], right_now()
        began = [r for r in ours if r.signs_from and r.signs_from <= now and not r.revoked_at]
        began = [r for r in began if (owner, r.kid) not in self.s.begun]
        ended = [r for r in ours if r.not_after <= now and (owner, r.kid) not in self.s.ended]
        self.s.begun |= {(owner, r.kid): now for r in began}
        self.s.ended |= {(owner, r.kid): now for r in ended}
        return TurnedKeys(began, ended)
