"""Which legs may have to be called back is marked. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step

revision = "0030_behind"
down_revision = "0029_taken_back"


def upgrade() -> None:
    """Run the SQL file."""
    run_step(revision)
