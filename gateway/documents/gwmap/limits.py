"""Limits of the engine (a map is data of other people): sizes at load, steps at run time."""

from __future__ import annotations

import re
from typing import Final

FILE_BYTES: Final = 262_144
NODES: Final = 5_000
DEPTH: Final = 32
EXPRESSION_CHARS: Final = 500
AST_DEPTH: Final = 24
FOR_NESTING: Final = 3
STEPS: Final = 200_000
OUTPUT_BYTES: Final = 2_097_152
GROWN_CHARS: Final = 65_536  # to which a function may make a text longer
NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,40}\Z")
