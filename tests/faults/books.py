"""Both sides' books as plain rows: our tables by SQL, the partners' journals line by line. No code of the gateway.

`written` is the number of the transaction that wrote a row last. Public keys come from the files that each side gave
the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import psycopg
from psycopg.rows import dict_row

from tests.unsealed import Unsealed

Row = dict[str, Any]

OURS = {
    "messages": "select partner, direction, mid::text, type, case_no, ref_no, seq, body, jws from message",
    "deliveries": """select partner, mid::text, state, attempts, fence,
                     xmin::text::bigint as written,
                     extract(epoch from now() - greatest(next_at, coalesce(lease_until, next_at)))::float as overdue_s
                     from delivery""",
    "attempts": "select partner, mid::text, fence, http_status, error_class, began_at, ended_at from attempt",
    "receipts": "select partner, direction, mid::text, jws, decision, xmin::text::bigint as written from receipt",
    "inbox": "select partner, mid::text, ref_no, seq, state, code from inbox",
    "facts": "select ref_no, seq, mid::text, at from outcome_fact order by at",
    "legs": "select ref_no, partner, case_no, in_seq, status from leg",
    "work": "select kind, partner, mid::text from work_item",
}


JOURNALS = ("journal.ndjson", "rogue.ndjson")
"""What a partner writes, and what somebody writes who pretends to be one (`mischief`)."""


@dataclass
class Books:
    """Everything that was written down. A test may doctor it."""

    ours: dict[str, list[Row]] = field(default_factory=lambda: {name: [] for name in OURS})
    theirs: dict[str, list[Row]] = field(default_factory=dict)  # by partner, in the order of writing
    keys: dict[str, list[Row]] = field(default_factory=dict)  # public JWKs by owner, in lower case


def read(database: str, partners: Path) -> Books:
    """Read both sides' books. `partners` is the folder with a folder for each partner."""
    books = Books()
    with psycopg.connect(database, row_factory=dict_row) as connection:
        for name, sql in OURS.items():
            books.ours[name] = list(connection.execute(sql))
    books.ours["messages"] = Unsealed(database, partners.parent).rows("message", books.ours["messages"])
    for home in sorted(p for p in partners.iterdir() if p.is_dir()):
        lines = [line for name in JOURNALS for line in _lines(home / name)]
        books.theirs[home.name.upper()] = [orjson.loads(line) for line in lines]
        ours = [*books.keys.get("comwel", []), *orjson.loads((home / "gateway.jwks.json").read_bytes())["keys"]]
        books.keys["comwel"] = list({key["kid"]: key for key in ours}.values())  # what any partner knows of us
        books.keys[home.name] = [{k: v for k, v in orjson.loads((home / "own.jwk").read_bytes()).items() if k != "d"}]
    return books


def _lines(journal: Path) -> list[bytes]:
    return journal.read_bytes().splitlines() if journal.exists() else []
