"""Alembic's entry: run each step on one connection of our own driver, with the rows of the whole journey in sight."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine, pool
from sqlalchemy.engine import make_url

url = make_url(context.config.attributes["url"]).set(drivername="postgresql+psycopg")
scope = {"options": "-c app.partner=*"}
with create_engine(url, poolclass=pool.NullPool, connect_args=scope).connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
