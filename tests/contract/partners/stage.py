"""The stage of the partners' contract tests: sealed messages as the gateway sends them, a pretend partner in its own
process, and a stub of the gateway's inbound door that verifies what comes and answers with real receipts."""

from __future__ import annotations

import itertools
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import time
from typing import Any

import httpx2
import orjson

from gateway.sealing import http, receipts
from gateway.sealing.keys import KeyRing, SigningKey, from_jwk, to_jwk
from gateway.sealing.manifest import Manifest, digest_part, open_sealed, seal
from gateway.sealing.receipts import Decision

ROOT = Path(__file__).resolve().parents[3]
HTTP = httpx2.Client(trust_env=False, timeout=60)
EVER = datetime(2000, 1, 1, tzinfo=UTC)
PATHS = {"keis": "/if/RHB-REF-01", "kead": "/api/referrals", "trn": "/fhir/$process-message"}
PERSON = {"keis": "PKE-", "kead": "PKD-", "trn": "PTR-"}
CONTENT_TYPE = {"keis": "application/json", "kead": "application/json", "trn": "application/fhir+json"}


def _now() -> datetime:
    return datetime.fromtimestamp(time(), UTC)


def message_id() -> str:
    text = secrets.token_hex(16)
    return f"{text[:8]}-{text[8:12]}-7{text[13:16]}-8{text[17:20]}-{text[20:]}"


def keis_referral(ref_no: str, purpose: str = "REF_NEW") -> dict[str, Any]:
    header = {
        "ifId": "RHB-REF-01", "trnsNo": message_id(), "trnsDtm": "20261123090000", "sndOrgCd": "COMWEL",
        "rcvOrgCd": "KEIS", "trnsTpCd": purpose, "lglBssCd": "LB-01", "consNo": "C2026-0001", "schmVer": "1.0",
    }  # fmt: skip
    body = {"refNo": ref_no, "refTpCd": "01", "ptnrPsnId": "PKE-" + "A" * 26}
    if purpose in ("REF_CNL", "CNS_WDR"):
        return {"header": header, "body": {**body, "orgRefNo": ref_no, "cnlRsnCd": "WDR"}}
    named = {"sekrNm": "홍길동", "brthDt": "19800229", "mblTelno": "01012345678", "rtnDueDt": "20261207"}
    return {"header": header, "body": {**body, **named}}


def kead_referral(ref_no: str, purpose: str = "의뢰") -> dict[str, Any]:
    head = {
        "msgId": message_id(), "msgType": purpose, "sentAt": "2026-11-23T09:00:00+09:00", "legalBasis": "LB-01",
        "rno": ref_no, "ptnrPsnId": "PKD-" + "B" * 26,
    }  # fmt: skip
    if purpose in ("취소", "동의철회"):
        return {**head, "memo": "동의철회"}
    consent = {"no": "C2026-0002", "thirdPartyYn": "Y", "sensitiveYn": "N", "until": "2027-11-22"}
    named = {"name": "홍길동", "birthDt": "1980-02-29", "tel": "010-1234-5678", "disbRegStat": "미등록"}
    return {**head, "consent": consent, **named, "svcReq": ["취업알선"]}


def trn_referral(ref_no: str, purpose: str = "referral.created") -> dict[str, Any]:
    base, person = "https://gateway.example/fhir", "PTR-" + "C" * 26
    withdrawn, asked = purpose == "consent-withdrawn", purpose == "abort"
    told = "referral.cancelled" if withdrawn or asked else purpose
    event = {"system": f"{base}/CodeSystem/message-event", "code": told}
    placer = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "PLAC"}]}
    business = {"coding": [{"code": "consent-withdrawn" if withdrawn else "cancelled-by-comwel"}]}
    task = {
        "resourceType": "Task", "identifier": [{"type": placer, "value": ref_no}], "intent": "order",
        "status": "requested" if purpose == "referral.created" else "cancelled",
    }  # fmt: skip
    abort = {
        "resourceType": "Task", "status": "requested", "intent": "order", "code": {"coding": [{"code": "abort"}]},
        "focus": {"type": "Task", "identifier": {"type": placer, "value": ref_no}},
    }  # fmt: skip
    resources: list[dict[str, Any]] = [{"resourceType": "MessageHeader", "eventCoding": event}]
    if asked:
        resources += [{**abort, "for": {"identifier": {"value": person}}}]
    elif purpose == "referral.created":
        patient = {
            "identifier": [{"system": f"{base}/sid/partner-person", "value": person}],
            "name": [{"text": "홍길동"}],
        }
        resources += [{**task, "for": {"reference": "urn:uuid:x"}}, {"resourceType": "Patient", **patient}]
    else:
        resources += [{**task, "for": {"identifier": {"value": person}}, "businessStatus": business}]
    entries = [{"resource": r} for r in resources]
    return {"resourceType": "Bundle", "id": message_id(), "type": "message", "entry": entries}


REFERRALS: dict[str, Callable[..., dict[str, Any]]] = {
    "keis": keis_referral, "kead": kead_referral, "trn": trn_referral,
}  # fmt: skip


