"""Provenance: from what each message was made, by what and by whom, as FHIR Provenance resources for an auditor.

Rules: as with acts (`gateway.journey.account`), the reading is an act itself and is kept before the first resource is
given out, and acts are read part by part. One resource for each message that was made here, and for each that came in
and was applied, in their order. What a message becomes in FHIR says a map (`provenance-to-fhir`); its digests and its
seal outlive its content.
Refuses to tell of messages that were refused, held or out of date: nothing was made of them.
"""

from __future__ import annotations

from array import array
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from gateway.documents.strict_json import reread
from gateway.exchange_log.audit import Verdict, moment
from gateway.exchange_log.leaf import BRINGS_A_MESSAGE, SENDS, TAKES, direction_of
from gateway.journey.account import as_fhir, in_parts, parts, require_partner
from gateway.journey.world import US, World
from gateway.ports import ActsAsked, KeptEvent, MessageRow

MAP = "provenance-to-fhir|1.0.0"
APPLIED = "applied"


def provenance(world: World, asked: ActsAsked, *, by: str, purpose: str) -> Iterator[dict[str, Any]]:
    """One FHIR Provenance for each message asked for. The list is as long as it was when this was called.

    Raises NothingProven for a partner that never was one.
    """
    # 1 find the acts that brought messages about, and keep that they were read
    # 2 each with its message as the schema names it, mapped and held against R4
    with world.store.unit() as unit:
        acts = parts(unit.numbers(asked._replace(acts=sorted(BRINGS_A_MESSAGE))))  # 1
        found = array("q", (kept.number for part in acts for kept in unit.events_of(part) if _brings_about(kept)))
        require_partner(world, asked, found)
        ids = {"case_no": asked.case_no, "partner": asked.partner, "subject": "provenance"}
        unit.commit(world.event("acts.exported", purpose, by=by, counts={"acts": len(found)}, **ids))
    brought = ((kept, _message(world, kept)) for kept in in_parts(world, found))
    return (as_fhir(world, MAP, _said(kept, row)) for kept, row in brought if row)  # 2


def _brings_about(kept: KeptEvent) -> bool:
    event = kept.event
    done = event.verdict is Verdict.DONE and event.ref_no is not None and event.mid is not None
    return done and (event.act in SENDS or (event.act == TAKES and event.subject == APPLIED))


def _message(world: World, kept: KeptEvent) -> MessageRow | None:
    """The message of an act; None when it was destroyed with its case."""
    with world.store.unit() as unit:
        event = kept.event
        return unit.outbox.find_message(event.mid or "", partner=event.partner, direction=direction_of(event.act))


def _said(kept: KeptEvent, row: MessageRow) -> dict[str, Any]:
    """A message and its act as `urn:comwel:schema:provenance:1.0.0` names them."""
    event = kept.event
    return {
        "id": kept.number,
        "at": moment(kept.at),
        "act": event.act,
        "actor": event.actor,
        "purpose": event.purpose,
        "caseNo": event.case_no,
        "refNo": event.ref_no,
        "partner": row.partner,
        "mid": row.mid,
        "direction": row.direction,
        "type": row.type,
        "sha256": row.body_sha256.hex(),
        "map": row.map_pin,
        "mapDigest": (row.map_digest or "").removeprefix("sha256:") or None,
        "sources": _sources(row) or None,
        "sealedBy": US.upper() if row.direction == "out" else row.partner,
        "seal": b64encode(row.jws.encode()).decode(),
    }


def _sources(row: MessageRow) -> list[str]:
    """The records that a referral was made from, as our own record of it names them; none once it is destroyed."""
    entries = reread(row.fhir).get("entry", ()) if row.fhir else ()
    told = [entry["resource"] for entry in entries if entry["resource"]["resourceType"] == "Provenance"]
    return [entity["what"]["identifier"]["value"] for one in told for entity in one.get("entity", ())]
