"""Write back: updates about the return to work are put into files for COMWEL's register.

Rules: a file is allocated in the database first and written after that, so a crash between the two writes the same
bytes again; an update that the register has no room for is shown to a person and holds up no other.
Refuses to send the same update twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from gateway.documents.strict_json import reread
from gateway.errors import Refused
from gateway.journey.translate import translate
from gateway.journey.world import World
from gateway.ports import UpdateRow, WorkItem

PURPOSE = "rtw-tracking"
ROW_SCHEMA = "urn:comwel:schema:rtw-row:1.0.0"
FILE_ROWS = 5_000
REFUSED = "update-refused"
"""The work item about an update that the register has no room for."""


def write_back(world: World) -> int:
    """Give waiting updates a file number, then write every file that is not safely on disk yet."""
    today = world.clock.today()
    with world.store.unit() as unit:
        allocated = unit.facts.allocate_file(today, FILE_ROWS, settled(world))
        if allocated:
            event = world.event("writeback.allocated", PURPOSE, counts={"updates": len(allocated[1])})
            unit.commit(event)
    with world.store.unit() as unit:
        waiting = unit.facts.unwritten_files()
        for file_date, file_seq, updates in waiting:
            rows, refused = _rows(world, updates)
            unit.add_work(refused)
            sha256 = world.register.write(world.limits.to_comwel, file_date, file_seq, rows)
            unit.facts.file_written(file_date, file_seq, sha256, world.clock.now())
        if waiting:
            unit.commit(world.event("writeback.written", PURPOSE, counts={"files": len(waiting)}))
    return len(waiting)


def _rows(world: World, updates: Sequence[UpdateRow]) -> tuple[list[Mapping[str, Any]], list[WorkItem]]:
    """The rows of a file. An update that an earlier release let through is left out, and shown to a person."""
    rows: list[Mapping[str, Any]] = []
    refused: list[WorkItem] = []
    for update in updates:
        try:
            rows.append(row_of(world, update))
        except Refused as refusal:
            partner = reread(update.content).get("partner")
            refused.append(update_refused(world, update.case_no, update.ref_no, partner, refusal))
    return rows, refused


def row_of(world: World, update: UpdateRow) -> Mapping[str, Any]:
    """COMWEL's row of an update. Raises Refused when there is none."""
    row = translate(world, "outcome-to-comwel|1.0.0", reread(update.content)).document
    world.know.schemas.require(ROW_SCHEMA, row)
    world.register.check(row)
    return row


def update_refused(world: World, case_no: str, ref_no: str, partner: str | None, refusal: Refused) -> WorkItem:
    """One leg says what COMWEL's register has no room for: a person looks, and no other update waits for it."""
    return WorkItem(REFUSED, refusal.code, case_no, ref_no, partner, None, world.clock.now())


def settled(world: World) -> datetime:
    """What was not touched since this moment has settled: reports that come together are judged together."""
    return world.clock.now() - timedelta(seconds=world.limits.settle_s)
