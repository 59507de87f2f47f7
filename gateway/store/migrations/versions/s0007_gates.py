"""Gates of partners. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step

revision = "0007_gates"
down_revision = "0006_retention"


def upgrade() -> None:
    """Run the SQL file."""
    run_step(revision)
