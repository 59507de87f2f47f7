"""What the processes of the engine write while a night goes through: lines of JSON, and nobody in them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import orjson
import psycopg
import pytest
from psycopg.rows import dict_row

from gateway.telemetry.fields import FIELDS, cleared
from tests.faults.stage import Stage, set_up
from tests.unsealed import Unsealed

PHONE, RRN = "010-1234-5678", "880101-1234567"
MOMENT = re.compile(r'"timestamp":"[^"]+"')
"""When a line was written; a worker may have something planned for that very day."""
MID = "019acdef-1234-7abc-8def-001122334455"


@pytest.fixture
def stage(home: Path, database: str) -> Iterator[Stage]:
    with set_up(home, database) as found:
        yield found


def lines(stage: Stage, *names: str) -> list[dict[str, Any]]:
    """What was logged; Celery's goodbye, the one thing that is said on the standard output, is left out."""
    raw = [line for name in names for line in (stage.home / f"{name}.log").read_bytes().splitlines()]
    return [orjson.loads(line) for line in raw if line not in (b"", b"worker: Warm shutdown (MainProcess)")]


def leaves(value: Any) -> Iterator[str]:
    """Every text in a record, at any depth."""
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from leaves(inner)


def told_to_us(stage: Stage) -> set[str]:
    """What the night says about its people, in words that cannot be a code: long, or not plain ASCII."""
    with psycopg.connect(stage.database, row_factory=dict_row) as connection:
        rows = connection.execute("select case_no, revision, record from case_record where record is not null")
        records = [orjson.loads(r["record"]) for r in Unsealed(stage.database, stage.home).rows("case_record", rows)]
    texts = {text for record in records for text in leaves({k: v for k, v in record.items() if k != "caseNo"})}
    return {
        t for t in texts if not t.isascii() or (len(t) >= 9 and any(c.isdigit() for c in t) and not t.startswith("R20"))
    }


def knock_badly(door: str) -> None:
    """Requests that should not be, with personal data wherever it could be put."""
    with httpx2.Client(base_url=door, trust_env=False) as client:
        client.get(f"/patients/{RRN}", headers={"X-Request-Id": PHONE})
        client.post(f"/partners/{PHONE}/v1/outcomes?who={RRN}", content=RRN.encode())
        headers = {"X-Name": RRN, "Idempotency-Key": MID}
        client.post("/partners/KEIS/v1/outcomes", content=f"홍길동 {PHONE}".encode(), headers=headers)
        client.get(f"/partners/{PHONE}/v1/messages/{RRN}/receipt")


def test_a_night_leaves_lines_of_json_with_ids_and_without_people(stage: Stage) -> None:
    stage.start_broker()
    stage.start_workers("worker")
    port = stage.start_door()
    stage.hand_over()
    stage.until_quiet()
    knock_badly(f"http://127.0.0.1:{port}")
    stage.close()

    said = lines(stage, "worker", "door", "beat")
    assert {name for line in said for name in line} <= {field.name for field in FIELDS}
    assert [line for line in said if cleared(line) != line] == []
    assert [line for line in said if "masked" in line] == []
    raw = b"".join((stage.home / f"{name}.log").read_bytes() for name in ("worker", "door", "beat")).decode()
    assert raw.isascii()
    people, undated = told_to_us(stage), MOMENT.sub("", raw)
    assert len(people) > 100
    assert [text for text in people | {PHONE, RRN} if text in undated] == []

    acts = Counter(line["event"] for line in said)
    assert acts["referral.prepared"] == stage.count("select count(*) from audit_event where act = 'referral.prepared'")
    assert acts["delivery.attempted"] == stage.count("select count(*) from attempt")
    refused = [line for line in said if line["event"] == "request.answered"]
    assert [(line["route"], line["status"], line.get("code"), line.get("mid")) for line in refused] == [
        ("unknown", 404, None, None),
        ("outcomes", 403, "SEAL-AUDIENCE", None),
        ("outcomes", 401, "SEAL-SIGNATURE", MID),
        ("receipt", 404, None, None),
    ]
    assert len({line["request_id"] for line in refused}) == 4
    assert {line["round"].partition("-")[0] for line in said if "round" in line} >= {"wake", "journey"}
