"""Celery wakes, SQL remembers: whatever dies, every message arrives, and takes effect once."""

from __future__ import annotations

import os
import signal
import time

from redis import Redis

from tests.faults.stage import LEASE_S, Stage, wait_for


def assert_the_books_agree(stage: Stage) -> None:
    """Nothing lost, nothing done twice, nothing altered; and the loop is closed for every leg."""
    ours, theirs = stage.our_book(), stage.their_book()
    assert len(ours) > 20
    assert set(theirs) == ours
    assert set(theirs.values()) == {1}
    assert stage.problems() == []


def test_a_night_goes_through_two_workers_and_the_broker_woke_them(stage: Stage) -> None:
    stage.start_broker()
    redis = stage.redis()
    before = pushed(redis)
    stage.start_workers("worker-1", "worker-2")
    stage.hand_over()
    stage.until_quiet()
    assert_the_books_agree(stage)
    assert pushed(redis) - before > 3
    wait_for("every wake is taken", lambda: not sum(redis.llen(f"wake-{p}") for p in ("keis", "kead", "trn")))


def pushed(redis: Redis) -> int:
    """How many tasks were ever put into the broker's queues."""
    return int(redis.info("commandstats").get("cmdstat_lpush", {"calls": 0})["calls"])


def test_a_broker_killed_in_the_middle_and_never_started_again_costs_no_message(stage: Stage) -> None:
    stage.start_broker(to_be_killed=True)
    stage.start_workers("worker-1", "worker-2")
    with stage.stuck("TRN"):
        stage.hand_over()
        wait_for("some are delivered and some wait", lambda: bool(stage.delivered() and stage.waiting("TRN")))
        stage.kill("valkey")
        wait_for("what was under way has ended", lambda: not stage.under_way("TRN"))
        assert stage.waiting("TRN")
    stage.until_quiet()
    assert_the_books_agree(stage)


def test_a_broker_that_forgets_everything_in_the_middle_costs_no_message(stage: Stage) -> None:
    stage.start_broker()
    stage.start_workers("worker-1", "worker-2")
    with stage.stuck("TRN"):
        stage.hand_over()
        wait_for("some are delivered and some wait", lambda: bool(stage.delivered() and stage.waiting("TRN")))
        stage.redis().flushdb()
        wait_for("what was under way has ended", lambda: not stage.under_way("TRN"))
        assert stage.waiting("TRN")
    stage.until_quiet()
    assert_the_books_agree(stage)


def test_a_worker_killed_while_it_delivers_is_replaced_when_its_lease_ends(stage: Stage) -> None:
    stage.start_broker()
    stage.start_workers("worker-1", "worker-2")
    with stage.stuck("KEAD"):
        stage.hand_over()
        wait_for("worker-1 holds a lease", lambda: _holds_a_lease_for_good(stage, "worker-1"))
        stage.kill("worker-1")
        killed = time.monotonic()
        assert stage.leased_by("worker-1")
    wait_for("its lease is taken over", lambda: not stage.leased_by("worker-1"))
    assert time.monotonic() - killed < LEASE_S + 2
    stage.until_quiet()
    assert_the_books_agree(stage)


def _holds_a_lease_for_good(stage: Stage, worker: str) -> bool:
    """Stop the worker where it is, and see whether it holds a lease then; let it go on if not."""
    if not stage.leased_by(worker):
        return False
    os.kill(stage.processes[worker].pid, signal.SIGSTOP)
    time.sleep(0.1)
    if stage.leased_by(worker):
        return True
    os.kill(stage.processes[worker].pid, signal.SIGCONT)
    return False
