"""The rounds of every engine."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import orjson
import pytest

from gateway.errors import FolderUnusable, Place, StoreUnavailable
from gateway.journey.world import World
from gateway.ports import Unobserved
from gateway.worker import rounds
from gateway.worker.rounds import INTAKE, JOURNEY, RECONCILE, deliver_all, one_round, reconcile_partners, walk
from tests.fakes.memory import MemoryStore
from tests.journey.world import Scene, a_case, make_scene


def scene(tmp_path: Path) -> Scene:
    return make_scene(MemoryStore(), tmp_path)


def test_the_journey_is_walked_by_one_process_at_a_time(tmp_path: Path) -> None:
    here = scene(tmp_path)
    here.hand_over(a_case())
    with here.store.alone(JOURNEY):
        assert walk(here.world) == 0
    assert walk(here.world) > 0


class Rounds(Unobserved):
    """Remembers how rounds ended."""

    def __init__(self) -> None:
        self.ended: list[tuple[str, str]] = []

    def rounded(self, name: str, result: str) -> None:
        self.ended.append((name, result))


def breaks(error: Exception) -> Callable[[World], int]:
    def verb(world: World) -> int:
        raise error

    return verb


@pytest.mark.parametrize(
    ("errors", "ended"),
    [
        ((ValueError(),), "broken"),
        ((StoreUnavailable(),), "failed"),
        ((StoreUnavailable(), ValueError()), "broken"),
    ],
)
def test_a_verb_that_breaks_keeps_none_of_the_others_from_its_work_and_the_round_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: io.StringIO, errors: tuple[Exception, ...], ended: str
) -> None:
    here, done, watched = scene(tmp_path), list[World](), Rounds()

    def works(world: World) -> int:
        done.append(world)
        return 1

    monkeypatch.setattr(rounds, "VERBS", (*map(breaks, errors), works))
    assert one_round(watched, JOURNEY, partial(walk, here.world)) == 0
    assert done == [here.world]
    assert watched.ended == [(JOURNEY, ended)]
    said = [line.get("error") or line["code"] for line in map(orjson.loads, out.getvalue().splitlines())]
    assert sorted(said) == sorted(getattr(error, "code", type(error).__name__) for error in errors)


def test_each_partner_with_whom_the_books_break_is_named_and_keeps_no_other_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: io.StringIO
) -> None:
    here, done, watched = scene(tmp_path), list[str](), Rounds()
    errors = {"KEAD": StoreUnavailable(), "KEIS": ValueError()}

    def due(world: World, partner: str) -> int:
        if partner in errors:
            raise errors[partner]
        done.append(partner)
        return 1

    monkeypatch.setattr(rounds, "reconcile_due", due)
    assert reconcile_partners(here.world, watched) == 1
    assert (done, watched.ended) == (["TRN"], [(RECONCILE, how) for how in ("failed", "broken", "done")])
    lines = map(orjson.loads, out.getvalue().splitlines())
    said = [(line["round"], line.get("error") or line["code"]) for line in lines]
    assert said == [("reconcile-KEAD", StoreUnavailable.code), ("reconcile-KEIS", "ValueError")]


def test_a_round_that_fails_over_a_file_names_it(out: io.StringIO) -> None:
    def over_a_file() -> int:
        raise FolderUnusable(place=Place("RHB_CASE_20261123_00001.dat"))

    assert one_round(Rounds(), INTAKE, over_a_file) == 0
    line = orjson.loads(out.getvalue())
    assert (line["event"], line["code"]) == ("round.failed", FolderUnusable.code)
    assert (line["subject"], "masked" in line) == ("RHB_CASE_20261123_00001.dat", False)


def test_delivering_goes_on_until_nothing_is_due_or_it_is_told_to_stop(tmp_path: Path) -> None:
    here = scene(tmp_path)
    here.hand_over(a_case())
    walk(here.world)
    assert deliver_all(replace(here.world, stopping=lambda: True), "KEIS", "w1") == 0
    assert deliver_all(here.world, "KEIS", "w1") == 1
    assert deliver_all(here.world, "KEIS", "w1") == 0
