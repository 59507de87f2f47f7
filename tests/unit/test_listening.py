"""A listening socket: one that nobody else has, or a sentence."""

from __future__ import annotations

import socket

import pytest

from gateway.errors import SettingsInvalid
from gateway.listening import listen

SAID = "--host, --port"


def test_a_free_port_is_taken_and_callers_come_in() -> None:
    with listen("127.0.0.1", 0, SAID) as listening:
        port = listening.getsockname()[1]
        assert (port > 0, listening.proto) == (True, socket.IPPROTO_TCP)
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            caller, _ = listening.accept()
            caller.close()


def test_a_port_that_is_taken_is_said_with_its_setting() -> None:
    with listen("127.0.0.1", 0, SAID) as first:
        port = first.getsockname()[1]
        with pytest.raises(SettingsInvalid, match=rf"{SAID}: port {port} cannot be opened \(Address already in use\)"):
            listen("127.0.0.1", port, SAID)


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70000), ("127.0.0.1", -1), ("no.such.host.invalid", 0)])
def test_what_is_no_address_is_said_so(host: str, port: int) -> None:
    with pytest.raises(SettingsInvalid, match=rf"{SAID}: port {port} cannot be opened \("):
        listen(host, port, SAID)
