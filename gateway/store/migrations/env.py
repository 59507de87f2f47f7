"""Alembic's entry: run each step on one connection of our own driver, in the scope of the whole journey."""

from __future__ import annotations

import psycopg
from alembic import context
from sqlalchemy import create_engine, pool

from gateway.store.migrate import CONNECT_S

url: str = context.config.attributes["url"]
SESSION = "-c app.partner=* -c lock_timeout=500ms"  # shorter than deadlock_timeout: it is we who give way
engine = create_engine(
    "postgresql+psycopg://",
    creator=lambda: psycopg.connect(url, options=SESSION, connect_timeout=CONNECT_S),
    poolclass=pool.NullPool,
)
with engine.connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
