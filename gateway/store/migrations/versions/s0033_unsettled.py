"""The cases that may have a leg to be called back. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step_beside

revision = "0033_unsettled"
down_revision = "0032_settled"


def upgrade() -> None:
    """Run the SQL file."""
    run_step_beside(revision)
