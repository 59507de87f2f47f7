"""Who is to be referred is found by an index. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step

revision = "0024_not_to_refer"
down_revision = "0023_looked_at_again"


def upgrade() -> None:
    """Run the SQL file."""
    run_step(revision)
