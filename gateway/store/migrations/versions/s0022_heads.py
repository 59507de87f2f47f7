"""Heads of requests are kept. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step

revision = "0022_heads"
down_revision = "0021_messages_of_nobody"


def upgrade() -> None:
    """Run the SQL file."""
    run_step(revision)
