"""Who spoke last of a case, and until when a judgement holds. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step

revision = "0027_told"
down_revision = "0026_recalled"


def upgrade() -> None:
    """Run the SQL file."""
    run_step(revision)
