"""Keys of cases can be wrapped anew. The step itself is the SQL file beside this one."""

from __future__ import annotations

from gateway.store.migrate import run_step

revision = "0018_secrets"
down_revision = "0017_slow_lines"


def upgrade() -> None:
    """Run the SQL file."""
    run_step(revision)
