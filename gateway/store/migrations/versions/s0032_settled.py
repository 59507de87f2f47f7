"""Of whom nobody has to be called back. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step

revision = "0032_settled"
down_revision = "0031_standing"


def upgrade() -> None:
    """Run the SQL file."""
    run_step(revision)
