"""The port PartnerChannel, on every way of reaching a partner: whatever a partner does, an answer in neutral words."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import httpcore2
import httpx2
import pytest
import respx

from adapters.partners.egress import AddressRefused, Network, may_connect
from adapters.partners.fhir_rest import FhirRest
from adapters.partners.json_rest import JsonRest
from adapters.partners.line import Line
from gateway.partners.dialect import Dialect
from gateway.partners.profile import Profile
from gateway.ports import Answer, Outgoing, PartnerChannel

ROOT = Path(__file__).resolve().parents[3]
LOOPBACK: tuple[Network, ...] = (ip_network("127.0.0.0/8"),)
WAYS: dict[str, Callable[[Line, Dialect], PartnerChannel]] = {"json-rest": JsonRest, "fhir-rest": FhirRest}
JWS = f"{'e' * 60}.{'p' * 400}.{'s' * 86}"
URL = "http://partner.test/in"
each_partner = pytest.mark.parametrize("partner", ["keis", "kead", "trn"])


def profile(partner: str) -> Profile:
    return Profile.load(ROOT / "mappings/partners" / partner / "profile.yaml", ROOT / "schemas")


def channel(partner: str, line: Line) -> PartnerChannel:
    it = profile(partner)
    return WAYS[it.adapter](line, it.response)


def outgoing(url: str = URL, **headers: str) -> Outgoing:
    signed = {"Content-Type": "application/json", "Idempotency-Key": "m-1", "Comwel-Message-JWS": JWS, **headers}
    return Outgoing("m-1", url, "application/json", '{"이름":"홍길동"}'.encode(), JWS, signed)


@pytest.fixture
def line() -> Iterator[Line]:
    it = Line(2.0, LOOPBACK)
    yield it
    it.close()


def body(partner: str, word: str) -> dict[str, Any]:
    """An answer of this partner that means ok, duplicate, permanent or retry."""
    code = {
        "keis": {"ok": "0000", "duplicate": "3001", "permanent": "1001", "retry": "9001", "strange": "7777"},
        "kead": {"ok": "정상", "duplicate": "중복", "permanent": "형식오류", "retry": "점검중", "strange": "글쎄"},
        "trn": {"ok": "informational", "duplicate": "duplicate", "permanent": "structure", "retry": "transient",
                "strange": "odd"},
    }[partner][word]  # fmt: skip
    if partner == "keis":
        return {"header": {"rsltCd": code, "rsltMsg": "홍길동"}, "receipt": JWS}
    if partner == "kead":
        return {"결과": code, "수신증": JWS}
    severity = "information" if word in ("ok", "duplicate") else "error"
    return {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": code}]}


@each_partner
@pytest.mark.parametrize(
    ("word", "result"),
    [("ok", "ok"), ("duplicate", "duplicate"), ("permanent", "permanent"), ("retry", "retry"), ("strange", "retry")],
)
def test_a_result_code_is_read_as_the_profile_says(
    partner: str, word: str, result: str, line: Line, httpx2_mock: respx.Router
) -> None:
    receipt = {"Comwel-Receipt-JWS": JWS} if partner == "trn" else {}
    httpx2_mock.post(URL).respond(200, json=body(partner, word), headers=receipt)
    answer = channel(partner, line).send(outgoing())
    head = (("content-type", "application/json"),)
    assert answer == Answer("after", 200, JWS, result, None, "HTTP 200, JSON", head=head)


@pytest.mark.parametrize(("signature", "is_found"), [(1366, True), (8000, False)])  # RSA of 8192 bits; too long for any
def test_a_receipt_is_found_whatever_key_the_gate_lets_in_has_signed_it(
    signature: int, is_found: bool, line: Line, httpx2_mock: respx.Router
) -> None:
    jws = f"{'e' * 60}.{'p' * 400}.{'s' * signature}"
    httpx2_mock.post(URL).respond(200, json={}, headers={"Comwel-Receipt-JWS": jws})
    assert channel("keis", line).send(outgoing()).receipt_jws == (jws if is_found else None)


@each_partner
def test_the_signed_headers_and_the_exact_bytes_are_sent(partner: str, line: Line, httpx2_mock: respx.Router) -> None:
    route = httpx2_mock.post(URL).respond(200, json={})
    channel(partner, line).send(outgoing(Signature="sig1=:abc:"))
    sent = route.calls.last.request
    assert sent.content == outgoing().body
    assert {sent.headers[n] for n in ("Signature", "Idempotency-Key", "Comwel-Message-JWS")} == {
        "sig1=:abc:", "m-1", JWS,
    }  # fmt: skip
    assert sent.headers["Accept-Encoding"] == "identity"
    assert "cookie" not in sent.headers


NONSENSE: dict[str, tuple[int, bytes, dict[str, Any]]] = {
    "a page": (200, "<html>홍길동</html>".encode(), {"Content-Type": "text/html; charset=utf-8"}),
    "nothing": (200, b"", {}),
    "half of a JSON": (200, b'{"header": {"rsltCd": "00', {"Content-Type": "application/json"}),
    "not an object": (200, b'["0000"]', {}),
    "a name twice": (200, b'{"header":{"rsltCd":"0000"},"header":{"rsltCd":"1001"}}', {}),
    "no UTF-8": (200, b"\xff\xfe\x00", {"Content-Type": "홍길동".encode()}),
    "a bottomless JSON": (200, b"[" * 5000, {}),
    "null": (200, b"null", {}),
    "a redirect": (302, b"", {"Location": "http://127.0.0.1:1/elsewhere"}),
    "a gateway in between": (502, b"Bad Gateway", {"Content-Type": "text/plain"}),
    "compressed though not asked": (200, b"\x1f\x8b\x08", {"Content-Encoding": "gzip"}),
}


@each_partner
@pytest.mark.parametrize("what", NONSENSE)
def test_nonsense_has_no_result_and_no_receipt(partner: str, what: str, line: Line, httpx2_mock: respx.Router) -> None:
    status, content, headers = NONSENSE[what]
    httpx2_mock.post(URL).respond(status, content=content, headers=headers)
    answer = channel(partner, line).send(outgoing())
    assert (answer.phase, answer.status, answer.receipt_jws) == ("after", status, None)
    assert answer.result is None
    assert "홍길동" not in answer.detail


@each_partner
def test_odd_shapes_never_raise(partner: str, line: Line, httpx2_mock: respx.Router) -> None:
    odd: list[Any] = [1, None, [], {}, "x", {"a": 1}, [None], [{"code": 1}]]
    for value in odd:
        for document in (
            {"header": value}, {"header": {"rsltCd": value}, "receipt": value}, {"결과": value, "수신증": value},
            {"resourceType": "OperationOutcome", "issue": value},
            {"resourceType": "OperationOutcome", "issue": [{"severity": value, "code": value}]},
        ):  # fmt: skip
            httpx2_mock.post(URL).respond(200, json=document, headers={"Comwel-Receipt-JWS": str(value)})
            answer = channel(partner, line).send(outgoing())
            assert answer.receipt_jws is None
            assert answer.result in (None, "retry")


def test_the_worst_issue_speaks_for_an_operation_outcome(line: Line, httpx2_mock: respx.Router) -> None:
    issues = [{"severity": "information", "code": "informational"}, {"severity": "error", "code": "structure"}]
    httpx2_mock.post(URL).respond(422, json={"resourceType": "OperationOutcome", "issue": issues})
    assert channel("trn", line).send(outgoing()).result == "permanent"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "99999999999999999999"}, 3600.0),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "Mon, 23 Nov 2026 00:01:30 GMT", "Date": "Mon, 23 Nov 2026 00:00:00 GMT"}, 90.0),
        ({"Retry-After": "Mon, 23 Nov 2026 00:01:30 GMT", "Date": "never"}, None),
        (
            {"Retry-After": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "Date": "Mon, 23 Nov 2026 00:00:00 GMT"},
            None,
        ),
        (
            {"Retry-After": "Mon, 23 Nov 2026 00:01:30 GMT", "Date": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"},
            None,
        ),
        ({}, None),
    ],
)
def test_retry_after_is_understood_in_both_forms(
    headers: dict[str, str], seconds: float | None, line: Line, httpx2_mock: respx.Router
) -> None:
    httpx2_mock.post(URL).respond(503, headers=headers)
    assert channel("keis", line).send(outgoing()).retry_after == seconds


@each_partner
@pytest.mark.parametrize(
    ("raised", "phase", "sent"),
    [
        (httpx2.ConnectTimeout, "attempt", False),
        (httpx2.ConnectError, "attempt", False),
        (httpx2.ReadTimeout, "attempt", True),
        (httpx2.WriteTimeout, "attempt", True),
        (httpx2.ReadError, "attempt", True),
        (httpx2.RemoteProtocolError, "attempt", True),
        (httpx2.PoolTimeout, "before", False),
    ],
)
def test_a_failure_is_named_by_its_phase_and_by_whether_anything_left_us(
    partner: str, raised: type[Exception], phase: str, sent: bool, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> httpx2.Response:
        raise raised("010-1234-5678")

    monkeypatch.setattr(line._egress, "handle_request", fail)
    answer = channel(partner, line).send(outgoing())
    assert (answer.phase, answer.status, answer.receipt_jws, answer.result) == (phase, None, None, None)
    assert (answer.sent, answer.head) == (sent, ())
    assert "010" not in answer.detail


@each_partner
def test_of_an_answers_head_six_fields_are_kept_however_much_of_it_there_is(
    partner: str, line: Line, httpx2_mock: respx.Router
) -> None:
    said: dict[str, Any] = {
        "Date": "Mon, 23 Nov 2026 00:00:00 GMT",
        "Retry-After": "9" * 5000,
        "Content-Digest": "홍길동".encode(),
    }
    noise = {"Set-Cookie": "a=b", "Server": "x", "Connection": "close", **{f"X-{n}": "y" * 900 for n in range(90)}}
    httpx2_mock.post(URL).respond(503, content=b"", headers=said | noise)
    head = channel(partner, line).send(outgoing()).head
    assert head == (("date", said["Date"]), ("content-digest", None), ("retry-after", None))


# ── real sockets ─────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def rude() -> Iterator[Callable[[Callable[[socket.socket], None]], str]]:
    """A TCP server that does whatever the test wants with each connection."""
    servers: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve(behave: Callable[[socket.socket], None]) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def run() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    try:
                        behave(connection)
                    except OSError:
                        continue

        threads.append(threading.Thread(target=run, daemon=True))
        threads[-1].start()
        return f"http://127.0.0.1:{server.getsockname()[1]}/in"

    yield serve
    for server in servers:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
    for thread in threads:
        thread.join()


def _drip(connection: socket.socket) -> None:
    connection.recv(65536)
    for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 1000:
        connection.send(bytes([byte]))
        time.sleep(0.05)


def _drip_body(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(100):
        connection.send(b" ")
        time.sleep(0.05)


def _reset(connection: socket.socket) -> None:
    connection.recv(10)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def _hang_up(connection: socket.socket) -> None:
    connection.recv(65536)


def _babble(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"220 mail.partner.test ESMTP\r\n")


def _cut(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nComwel-Receipt-JWS: " + JWS.encode() + b"\r\nContent-Length: 1000\r\n\r\n{")


def _flood(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")


@pytest.mark.parametrize("behave", [_drip, _reset, _hang_up, _babble])
def test_a_rude_partner_is_an_attempt_that_failed_in_time(behave: Any, rude: Any) -> None:
    line = Line(0.4, LOOPBACK)
    began = time.monotonic()
    answer = channel("keis", line).send(outgoing(rude(behave)))
    assert time.monotonic() - began < 1.0
    assert (answer.phase, answer.status, answer.result) == ("attempt", None, None)
    line.close()


def test_a_dripping_body_is_cut_at_the_deadline(rude: Any) -> None:
    line = Line(0.4, LOOPBACK)
    began = time.monotonic()
    answer = channel("keis", line).send(outgoing(rude(_drip_body)))
    assert time.monotonic() - began < 1.0
    assert (answer.phase, answer.status, answer.detail) == ("after", 200, "HTTP 200, broke off")
    line.close()


def test_a_name_server_that_does_not_answer_is_waited_for_until_the_deadline_only(rude: Any) -> None:
    answered = threading.Event()

    def silent(host: str, port: int) -> list[str]:
        answered.wait(5.0)
        return ["127.0.0.1"]

    line, began = Line(0.4, LOOPBACK, connections=2, resolve=silent), time.monotonic()
    for _ in range(4):  # more than there are threads to wait with
        answer = channel("keis", line).send(outgoing("http://partner.test:9/in"))
        assert (answer.phase, answer.detail, answer.sent) == ("attempt", "no connection in time", False)
    assert time.monotonic() - began < 4 * 0.4 + 0.6
    answered.set()
    port = rude(_cut).split(":")[2].split("/")[0]
    assert channel("keis", line).send(outgoing(f"http://partner.test:{port}/in")).receipt_jws == JWS
    line.close()


def test_a_receipt_in_the_header_survives_an_answer_that_breaks_off(rude: Any, line: Line) -> None:
    answer = channel("kead", line).send(outgoing(rude(_cut)))
    assert answer == Answer("after", 200, JWS, None, None, "HTTP 200, broke off")


def test_a_flood_is_cut_at_256_kb(rude: Any, line: Line) -> None:
    answer = channel("trn", line).send(outgoing(rude(_flood)))
    assert (answer.phase, answer.result, answer.detail) == ("after", None, "HTTP 200, larger than 256 kB")


def test_nobody_at_home_is_an_attempt_that_failed(line: Line) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    answer = channel("keis", line).send(outgoing(f"http://127.0.0.1:{port}/in"))
    assert (answer.phase, answer.detail) == ("attempt", "cannot connect")


# ── who may be connected to ──────────────────────────────────────────────────────────────────────────────────────────
FORBIDDEN = (
    "https://127.0.0.1/", "https://2130706433/", "https://0x7f000001/", "https://127.1/", "https://0.0.0.0/",
    "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/",
    "https://10.0.0.1/", "https://172.16.0.1/", "https://192.168.0.1/", "https://169.254.169.254/", "https://[fe80::1]/",
    "https://[fd00::1]/", "https://[fec0::1]/", "https://[::7f00:1]/", "https://[::ffff:0:127.0.0.1]/",
    "https://[64:ff9b:1::7f00:1]/", "https://100.64.0.1/", "https://224.0.0.1/", "https://user@127.0.0.1/", "http://8.8.8.8/",
)  # fmt: skip


@pytest.mark.rule("R-26")
@pytest.mark.parametrize("url", FORBIDDEN)
def test_an_address_outside_the_agreement_is_refused_before_the_attempt(url: str) -> None:
    line = Line(1.0)
    answer = channel("keis", line).send(outgoing(url))
    assert (answer.phase, answer.detail) == ("before", "the address is outside the agreement")
    line.close()


@pytest.mark.parametrize(
    "url", ["ftp://partner.test/", "partner.test", "http://[", "http://a b/", "", "https://x:99999999/"]
)
def test_a_malformed_address_is_refused_before_the_attempt(url: str, line: Line) -> None:
    answer = channel("keis", line).send(outgoing(url))
    assert answer.phase in ("before", "attempt")
    assert answer.status is None


@pytest.mark.parametrize("bad", ["a\r\nHost: elsewhere", "홍", "\0"])
def test_a_header_that_is_no_header_is_refused_before_the_attempt(bad: str, rude: Any, line: Line) -> None:
    assert channel("keis", line).send(outgoing(rude(_hang_up), Bad=bad)).phase == "before"


def test_a_name_with_one_forbidden_address_is_refused_whole() -> None:
    line = Line(1.0, resolve=lambda host, port: ["93.184.216.34", "10.0.0.1"])
    answer = channel("keis", line).send(outgoing("https://partner.test/in"))
    assert answer.detail == "the address is outside the agreement"
    line.close()


@pytest.mark.rule("R-26")
def test_the_judged_address_is_the_one_connected_to(rude: Any) -> None:
    """A name server that changes its answer after the judgement changes nothing: it is asked once."""
    asked: list[str] = []

    def rebind(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    line = Line(1.0, LOOPBACK, resolve=rebind)
    port = rude(_hang_up).split(":")[2].split("/")[0]
    answer = channel("keis", line).send(outgoing(f"http://partner.test:{port}/in"))
    assert (answer.detail, asked) == ("the answer is not HTTP, or the connection was closed", ["partner.test"])
    line.close()


def test_plain_http_goes_only_into_a_named_network() -> None:
    public, private = ip_address("93.184.216.34"), ip_address("10.1.2.3")
    assert may_connect(public, (), plain=False)
    assert not may_connect(public, (), plain=True)
    assert may_connect(private, (ip_network("10.0.0.0/8"),), plain=True)
    assert not may_connect(private, (ip_network("10.9.0.0/16"),), plain=False)
    assert issubclass(AddressRefused, httpcore2.ConnectError)
