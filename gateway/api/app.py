"""The partners' door, as a FastAPI application.

Rules: bodies are taken as raw bytes, because signatures are over bytes; the partner is named by the path and proven by
its signature, never by the body; a refusal is problem+json (RFC 9457), with our receipt where the sender is proven. Who
is not ours, is stopped, lacks a header or finds too many waiting is told so before anything of the body is read.
Refuses bodies over the limit while they stream in, and shows no traceback to anybody. What anybody may ask for is asked
of the database by few at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp

from gateway.api import log_files
from gateway.api.gathering import Gathering
from gateway.api.lane import Lane
from gateway.api.problems import problem, unexpected
from gateway.api.requests import Requests
from gateway.assembly import Gateway
from gateway.documents.strict_json import dumps
from gateway.errors import DocumentTooLarge, Fault, GatewayError, PartnerStopped, Refused
from gateway.journey.prove import Inbound, count_unproven, keep_unproven, must_be_ours
from gateway.journey.receive import receive_together
from gateway.journey.reply import Reply
from gateway.sealing import http

MAX_BODY = 1_048_576
RECEIPT_HEADER = "Comwel-Receipt-JWS"
GATE, ASKING, LOOKING = (2, 1024), (4, 64), (1, 16)
"""Of what is asked before a body is read, of receipts, proofs and keys, and of readiness: how many ask at once, and how
many are here, those that wait among them. Together they take 7 of the store's 16 connections at most."""


def build_app(gateway: Gateway) -> ASGIApp:
    """The application over one gateway."""
    app = FastAPI(title="COMWEL referral gateway", openapi_url=None, docs_url=None, redoc_url=None)
    app.add_exception_handler(GatewayError, lambda request, error: problem(_noted(request, error)))
    app.add_exception_handler(HTTPException, lambda _, error: unexpected(error.status_code, error.headers))
    app.add_exception_handler(Exception, lambda _request, _error: unexpected(500))
    _take_reports(app, gateway)
    _answer_questions(app, gateway)
    app.router.routes.extend(log_files.routes(gateway.log.publisher.folder))
    return Requests(app, gateway.observer, gateway.world.reached)


def _take_reports(app: FastAPI, gateway: Gateway) -> None:
    """What partners send: proven, taken in, and answered with a receipt or a problem."""
    gathering, before = Gathering(partial(receive_together, gateway.world)), Lane("gate", *GATE)

    async def let_in(partner: str, headers: Mapping[str, str]) -> None:
        """Raises what needs nothing of the body: Refused, or TooBusy."""
        must_be_ours(gateway.world, partner)
        stopped = gateway.stops.known(partner)
        if await before.run(gateway.stops, partner) if stopped is None else stopped:
            raise PartnerStopped
        http.present(headers)
        gathering.must_have_room(partner)

    async def outcomes(request: Request) -> Response:
        partner, headers = str(request.path_params["partner"]).upper(), _headers(request)
        try:
            await let_in(partner, headers)
            body = await _body(request)
        except Refused as refusal:
            if count_unproven(gateway.world, partner, refusal):
                await before.run(keep_unproven, gateway.world)
            return problem(_noted(request, refusal))
        url = gateway.public_url + _raw_path(request)
        inbound = Inbound(partner, "POST", url, headers, body)
        gateway.world.reached("request.read")
        reply = await gathering.receive(inbound)
        if reply.refusal:
            _noted(request, reply.refusal)
        return _answer(reply)

    # a plain route: nothing of this request is for a framework to parse
    app.add_route("/partners/{partner}/v1/outcomes", outcomes, methods=["POST"])


def _answer_questions(app: FastAPI, gateway: Gateway) -> None:
    """What anybody may ask for: receipts and their proofs, our public keys, whether we are well."""
    asking, looking = Lane("ask", *ASKING), Lane("look", *LOOKING)

    @app.get("/partners/{partner}/v1/messages/{mid}/receipt")
    async def receipt(partner: str, mid: str) -> Response:
        found = await asking.run(gateway.receipt, partner.upper(), mid)
        gateway.world.reached("receipt.found")
        return _json(200, {"receipt": found}) if found else unexpected(404)

    @app.get("/partners/{partner}/v1/messages/{mid}/receipt.tlog-proof")
    async def receipt_proof(partner: str, mid: str) -> Response:
        proof = await asking.run(gateway.receipt_proof, partner.upper(), mid)
        return PlainTextResponse(proof, headers={"Cache-Control": log_files.FOR_SECONDS})

    @app.get("/.well-known/jwks.json")
    async def jwks() -> Response:
        answer = _json(200, await asking.run(gateway.jwks))
        answer.headers["Cache-Control"] = f"max-age={gateway.settings.keys_cached_s:.0f}"
        return answer

    @app.get("/health/live")
    async def live() -> Response:
        return _json(200, {"live": True})

    @app.get("/health/ready")
    async def ready() -> Response:
        because = await looking.run(gateway.ailments)
        return _json(503 if because else 200, {"ready": not because, "because": because})


def _noted(request: Request, refusal: GatewayError) -> GatewayError:
    """Leave the reason with the request, for its line; what is wrong with us, too, for nobody outside is told."""
    request.state.code = refusal.code
    if refusal.fault is Fault.GATEWAY:
        request.state.subject = refusal.detail
    return refusal


def _raw_path(request: Request) -> str:
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    query: bytes = request.scope.get("query_string", b"")
    return raw.decode("ascii", "replace") + (f"?{query.decode('ascii', 'replace')}" if query else "")


def _headers(request: Request) -> dict[str, str]:
    """Headers by lower-case name; one that comes twice is joined, which no signature of ours survives."""
    joined: dict[str, str] = {}
    for name, value in request.headers.items():
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


async def _body(request: Request) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY:
            raise DocumentTooLarge(f"more than {MAX_BODY} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _answer(reply: Reply) -> Response:
    if reply.refusal:
        response = problem(reply.refusal, receipt=reply.receipt)
    else:
        response = _json(reply.status, {"receipt": reply.receipt})
    if reply.receipt:
        response.headers[RECEIPT_HEADER] = reply.receipt
    return response


def _json(status: int, content: Any) -> Response:
    return Response(dumps(content), status, media_type="application/json")
