"""The guarded connection under every way to a partner: who may be connected to, for how long.

Rules:
* A name is resolved once, every address it has is judged, and the judged address is the one connected to, so a second
  lookup cannot point elsewhere. An address must be global, or inside a network that the partner's agreement names.
* Plain HTTP goes only into such a named network; everything else needs TLS with a verified name.
* An attempt has one deadline over connecting, writing and reading. A partner that trickles bytes cannot stretch it.

It refuses redirects, cookies, proxies and anything from the environment: it uses the transport of httpx2 alone, which
has none of these. Source: ipaddress `is_global` (IANA special-purpose registries).
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

import httpcore2
import httpx2

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address
Resolver = Callable[[str, int], Sequence[str]]

CONNECT_S = 3.0
IDLE_S = 4.0  # kept-alive connections are given up before usual servers do (5 s)
_NAT64 = IPv6Network("64:ff9b::/96")


class AddressRefused(httpcore2.ConnectError):
    """The partner's name leads to an address that we do not connect to."""


class _Terms(threading.local):
    """What holds for the attempt of this thread: its deadline (monotonic seconds), and whether it is plain HTTP."""

    until: float = 0.0
    plain: bool = False

    def left(self, wanted: float | None, late: type[Exception]) -> float:
        """Seconds for the next step, at most `wanted`. Raises `late` after the deadline."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise late("the attempt's time is over")
        return left if wanted is None else min(left, wanted)


class _Stream(httpcore2.NetworkStream):
    """A connection whose every step ends with the attempt's deadline."""

    def __init__(self, inner: httpcore2.NetworkStream, terms: _Terms) -> None:
        self._inner, self._terms = inner, terms

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._terms.left(timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._terms.left(timeout, httpcore2.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        left = self._terms.left(timeout, httpcore2.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left), self._terms)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore2.NetworkBackend):
    """Connects to judged addresses only."""

    def __init__(self, networks: Sequence[Network], resolve: Resolver, terms: _Terms) -> None:
        self._networks, self._resolve, self._terms = networks, resolve, terms
        self._inner = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        try:
            addresses = [ip_address(found.partition("%")[0]) for found in self._resolve(host, port)]
        except (OSError, ValueError, UnicodeError):
            raise httpcore2.ConnectError("the name has no address") from None
        if not addresses or not all(may_connect(a, self._networks, plain=self._terms.plain) for a in addresses):
            raise AddressRefused("an address outside the agreement")
        failure: Exception = httpcore2.ConnectError("no address answered")
        for address in addresses:
            left = self._terms.left(timeout, httpcore2.ConnectTimeout)
            try:
                inner = self._inner.connect_tcp(str(address), port, left, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
            else:
                return _Stream(inner, self._terms)
        raise failure


class Egress(httpx2.HTTPTransport):
    """A pool of kept-alive connections to one partner. Safe for several threads; an attempt stays on its thread."""

    def __init__(
        self, networks: Sequence[Network] = (), *, connections: int = 4, resolve: Resolver | None = None
    ) -> None:
        context = ssl.create_default_context()
        super().__init__(verify=context, trust_env=False)
        self._pool.close()
        self._terms = _Terms()
        self._pool = httpcore2.ConnectionPool(
            ssl_context=context,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=IDLE_S,
            network_backend=_Backend(tuple(networks), resolve or addresses_of, self._terms),
        )

    @contextmanager
    def attempt(self, total_s: float, *, plain: bool) -> Any:
        """Set the terms of the attempt that this thread makes inside the block."""
        self._terms.until, self._terms.plain = time.monotonic() + total_s, plain
        yield


def may_connect(address: Address, networks: Sequence[Network], *, plain: bool) -> bool:
    """Whether an address, and any IPv4 address inside it, may be connected to; plain HTTP only into named networks."""
    inside = any(address.version == network.version and address in network for network in networks)
    if inside:
        return True
    if plain or not address.is_global or address.is_multicast:
        return False
    return all(may_connect(a, networks, plain=plain) for a in _embedded(address))


def addresses_of(host: str, port: int) -> Sequence[str]:
    """Every address of a name, as the system resolves it."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _embedded(address: Address) -> list[IPv4Address]:
    if isinstance(address, IPv4Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        found.append(IPv4Address(int(address) & 0xFFFF_FFFF))
    return [a for a in found if a is not None]
