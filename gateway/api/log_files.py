"""The exchange log's door: published files, read only, for everybody.

    /xlog                      which logs there are: name, key, size
    /xlog/<year>/checkpoint    text/plain, kept by nobody for longer than two seconds
    /xlog/<year>/witnessed     the newest checkpoint that enough witnesses have cosigned
    /xlog/<year>/tile/…        application/octet-stream, never changes
    /xlog/<year>/log.vkey · /xlog/<year>/policy
    /xlog/<year>/stamped · /xlog/<year>/stamped.tsr    what was time stamped last, and its stamp (RFC 3161)

Rules: only names in the one spelling of the specification, never a path of the caller's making. A full tile answers for
a partial one that is gone. Refuses entries: leaves are for auditors (`gateway log export --entries`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.api.problems import unexpected
from gateway.documents.strict_json import dumps
from gateway.exchange_log.tiles import parse_path

FOR_EVER = "public, max-age=31536000, immutable"
FOR_SECONDS = "public, max-age=2"
_LOG = re.compile(r"[0-9]{4}(?:\.[1-9][0-9]{0,3})?", re.ASCII)
STAMP = "stamped.tsr"
_TEXTS = {
    "checkpoint": FOR_SECONDS,
    "witnessed": FOR_SECONDS,
    "stamped": FOR_SECONDS,
    "log.vkey": "public, max-age=3600",
    "policy": "public, max-age=3600",
}


def routes(folder: Path) -> Iterable[Route]:
    """The routes over a folder of published logs."""

    def log_list(_: Request) -> Response:
        found = [_summary(path) for path in sorted(folder.glob("*/checkpoint")) if _LOG.fullmatch(path.parent.name)]
        return Response(dumps(found), media_type="application/json", headers={"Cache-Control": FOR_SECONDS})

    def log_file(request: Request) -> Response:
        log, name = request.path_params["log"], request.path_params["name"]
        return _answer(folder / log, name) if _LOG.fullmatch(log) else unexpected(404)

    return Route("/xlog", log_list), Route("/xlog/{log}/{name:path}", log_file)


def _answer(log: Path, name: str) -> Response:
    if name in _TEXTS:
        return _send(_read(log / name), "text/plain; charset=utf-8", _TEXTS[name])
    if name == STAMP:
        return _send(_read(log / name), "application/timestamp-reply", FOR_SECONDS)
    tile = parse_path(name)
    if tile is None:
        return unexpected(404)
    data = _read(log / tile.path)
    if data is None and not tile.full:
        whole = _read(log / tile._replace(width=256).path)
        data = whole and whole[: tile.width * 32]
    return _send(data, "application/octet-stream", FOR_EVER)


def _send(data: bytes | None, media_type: str, keep: str) -> Response:
    if data is None:
        return unexpected(404)
    return Response(data, media_type=media_type, headers={"Cache-Control": keep, "Access-Control-Allow-Origin": "*"})


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _summary(checkpoint: Path) -> dict[str, object]:
    origin, size, *_ = checkpoint.read_text(encoding="utf-8").split("\n")
    key = _read(checkpoint.with_name("log.vkey")) or b""
    return {"log": checkpoint.parent.name, "origin": origin, "size": int(size), "vkey": key.decode().strip()}
