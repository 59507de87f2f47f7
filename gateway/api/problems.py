"""Refusals as problem+json (RFC 9457): code, sentence, place, remedy, fault; no value of a person, no traceback.

Refuses to show what is wrong in our own house: where the fault is the gateway's, detail and place (a file, a row, a
case) are for its operators, in the line of the request.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Response

from gateway.documents.strict_json import dumps
from gateway.errors import Fault, GatewayError

MEDIA_TYPE = "application/problem+json"


def problem(error: GatewayError, *, receipt: str | None = None) -> Response:
    """The problem document of one of our errors. What passes by itself says when to come back."""
    ours = error.fault is Fault.GATEWAY
    content: dict[str, Any] = {
        "type": f"https://gateway.example/problems/{error.code}",
        "title": error.sentence,
        "status": error.status,
        "code": error.code,
        "detail": error.sentence if ours else error.detail or error.sentence,
        "remedy": error.remedy,
        "fault": str(error.fault),
        "issue": error.issue,
    }
    if error.place.field and not ours:
        content["field"] = error.place.field
    if receipt:
        content["receipt"] = receipt
    headers = {"Retry-After": "1"} if error.issue == "transient" else None
    return Response(dumps(content), error.status, headers=headers, media_type=MEDIA_TYPE)


def unexpected(status: int, headers: Mapping[str, str] | None = None) -> Response:
    """What the framework says no to, with its headers (`Allow`, RFC 9110 §15.5.6), and what we did not foresee."""
    phrase = HTTPStatus(status).phrase
    fault = Fault.GATEWAY if status >= 500 else Fault.SEND
    content = {"type": "about:blank", "title": phrase, "status": status, "fault": str(fault)}
    return Response(dumps(content), status, headers=headers, media_type=MEDIA_TYPE)
