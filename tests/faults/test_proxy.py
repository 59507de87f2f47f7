"""The proxy does what its toxics are called, to a server that sends back what it gets."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.faults.proxy import NAMES, Proxy, Toxic

WORD = b"0123456789" * 10


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A proxy before an echo."""
    with socket.create_server(("127.0.0.1", 0)) as listening, Proxy(listening.getsockname()[1]) as found:
        threading.Thread(target=echo, args=(listening,), daemon=True).start()
        yield found


def echo(listening: socket.socket) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        threading.Thread(target=echo_one, args=(connection,), daemon=True).start()


def echo_one(connection: socket.socket) -> None:
    with connection:
        try:
            while piece := connection.recv(4096):
                connection.sendall(piece)
        except OSError:
            return


def say(proxy: Proxy, word: bytes = WORD, *, patience_s: float = 5.0, end: bool = True) -> tuple[bytes, float, str]:
    """What came back, after how many seconds, and how it ended: `closed`, `reset` or `silence`."""
    began, heard = time.monotonic(), b""
    with socket.socket() as line:
        line.settimeout(patience_s)
        try:
            line.connect(("127.0.0.1", proxy.port))
            line.sendall(word)
            if end:
                line.shutdown(socket.SHUT_WR)
            while piece := line.recv(4096):
                heard += piece
                if not end and len(heard) >= len(word):
                    return heard, time.monotonic() - began, "open"
        except TimeoutError:
            return heard, time.monotonic() - began, "silence"
        except OSError:
            return heard, time.monotonic() - began, "reset"
        return heard, time.monotonic() - began, "closed"


def test_without_toxics_everything_passes_unchanged(proxy: Proxy) -> None:
    word = bytes(range(256)) * 2000
    heard, _, end = say(proxy, word)
    assert (heard == word, end) == (True, "closed")


@pytest.mark.parametrize("direction", ["up", "down"])
def test_latency_is_added_to_a_direction(proxy: Proxy, direction: str) -> None:
    proxy.be(Toxic("latency", direction, seconds=0.3))
    heard, took_s, _ = say(proxy)
    assert heard == WORD
    assert took_s >= 0.3


def test_down_lets_nobody_in_and_cuts_off_who_is_inside(proxy: Proxy) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as line:
        line.sendall(WORD)
        assert line.recv(4096)
        proxy.be(Toxic("down"))
        assert line.recv(4096) == b""
    assert say(proxy)[0::2] == (b"", "reset")
    proxy.be()
    assert say(proxy)[0] == WORD


def test_bandwidth_is_so_many_bytes_a_second(proxy: Proxy) -> None:
    proxy.be(Toxic("bandwidth", size=200))
    heard, took_s, _ = say(proxy)
    assert heard == WORD
    assert took_s >= 0.45


def test_a_slow_close_comes_late_and_the_bytes_do_not(proxy: Proxy) -> None:
    proxy.be(Toxic("slow_close", "down", seconds=0.4))
    heard, took_s, end = say(proxy)
    assert (heard, end) == (WORD, "closed")
    assert took_s >= 0.4
    assert say(proxy, end=False)[1] < 0.4


def test_a_timeout_passes_nothing_on_and_closes(proxy: Proxy) -> None:
    proxy.be(Toxic("timeout", seconds=0.2))
    heard, took_s, _ = say(proxy)
    assert heard == b""
    assert took_s >= 0.2


def test_a_timeout_of_nothing_is_silence_for_ever(proxy: Proxy) -> None:
    proxy.be(Toxic("timeout"))
    assert say(proxy, patience_s=0.5)[0::2] == (b"", "silence")


def test_reset_peer_resets(proxy: Proxy) -> None:
    proxy.be(Toxic("reset_peer", "down", seconds=0.1))
    assert say(proxy)[0::2] == (b"", "reset")
    assert proxy.cut == 1


def test_a_slicer_cuts_into_pieces_and_loses_none(proxy: Proxy) -> None:
    proxy.be(Toxic("slicer", size=1, seconds=0.002))
    heard, took_s, _ = say(proxy)
    assert heard == WORD
    assert took_s >= 0.2


def test_limit_data_ends_after_so_many_bytes(proxy: Proxy) -> None:
    proxy.be(Toxic("limit_data", "down", size=42))
    assert say(proxy)[0] == WORD[:42]


def test_toxics_of_both_directions_add_up(proxy: Proxy) -> None:
    proxy.be(Toxic("latency", "up", seconds=0.2), Toxic("latency", "down", seconds=0.2))
    assert say(proxy)[1] >= 0.4


def test_every_connection_meets_the_next_weather_and_none_is_used_up_by_whoever_did_not_reach_the_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = closed.getsockname()[1]
    with Proxy(nobody) as proxy:
        proxy.vary([(Toxic("limit_data", "down", size=7),), (Toxic("down"),), ()])
        assert say(proxy)[0::2] == (b"", "reset")
        with socket.create_server(("127.0.0.1", 0)) as listening:
            threading.Thread(target=echo, args=(listening,), daemon=True).start()
            proxy.server_port = listening.getsockname()[1]
            assert [say(proxy)[0] for _ in range(6)] == [WORD[:7], b"", WORD] * 2


def test_down_in_the_weather_cuts_off_who_is_inside() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, Proxy(listening.getsockname()[1]) as proxy:
        threading.Thread(target=echo, args=(listening,), daemon=True).start()
        proxy.vary([(), (Toxic("down"),)])
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as line:
            line.sendall(WORD)
            assert line.recv(4096)
            say(proxy)
            assert line.recv(4096) == b""


def test_a_name_that_is_no_toxic_is_refused(proxy: Proxy) -> None:
    with pytest.raises(AssertionError):
        proxy.be(Toxic("lateness"))
    with pytest.raises(AssertionError):
        proxy.vary([(Toxic("lateness"),)])
    assert len(NAMES) == 8
