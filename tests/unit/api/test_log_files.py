"""The door of the log: published files in the spelling of the specification, and nothing else of the disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from gateway.api import log_files
from tests.unit.exchange_log.test_note import HEAD, LOG_KEY

LEAVES = bytes(range(256)) * 32


@pytest.fixture
def door(tmp_path: Path) -> TestClient:
    log = tmp_path / "xlog" / "2026"
    (log / "tile/0/x001").mkdir(parents=True)
    (log / "checkpoint").write_text(HEAD.sign(LOG_KEY))
    (log / "log.vkey").write_text(f"{LOG_KEY.verifier.vkey}\n")
    (log / "policy").write_text("quorum none\n")
    (log / "tile/0/x001/234").write_bytes(LEAVES)
    (log / "tile/entries").mkdir()
    (log / "tile/entries/000").write_bytes(b"for auditors only")
    (tmp_path / "secret").write_text("not for you")
    return TestClient(Starlette(routes=list(log_files.routes(tmp_path / "xlog"))), raise_server_exceptions=True)


def test_a_checkpoint_is_text_that_nobody_keeps(door: TestClient) -> None:
    said = door.get("/xlog/2026/checkpoint")
    assert (said.status_code, said.text) == (200, HEAD.sign(LOG_KEY))
    assert said.headers["content-type"] == "text/plain; charset=utf-8"
    assert said.headers["cache-control"] == "public, max-age=2"


def test_a_stamp_and_what_it_is_over_are_served_as_they_are(door: TestClient, tmp_path: Path) -> None:
    assert door.get("/xlog/2026/stamped.tsr").status_code == 404
    (tmp_path / "xlog/2026/stamped.tsr").write_bytes(b"0\x82")
    (tmp_path / "xlog/2026/stamped").write_text(HEAD.sign(LOG_KEY))
    said = door.get("/xlog/2026/stamped.tsr")
    assert (said.content, said.headers["content-type"]) == (b"0\x82", "application/timestamp-reply")
    assert door.get("/xlog/2026/stamped").text == HEAD.sign(LOG_KEY)


def test_a_tile_is_bytes_that_may_be_kept_for_ever(door: TestClient) -> None:
    said = door.get("/xlog/2026/tile/0/x001/234")
    assert (said.content, said.headers["content-type"]) == (LEAVES, "application/octet-stream")
    assert "immutable" in said.headers["cache-control"]


def test_a_full_tile_answers_for_a_partial_one_that_is_gone(door: TestClient) -> None:
    assert door.get("/xlog/2026/tile/0/x001/234.p/3").content == LEAVES[:96]
    assert door.get("/xlog/2026/tile/0/x001/235.p/3").status_code == 404


def test_all_logs_are_listed_with_their_keys(door: TestClient) -> None:
    [log] = door.get("/xlog").json()
    assert log == {"log": "2026", "origin": HEAD.origin, "size": 70_000, "vkey": LOG_KEY.verifier.vkey}


@pytest.mark.parametrize(
    "path",
    [
        "/xlog/2026/tile/entries/000", "/xlog/2026/../../secret", "/xlog/%2e%2e/secret",
        "/xlog/2026/%2e%2e/%2e%2e/secret",
        "/xlog/../secret", "/xlog/2026/tile/0/%2e%2e/%2e%2e/checkpoint", "/xlog/2027/checkpoint", "/xlog/2026/",
        "/xlog/2026/tile/0/x001", "/xlog/2026/tile/0/x001/234/x", "/xlog/2026/checkpoint/x", "/xlog/20260/checkpoint",
        "/xlog/2026/tile/00/x001/234", "/xlog/2026/checkpoint.1.tmp",
    ],
)  # fmt: skip
def test_nothing_else_is_given_away(door: TestClient, path: str) -> None:
    said = door.get(path)
    assert said.status_code == 404
    assert "not for you" not in said.text
    assert "auditors" not in said.text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nobody_writes_here(door: TestClient, method: str) -> None:
    assert door.request(method, "/xlog/2026/checkpoint").status_code == 405
