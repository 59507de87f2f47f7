"""A line that has closed again goes slowly at first. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step

revision = "0017_slow_lines"
down_revision = "0016_acts_of_a_message"


def upgrade() -> None:
    """Run the SQL file."""
    run_step(revision)
