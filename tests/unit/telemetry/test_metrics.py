"""Metrics of one process: bounded labels, a port of their own, and a scrape that no fault of the database spoils."""

from __future__ import annotations

import socket

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import SettingsInvalid
from gateway.exchange_log.audit import AuditEvent
from gateway.ports import Answer, Outgoing, Reading, Said
from gateway.telemetry.channel import WatchedChannel
from gateway.telemetry.metrics import OTHER, Metrics, Standing, codes, served


def attempted(code: str | None) -> AuditEvent:
    event = AuditEvent("delivery.attempted", "gateway", "vocational-rehab", partner="KEIS")
    return event.refused(code) if code else event


def test_an_attempt_counts_as_an_act_and_by_its_result() -> None:
    metrics = Metrics()
    metrics.acted([attempted(None), attempted(None), attempted("unreachable")])
    value = metrics.registry.get_sample_value
    assert value("gateway_delivery_attempts_total", {"partner": "KEIS", "result": "delivered"}) == 2
    assert value("gateway_delivery_attempts_total", {"partner": "KEIS", "result": "unreachable"}) == 1
    assert value("gateway_acts_total", {"act": "delivery.attempted", "verdict": "refused"}) == 1
    assert value("gateway_refusals_total", {"act": "delivery.attempted", "code": "unreachable"}) == 1


def test_a_refusal_that_proved_nothing_counts_each_time_and_the_act_that_stands_for_many_does_not() -> None:
    metrics, act = Metrics(), AuditEvent("message.received", "gateway", "outcome-return", counts={"requests": 3})
    for _ in range(3):
        metrics.unproven("message.received", "SEAL-AUDIENCE")
    metrics.acted([act.refused("SEAL-AUDIENCE")])
    metrics.unproven("message.received", "NOT-OURS")
    value = metrics.registry.get_sample_value
    assert value("gateway_refusals_total", {"act": "message.received", "code": "SEAL-AUDIENCE"}) == 3
    assert value("gateway_refusals_total", {"act": "message.received", "code": OTHER}) == 1
    assert value("gateway_acts_total", {"act": "message.received", "verdict": "refused"}) == 1


@given(st.from_regex(r"\A[A-Z]{1,9}(-[A-Z0-9]{1,9})?\Z"))
def test_a_code_that_we_do_not_have_makes_no_series_of_its_own(code: str) -> None:
    metrics = Metrics()
    metrics.acted([attempted(code)])
    labels = {s.labels["code"] for f in metrics.registry.collect() for s in f.samples if f.name == "gateway_refusals"}
    assert labels == {code if code in codes() else OTHER}


def test_every_code_of_the_error_tree_and_every_class_of_attempt_is_known() -> None:
    assert {"E-RRN", "LOOP-STATE", "GW-RACE", "unreachable", "no-receipt"} <= codes()


class Silent:
    """A partner that does not answer."""

    closed = False

    def send(self, message: Outgoing) -> Answer:
        return Answer("attempt", None, None, None, None, "")

    def ask(self, message: Outgoing, most: int) -> Said:
        return Said("attempt", None, None, "")

    def close(self) -> None:
        self.closed = True


def test_a_watched_channel_answers_as_the_channel_does_and_is_timed() -> None:
    metrics, silent = Metrics(), Silent()
    channel = WatchedChannel("KEIS", silent, metrics)
    answer = channel.send(Outgoing("m", "http://x", "application/json", b"", "", {}))
    channel.close()
    assert (answer.phase, silent.closed) == ("attempt", True)
    labels = {"partner": "KEIS", "phase": "attempt"}
    assert metrics.registry.get_sample_value("gateway_delivery_call_duration_seconds_count", labels) == 1


def test_metrics_are_served_on_a_port_of_their_own_and_read_anew_at_every_scrape() -> None:
    metrics, asked = Metrics(log_lines_lost=lambda: 7), iter((1.0, 2.0))
    metrics.registry.register(Standing(lambda: [Reading("gateway_x", ("kind",), "x", [(("a",), next(asked))])]))
    with served(metrics.registry, "127.0.0.1", 0) as port:
        first, second = (httpx2.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text for _ in range(2))
    assert 'gateway_x{kind="a"} 1.0' in first
    assert 'gateway_x{kind="a"} 2.0' in second
    assert "gateway_log_lines_lost_total 7.0" in first
    assert 'gateway_build_info{python="3.' in first
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"http://127.0.0.1:{port}/metrics", trust_env=False)


def test_a_port_that_is_taken_is_a_setting_that_is_wrong() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(SettingsInvalid, match="GATEWAY_METRICS_PORT"),
        served(Metrics().registry, "127.0.0.1", taken.getsockname()[1]),
    ):
        pass
