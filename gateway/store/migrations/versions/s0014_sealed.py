"""Content lies sealed. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step

revision = "0014_sealed"
down_revision = "0013_named_with_digest"


def upgrade() -> None:
    """Run the SQL file."""
    run_step(revision)
