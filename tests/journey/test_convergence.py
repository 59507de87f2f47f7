"""Convergence: whatever the network does to a partner's messages, one story has one ending.

The stories are those of the pretend partners: legal, in each partner's own dialect, with corrections and retention.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.partners.pretend import story
from adapters.partners.pretend.scripts import Kind
from adapters.partners.pretend.story import Event
from gateway.documents.strict_json import reread
from gateway.journey.receive import receive_together
from gateway.ports import LegRow
from tests.fakes.memory import MemoryStore
from tests.journey.world import (
    DIALECTS,
    PARTNERS,
    TODAY,
    Scene,
    a_case,
    again,
    inbound,
    make_scene,
    replies,
    seal,
    told,
)

MODERATE = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LAST_DAY = date(2028, 6, 1)


@contextmanager
def a_scene(partner: str) -> Iterator[tuple[Scene, LegRow]]:
    """A fresh scene with one delivered leg, long after everything has happened."""
    services = {"KEIS": ["01"], "KEAD": ["취업알선"], "TRN": ["직업훈련"]}
    with tempfile.TemporaryDirectory() as folder:
        scene = make_scene(MemoryStore(), Path(folder))
        leg = scene.referred(a_case(entry={"services": {partner: services[partner]}}))[partner]
        scene.clock.day = LAST_DAY
        yield scene, leg


def events_of(partner: str, seed: int) -> tuple[Event, ...]:
    return story.tell(
        f"R20261123-{seed:07d}", TODAY, partner=partner.lower(), seed=seed, speaks=DIALECTS[partner].speaks
    ).events


SEEDS = {p: [seed for seed in range(1, 400) if events_of(p, seed)] for p in PARTNERS}
"""Some stories are nothing but a desk that never answers."""


class Post:
    """The partner's letters, each sealed once; every sending is signed anew."""

    def __init__(self, scene: Scene, leg: LegRow, events: Sequence[Event]) -> None:
        self.scene = scene
        self.letters = [told(leg, event, seq) for seq, event in enumerate(events, start=1)]
        self.seals = [seal(letter, scene.clock.now()) for letter in self.letters]

    def send(self, *numbers: int) -> list[tuple[int, str | None]]:
        """These messages at the same time."""
        messages = [inbound(self.scene, self.letters[n], jws=self.seals[n]) for n in numbers]
        return [(reply.status, reply.receipt) for reply in replies(receive_together(self.scene.world, messages))]


def ending(scene: Scene, leg: LegRow) -> dict[str, Any]:
    """What counts in the end: the leg, the facts and which of them stand, the checks, and what COMWEL was told."""
    scene.track()
    now = scene.leg(leg.ref_no)
    updates = sorted(scene.rows("rtw_update"), key=lambda u: u["update_no"])
    last = reread(updates[-1]["content"]) if updates else None
    if last:
        del last["updateNo"]
    return {
        "leg": (now.state, now.in_seq, now.filler_no, now.answered),
        "facts": sorted(
            (f["seq"], f["content"], f["evidence"], f["entered_in_error"], f["superseded_by"] is None)
            for f in scene.rows("outcome_fact")
        ),
        "checks": sorted(
            (c["milestone"], c["base_date"], c["due_on"], c["state"], c["result"])
            for c in scene.rows("retention_check")
        ),
        "told": last,
        "inbox": sorted(((i["seq"], i["state"], i["code"]) for i in scene.rows("inbox")), key=repr),
    }


@st.composite
def disorder(draw: st.DrawFn) -> tuple[str, tuple[Event, ...], list[int]]:
    """A partner, its story, and an order of sending in which every message comes at least once."""
    partner = draw(st.sampled_from(PARTNERS))
    events = events_of(partner, draw(st.sampled_from(SEEDS[partner])))
    numbers = list(range(len(events)))
    repeated = draw(st.lists(st.sampled_from(numbers), max_size=len(numbers)))
    return partner, events, draw(st.permutations(numbers + repeated))


