"""What a gateway shows to those who watch."""

from __future__ import annotations

from pathlib import Path

import psycopg

from gateway.assembly import assemble
from gateway.assembly.clocks import uuid7
from gateway.config import Settings
from tests.journey.world import knowledge

QUEUED = """
insert into delivery (partner, mid, case_no, seq, state, next_at, first_at)
values ('TRN', %s, '20260000000001', 1, 'ready', now() - interval '2 hours', now() - interval '2 hours')
"""


def test_a_message_to_a_partner_without_an_address_is_seen_to_wait(tmp_path: Path, database: str) -> None:
    settings = Settings(home=tmp_path, database_url=database, partner_urls={"KEIS": "https://keis.example/messages"})
    with assemble(settings, knowledge=knowledge()) as gateway, psycopg.connect(database, autocommit=True) as books:
        books.execute(QUEUED, [uuid7()])
        seen = {one.name: dict(one.rows) for one in gateway.figures()}
    for name in ("gateway_delivery_oldest_waiting_seconds", "gateway_delivery_overdue_seconds"):
        assert seen[name][("TRN",)] > 7000, name
