"""What Prometheus would read from a door and a worker, over sockets, is what the books say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import psycopg
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from gateway.cli.partners import free_port
from tests.faults.stage import PARTNERS, Stage, set_up, wait_for

Numbers = dict[tuple[str, ...], float]


@pytest.fixture
def stage(home: Path, database: str) -> Iterator[Stage]:
    with set_up(home, database) as found:
        yield found


def scrape(port: int) -> dict[str, Metric]:
    answer = httpx2.get(f"http://127.0.0.1:{port}/metrics", trust_env=False, timeout=10)
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def numbers(seen: dict[str, Metric], name: str, *labels: str, end: str = "") -> Numbers:
    """The samples of a metric, by these labels; zeros left out."""
    found: Numbers = {}
    for sample in seen[name].samples if name in seen else ():
        if sample.name == name + end and sample.value:
            key = tuple(sample.labels[label] for label in labels)
            found[key] = found.get(key, 0) + sample.value
    return found


def book(stage: Stage, sql: str) -> Numbers:
    with psycopg.connect(stage.database) as connection:
        return {tuple(labels): float(number) for *labels, number in connection.execute(sql)}


def test_what_is_scraped_is_what_the_books_say(stage: Stage) -> None:
    at_door, at_worker = free_port(), free_port()
    stage.start_broker()
    stage.env["GATEWAY_METRICS_PORT"] = str(at_door)
    door = stage.start_door()
    stage.env["GATEWAY_METRICS_PORT"] = str(at_worker)
    with stage.stuck("KEIS"):
        stage.start_workers("worker")
        stage.hand_over()
        wait_for("the others are delivered to", lambda: stage.delivered("KEAD") > 3 and stage.delivered("TRN") > 0)
        wait_for("KEIS waits", lambda: stage.waiting("KEIS") > 0)
        seen = scrape(at_door)
        assert numbers(seen, "gateway_deliveries", "partner")[("KEIS",)] == stage.waiting("KEIS")
        assert 0 < numbers(seen, "gateway_delivery_oldest_waiting_seconds", "partner")[("KEIS",)] < 60
    stage.until_quiet()
    for _ in range(3):
        httpx2.post(f"http://127.0.0.1:{door}/partners/EVIL-{_}/v1/outcomes", content=b"{}", trust_env=False)
    seen = scrape(at_door)

    assert numbers(seen, "gateway_database_up") == {(): 1}
    assert abs(numbers(seen, "gateway_database_clock_offset_seconds").get((), 0)) < 1
    by_state = "select partner, state, count(*) from delivery where state <> 'delivered' group by 1, 2"
    assert numbers(seen, "gateway_deliveries", "partner", "state") == book(stage, by_state)
    files = "select way, status, count(*) from handover_file group by 1, 2"
    assert numbers(seen, "gateway_handover_files", "way", "status") == book(stage, files)
    records = (
        "select way, unnest(array['taken-in', 'quarantined']), unnest(array[sum(records - quarantined),"
        " sum(quarantined)]) from handover_file where status = 'accepted' group by way"
    )
    held = {labels: n for labels, n in book(stage, records).items() if n}
    assert numbers(seen, "gateway_handover_records", "way", "verdict") == held
    assert numbers(seen, "gateway_work_items_open", "kind") == book(
        stage, "select kind, count(*) from work_item where done_at is null group by 1"
    )
    assert numbers(seen, "gateway_request_duration_seconds", "route", "status", end="_count")[("outcomes", "403")] == 3
    assert numbers(seen, "gateway_refusals", "act", "code", end="_total") == {("message.received", "SEAL-AUDIENCE"): 3}
    assert not [s for family in seen.values() for s in family.samples if "EVIL" in str(s.labels)]

    work = scrape(at_worker)
    by_result = "select partner, coalesce(error_class, 'delivered'), count(*) from attempt group by 1, 2"
    assert numbers(work, "gateway_delivery_attempts", "partner", "result", end="_total") == book(stage, by_result)
    calls = "select partner, count(*) from attempt where http_status is not null or phase <> 'before' group by 1"
    assert numbers(work, "gateway_delivery_call_duration_seconds", "partner", end="_count") == book(stage, calls)
    prepared = "select act, verdict, count(*) from audit_event where act = 'referral.prepared' group by 1, 2"
    acts = numbers(work, "gateway_acts", "act", "verdict", end="_total")
    assert {key: n for key, n in acts.items() if key[0] == "referral.prepared"} == book(stage, prepared)
    assert numbers(work, "gateway_round_last_timestamp_seconds", "round").keys() >= {("journey",)}
    assert numbers(work, "gateway_wakes", "task", end="_total").keys() == {("wake",), ("journey",)}
    assert numbers(work, "gateway_rounds", "round", "result", end="_total")[("deliver", "idle")] > 0
    assert "gateway_deliveries" not in work  # SQL is read by the doors alone
    assert {p for (p,) in numbers(work, "gateway_delivery_attempts", "partner", end="_total")} == set(PARTNERS)
    assert "process_resident_memory_bytes" in work
