"""What is kept of whom was called back says more. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step

revision = "0035_looked_at"
down_revision = "0034_taken_up"


def upgrade() -> None:
    """Run the SQL file."""
    run_step(revision)
