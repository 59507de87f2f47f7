"""The same way, built as a Python shop would build it by hand: a peer for the engine's bench, no part of the gateway.

    python -m tests.bench.naive door | partner        and        celery -A tests.bench.naive worker

FastAPI takes a FHIR Bundle as a body model of fhir.resources, stores it as JSON, and queues one Celery task a message
(late acknowledgement, as the manual advises for what must not get lost). The task loads the message, validates it
again, signs it with joserfc, posts it over a kept connection, verifies the partner's signed receipt and marks the row.
Nothing here is slow on purpose. Settings are in `naive.json` of the working folder.
"""

from __future__ import annotations

import hashlib
import sys
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import orjson
import psycopg
import uvicorn
from celery import Celery
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse
from fhir.resources.R4B.bundle import Bundle
from joserfc import jws
from joserfc.jwk import ECKey

CONFIG: dict[str, Any] = orjson.loads(Path("naive.json").read_bytes()) if Path("naive.json").exists() else {}
TABLE = "create table naive_message (id text primary key, body jsonb not null, receipt text)"

app = Celery("naive", broker=CONFIG.get("broker"))
app.conf.update(task_acks_late=True, task_ignore_result=True, broker_connection_retry_on_startup=True)


@cache
def _key(name: str) -> ECKey:
    return ECKey.import_key(CONFIG[name])


@cache
def _database() -> psycopg.Connection[tuple[Any, ...]]:
    return psycopg.connect(CONFIG["database"])


@cache
def _http() -> httpx2.Client:
    return httpx2.Client(trust_env=False)


def _sealed(body: bytes, key: ECKey) -> str:
    return jws.serialize_compact({"alg": "ES256"}, hashlib.sha256(body).hexdigest().encode(), key)


def _proven(token: str, body: bytes, key: ECKey) -> bool:
    return jws.deserialize_compact(token, key).payload == hashlib.sha256(body).hexdigest().encode()


@app.task(name="send")
def send(number: str) -> None:
    """Bring one message across."""
    row = _database().execute("select body from naive_message where id = %s", (number,)).fetchone()
    body = Bundle.model_validate(row[0] if row else None).model_dump_json().encode()
    answer = _http().post(CONFIG["partner"], content=body, headers={"X-JWS": _sealed(body, _key("ours"))})
    if not _proven(answer.text, body, _key("theirs")):
        raise ValueError("no receipt")
    _database().execute("update naive_message set receipt = %s where id = %s", (answer.text, number))
    _database().commit()


@app.task(name="nothing")
def nothing() -> None:
    """What a task costs before it does anything."""


def door() -> FastAPI:
    """Takes Bundles."""
    api = FastAPI()

    @api.post("/Bundle", status_code=202)
    def take(bundle: Bundle) -> dict[str, str]:
        assert bundle.identifier
        assert bundle.identifier.value
        number, body = bundle.identifier.value, bundle.model_dump_json()
        _database().execute("insert into naive_message (id, body) values (%s, %s)", (number, body))
        _database().commit()
        send.delay(number)
        return {"id": number}

    return api


def partner() -> FastAPI:
    """Proves what comes, and signs a receipt."""
    api = FastAPI()

    @api.post("/")
    async def take(request: Request) -> Any:
        body = await request.body()
        if not _proven(request.headers["x-jws"], body, _key("ours")):
            raise ValueError("not proven")
        return PlainTextResponse(_sealed(body, _key("theirs")))

    return api


if __name__ == "__main__":
    made, port = (door(), CONFIG["door"]) if sys.argv[1] == "door" else (partner(), CONFIG["port"])
    uvicorn.run(made, port=port, log_level="error", access_log=False)
