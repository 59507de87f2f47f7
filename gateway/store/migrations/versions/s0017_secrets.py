"""Keys of cases can be wrapped anew. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step

revision = "0017_secrets"
down_revision = "0016_acts_of_a_message"


def upgrade() -> None:
    """Run the SQL file."""
    run_step(revision)
