"""Row-level security. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step

revision = "0003_row_level_security"
down_revision = "0002_figures"


def upgrade() -> None:
    """Run the SQL file."""
    run_step(revision)
