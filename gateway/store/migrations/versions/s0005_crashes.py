"""Crashes of a delivery. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step

revision = "0005_crashes"
down_revision = "0004_lines"


def upgrade() -> None:
    """Run the SQL file."""
    run_step(revision)
