"""Row-level security holds the owner too. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step

revision = "post_0001_forced"
down_revision = None


def upgrade() -> None:
    """Run the SQL file."""
    run_step(revision)
