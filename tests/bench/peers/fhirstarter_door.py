"""A FHIR door on fhirstarter: a peer for the bench of our own door, no part of the gateway.

    FHIR_SEQUENCE=R4B python fhirstarter_door.py PORT DATABASE KEY

It takes a Task as fhirstarter's models read it, proves the sender by the JWS in the header (joserfc) and the body by
the digest in that, stores the JSON with one commit and answers 201. It keeps no order, judges no outcome, signs no
receipt. Runs in the bench's own environment: fhirstarter wants an older FastAPI than the gateway.
"""

from __future__ import annotations

import sys
from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path

import orjson
import psycopg
import uvicorn
from fastapi import Depends, Request
from fhir.resources.R4B.task import Task
from fhirstarter import FHIRProvider, FHIRStarter, InteractionContext
from fhirstarter.exceptions import FHIRUnauthorizedError
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

PORT, DATABASE = int(sys.argv[1]), psycopg.connect(sys.argv[2])
KEY = ECKey.import_key(orjson.loads(Path(sys.argv[3]).read_bytes()))


async def proven(request: Request) -> None:
    """Let nobody in whose manifest does not verify, or is of another body."""
    body = urlsafe_b64encode(sha256(await request.body()).digest()).decode().rstrip("=")
    try:
        stated = orjson.loads(jws.deserialize_compact(request.headers["comwel-message-jws"], KEY).payload)
    except (KeyError, ValueError, JoseError) as error:
        raise FHIRUnauthorizedError("not proven") from error
    if [part["s256"] for part in stated["parts"]] != [body]:
        raise FHIRUnauthorizedError("not proven")


provider = FHIRProvider(dependencies=[Depends(proven)])


@provider.create(Task)
def create(_: InteractionContext, resource: Task) -> str:
    """Store a Task; returns its number."""
    sql = "insert into fhirstarter_task (body) values (%s) returning id::text"
    (number,) = DATABASE.execute(sql, (resource.model_dump_json(),)).fetchone()
    DATABASE.commit()
    return number


app = FHIRStarter()
app.add_providers(provider)
uvicorn.run(app, port=PORT, log_level="error", access_log=False)
