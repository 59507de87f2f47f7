"""What a refusal shows outside: what the sender must mend, and nothing of our own house."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from gateway.api.problems import problem
from gateway.errors import Fault, GatewayError, Place, StoreDamaged

CASE = "case_record|record|20264243000001|3"


def every(kind: type[GatewayError] = GatewayError) -> Iterator[type[GatewayError]]:
    yield kind
    for one in kind.__subclasses__():
        yield from every(one)


def said(error: GatewayError) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(problem(error).body)
    return found


EVERY = {kind.__name__: kind for kind in every()}


@pytest.mark.parametrize("kind", EVERY.values(), ids=EVERY)
def test_place_and_detail_are_shown_unless_the_fault_is_ours(kind: type[GatewayError]) -> None:
    error = kind.__new__(kind)
    GatewayError.__init__(error, CASE, place=Place(file="keys/comwel-1.pem", record=3, field="/refNo"))
    shown = said(error)
    ours = kind.fault is Fault.GATEWAY
    assert (shown["detail"], shown.get("field")) == ((kind.sentence, None) if ours else (CASE, "/refNo"))
    assert "comwel-1" not in str(shown)
    assert (shown["code"], shown["title"], shown["status"]) == (kind.code, kind.sentence, kind.status)


def test_a_damaged_row_names_no_case_outside() -> None:
    assert "20264243000001" not in str(said(StoreDamaged(CASE)))