def in_crowds(order: list[int], sizes: list[int]) -> Iterator[list[int]]:
    """The messages in their order, as many at the same time as the sizes say, over and over."""
    rest = iter(order)
    for size in itertools.cycle(sizes):
        if not (crowd := list(itertools.islice(rest, size))):
            return
        yield crowd


@MODERATE
@given(disorder(), st.sets(st.integers(0, 30)), st.lists(st.integers(1, 6), min_size=1))
def test_duplicated_delayed_reordered_and_crowded_messages_end_as_the_straight_story_does(
    drawn: tuple[str, tuple[Event, ...], list[int]], tracked_after: set[int], crowds: list[int]
) -> None:
    partner, events, order = drawn
    with a_scene(partner) as (scene, leg):
        straight = Post(scene, leg, events)
        for number in range(len(events)):
            assert straight.send(number)[0][0] == 200
        wanted = ending(scene, leg)
    with a_scene(partner) as (scene, leg):
        post, receipts = Post(scene, leg, events), dict[int, str | None]()
        for at, numbers in enumerate(in_crowds(order, crowds)):
            for number, (status, receipt) in zip(numbers, post.send(*numbers), strict=True):
                assert status in (200, 202)
                assert receipts.setdefault(number, receipt) == receipt  # the original, byte for byte
            if at in tracked_after:
                scene.track()
        assert ending(scene, leg) == wanted


@MODERATE
@given(disorder(), st.integers(0, 12))
def test_a_cancellation_that_crosses_the_story_ends_the_same_in_every_order(
    drawn: tuple[str, tuple[Event, ...], list[int]], heard: int
) -> None:
    partner, events, order = drawn
    endings = []
    for sequence in (list(range(len(events))), order):
        with a_scene(partner) as (scene, leg):
            post = Post(scene, leg, events)
            for number in range(min(heard, len(events))):
                post.send(number)
            case = a_case(entry={"services": {partner: list(leg.services)}})
            scene.enter(again(case, consent={"withdrawnAt": "2026-11-22T15:00:00+09:00"}))
            scene.withdraw()
            scene.deliver()
            for number in sequence:
                post.send(number)
            end = ending(scene, leg)
            del end["inbox"]
            endings.append(end)
    assert endings[0] == endings[1]


@MODERATE
@given(st.sampled_from(PARTNERS), st.integers(1, 399))
def test_an_outcome_wins_over_a_wish_to_cancel_that_was_made_while_the_work_went_on(partner: str, seed: int) -> None:
    events = events_of(partner, seed)
    started = [n for n, e in enumerate(events) if e.kind is Kind.START]
    if not started:
        return
    with a_scene(partner) as (scene, leg):
        post = Post(scene, leg, events)
        for number in range(started[0] + 1):
            post.send(number)
        scene.enter(
            again(a_case(entry={"services": {partner: list(leg.services)}}), "U", consent={"thirdParty": False})
        )
        scene.withdraw()
        assert scene.leg(leg.ref_no).business == "cancellation-requested"
        for number in range(started[0] + 1, len(events)):
            post.send(number)
        crossed = ending(scene, leg)
    with a_scene(partner) as (scene, leg):
        post = Post(scene, leg, events)
        for number in range(len(events)):
            post.send(number)
        plain = ending(scene, leg)
    if plain["leg"][0].split("|")[0] in ("completed", "failed"):
        assert crossed["leg"][0] == plain["leg"][0]
        assert crossed["facts"] == plain["facts"]
        assert crossed["told"] == plain["told"]


def test_the_stories_are_worth_telling() -> None:
    """Placements, corrections, retention and refusals all occur among them."""
    told_kinds = {e.kind for p in PARTNERS for seed in range(1, 400) for e in events_of(p, seed)}
    assert {Kind.PLACED, Kind.RETENTION, Kind.DECLINE, Kind.CLOSE_UNPLACED, Kind.TRAINING} <= told_kinds
    assert any(e.corrects for p in PARTNERS for seed in range(1, 400) for e in events_of(p, seed))
