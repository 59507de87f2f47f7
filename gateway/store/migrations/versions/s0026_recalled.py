"""At which revision a leg was called back is kept. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step

revision = "0026_recalled"
down_revision = "0025_acts_in_time"


def upgrade() -> None:
    """Run the SQL file."""
    run_step(revision)
