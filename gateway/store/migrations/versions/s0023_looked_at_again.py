"""What is to be destroyed is locked, and looked at again. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step

revision = "0023_looked_at_again"
down_revision = "0022_heads"


def upgrade() -> None:
    """Run the SQL file."""
    run_step(revision)
