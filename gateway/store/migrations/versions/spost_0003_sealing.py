"""What is written is sealed. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step

revision = "post_0003_sealing"
down_revision = "post_0002_every_act_a_leaf"


def upgrade() -> None:
    """Run the SQL file."""
    run_step(revision)
