"""What came back is destroyed unless its case is taken up. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step

revision = "0034_taken_up"
down_revision = "0033_unsettled"


def upgrade() -> None:
    """Run the SQL file."""
    run_step(revision)
