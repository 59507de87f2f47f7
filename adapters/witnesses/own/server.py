"""The witness's door.

    POST /add-checkpoint                     a submission; answered with a cosignature
    GET  /<SHA-256 of the origin>/checkpoint the newest checkpoint it has cosigned
    GET  /vkey                               its public key; compare it with the one you were given

Refuses to read more than a submission can be.
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapters.witnesses.own.witness import Answer, Witness
from gateway.exchange_log.witnessing import ADD, LONGEST


def build(witness: Witness, vkey: str) -> Starlette:
    """The door of a witness."""

    async def add(request: Request) -> Response:
        body = await _body(request)
        return _response(
            Answer(400, "larger than a submission can be\n")
            if body is None
            else await run_in_threadpool(witness.add_checkpoint, body)
        )

    def checkpoint(request: Request) -> Response:
        return _response(witness.checkpoint(request.path_params["origin_hash"]))

    def key(_: Request) -> Response:
        return _response(Answer(200, f"{vkey}\n"))

    return Starlette(
        routes=[
            Route(f"/{ADD}", add, methods=["POST"]),
            Route("/vkey", key),
            Route("/{origin_hash}/checkpoint", checkpoint),
        ]
    )


async def _body(request: Request) -> bytes | None:
    read = bytearray()
    async for chunk in request.stream():
        read += chunk
        if len(read) > LONGEST:
            return None
    return bytes(read)


def _response(answer: Answer) -> Response:
    return Response(
        answer.body, answer.status, headers={"Content-Type": answer.media_type, "Cache-Control": "no-store"}
    )
