"""A message of twelve entries held against FHIR R4: the strict schemas alone, then everything.

The message is plain, as ours are, and takes the short way; what the long way takes is a figure without target.
Floor: the bytes of the same message, which is the least that is done with it anyway. Targets: 80 µs for the first pass
(the strict schemas), 100 µs for everything; the rows of the two profiles that the message claims are a figure of their
own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from gateway.documents.fhir import references
from gateway.documents.fhir.rules import FhirRules
from gateway.documents.strict_json import dumps
from tests.bench.figure import Figure, Floor, micros, per_second

FHIR = Path(__file__).resolve().parents[2] / "schemas" / "fhir"
FIRST_US, BOTH_US = 80, 100


def run() -> tuple[Figure, ...]:
    """µs a message of twelve entries: first pass, everything with and without claims of profiles, and the long way."""
    rules = FhirRules.load(FHIR)
    message: dict[str, Any] = orjson.loads((FHIR / "good" / "referral-message.json").read_bytes())
    plain = orjson.loads(dumps(message))
    for entry in plain["entry"]:
        entry["resource"].pop("meta", None)
    rules.examine(message)  # compiles the strict schemas
    first, both, bare, long, floor = per_second(
        [
            lambda: _first_pass(rules, message),
            lambda: rules.check(message),
            lambda: rules.check(plain),
            lambda: rules.examine(message),
            lambda: dumps(message),
        ],
        rounds=5,
    )
    name = f"FHIR message, {len(message['entry'])} entries, {len(dumps(message)) / 1000:.1f} kB"
    least = Floor("bytes alone", Figure("", "", micros(floor)).median)
    return (
        Figure(f"{name}: strict schemas", "µs", micros(first), FIRST_US, True, least),
        Figure(f"{name}: everything but profiles", "µs", micros(bare), BOTH_US, True, least),
        Figure(f"{name}: everything", "µs", micros(both), None, True, least),
        Figure(f"{name}: everything, by the long way", "µs", micros(long), None, True, least),
    )


def _first_pass(rules: FhirRules, message: dict[str, Any]) -> bool:
    """Do the strict schemas accept the message and every resource in it?"""
    held = (resource for _, resource in references.entries(message))
    return rules.gate.accepts(message) and rules.gate.accepts(*held)
