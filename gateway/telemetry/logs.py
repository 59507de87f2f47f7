"""Log lines: one JSON object a line on the standard error stream, or columns for people on a terminal.

Rules: every line passes `gateway.telemetry.fields`. Libraries, warnings and unexpected errors come the same way, as
who, where and which class: their sentences may quote anything, so they are not kept. Writing never raises and never
undoes what was done: a full disk costs lines, which are counted.
Refuses to log what a request or a record says, and every stack trace with values in it.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, MutableMapping
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import orjson
import structlog
from structlog.contextvars import merge_contextvars

from gateway.telemetry.fields import clear

_ROOT = Path(__file__).resolve().parents[2]
log = structlog.get_logger()


class Lines:
    """Where lines go. `lost` counts those that could not be written."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._lock = stream, threading.Lock()
        self.lost = 0

    def msg(self, line: str) -> None:
        """Write one line at once."""
        with self._lock:
            try:
                self._stream.write(f"{line}\n")
                self._stream.flush()
            except (OSError, ValueError):  # no room, or closed
                self.lost += 1

    debug = info = warning = error = critical = msg


def log_from(level: int, stream: TextIO | None = None) -> Lines:
    """Log lines from `level` upwards, of libraries warnings at least; returns where they go."""
    lines = Lines(stream or sys.stderr)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(level),
        processors=[
            merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            clear,
            *_renderers(people=lines._stream.isatty()),
        ],
        logger_factory=lambda *_: lines,
    )
    _listen_to_libraries(max(level, logging.WARNING))
    return lines


def _renderers(*, people: bool) -> list[Callable[..., Any]]:
    if people:
        return [structlog.dev.ConsoleRenderer(sort_keys=False)]
    return [_as_json]


def _as_json(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> str:
    return orjson.dumps(line).decode()


def where(error: BaseException) -> list[str]:
    """Where it happened, without what it said: messages and local variables may hold personal data."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames]


def _short(filename: str) -> str:
    """A path from our own folder, or from the library's."""
    path = Path(filename)
    if path.is_relative_to(_ROOT):
        return path.relative_to(_ROOT).as_posix().rpartition("site-packages/")[2]
    return "/".join(path.parts[-2:])


# ── what is not ours ─────────────────────────────────────────────────────────────────────────────────────────────────
class _Libraries(logging.Handler):
    """The standard library's loggers (uvicorn, celery, kombu, asyncio, …), as lines of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        said: dict[str, Any] = {"logger": record.name}
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            said |= {"error": type(error).__name__, "at": where(error)}
        else:
            said["at"] = f"{_short(record.pathname)}:{record.lineno} {record.funcName}"
        log.log(min(max(record.levelno // 10 * 10, logging.DEBUG), logging.CRITICAL), "library.said", **said)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the standard library's name
        """Say nothing: the standard library would print the record's arguments."""


def _listen_to_libraries(level: int) -> None:
    root = logging.getLogger()
    root.handlers[:] = [_Libraries()]
    root.setLevel(level)
    warnings.showwarning = _warned
    sys.excepthook = _died
    threading.excepthook = _thread_died
    sys.unraisablehook = _ignored


def _warned(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: Any = None, line: Any = None
) -> None:
    log.warning("warning.raised", error=category.__name__, at=f"{_short(filename)}:{lineno}")


def _died(kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    log.critical("process.died", error=kind.__name__, at=where(error))


def _thread_died(hook: threading.ExceptHookArgs) -> None:
    log.critical("thread.died", error=hook.exc_type.__name__, at=where(hook.exc_value) if hook.exc_value else [])


def _ignored(hook: Any) -> None:
    log.error("error.ignored", error=hook.exc_type.__name__, at=where(hook.exc_value) if hook.exc_value else [])
