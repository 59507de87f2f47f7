"""Indexes for what is watched. The step itself is the SQL file beside this one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import op

revision = "0002_figures"
down_revision = "0001_first"


def upgrade() -> None:
    """Run the SQL file."""
    sql = (Path(__file__).parent / f"{revision}.sql").read_text(encoding="utf-8")
    driver: Any = op.get_bind().connection.driver_connection  # the driver itself: no placeholders are looked for
    driver.execute(sql)
