"""Rotation of our own key: shown first, used from a stated moment on, and the one before stays good for its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import pytest

from gateway.errors import NothingSigns, RotationRefused, StoreUnavailable
from gateway.journey.rotate import DAY, EARLY, OVERLAP, SHOWN, USUALLY, rotate, shown, signer, turn
from gateway.journey.signing import AT_MOST_S, KNOWN_FOR_S, Signing
from gateway.ports import KeyRow
from gateway.sealing.gate import MAX_KEYS
from gateway.sealing.keys import KeyRing, SigningKey, generate, to_jwk
from tests.fakes.memory import MemoryStore
from tests.journey.world import Scene
from tests.keys import public_half

OFFICER, EVER = "kim.0417", datetime(2000, 1, 1, tzinfo=UTC)


class Died(Exception):
    """What a test puts in the place of kill -9."""


@dataclass
class Keys:
    """A scene whose own keys are files of one machine, as the assembly would have them."""

    scene: Scene
    files: dict[str, SigningKey]
    ticks: list[float]
    signing: Signing

    @classmethod
    def of(cls, scene: Scene, *, cached_s: float = -60.0) -> Keys:
        """With the first key on the shelf, for a year already."""
        files, ticks = dict[str, SigningKey](), [0.0]
        signing = Signing(scene.store, files.get, lambda: ticks[0])
        limits = replace(scene.world.limits, keys_cached_s=cached_s)
        make = lambda kid: files.setdefault(kid, generate(kid))  # noqa: E731
        found = cls(replace(scene, world=replace(scene.world, limits=limits, signing=signing, make_key=make)), files,
                    ticks, signing)  # fmt: skip
        found.put("comwel-1", found.now() - 300 * DAY)
        turn(found.scene.world)
        return found

    def put(self, kid: str, signs_from: datetime, **other: Any) -> None:
        """Put a key of ours on the shelf, whatever rotation would say of it."""
        row = KeyRow("comwel", kid, to_jwk(self.scene.world.make_key(kid)), signs_from - DAY, signs_from + 730 * DAY,
                     None, signs_from)  # fmt: skip
        with self.scene.store.unit() as unit:
            unit.keys.add(row._replace(**other))
            unit.commit(self.scene.world.event("key.added", "trust"))

    def now(self) -> datetime:
        with self.scene.store.unit() as unit:
            found: datetime = unit.keys.moment()
        return found

    def rows(self) -> dict[str, KeyRow]:
        with self.scene.store.unit() as unit:
            return {row.kid: row for row in unit.keys.of("comwel")}

    def signs(self) -> str:
        """Which key signs, to somebody who has not looked for a while."""
        self.ticks[0] += KNOWN_FOR_S
        return self.scene.world.signing_key.kid

    def acts(self) -> list[str]:
        return [event["act"] for event in self.scene.events() if event["act"].startswith("key.")][1:]


@pytest.fixture
def keys(scene: Scene) -> Keys:
    return Keys.of(scene)


def soon(keys: Keys, seconds: float = 0.1) -> datetime:
    return keys.now() + timedelta(seconds=seconds)


def until(keys: Keys, moment: datetime) -> None:
    while keys.now() < moment:
        time.sleep(0.01)


@pytest.mark.rule("R-22")
def test_a_new_key_is_shown_at_once_and_signs_from_its_moment_on(keys: Keys) -> None:
    begins = soon(keys)
    found = rotate(keys.scene.world, begins, by=OFFICER)
    assert found == ("comwel-2", begins, "comwel-1", begins + OVERLAP)
    assert [r.kid for r in shown(list(keys.rows().values()), keys.now())] == ["comwel-1", "comwel-2"]
    assert _signs(keys, begins - timedelta(milliseconds=1)) == "comwel-1"
    until(keys, begins)
    assert _signs(keys, begins) == keys.signs() == "comwel-2"
    assert turn(keys.scene.world) == 1
    assert turn(keys.scene.world) == 0
    assert keys.acts() == ["key.activated", "key.added", "key.scheduled", "key.activated"]
    assert keys.scene.events()[-2]["actor"] == OFFICER


def test_when_nobody_says_when_it_is_in_a_day(keys: Keys) -> None:
    before = keys.now()
    assert timedelta() <= rotate(keys.scene.world, by=OFFICER).signs_from - before - USUALLY < timedelta(minutes=1)


def test_the_key_before_ends_a_day_later_and_is_shown_as_long_as_its_messages_may_come_again(keys: Keys) -> None:
    begins = rotate(keys.scene.world, soon(keys), by=OFFICER).signs_from
    rows = list(keys.rows().values())
    end = begins + OVERLAP
    assert [r.not_after for r in rows if r.kid == "comwel-1"] == [end]
    assert [r.kid for r in shown(rows, end + SHOWN - timedelta(seconds=1))] == ["comwel-1", "comwel-2"]
    assert [r.kid for r in shown(rows, end + SHOWN)] == ["comwel-2"]


def test_an_end_is_an_act(keys: Keys) -> None:
    keys.put("comwel-7", keys.now() - 3 * DAY, not_after=keys.now() - DAY)
    assert turn(keys.scene.world) == 2
    assert keys.acts()[-2:] == ["key.activated", "key.ended"]


def test_what_was_sealed_before_goes_out_with_its_proof_and_is_signed_with_the_key_of_now(keys: Keys) -> None:
    scene = keys.scene
    scene.refer()
    sealed = {row["mid"]: row["jws"] for row in scene.rows("message")}
    begins = soon(keys)
    rotate(scene.world, begins, by=OFFICER)
    until(keys, begins)
    assert keys.signs() == "comwel-2"
    for partner in scene.partners.values():
        partner.ours = lambda: KeyRing(public_half(key, "comwel", EVER) for key in keys.files.values())
    scene.deliver()
    sent = [message for partner in scene.partners.values() for message in partner.sent]
    assert {m.mid: m.jws for m in sent} == sealed
    assert {m.headers["Signature-Input"].partition('keyid="')[2].partition('"')[0] for m in sent} == {"comwel-2"}
    assert {row["state"] for row in scene.rows("delivery")} == {"delivered"}


def _signs(keys: Keys, at: datetime) -> str | None:
    row = signer(list(keys.rows().values()), at)
    return row and row.kid


# ── what is refused ──────────────────────────────────────────────────────────────────────────────────────────────────
def pending_already(keys: Keys) -> datetime:
    return rotate(keys.scene.world, by=OFFICER).signs_from + DAY


def too_soon_for_those_who_keep_a_set(keys: Keys) -> datetime:
    keys.scene.world = replace(keys.scene.world, limits=replace(keys.scene.world.limits, keys_cached_s=3600.0))
    return soon(keys, 3590.0)


def in_the_past(keys: Keys) -> datetime:
    return keys.now() - DAY


def after_the_end_of_the_one_before(keys: Keys) -> datetime:
    return keys.rows()["comwel-1"].not_after


def too_many_for_one_set(keys: Keys) -> datetime:
    for n in range(2, MAX_KEYS + 1):
        keys.put(f"comwel-{n}", keys.now() - DAY)
    return soon(keys, 5.0)


REFUSED: dict[Callable[[Keys], datetime], str] = {
    pending_already: "comwel-2 is pending, it signs from",
    too_soon_for_those_who_keep_a_set: "partners may keep the old set for 3600 s",
    in_the_past: "partners may keep the old set",
    after_the_end_of_the_one_before: "comwel-1 ends before",
    too_many_for_one_set: "16 keys in a set",
}


@pytest.mark.parametrize("when", REFUSED, ids=lambda one: one.__name__)
def test_a_rotation_that_partners_could_not_follow_is_refused_and_changes_nothing(
    keys: Keys, when: Callable[[Keys], datetime]
) -> None:
    begins = when(keys)
    before, acts, files = keys.rows(), keys.acts(), set(keys.files)
    with pytest.raises(RotationRefused) as refusal:
        rotate(keys.scene.world, begins, by=OFFICER)
    assert REFUSED[when] in str(refusal.value)
    assert (keys.rows(), keys.acts(), set(keys.files)) == (before, acts, files)


def test_of_two_who_rotate_together_one_does(keys: Keys) -> None:
    with keys.scene.store.alone("rotate"), pytest.raises(RotationRefused, match="somebody else"):
        rotate(keys.scene.world, by=OFFICER)


# ── when nothing signs ───────────────────────────────────────────────────────────────────────────────────────────────
def revoke(keys: Keys, kid: str) -> None:
    with keys.scene.store.unit() as unit:
        unit.keys.revoke("comwel", kid, keys.now())
        unit.commit(keys.scene.world.event("key.revoked", "trust"))


def test_when_the_key_that_signs_is_revoked_nothing_is_leased_and_another_may_begin_at_once(keys: Keys) -> None:
    keys.scene.refer()
    revoke(keys, "comwel-1")
    keys.ticks[0] += KNOWN_FOR_S
    before = keys.scene.events()
    with pytest.raises(NothingSigns):
        keys.scene.deliver()
    assert keys.scene.events() == before
    assert rotate(keys.scene.world, keys.now(), by=OFFICER).before is None
    assert keys.signs() == "comwel-2"


def test_a_pending_key_is_brought_forward_when_the_one_before_is_revoked(keys: Keys) -> None:
    rotate(keys.scene.world, by=OFFICER)
    revoke(keys, "comwel-1")
    found = rotate(keys.scene.world, keys.now(), by=OFFICER)
    assert (found.kid, found.before) == ("comwel-2", None)
    assert keys.signs() == "comwel-2"
    assert (
        keys.rows()["comwel-2"].not_before == found.signs_from - EARLY
    )  # or what it signs now would count for nothing
    assert keys.acts()[-2:] == ["key.revoked", "key.scheduled"]
    assert [r.kid for r in shown(list(keys.rows().values()), keys.now())] == ["comwel-2"]


def test_a_key_that_is_revoked_before_its_moment_never_signs(keys: Keys) -> None:
    begins = soon(keys, 1.0)
    rotate(keys.scene.world, begins, by=OFFICER)
    revoke(keys, "comwel-2")
    until(keys, begins)
    assert keys.signs() == "comwel-1"
    assert turn(keys.scene.world) == 0


# ── a machine, and another ───────────────────────────────────────────────────────────────────────────────────────────
def test_a_machine_without_the_private_half_refuses_to_sign_from_the_moment_on(keys: Keys) -> None:
    begins = soon(keys)
    rotate(keys.scene.world, begins, by=OFFICER)
    del keys.files["comwel-2"]
    until(keys, begins)
    with pytest.raises(NothingSigns, match="not on this machine"):
        keys.signs()
    keys.files["comwel-2"] = generate("comwel-2")
    with pytest.raises(NothingSigns, match="another than the one of this name"):
        keys.signs()


def test_a_process_that_looked_lately_changes_over_without_looking_again(keys: Keys) -> None:
    rotate(keys.scene.world, soon(keys, 50.0), by=OFFICER)
    assert keys.signs() == "comwel-1"
    keys.signing.store = Away()
    keys.ticks[0] += 49.0
    assert keys.scene.world.signing_key.kid == "comwel-1"
    keys.ticks[0] += 1.0
    assert keys.scene.world.signing_key.kid == "comwel-2"
    keys.ticks[0] += AT_MOST_S - 50.0 + 1.0
    with pytest.raises(StoreUnavailable):
        keys.signing()


class Away(MemoryStore):
    """A store that nobody reaches."""

    def unit(self, partner: str | None = None) -> NoReturn:
        raise StoreUnavailable


# ── crash point O14 ──────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("point", ["key.made", "key.written", "key.committed"])
def test_who_dies_while_rotating_leaves_the_old_state_or_the_new_one_and_asked_again_it_is_done(
    keys: Keys, point: str
) -> None:
    def die(reached: str) -> None:
        if reached == point:
            raise Died

    before, begins = keys.rows(), soon(keys, 5.0)
    with pytest.raises(Died):
        rotate(replace(keys.scene.world, reached=die), begins, by=OFFICER)
    made = keys.files["comwel-2"]
    if point == "key.committed":
        with pytest.raises(RotationRefused, match="comwel-2 is pending"):
            rotate(keys.scene.world, begins, by=OFFICER)
    else:
        assert keys.rows() == before
        rotate(keys.scene.world, begins, by=OFFICER)
    assert keys.rows()["comwel-2"].jwk == to_jwk(made)
    assert keys.acts() == ["key.activated", "key.added", "key.scheduled"]


def test_an_act_that_was_not_committed_is_kept_the_next_time(keys: Keys) -> None:
    keys.put("comwel-2", keys.now() - DAY)

    def die(_: str) -> None:
        raise Died

    with pytest.raises(Died):
        turn(replace(keys.scene.world, reached=die))
    assert turn(keys.scene.world) == 1
    assert turn(keys.scene.world) == 0
