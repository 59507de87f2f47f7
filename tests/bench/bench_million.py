"""Whether the engine slows down with what it remembers: deliveries a second before and after a million exchanges.

Part of `make bench YEAR=1`; a share of the year takes the same share of the million. An outbox is drained by two
workers while the database is empty but for it; then what was delivered is copied, with new message ids and cases, until
there are a million messages with their deliveries, attempts, receipts and acts; then the rest is drained. The
tree of the exchange log stays small: what is in it cannot be copied.
Target: the second rate is at least 80 % of the first.
"""

from __future__ import annotations

from tests.bench import stage
from tests.bench.bench_engine import rounds
from tests.bench.engine import Site, filled
from tests.bench.figure import Figure, Floor

MILLION, LEAST_KEPT = 1_000_000, 0.8
CASES = 4_200  # referrals enough for twice the rounds of `bench_engine`
WORKERS = 2
TABLES = ("message", "delivery", "attempt", "receipt", "audit_event")
NEW = {
    "mid": "md5(t.mid::text || n)::uuid",
    "event_id": "md5(t.event_id::text || n)::uuid",
    "case_no": "t.case_no || '-' || n",
}


def run(share: float) -> tuple[Figure, ...]:
    """Deliveries a second of the empty and of the full database, and what is kept of the first."""
    with stage.home() as home, filled(home, CASES) as site:
        empty = Figure("deliveries, 2 workers, empty database", "/s", rounds(site, WORKERS, 0.0))
        many = _grown(site, round(MILLION * share))
        full = rounds(site, WORKERS, 0.0)
    kept = Figure("", "", full).median / empty.median
    return (
        empty,
        Figure(f"deliveries, 2 workers, {many:,} exchanges", "/s", full, floor=Floor("empty", empty.median)),
        Figure("  kept of the empty database's", "", (kept,), target=LEAST_KEPT),
    )


def _grown(site: Site, wanted: int) -> int:
    """Copy what was delivered until there is so much of it; returns how many deliveries there are."""
    delivered = "select count(*) from delivery where state = 'delivered'"
    times = -(-wanted // site.ask(delivered)[0])
    for table in TABLES:
        site.ask(_copy(site, table), times)
    site.ask("vacuum analyze")
    return int(site.ask(delivered)[0])


def _copy(site: Site, table: str) -> str:
    """The statement that copies a table's rows of delivered messages, whatever its columns are."""
    sql = """select array_agg(column_name::text) from information_schema.columns
             where table_schema = current_schema() and table_name = %s and is_identity = 'NO'
                   and is_generated = 'NEVER'"""
    columns = site.ask(sql, table)[0]
    values = ", ".join(NEW.get(name, f"t.{name}") for name in columns)
    return f"""insert into {table} ({", ".join(columns)})
               select {values} from {table} t, generate_series(1, %s) n
               where t.mid::text in (select mid::text from delivery where state = 'delivered')"""  # noqa: S608 - our own names
