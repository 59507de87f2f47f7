"""The updates of a file are found without reading the others. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step_beside

revision = "0030_file_of_updates"
down_revision = "0029_taken_back"


def upgrade() -> None:
    """Run the SQL file."""
    run_step_beside(revision)
