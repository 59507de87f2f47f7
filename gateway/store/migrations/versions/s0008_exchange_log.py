"""The exchange log. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step

revision = "0008_exchange_log"
down_revision = "0007_gates"


def upgrade() -> None:
    """Run the SQL file."""
    run_step(revision)
