"""Checkpoints are stamped. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step

revision = "0020_stamps"
down_revision = "0019_returned"


def upgrade() -> None:
    """Run the SQL file."""
    run_step(revision)
