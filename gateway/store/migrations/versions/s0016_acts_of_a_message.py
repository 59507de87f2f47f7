"""Acts are found by their message. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step_beside

revision = "0016_acts_of_a_message"
down_revision = "0015_own_keys"


def upgrade() -> None:
    """Run the SQL file."""
    run_step_beside(revision)
