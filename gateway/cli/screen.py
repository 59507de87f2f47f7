"""What commands print: tables for people, JSON for `--json`, a line an object for `--ndjson`; all of it to stdout."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

AsJson = Annotated[bool, typer.Option("--json", help="print JSON instead of text")]
AsLines = Annotated[bool, typer.Option("--ndjson", help="print one JSON object a line")]
WIDE = 140
"""Columns of a screen that is none: our tables fit."""


def console(width: int = WIDE) -> Console:
    """The screen; so wide where there is none."""
    return Console(width=None if sys.stdout.isatty() else width)


def print_json(value: Any) -> None:
    """One document, indented."""
    sys.stdout.buffer.write(orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2) + b"\n")
    sys.stdout.buffer.flush()


def print_lines(rows: Iterable[Mapping[str, Any]]) -> None:
    """One object a line."""
    for row in rows:
        sys.stdout.buffer.write(orjson.dumps(dict(row), default=str) + b"\n")
    sys.stdout.buffer.flush()
