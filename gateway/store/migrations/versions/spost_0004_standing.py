"""Standing is kept from the owner too. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step

revision = "post_0004_standing"
down_revision = "post_0003_sealing"


def upgrade() -> None:
    """Run the SQL file."""
    run_step(revision)
