"""What docker-compose.yml starts works: the same commands as local processes, two doors, two workers, mutual TLS."""

from __future__ import annotations

import http.server
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx2
import pytest

from gateway.assembly.books import open_books
from gateway.assembly.clocks import RealClock
from gateway.assembly.sandbox import make_night
from gateway.cli.engines import Full
from gateway.cli.partners import Partners, free_port
from gateway.cli.reckoning import compare
from gateway.cli.report import Report
from gateway.config import Settings
from tests.acceptance.machine import NGINX, PARTNERS, SERVICES, Machine, as_we_are, replicas, until
from tests.conftest import in_database, run_on, running_broker

CASES = 30
STORES = {"postgres", "redis"}
ONCE = {"migrate", "introduce"}


@pytest.fixture(scope="module")
def machine(postgres: str) -> Iterator[Machine]:
    """Everything in the compose file, healthy."""
    name, folder = f"compose{os.getpid()}", Path(tempfile.mkdtemp(prefix="gateway-test-"))
    run_on(postgres, f"create database {name}")
    with running_broker() as broker_url:
        found = Machine(folder, in_database(postgres, name), broker_url)
        try:
            found.start_stores()
            for service in SERVICES:
                found.start(service)
            yield found
        finally:
            found.stop()
            shutil.rmtree(folder, ignore_errors=True)
            run_on(postgres, f"drop database {name} with (force)")


def test_every_service_is_healthy_by_its_own_health_check(machine: Machine) -> None:
    watched = [name for name, service in SERVICES.items() if "test" in service.get("healthcheck", {})]
    assert set(SERVICES) - set(watched) == ONCE | {"beat"}
    for name in set(watched) - STORES:
        for number in range(replicas(name)):
            until(f"{name}-{number} is healthy", lambda n=name, i=number: machine.healthy(n, i))
    assert {name for name in machine.running if name.startswith(("api", "worker"))} == {
        "api-0", "api-1", "worker-0", "worker-1"}  # fmt: skip


def test_a_night_goes_through_the_proxy_and_both_sides_books_agree(machine: Machine) -> None:
    night = machine.folder / "night"
    night.mkdir()
    make_night(night, CASES, 20261123, RealClock().today())
    settings = Settings(home=machine.home, database_url=machine.database)
    urls = {partner.upper(): f"http://127.0.0.1:{machine.ports[partner]}" for partner in PARTNERS}
    with open_books(settings) as books, closing(Partners(urls)) as partners:
        engine = Full(settings, books, partners, RealClock(), lambda: None)  # type: ignore[arg-type]  # not moved
        report = Report(home=machine.home, night=night, intake=engine.hand_over(night))
        engine.until_quiet()
        with books.store.unit() as unit:
            report.cases = [dict(row) for row in unit.cases.report()]
            report.exchanges = [dict(row) for row in unit.outbox.report()]
            report.counts = dict(unit.counts())
        report.partners = {partner: partners.status(partner) for partner in urls}
    assert compare(report) == []
    assert {(e["direction"], e["partner"]) for e in report.exchanges} == {(d, p) for d in ("in", "out") for p in urls}


def test_the_witness_has_cosigned_what_the_workers_published(machine: Machine) -> None:
    def cosigned() -> bool:
        signed = [path.read_text(encoding="utf-8") for path in (machine.home / "xlog").glob("*/witnessed")]
        return any("— witness.example/own " in note for note in signed)

    until("the newest checkpoint has its cosignature", cosigned)


# ── mutual TLS ───────────────────────────────────────────────────────────────────────────────────────────────────────
def caller(machine: Machine, *, certificate: str | None, authority: str = "proxy-ca") -> httpx2.Client:
    context = ssl.create_default_context(cafile=machine.secrets / f"{authority}.pem")
    if certificate:
        context.load_cert_chain(machine.secrets / f"{certificate}.pem", machine.secrets / f"{certificate}.key")
    return httpx2.Client(verify=context, base_url=f"https://127.0.0.1:{machine.proxy}", trust_env=False)