@dataclass
class Sealed:
    """A message of the gateway, sealed once; `headers` signs one attempt."""

    partner: str
    url: str
    body: bytes
    key: SigningKey
    mid: str = field(default_factory=message_id)
    audience: str = ""
    jws: str = ""

    def __post_init__(self) -> None:
        manifest = Manifest(
            mid=self.mid, iss="comwel", aud=self.audience or self.partner, iat=int(time()), type="referral.created",
            profile=f"{self.partner}-referral|1.0.0", case="CASE-1", seq=1,
            parts=(digest_part("body", CONTENT_TYPE[self.partner], self.body),),
        )  # fmt: skip
        self.jws = seal(manifest, self.key)

    def headers(self) -> dict[str, str]:
        return http.sign(
            "POST", self.url, CONTENT_TYPE[self.partner], self.body, self.mid, self.jws,
            key=self.key, created=_now(), nonce=secrets.token_urlsafe(24),
        )  # fmt: skip


@dataclass
class Running:
    """A pretend partner in its own process."""

    partner: str
    base: str
    home: Path
    process: subprocess.Popen[str]
    gateway_key: SigningKey
    banner: str

    def keys(self) -> KeyRing:
        jwks = HTTP.get(f"{self.base}/.well-known/jwks.json").json()
        return KeyRing(from_jwk(jwk, self.partner, EVER) for jwk in jwks["keys"])

    def seal(self, document: Any, **changes: Any) -> Sealed:
        body = document if isinstance(document, bytes) else orjson.dumps(document)
        return Sealed(
            self.partner, self.base + PATHS[self.partner], body, changes.pop("key", self.gateway_key), **changes
        )

    def send(self, message: Sealed, **changes: Any) -> httpx2.Response:
        content = changes.pop("content", message.body)
        return HTTP.post(message.url, content=content, headers={**message.headers(), **changes})

    def refer(self, ref_no: str, *purpose: str) -> httpx2.Response:
        """Send a referral, again after a planned mishap."""
        message = self.seal(REFERRALS[self.partner](ref_no, *purpose))
        for _ in range(3):
            answer = self.send(message)
            if "Comwel-Receipt-JWS" in answer.headers:
                break
        return answer

    def clock(self, today: str) -> dict[str, Any]:
        return dict(HTTP.post(f"{self.base}/pretend/clock", json={"today": today}).json())

    def status(self) -> dict[str, Any]:
        return dict(HTTP.get(f"{self.base}/pretend/status").json())

    def stop(self) -> None:
        """End it; again is harmless."""
        self.process.terminate()
        self.process.communicate(timeout=20)

    def kill(self) -> None:
        """End it without a word (kill -9)."""
        self.process.kill()
        self.process.communicate(timeout=20)


class StubGateway:
    """The gateway's inbound door, as small as it can be: verifies, remembers, gives receipts."""

    def __init__(self, key: SigningKey) -> None:
        self.key = key
        self.partners = KeyRing(())
        self.heard: dict[str, str] = {}
        self.messages: list[tuple[Manifest, dict[str, Any]]] = []
        self.answers: list[tuple[int, Decision]] = []
        self.plan: list[str] = []  # what to do with the next attempts: down | garbage | refuse
        self._seq = itertools.count(1)
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, receipt, text = stub.take(self.path, dict(self.headers.items()), body)
                self.send_response(status)
                if receipt:
                    self.send_header("Comwel-Receipt-JWS", receipt)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.base = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self._thread.start()

    def take(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, str | None, bytes]:
        plan = self.plan.pop(0) if self.plan else ""
        if plan in ("down", "garbage"):
            return (503, None, b"") if plan == "down" else (200, "garbage", b"<html>")
        attempt = http.verify("POST", self.base + path, headers, body, keys=self.partners, now=_now())
        partner = path.split("/")[2]
        manifest = open_sealed(
            attempt.jws, {"body": body}, keys=self.partners, audience="comwel", sender=partner, received=_now()
        )
        if plan == "refuse":
            return 422, self._receipt(manifest, attempt.jws, Decision.REJECTED), b"{}"
        if manifest.mid in self.heard:
            return 200, self._receipt(manifest, attempt.jws, Decision.DUPLICATE), b"{}"
        self.heard[manifest.mid] = attempt.jws
        self.messages.append((manifest, orjson.loads(body)))
        return 202, self._receipt(manifest, attempt.jws, Decision.ACCEPTED), b"{}"

    def _receipt(self, manifest: Manifest, jws: str, decision: Decision) -> str:
        rejected = decision is Decision.REJECTED
        receipt = receipts.acknowledge(
            manifest, jws, decision, _now(),
            inbox_seq=None if rejected else next(self._seq), code="LOOP-STATE" if rejected else None,
        )  # fmt: skip
        self.answers.append((len(self.answers), decision))
        return receipts.make(receipt, self.key)

    def close(self) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


def launch(partner: str, home: Path, key: SigningKey, *options: str) -> Running:
    """Start a pretend partner and wait until it takes messages."""
    home.mkdir(exist_ok=True)
    (home / "gateway.jwks.json").write_bytes(orjson.dumps({"keys": [to_jwk(key)]}))
    command = [sys.executable, "-m", "adapters.partners.pretend", "--partner", partner, "--home", str(home), *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    seen: list[str] = []
    for line in process.stdout:
        seen.append(line)
        if " ready on " in line:
            return Running(partner, line.rsplit(" ", 1)[1].strip(), home, process, key, "".join(seen))
    raise AssertionError("".join(seen))
