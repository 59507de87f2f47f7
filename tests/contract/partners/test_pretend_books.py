"""Lists over a real socket: a pretend partner answers from its own journal, and the gateway finds what it lost or says
wrongly, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from adapters.partners.line import Line
from gateway.journey.reconcile import Reconciled, reconcile
from gateway.korea import KST
from gateway.ports import Outgoing, Said
from gateway.sealing import lists
from gateway.sealing.keys import KeyRing, SigningKey
from gateway.sealing.lists import State
from tests.contract.partners.stage import HTTP, Running
from tests.contract.partners.test_channels import LOOPBACK, channel
from tests.fakes.memory import MemoryStore
from tests.journey.world import EVER, NEVER, Scene, a_case, make_scene
from tests.keys import public_half

MESSAGES = "/messages"


class Between:
    """A gateway in this process and a pretend KEIS in its own: five referrals are across."""

    def __init__(self, start: Callable[..., Running], folder: Path, key: SigningKey) -> None:
        self._start, self._key, self.line = start, key, Line(5.0, LOOPBACK)
        self.partner = start("keis", "--pace", "bench")
        self.scene = self._scene(make_scene(MemoryStore(), folder))
        self.scene.clock.pass_(seconds=55)  # the partner's clock is the real one
        self.scene.refer(*(a_case(n) for n in range(1, 6)))
        assert self.scene.deliver("KEIS") == 5
        self.scene.clock.pass_(seconds=2)

    def _scene(self, scene: Scene) -> Scene:
        ours, theirs = KeyRing([public_half(self._key, "comwel", EVER, NEVER)]), self.partner.keys()
        world = replace(
            scene.world,
            channels={"KEIS": channel("keis", self.line)},
            limits=replace(scene.world.limits, partner_urls={"KEIS": self.partner.base + MESSAGES}),
            signing=lambda: self._key,
            keys=lambda owner: theirs.of("keis") if owner.lower() == "keis" else ours.of("comwel"),
        )
        return replace(scene, world=world)

    def rewrite(self, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> None:
        """Stop the partner, change what its journal says of messages received, start it again."""
        self.partner.stop()
        journal = self.partner.home / "journal.ndjson"
        lines = [orjson.loads(raw) for raw in journal.read_bytes().splitlines()]
        told = [change(line) if line["what"] == "received" else line for line in lines]
        journal.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in told if line))
        self.partner = self._start("keis", "--pace", "bench")
        self.scene = self._scene(self.scene)

    def reconcile(self) -> Reconciled:
        found = reconcile(self.scene.world, "KEIS", self.scene.clock.at.astimezone(KST).date())
        assert found is not None
        return found

    def sent(self) -> list[str]:
        return sorted(row["mid"] for row in self.scene.rows("message") if row["partner"] == "KEIS")


@pytest.fixture
def between(start: Callable[..., Running], tmp_path: Path, gateway_key: SigningKey) -> Iterator[Between]:
    it = Between(start, tmp_path / "gateway", gateway_key)
    yield it
    it.line.close()


def test_a_partner_that_kept_everything_agrees_and_says_so_with_its_signature(between: Between) -> None:
    found = between.reconcile()
    assert (found.why, found.differences, found.sent) == (None, (), 5)
    [row] = between.scene.rows("reconciliation")
    said = lists.check(
        row["theirs"], keys=between.partner.keys().of("keis"), author="keis", audience="comwel", answers=row["ours"]
    )
    assert {entry.mid: entry.state for entry in said.entries} == dict.fromkeys(between.sent(), State.ACCEPTED)


def test_a_partner_that_forgot_a_message_is_found_out(between: Between) -> None:
    lost = between.sent()[2]
    between.rewrite(lambda line: None if line["mid"] == lost else line)
    assert [(d.mid, f"{d.direction}-{d.what}") for d in between.reconcile().differences] == [(lost, "out-not-there")]
    [item] = [w for w in between.scene.rows("work_item") if w["kind"] == "books-differ"]
    assert (item["mid"], item["code"]) == (lost, "out-not-there")


def test_a_partner_that_lies_about_bytes_decisions_and_messages_is_found_out(between: Between) -> None:
    bytes_, decision, invented = between.sent()[:3]
    other = "019abd00-0000-7000-9000-00000000dead"

    def lie(line: dict[str, Any]) -> dict[str, Any]:
        changed = {
            bytes_: {"mjws_s256": "A" * 43},
            decision: {"verdict": "bad-format"},
            invented: {"mid": other},
        }  # fmt: skip
        return line | changed.get(line["mid"], {})

    between.rewrite(lie)
    assert {(d.mid, f"{d.direction}-{d.what}") for d in between.reconcile().differences} == {
        (bytes_, "out-other-bytes"), (decision, "out-other-state"),
        (invented, "out-not-there"), (other, "out-not-sent"),
    }  # fmt: skip


def test_a_partner_that_was_away_answers_the_same_list_when_it_is_back_and_a_restart_answers_as_before(
    between: Between,
) -> None:
    between.partner.stop()
    assert between.reconcile().why == "unreachable"
    between.rewrite(lambda line: line)
    assert between.reconcile().agreed
    [row] = between.scene.rows("reconciliation")
    assert row["tries"] == 1
    between.rewrite(lambda line: line)
    sent: list[bytes] = []
    line = between.line.ask

    def ask(message: Outgoing, most: int) -> Said:
        sent.append(message.body)
        return line(message, most)

    between.line.ask = ask  # type: ignore[method-assign]
    assert between.reconcile().agreed
    newest = list(between.scene.store.shelf.lists.values())[-1]
    assert lists.read(newest.theirs).previous == lists.digest_list(row["theirs"])
    assert sent == [newest.ours.encode()]


def test_a_list_that_nobody_signed_for_this_partner_gets_none_back(between: Between) -> None:
    between.reconcile()
    [row] = between.scene.rows("reconciliation")
    url = f"{between.partner.base}{MESSAGES}/reconciliation"
    bare = HTTP.post(url, content=row["ours"].encode(), headers={"Content-Type": lists.CONTENT_TYPE})
    assert (bare.status_code, bare.json()) == (401, {"error": "SEAL-SIGNATURE"})
    assert HTTP.post(url, content=b"x" * (lists.LONGEST + 1)).status_code == 413
