"""Keys of ours follow one another. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step

revision = "0015_own_keys"
down_revision = "0014_sealed"


def upgrade() -> None:
    """Run the SQL file."""
    run_step(revision)
