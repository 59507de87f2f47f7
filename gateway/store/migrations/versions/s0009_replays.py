"""Replays. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step

revision = "0009_replays"
down_revision = "0008_exchange_log"


def upgrade() -> None:
    """Run the SQL file."""
    run_step(revision)
