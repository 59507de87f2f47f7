"""How long records are kept. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step

revision = "0006_retention"
down_revision = "0005_crashes"


def upgrade() -> None:
    """Run the SQL file."""
    run_step(revision)
