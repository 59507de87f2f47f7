"""Who holds a seat and who waits for one. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step

revision = "0031_standing"
down_revision = "0030_file_of_updates"


def upgrade() -> None:
    """Run the SQL file."""
    run_step(revision)
