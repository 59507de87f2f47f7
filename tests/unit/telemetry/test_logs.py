"""Lines as they are written: JSON for machines, columns for people, and nothing of what libraries say."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.contextvars import bound_contextvars

from gateway.telemetry.logs import log_from

NAME, PHONE, RRN = "홍길동", "010-1234-5678", "880101-1234567"
PERSONAL = f"worker {NAME} {PHONE} {RRN}"


pytestmark = pytest.mark.usefixtures("hooks_as_they_were")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in out.getvalue().splitlines()]


def test_an_act_is_one_json_line_with_its_ids(out: io.StringIO) -> None:
    with bound_contextvars(request_id="0" * 32):
        structlog.get_logger().info("delivery.attempted", partner="KEIS", counts={"messages": 3})
    (line,) = lines(out)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "info",
        "event": "delivery.attempted",
        "partner": "KEIS",
        "counts": {"messages": 3},
        "request_id": "0" * 32,
    }


def test_people_get_columns_and_are_shown_no_more_than_machines() -> None:
    screen = Terminal()
    log_from(logging.INFO, screen)
    structlog.get_logger().info("delivery.attempted", partner="KEIS", subject=PERSONAL)
    assert "delivery.attempted" in screen.getvalue()
    assert not screen.getvalue().startswith("{")
    assert NAME not in screen.getvalue()


def test_what_a_library_says_becomes_who_and_where(out: io.StringIO) -> None:
    logging.getLogger("uvicorn.error").error("cannot serve %s", PERSONAL)
    logging.getLogger("celery.worker").critical(PERSONAL)
    logging.getLogger("kombu").log(35, PERSONAL)
    logging.getLogger("kombu").log(99, PERSONAL)
    logging.getLogger("kombu").info("not asked for")
    assert [(line["logger"], line["level"]) for line in lines(out)] == [
        ("uvicorn.error", "error"),
        ("celery.worker", "critical"),
        ("kombu", "warning"),
        ("kombu", "critical"),
    ]
    assert all(line["event"] == "library.said" and "test_logs.py:" in line["at"] for line in lines(out))
    assert not any(part in out.getvalue() for part in (NAME, PHONE, RRN))


def test_an_exception_is_its_class_and_the_way_to_it(out: io.StringIO) -> None:
    def deep() -> None:
        raise KeyError(PERSONAL)

    try:
        deep()
    except KeyError:
        logging.getLogger("uvicorn.error").exception("broken: %s", PERSONAL)
    (line,) = lines(out)
    assert line["error"] == "KeyError"
    assert line["at"][-1].startswith("tests/unit/telemetry/test_logs.py:")
    assert line["at"][-1].endswith(" deep")
    assert NAME not in out.getvalue()


@given(st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), min_size=1), st.text())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_exception_and_no_argument_of_a_library_brings_a_syllable_of_hangul(name: str, other: str) -> None:
    stream = io.StringIO()
    log_from(logging.INFO, stream)
    try:
        raise LookupError(other + name) from ValueError(name)
    except LookupError as error:
        logging.getLogger("celery").exception(name + other)
        logging.getLogger("celery").critical("%s", name, exc_info=error)
        structlog.get_logger().error("round.broken", error=str(error), at=[name], **{name: 1})
    assert len(lines(stream)) == 3
    assert not any(syllable in stream.getvalue() for syllable in name)


def test_a_warning_is_its_class_and_its_place(out: io.StringIO) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = sys.modules["gateway.telemetry.logs"]._warned
        warnings.warn(PERSONAL, UserWarning, stacklevel=1)
    (line,) = lines(out)
    assert (line["event"], line["error"]) == ("warning.raised", "UserWarning")
    assert NAME not in out.getvalue()


@pytest.mark.parametrize(
    ("end", "event"),
    [
        ('logging.getLogger("careless").error("%d %d", personal)', "library.said"),
        ("raise ValueError(personal)", "process.died"),
        ("t = threading.Thread(target=lambda: {}[personal]); t.start(); t.join()", "thread.died"),
        ("class D:\n    def __del__(self): raise ValueError(personal)\nD()", "error.ignored"),
    ],
)
def test_no_end_of_a_process_and_no_mistake_in_logging_quotes_anybody(end: str, event: str) -> None:
    program = f"""
import logging, sys, threading
from gateway.telemetry.logs import log_from
personal = {PERSONAL!r}
log_from(logging.INFO)
"""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program) + end], capture_output=True, check=False, cwd=Path.cwd()
    )
    (line,) = [orjson.loads(one) for one in done.stderr.splitlines()]
    assert line["event"] == event
    assert line["at"]
    assert not any(part.encode() in done.stderr for part in (NAME, PHONE, RRN))


def test_a_full_disk_costs_lines_and_nothing_else() -> None:
    with open("/dev/full", "w", encoding="utf-8", buffering=1) as full:
        where_to = log_from(logging.INFO, full)
        structlog.get_logger().info("delivery.attempted")
        structlog.get_logger().info("delivery.attempted")
        assert where_to.lost == 2
        try:
            full.close()
        except OSError:
            assert full.closed
