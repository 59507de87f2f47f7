"""Reviews. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step

revision = "0012_reviews"
down_revision = "0011_witnesses"


def upgrade() -> None:
    """Run the SQL file."""
    run_step(revision)
