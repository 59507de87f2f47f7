"""Our own key is replaced under load: no message is refused, and who dies at it leaves the old key or the new one."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from dataclasses import replace
from datetime import timedelta

import orjson
import pytest

from gateway.assembly.shelf import KEYS_KNOWN_FOR_S
from gateway.journey.rotate import rotate
from tests.faults import rotations
from tests.faults.ground import Ground
from tests.faults.rotations import KEY
from tests.faults.rounds import until_hit
from tests.faults.stage import Stage, wait_for

HITS = 3


@pytest.mark.rule("R-22")
def test_a_key_of_ours_that_is_replaced_again_and_again_costs_no_message(ground: Ground) -> None:
    found = rotations.outbound(ground, {}, 0, "our key, out", 3)
    assert found.findings.numbers == (0, 0, 0, 0, 0, 0), str(found.findings)
    assert found.hits["rotated"] == 3


def test_receipts_verify_whichever_key_of_ours_they_were_signed_with(ground: Ground) -> None:
    found = rotations.inbound(ground, "our key, in", 3)
    assert found.findings.numbers == (0, 0, 0, 0, 0, 0), str(found.findings)
    assert found.hits["rotated"] == 3


def test_who_replaces_our_key_may_die_anywhere(ground: Ground) -> None:
    found = until_hit(lambda missing: rotations.outbound(ground, KEY, missing, "rotating"), KEY, HITS)
    assert found.findings.numbers == (0, 0, 0, 0, 0, 0), str(found.findings)
    assert min(found.hits[point] for point in KEY) >= HITS
    assert found.kills == sum(found.hits[point] for point in KEY)


def test_pretend_partners_fetch_a_new_key_from_our_door_while_a_night_goes_through(stage: Stage) -> None:
    stage.start_broker()
    stage.start_workers("worker")
    world = stage.gateway.world
    with stage.stuck("KEAD"):  # what it takes and says comes when the new key signs
        stage.hand_over()
        wait_for("a partner has a receipt of ours", lambda: bool(_given(stage)))
        begins = world.clock.now() + timedelta(seconds=1)
        rotate(replace(world, limits=replace(world.limits, keys_cached_s=0.0)), begins, by="officer")
        known = begins + timedelta(seconds=KEYS_KNOWN_FOR_S)
        wait_for("every process knows the new key", lambda: world.clock.now() > known)
    stage.until_quiet()
    assert stage.problems() == []
    given = _given(stage)
    assert {kid for _, kid in given} == {"comwel-1", "comwel-2"}
    for partner, kid in given:
        shown = orjson.loads((stage.home / "partners" / partner.lower() / "gateway.jwks.json").read_bytes())["keys"]
        assert kid in {key["kid"] for key in shown}


def _given(stage: Stage) -> set[tuple[str, str]]:
    """Partners that have receipts of ours, and the keys they were signed with."""
    with stage.gateway.store.unit() as unit:
        came = [(row["partner"], row["mid"]) for row in unit.outbox.report() if row["direction"] == "in"]
    return {(partner, _kid(jws)) for partner, mid in came if (jws := stage.gateway.receipt(partner, mid))}


def _kid(jws: str) -> str:
    head = jws.partition(".")[0]
    found: str = orjson.loads(urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]
    return found