@pytest.mark.parametrize("certificate", [None, "proxy"], ids=["none", "of another authority"])
def test_without_a_certificate_of_the_partners_authority_nobody_gets_to_the_door(
    machine: Machine, certificate: str | None
) -> None:
    with caller(machine, certificate=certificate) as http:
        said = http.get("/.well-known/jwks.json")
    assert said.status_code == 400
    assert "certificate" in said.text
    assert "keys" not in said.text


def test_with_a_certificate_a_partner_gets_to_the_door_but_not_to_its_health(machine: Machine) -> None:
    with caller(machine, certificate="keis") as http:
        assert http.get("/.well-known/jwks.json").json()["keys"]
        assert http.post("/partners/KEIS/v1/outcomes", content=b"{}").status_code == 401
        assert http.get("/health/ready").status_code == 404


def test_a_caller_who_trusts_another_authority_does_not_talk_to_this_proxy(machine: Machine) -> None:
    with caller(machine, certificate="keis", authority="partners-ca") as http, pytest.raises(httpx2.ConnectError):
        http.get("/.well-known/jwks.json")


def test_a_partner_that_drips_takes_nothing_from_another(machine: Machine) -> None:
    context = ssl.create_default_context(cafile=machine.secrets / "proxy-ca.pem")
    context.load_cert_chain(machine.secrets / "keis.pem", machine.secrets / "keis.key")
    with ExitStack() as stack:
        for _ in range(64):
            plain = stack.enter_context(socket.create_connection(("127.0.0.1", machine.proxy), timeout=10))
            dripping = stack.enter_context(context.wrap_socket(plain, server_hostname="127.0.0.1"))
            dripping.sendall(b"POST /partners/keis/v1/outcomes HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
        with caller(machine, certificate="keis") as own, caller(machine, certificate="kead") as other:
            until("it has its share", lambda: own.get("/.well-known/jwks.json").status_code == 429)
            assert other.get("/.well-known/jwks.json").status_code == 200


class Echo(http.server.BaseHTTPRequestHandler):
    """A door that only remembers what it was told in headers."""

    heard: dict[str, str]

    def do_GET(self) -> None:
        type(self).heard = dict(self.headers)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


def test_the_door_is_told_the_certificate_by_the_proxy_and_nothing_of_it_by_the_caller(machine: Machine) -> None:
    door = http.server.HTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=door.serve_forever, daemon=True).start()
    own, first = machine.folder / "second", machine.proxy
    own.mkdir()
    machine.proxy = free_port()
    machine.configure(own / "nginx.conf", [door.server_port], own)
    words = as_we_are([word if word != "/etc/nginx/nginx.conf" else str(own / "nginx.conf")
                       for word in SERVICES["proxy"]["command"]])  # fmt: skip
    proxy = subprocess.Popen([NGINX, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until("the second proxy runs", lambda: (own / "nginx.pid").exists() and (own / "nginx.pid").stat().st_size)
        forged = {"Comwel-Client-Subject": "CN=somebody", "Comwel-Client-Cert": "mine"}
        with caller(machine, certificate="kead") as http_client:
            assert http_client.get("/x", headers=forged).status_code == 204
    finally:
        machine.proxy = first
        proxy.terminate()
        proxy.wait()
        door.shutdown()
        door.server_close()
    assert Echo.heard["Comwel-Client-Subject"] == "CN=kead.pretend.example"
    assert unquote(Echo.heard["Comwel-Client-Cert"]) == (machine.secrets / "kead.pem").read_text()


# ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_everybody_ends_when_asked_within_the_time_the_file_gives(machine: Machine) -> None:
    codes = machine.stop()
    said = {name: code for name, code in codes.items() if code and not name.startswith((*PARTNERS, "witness"))}
    assert said == {}  # theirs end well, and then of the signal
    assert {code for name, code in codes.items() if name.startswith((*PARTNERS, "witness"))} <= {0, -signal.SIGTERM}
