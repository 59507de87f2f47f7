"""The lines to partners. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step

revision = "0004_lines"
down_revision = "0003_row_level_security"


def upgrade() -> None:
    """Run the SQL file."""
    run_step(revision)
