"""Whose seat is free because COMWEL took its case back. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step_beside

revision = "0029_taken_back"
down_revision = "0028_judged_again"


def upgrade() -> None:
    """Run the SQL file."""
    run_step_beside(revision)
