"""The Celery application: what it is told, what travels, and what it may never be asked for."""

from __future__ import annotations

import ast
import socket
import time
from pathlib import Path

import pytest

from gateway.errors import SettingsInvalid
from gateway.worker import app as engine
from gateway.worker import broker
from gateway.worker.wake import BrokerWake

ROOT = Path(__file__).resolve().parents[3]
NOWHERE = "redis://127.0.0.1:1/0"
PARTNERS = ("KEIS", "KEAD")


def test_the_settings_are_those_that_were_measured() -> None:
    conf = engine.build_app(NOWHERE, PARTNERS).conf
    assert conf.accept_content == ["json"]
    assert conf.task_serializer == "json"
    assert conf.task_ignore_result
    assert conf.result_backend is None
    assert not conf.task_acks_late  # every task is a hint; none is a job that only the broker remembers
    assert not conf.task_always_eager
    assert conf.worker_prefetch_multiplier == 1
    assert conf.worker_soft_shutdown_timeout == 20
    assert conf.broker_connection_retry_on_startup
    assert conf.task_publish_retry_policy["max_retries"] == 1
    options = conf.broker_transport_options
    wanted = {"visibility_timeout": 300, "unacked_restore_interval": 5, "unacked_restore_throttle": 1}
    assert wanted.items() <= options.items()
    assert (options["socket_timeout"], options["socket_connect_timeout"]) == (5, 2)


def test_there_is_one_queue_for_each_partner_and_one_for_the_journey() -> None:
    app = engine.build_app(NOWHERE, PARTNERS)
    assert {q.name for q in app.conf.task_queues} == {"journey", "wake-keis", "wake-kead"}
    assert not app.conf.task_create_missing_queues
    assert engine.queue_of("TRN") == "wake-trn"


def test_beat_sends_the_journey_every_second_and_nothing_that_outlives_half_a_minute() -> None:
    app = engine.build_app(NOWHERE, PARTNERS)
    entries = app.conf.beat_schedule
    assert (entries["journey"]["task"], entries["journey"]["schedule"]) == (engine.JOURNEY_TASK, 1.0)
    assert (entries["reconcile"]["task"], entries["reconcile"]["schedule"]) == (engine.RECONCILE_TASK, 600.0)
    assert [entry["options"] for entry in entries.values()] == [{"queue": "journey", "expires": 30}] * 2
    timetable = engine.Timetable(app)
    assert set(timetable.schedule) == {"journey", "reconcile"}


def test_nothing_is_built_at_import() -> None:
    tree = ast.parse(Path(engine.__file__).read_text(encoding="utf-8"))
    calls = [each for node in tree.body if isinstance(node, ast.Assign | ast.Expr) for each in ast.walk(node)]
    assert not [c for c in calls if isinstance(c, ast.Call)]


@pytest.mark.parametrize("room", ["gateway", "adapters"])
def test_no_eta_no_countdown_and_no_task_retry_anywhere(room: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and _asks_for_later(node)
    ]
    assert found == []


def test_the_search_for_them_sees_what_it_must() -> None:
    asked = ("task.apply_async(eta=then)", "task.apply_async(countdown=5)", "self.retry()")
    assert all(_asks_for_later(call) for call in map(_call, asked))
    assert not _asks_for_later(_call("task.apply_async(expires=30)"))


def _call(source: str) -> ast.Call:
    call = ast.parse(source, mode="eval").body
    assert isinstance(call, ast.Call)
    return call


def _asks_for_later(call: ast.Call) -> bool:
    named = {keyword.arg for keyword in call.keywords}
    retries = isinstance(call.func, ast.Attribute) and call.func.attr == "retry"
    return retries or bool(named & {"eta", "countdown"})


# ── waking ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _seconds(wake: BrokerWake) -> float:
    began = time.monotonic()
    wake("KEIS")
    return time.monotonic() - began


def test_a_broker_that_is_away_costs_little_once_and_raises_nothing() -> None:
    wake = BrokerWake(NOWHERE, PARTNERS)
    assert _seconds(wake) < 2
    assert _seconds(wake) < 0.01
    wake.close()


def test_a_broker_that_hangs_costs_little_once_and_raises_nothing() -> None:
    with socket.socket() as hung:
        hung.bind(("127.0.0.1", 0))
        hung.listen(5)
        wake = BrokerWake(f"redis://127.0.0.1:{hung.getsockname()[1]}/0", PARTNERS)
        assert _seconds(wake) < 2
        assert _seconds(wake) < 0.01
        wake.close()


def test_where_a_partner_has_no_address_nobody_is_woken_and_nothing_raised() -> None:
    wake = BrokerWake(NOWHERE, PARTNERS)
    wake("TRN")  # it has a profile, and so referrals; but nobody delivers to it, and there is no queue
    wake.close()


# ── the embedded broker ──────────────────────────────────────────────────────────────────────────────────────────────
def test_the_embedded_broker_keeps_what_it_is_told_and_listens_to_nobody_else(home: Path) -> None:
    words = broker.command(home)
    options = dict(zip(words[1::2], words[2::2], strict=True))
    assert options["--port"] == "0"
    assert (options["--appendonly"], options["--maxmemory-policy"]) == ("yes", "noeviction")
    assert Path(options["--unixsocket"]).is_relative_to(home.resolve())
    assert broker.broker_url(home) == f"redis+socket://{options['--unixsocket']}"


def test_a_home_too_deep_for_a_socket_is_refused(home: Path) -> None:
    with pytest.raises(SettingsInvalid, match="too long"):
        broker.socket_of(home / ("x" * 100))
