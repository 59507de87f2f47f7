"""The guarded connection under every way to a partner: who may be connected to, for how long.

Rules:
* A name is resolved once, every address it has is judged, and the judged address is the one connected to, so a second
  lookup cannot point elsewhere. An address must be global, or inside a network that the partner's agreement names.
  What is written around an IPv4 address for translators, or was private once, counts as not global.
* Plain HTTP goes only into such a named network; everything else needs TLS with a verified name.
* An attempt has one deadline over finding the name, connecting, writing and reading. Neither a partner that trickles
  bytes nor a name server that does not answer can stretch it; an attempt that outlives its lease looks like a crash.

It refuses redirects, cookies, proxies and anything from the environment: it uses the transport of httpx2 alone, which
has none of these. Source: ipaddress `is_global` (IANA special-purpose registries), and what that calls global still:
RFC 4291 §2.5.5.1, RFC 2765 §2.1, RFC 8215, RFC 3879.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
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
_NOT_GLOBAL = tuple(map(IPv6Network, ("::/96", "::ffff:0:0:0/96", "64:ff9b:1::/48", "fec0::/10")))
"""IPv4 inside, and private once; `is_global` says nothing of these, or not in every version."""


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
    """Connects to judged addresses only. `names`: threads that find names, for the system's own waiting has no end."""

    def __init__(
        self, networks: Sequence[Network], resolve: Resolver, terms: _Terms, names: ThreadPoolExecutor
    ) -> None:
        self._networks, self._resolve, self._terms, self._names = networks, resolve, terms, names
        self._inner = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        addresses = self._addresses(host, port)
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

    def _addresses(self, host: str, port: int) -> list[Address]:
        asked = self._names.submit(self._resolve, host, port)
        try:
            found = asked.result(self._terms.left(None, httpcore2.ConnectTimeout))
            return [ip_address(one.partition("%")[0]) for one in found]
        except TimeoutError:  # an OSError, too
            asked.cancel()
            raise httpcore2.ConnectTimeout("the name was not found in time") from None
        except (OSError, ValueError):
            raise httpcore2.ConnectError("the name has no address") from None


class Egress(httpx2.HTTPTransport):
    """A pool of kept-alive connections to one partner. Safe for several threads; an attempt stays on its thread."""

    def __init__(
        self, networks: Sequence[Network] = (), *, connections: int = 4, resolve: Resolver | None = None
    ) -> None:
        context = trusted()
        super().__init__(verify=context, trust_env=False)
        self._pool.close()
        self._terms, self._names = _Terms(), ThreadPoolExecutor(connections, "name")
        self._pool = httpcore2.ConnectionPool(
            ssl_context=context,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=IDLE_S,
            network_backend=_Backend(tuple(networks), resolve or addresses_of, self._terms, self._names),
        )

    def close(self) -> None:
        """Close the connections; nobody waits for a name any more."""
        super().close()
        self._names.shutdown(wait=False, cancel_futures=True)

    @contextmanager
    def attempt(self, total_s: float, *, plain: bool) -> Any:
        """Set the terms of the attempt that this thread makes inside the block."""
        self._terms.until, self._terms.plain = time.monotonic() + total_s, plain
        yield


@cache
def trusted() -> ssl.SSLContext:
    """Whose certificates are believed: whom the system believes. Read once, as that takes longer than all else here."""
    return ssl.create_default_context()


def may_connect(address: Address, networks: Sequence[Network], *, plain: bool) -> bool:
    """Whether an address, and any IPv4 address inside it, may be connected to; plain HTTP only into named networks."""
    inside = any(address.version == network.version and address in network for network in networks)
    if inside:
        return True
    if plain or not address.is_global or address.is_multicast or _is_special(address):
        return False
    return all(may_connect(a, networks, plain=plain) for a in _embedded(address))


def addresses_of(host: str, port: int) -> Sequence[str]:
    """Every address of a name, as the system resolves it."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _is_special(address: Address) -> bool:
    return isinstance(address, IPv6Address) and any(address in network for network in _NOT_GLOBAL)


def _embedded(address: Address) -> list[IPv4Address]:
    if isinstance(address, IPv4Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        found.append(IPv4Address(int(address) & 0xFFFF_FFFF))
    return [a for a in found if a is not None]
