"""Acts about what is named with its digest. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step

revision = "0013_named_with_digest"
down_revision = "0012_reviews"


def upgrade() -> None:
    """Run the SQL file."""
    run_step(revision)
