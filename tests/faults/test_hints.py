"""The broker's line breaks every two seconds: wake-ups get lost, messages do not, and no worker is left asleep."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from redis import Redis

from gateway.worker.app import queue_of
from gateway.worker.wake import BrokerWake
from tests.faults import hints
from tests.faults.ground import Ground
from tests.faults.place import PARTNERS

FOR_S = 8.0


def test_a_line_that_is_reset_again_and_again_costs_no_message_and_keeps_no_worker_asleep(ground: Ground) -> None:
    found = hints.reset_again_and_again(ground, FOR_S)
    assert found.findings.numbers == (0, 0, 0, 0, 0, 0), str(found.findings)
    assert found.kills == 0
    assert found.hits["reset"] == FOR_S / hints.RESET_EVERY_S
    assert found.hits["delivered"] == found.messages > 100


def test_who_wakes_takes_another_connection_when_one_was_reset(home: Path) -> None:
    with (
        hints.reachable(home) as there,
        hints.proxied(there) as (proxy, url),
        closing(BrokerWake(url, PARTNERS)) as wake,
        Redis.from_url(there) as redis,
    ):
        for sent in (1, 2, 3):
            wake("KEIS")
            assert redis.llen(queue_of("KEIS")) == sent
            proxy.reset_all()
