"""What unit tests share: log lines as they are written."""

from __future__ import annotations

import io
import logging
import sys
import threading
import warnings
from collections.abc import Iterator

import pytest
import structlog

from gateway.telemetry.logs import log_from


@pytest.fixture
def hooks_as_they_were() -> Iterator[None]:
    """Give back every place that `log_from` takes."""
    root, configured = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    hooks = warnings.showwarning, sys.excepthook, threading.excepthook, sys.unraisablehook
    yield
    warnings.showwarning, sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**configured)


@pytest.fixture
def out(hooks_as_they_were: None) -> io.StringIO:
    """What is logged, from INFO upwards."""
    stream = io.StringIO()
    log_from(logging.INFO, stream)
    return stream
