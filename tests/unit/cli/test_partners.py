"""Ports that are given out before somebody listens on them."""

from __future__ import annotations

import socket
from pathlib import Path

from gateway.cli.partners import free_port


def test_a_given_port_is_out_of_reach_of_outgoing_connections_and_given_once() -> None:
    given = [free_port() for _ in range(50)]
    lowest_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert len(set(given)) == 50
    assert max(given) < lowest_outgoing


def test_a_port_that_somebody_listens_on_is_passed_over() -> None:
    following = free_port() + 1
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", following))
        assert free_port() != following
