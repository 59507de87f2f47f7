"""What is asked several times a second is found by an index, however many cases there are and with whatever values."""

from __future__ import annotations

import re

import psycopg

from gateway.store.statements import STATEMENTS

MANY = """
    insert into case_record (case_no, version, revision, status, entry_state, verdict, screened, not_to_refer,
                             updated_at)
    select n::text, 1, 1, 'live', 'present', 'ok', 1, (n % 50 <> 0)::integer, now() from generate_series(1, 20000) n;
    insert into screening (case_no, revision, ruleset, gate, score, contributions, inputs_hash, result, business_date,
                           decided_at)
    select n::text, 1, 'r', 'GENERAL', 1, '[]', 'h', case when n % 50 <> 0 then 'GENERAL' else 'PRIORITY' end,
           current_date, now() from generate_series(1, 20000) n;
    analyze case_record, screening, leg, vault_key"""


def test_who_is_to_be_referred_is_found_without_reading_all_cases(database: str) -> None:
    sql = re.sub(r":limit|%\(limit\)s", "$1", STATEMENTS.to_refer.sql)
    with psycopg.connect(database, options="-c app.partner=*") as connection:
        connection.execute(MANY)
        plan = "\n".join(line for (line,) in connection.execute(f"explain (generic_plan) {sql}"))
    assert "case_to_refer" in plan
    assert "Seq Scan on case_record" not in plan
