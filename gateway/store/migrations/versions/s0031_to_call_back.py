"""Which legs may have to be called back is found by an index. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step_beside

revision = "0031_to_call_back"
down_revision = "0030_behind"


def upgrade() -> None:
    """Run the SQL file."""
    run_step_beside(revision)
