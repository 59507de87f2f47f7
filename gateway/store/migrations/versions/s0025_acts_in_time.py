"""Acts are found by their time, and by their partner. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step_beside

revision = "0025_acts_in_time"
down_revision = "0024_not_to_refer"


def upgrade() -> None:
    """Run the SQL file."""
    run_step_beside(revision)
