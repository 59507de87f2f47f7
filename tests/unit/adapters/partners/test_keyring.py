"""What a partner does about our keys: fetches the set when it meets one it does not know, politely, and keeps it."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from adapters.partners.pretend.keyring import AGAIN_S, KEEP_S, Fetched, GatewayKeys
from adapters.partners.pretend.well_known import LARGEST, LONGEST_S, SHORTEST_S, WellKnown
from gateway.errors import KeyRefused
from gateway.sealing.keys import generate, to_jwk

NOW = datetime(2026, 11, 23, tzinfo=UTC)
OLD, NEW = generate("comwel-1"), generate("comwel-2")


def jwks(*keys: object) -> bytes:
    return orjson.dumps({"keys": [to_jwk(key) for key in keys]})  # type: ignore[arg-type]


@dataclass
class Gateway:
    """What a gateway shows, and how often it was asked."""

    shows: bytes | None = None
    keep_s: float = 600.0
    asked: int = 0
    ticks: list[float] = field(default_factory=lambda: [100.0])

    def fetch(self) -> Fetched | None:
        self.asked += 1
        return None if self.shows is None else Fetched(self.shows, self.keep_s)

    def known_to(self, home: Path) -> GatewayKeys:
        return GatewayKeys(home, self.fetch, ticks=lambda: self.ticks[0])


@pytest.fixture
def given(tmp_path: Path) -> Path:
    (tmp_path / "gateway.jwks.json").write_bytes(jwks(OLD))
    return tmp_path


def test_a_key_from_the_file_needs_no_asking(given: Path) -> None:
    gateway = Gateway(jwks(NEW))
    assert gateway.known_to(given)("comwel-1", NOW).kid == "comwel-1"
    assert gateway.asked == 0


def test_an_unknown_key_is_fetched_once_and_kept_for_the_next_life(given: Path) -> None:
    gateway = Gateway(jwks(OLD, NEW))
    keys = gateway.known_to(given)
    assert [keys(kid, NOW).kid for kid in ("comwel-2", "comwel-1", "comwel-2")] == ["comwel-2", "comwel-1", "comwel-2"]
    assert gateway.asked == 1
    assert Gateway().known_to(given)("comwel-2", NOW).kid == "comwel-2"


def test_who_sends_unknown_kids_makes_it_ask_once_in_five_seconds(given: Path) -> None:
    gateway = Gateway(jwks(OLD))
    keys = gateway.known_to(given)
    for second in range(11):
        gateway.ticks[0] = 100.0 + second
        with pytest.raises(KeyRefused):
            keys(f"kid-{second}", NOW)
    assert gateway.asked == 1 + int(10 / AGAIN_S)


def test_a_set_that_grew_old_is_fetched_before_anybody_is_believed_so_a_revoked_key_goes(given: Path) -> None:
    gateway = Gateway(jwks(NEW))
    keys = gateway.known_to(given)
    assert keys("comwel-1", NOW).kid == "comwel-1"
    gateway.ticks[0] += KEEP_S
    with pytest.raises(KeyRefused):
        keys("comwel-1", NOW)
    gateway.shows = jwks(OLD, NEW)
    gateway.ticks[0] += gateway.keep_s - 1
    assert keys("comwel-2", NOW).kid == "comwel-2"
    assert gateway.asked == 1
    gateway.ticks[0] += 1
    assert keys("comwel-1", NOW).kid == "comwel-1"


@pytest.mark.parametrize("shows", [None, b"<html>", b'{"keys": []}', jwks(OLD, OLD)], ids=["nothing", "html", "", "2"])
def test_what_is_no_good_set_changes_nothing(given: Path, shows: bytes | None) -> None:
    gateway = Gateway(shows)
    keys = gateway.known_to(given)
    with pytest.raises(KeyRefused):
        keys("comwel-2", NOW)
    assert keys("comwel-1", NOW).kid == "comwel-1"
    gateway.ticks[0] += KEEP_S  # and nothing when the set has grown old
    assert (keys("comwel-1", NOW).kid, gateway.asked) == ("comwel-1", 2)
    assert (given / "gateway.jwks.json").read_bytes() == jwks(OLD)


def test_a_file_that_holds_no_set_is_replaced_by_the_one_that_the_gateway_shows(given: Path) -> None:
    (given / "gateway.jwks.json").write_bytes(b"{")
    assert Gateway(jwks(NEW)).known_to(given)("comwel-2", NOW).kid == "comwel-2"
    assert (given / "gateway.jwks.json").read_bytes() == jwks(NEW)


# ── over HTTP ────────────────────────────────────────────────────────────────────────────────────────────────────────
@contextmanager
def answering(status: int, body: bytes, cache_control: str | None) -> Iterator[str]:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/.well-known/jwks.json"
            self.send_response(status if found else 404)
            if cache_control is not None:
                self.send_header("Cache-Control", cache_control)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


@pytest.mark.parametrize(
    ("says", "keeps"),
    [
        ("max-age=600", 600.0),
        ("public, max-age=3600, immutable", 3600.0),
        ("max-age=0", SHORTEST_S),
        ("max-age=999999999", LONGEST_S),
        ("no-cache", KEEP_S),
        (None, KEEP_S),
    ],
)
def test_a_set_is_kept_as_long_as_the_gateway_says_within_reason(says: str | None, keeps: float) -> None:
    with answering(200, jwks(OLD), says) as gateway:
        assert WellKnown(gateway)() == (jwks(OLD), keeps)


@pytest.mark.parametrize(("status", "body"), [(503, jwks(OLD)), (302, b""), (200, b" " * (LARGEST + 1))])
def test_another_answer_is_none(status: int, body: bytes) -> None:
    with answering(status, body, None) as gateway:
        assert WellKnown(gateway)() is None


def test_no_answer_is_none() -> None:
    with answering(200, b"", None) as gateway:
        pass
    assert WellKnown(gateway)() is None
