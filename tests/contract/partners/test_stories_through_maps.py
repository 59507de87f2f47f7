"""What the pretend partners report, through the gateway's own maps, is legal by the gateway's own lifecycle table."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from adapters.partners.pretend import story
from adapters.partners.pretend.dialects import Sheet
from adapters.partners.pretend.scripts import Kind
from adapters.partners.pretend.server import DIALECTS
from adapters.partners.pretend.story import Event
from gateway.documents.gwmap import Catalogue, CompiledMap
from gateway.documents.schemas import Schemas
from gateway.referrals.lifecycle import Act, Business, Given, Party, State, Status, Step, advance, as_mapped

ROOT = Path(__file__).resolve().parents[3]
BASE = date(2026, 11, 23)
AT = datetime.fromisoformat("2026-11-23T09:00:00+09:00")
MID = "0197a1b2-0000-7000-8000-000000000001"
SENT = State(Status.REQUESTED, Business.DELIVERED)


class Ear(NamedTuple):
    """How the gateway hears one partner."""

    partner: str
    to_outcome: CompiledMap
    schemas: Schemas


@pytest.fixture(scope="module")
def loaded() -> tuple[Catalogue, Schemas]:
    return Catalogue.load(ROOT / "mappings", ROOT / "schemas"), Schemas.load(ROOT / "schemas")


@pytest.fixture(params=["keis", "kead", "trn"])
def ear(request: pytest.FixtureRequest, loaded: tuple[Catalogue, Schemas]) -> Ear:
    return Ear(request.param, loaded[0].get(f"{request.param}-outcome-in|1.0.0"), loaded[1])


def hear(state: State, event: Event, seq: int, ear: Ear) -> State:
    """One report as the gateway hears it: mapped, checked, and its acts done one after the other."""
    partner, to_outcome, schemas = ear
    dialect = DIALECTS[partner]
    sheet = Sheet("R20261123-0000001", dialect.prefix + "A" * 26, f"{partner.upper()}-1", "LB-01", "C2026-0001")
    wire = dialect.write(event, sheet, seq, MID, AT)
    outcome = to_outcome.apply(wire, {"now": "2026-11-23T00:00:00Z"}).document
    schemas.require("urn:comwel:schema:outcome:1.0.0", outcome)
    assert (outcome["seq"], outcome["happenedOn"]) == (seq, event.on.isoformat())
    given = Given.said_in(outcome)
    for at, said in enumerate(outcome["acts"], 1):
        business = Business(said["businessStatus"]) if "businessStatus" in said else None
        stated = Step(Act(said["act"]), business, given)
        for step in as_mapped(state, stated, last=at == len(outcome["acts"])):
            state = advance(state, step.act, by=Party.OWNER, business=step.business, given=step.given)
    return state


def test_every_story_passes_the_real_maps_and_the_real_table(ear: Ear) -> None:
    speaks = DIALECTS[ear.partner].speaks
    for number in range(400):
        told = story.tell(f"R20261123-{number:07d}", BASE, partner=ear.partner, seed=1, speaks=speaks)
        state = SENT
        for seq, event in enumerate(told.events, 1):
            state = hear(state, event, seq, ear)
        silent = {e.kind for e in told.events} <= {Kind.RECEIVE}
        assert state.terminal is not silent


@pytest.mark.parametrize("withdrawn", [True, False])
def test_the_answer_to_a_cancellation_passes_too(withdrawn: bool, ear: Ear) -> None:
    last = story.cancelled(BASE, started=True, withdrawn=withdrawn, speaks=DIALECTS[ear.partner].speaks)
    assert last is not None
    asked = advance(
        State(Status.IN_PROGRESS, Business.JOB_SEARCH),
        Act.REQUEST_CANCEL,
        by=Party.PLACER,
        given=Given(reason_code="WDR", abort_delivered=True),
    )
    assert hear(asked, last, 5, ear).terminal


def test_the_bench_story_passes_too(ear: Ear) -> None:
    told = story.tell_bench("R20261123-0000001", BASE, partner=ear.partner, speaks=DIALECTS[ear.partner].speaks)
    state = SENT
    for seq, event in enumerate(told.events, 1):
        state = hear(state, event, seq, ear)
    assert state.status is Status.COMPLETED
