"""When an outcome is judged again, and what waits by its kind. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step

revision = "0028_judged_again"
down_revision = "0027_told"


def upgrade() -> None:
    """Run the SQL file."""
    run_step(revision)
