"""The database stops, stands still, or takes nothing: whoever is told `accepted` was written, and all goes on after.

What the operator sees: 503 with Retry-After at the door, `round.failed` with GW-STORE in the workers' lines, a metric
and an alert for each; and nothing to repair afterwards.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from functools import partial
from threading import Timer
from typing import Any

import pytest
import structlog
import yaml

from gateway.assembly import Gateway
from gateway.journey.deliver import deliver
from gateway.store import health
from gateway.store.embedded import embedded_postgres
from gateway.store.postgres import PostgresStore
from gateway.telemetry.metrics import Metrics
from gateway.worker.rounds import one_round
from tests.conftest import ROOT, home_folder, leaves, make_template
from tests.faults import full_disk, lines, rounds
from tests.faults.ground import Ground
from tests.faults.rounds import Result
from tests.faults.sender import slowly
from tests.faults.stage import wait_for
from tests.faults.trouble import Server, Trouble, server_of
from tests.journey.world import knowledge

CASES = 12


@pytest.fixture(scope="module")
def there() -> Iterator[Ground]:
    """The ground of rounds on a PostgreSQL that nobody else uses."""
    with home_folder() as home, embedded_postgres(home) as url, home_folder() as folder:
        make_template(url)
        yield Ground(url, folder, CASES, home)


@pytest.fixture
def server(there: Ground) -> Server:
    return server_of(there)


def assert_nothing_is_wrong(found: Result) -> None:
    assert found.findings.numbers == (0, 0, 0, 0, 0, 0), str(found.findings)
    assert found.kills == 0


def test_what_happens_to_the_database_costs_no_message_going_out(server: Server, there: Ground) -> None:
    acts = (partial(server.stop, 0.5), partial(server.freeze, 2.0))
    found, _ = lines.outbound(there, "out", trouble=Trouble(acts, every_s=0.3))
    assert_nothing_is_wrong(found)
    assert found.hits["happened"] == len(acts)


def test_what_happens_to_the_database_is_a_503_in_time_and_no_receipt_is_lost(server: Server, there: Ground) -> None:
    acts = (partial(server.stop, 1.0), partial(server.freeze, 2.0), partial(server.read_only, 1.0))
    found, _ = lines.inbound(there, "in", slowly(CASES), trouble=Trouble(acts))
    assert_nothing_is_wrong(found)
    assert found.hits["happened"] == len(acts)
    assert found.hits["refused"] > 10


def test_a_full_disk_takes_no_letter_and_gives_no_receipt() -> None:
    found = full_disk.in_a_room_of_its_own(CASES)
    assert_nothing_is_wrong(found)
    assert found.hits["refused"] > 5


def test_a_worker_that_stands_still_inside_a_transaction_does_not_keep_its_rows(ground: Ground) -> None:
    found = rounds.frozen_inside(ground, "frozen inside")
    assert_nothing_is_wrong(found)
    assert found.hits["held asleep"] > 0


@contextmanager
def heard() -> Iterator[list[MutableMapping[str, Any]]]:
    """The lines from warnings upwards; the tests are silent otherwise."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    try:
        with structlog.testing.capture_logs() as said:
            yield said
    finally:
        structlog.configure(**before)


# ── what the operator sees ───────────────────────────────────────────────────────────────────────────────────────────
class Seen:
    """What a scrape and the log lines of one process say."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway, self._metrics = gateway, Metrics(rounds=("deliver",))

    def figures(self) -> dict[str, float]:
        return {one.name: dict(one.rows).get((), -1.0) for one in self._gateway.figures()}

    def failed(self) -> tuple[float, list[str]]:
        """A round of deliveries: how many have failed by now, and which codes this one said."""
        world = self._gateway.world
        with heard() as said:
            one_round(self._metrics, "deliver-KEIS", partial(deliver, world, "KEIS", "w"))
        counted = self._metrics.registry.get_sample_value(
            "gateway_rounds_total", {"round": "deliver", "result": "failed"}
        )
        return counted or 0.0, [line["code"] for line in said if line["event"] == "round.failed"]


@pytest.fixture
def seen(there: Ground) -> Iterator[tuple[Gateway, Seen]]:
    with there.place("referred") as (place, _), place.gateway(knowledge()) as gateway:
        yield gateway, Seen(gateway)


def watched_by_an_alert(metric: str) -> bool:
    groups = yaml.safe_load((ROOT / "gateway/operations/alerts.yaml").read_text("utf-8"))["groups"]
    return any(metric in rule["expr"] for group in groups for rule in group["rules"])


def test_a_database_that_is_away_is_seen_by_whoever_looks_and_found_again_soon(
    server: Server, seen: tuple[Gateway, Seen]
) -> None:
    gateway, operator = seen
    assert (gateway.ailments(), operator.figures()["gateway_database_up"]) == ([], 1.0)
    server.end()
    try:
        assert operator.failed() == (1.0, ["GW-STORE"])
        began = time.monotonic()
        assert operator.failed() == (2.0, ["GW-STORE"])
        assert time.monotonic() - began < lines.REFUSES_S
        assert operator.figures()["gateway_database_up"] == 0.0
        assert gateway.ailments() == [health.AWAY]
        while time.monotonic() - began < 8.0:  # a pool that tries less and less would sleep for as long again
            assert operator.failed()[1] == ["GW-STORE"]
    finally:
        server.start()
    wait_for("a round is done", lambda: operator.failed()[1] == [], lines.RECOVERS_S)
    assert gateway.ailments() == []
    assert watched_by_an_alert("gateway_database_up")
    assert watched_by_an_alert('gateway_rounds_total{result="failed"}')


def test_whoever_starts_while_the_database_starts_waits_for_it(server: Server) -> None:
    server.end()
    later = Timer(2.0, server.start)
    later.start()
    PostgresStore(server.url, leaves()).close()
    later.join()


def test_a_database_that_only_reads_is_seen_by_whoever_looks(server: Server, seen: tuple[Gateway, Seen]) -> None:
    gateway, operator = seen
    assert operator.figures()["gateway_database_writable"] == 1.0
    with server.set("default_transaction_read_only", "on"):
        wait_for("it only reads", lambda: gateway.ailments() == [health.READ_ONLY])
        assert operator.failed() == (1.0, ["GW-STORE"])
        figures = operator.figures()
        assert (figures["gateway_database_up"], figures["gateway_database_writable"]) == (1.0, 0.0)
    assert watched_by_an_alert("gateway_database_writable")
    wait_for("the gateway works again", lambda: not gateway.ailments())
