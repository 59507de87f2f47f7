"""Checkpoints are stamped. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step

revision = "0019_stamps"
down_revision = "0018_secrets"


def upgrade() -> None:
    """Run the SQL file."""
    run_step(revision)
