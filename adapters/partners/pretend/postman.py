"""The postman: writes reports, seals them, and brings them to the gateway until it has a receipt.

One letter of a case at a time and in the order they were written, several cases at once. A letter is journalled before
its first attempt, so a restart goes on where it stopped, with the same bytes. What ends a letter is the gateway's
signed word only: `accepted` or `duplicate` delivers it, `rejected` stops it; everything else is tried again.
Refuses to send a body that its own outcome schema refuses.
"""

from __future__ import annotations

import heapq
import itertools
import secrets
import ssl
import threading
import time
from collections import deque
from datetime import datetime
from pathlib import Path

import httpx2
import orjson

from adapters.partners.pretend.desk import Desk, Letter, Task
from adapters.partners.pretend.dialects import Dialect
from adapters.partners.pretend.keyring import Seals
from adapters.partners.pretend.scripts import Mishap
from gateway.documents.schemas import Schemas
from gateway.errors import SealRefused
from gateway.korea import KST
from gateway.sealing import http, receipts
from gateway.sealing.manifest import Manifest, digest_part, seal
from gateway.sealing.receipts import Decision, Receipt

FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 10.0
MOST_WAITING = 512
"""Letters without a receipt, beyond which no more should be written: they are in memory."""
_TIMEOUTS = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), 15.0)}
_MESSAGE = "outcome.reported"


class Writer:
    """Writes and seals reports."""

    def __init__(self, dialect: Dialect, desk: Desk, schemas: Schemas, seals: Seals) -> None:
        self._dialect, self._desk, self._schemas, self._seals = dialect, desk, schemas, seals
        self._schema = f"urn:{dialect.id}:schema:outcome:1.0.0"

    def write(self, task: Task) -> Letter | None:
        """Write, seal and journal one report; None when its case is not on the desk."""
        case = self._desk.case(task.ref_no)
        if case is None:
            return None
        now = self._seals.now()
        mid = message_id(now)
        in_korea = now.astimezone(KST)
        sent_at = datetime.combine(task.on, in_korea.time(), KST)
        document = self._dialect.write(task.event, case.sheet, task.seq, mid, sent_at)
        self._schemas.require(self._schema, document)
        body = orjson.dumps(document)
        manifest = Manifest(
            mid=mid,
            iss=self._dialect.id,
            aud="comwel",
            iat=int(now.timestamp()),
            type=_MESSAGE,
            profile=f"{self._dialect.id}-outcome|1.0.0",
            parts=(digest_part("body", self._dialect.content_type, body),),
            case=case.key or case.sheet.ref_no,
            seq=task.seq,
            reply_to=case.request_mid,
        )
        jws = seal(manifest, self._seals.own)
        again = task.event.mishap is Mishap.RESEND
        letter = Letter(mid, task.ref_no, task.seq, task.event.kind, body, jws, again)
        self._desk.record("outgoing", **{**letter._asdict(), "body": body.decode()}, on=task.on.isoformat())
        return letter


def client_context(folder: Path, partner: str) -> ssl.SSLContext:
    """TLS that trusts the gateway's authority only, and shows this partner's certificate."""
    context = ssl.create_default_context(cafile=folder / "proxy-ca.pem")
    context.load_cert_chain(folder / f"{partner}.pem", folder / f"{partner}.key")
    return context


class Postman:
    """A few threads that deliver letters. Start with `start`, end with `close`."""

    def __init__(
        self,
        dialect: Dialect,
        desk: Desk,
        seals: Seals,
        gateway: str,
        threads: int,
        verify: ssl.SSLContext | bool = True,
    ) -> None:
        self._dialect, self._desk, self._seals = dialect, desk, seals
        self._base = f"{gateway.rstrip('/')}/partners/{dialect.id}/v1"
        self._url = f"{self._base}/outcomes"
        limits = httpx2.Limits(max_connections=threads, max_keepalive_connections=threads)
        # the bare transport: no cookies, no redirects, nothing from the environment, and 70 µs less than a client
        self._http = httpx2.HTTPTransport(verify=verify, limits=limits, trust_env=False)
        self._lines: dict[str, deque[Letter]] = {}
        self._turns: list[tuple[float, int, str, int]] = []  # (not before, tie, referral number, failures so far)
        self._ties = itertools.count()
        lock = threading.Lock()
        self._change, self._fewer = threading.Condition(lock), threading.Condition(lock)
        self._closing = False
        self._waiting = 0
        self.delivered = 0
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]

    def start(self) -> None:
        """Take up what an earlier life left undelivered, and begin."""
        for letter in self._desk.unsent():
            self.put(letter)
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop; letters under way are finished, the others stay in the journal."""
        with self._change:
            self._closing = True
            self._change.notify_all()
        for thread in self._threads:
            thread.join()
        self._http.close()

    def put(self, letter: Letter) -> None:
        """Queue a letter behind the others of its case."""
        with self._change:
            line = self._lines.setdefault(letter.ref_no, deque())
            line.append(letter)
            self._waiting += 1
            if len(line) == 1:
                self._take_turn(letter.ref_no, 0.0, 0)

    def waiting(self) -> int:
        """How many letters have no receipt yet."""
        with self._change:
            return self._waiting

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait until everything is delivered; False when it takes longer than `timeout_s`."""
        return self._wait_until_fewer(1, timeout_s)

    def wait_for_room(self, timeout_s: float) -> bool:
        """Wait until one more may be written; False when it takes longer than `timeout_s`."""
        return self._wait_until_fewer(MOST_WAITING, timeout_s)

    def _wait_until_fewer(self, than: int, timeout_s: float) -> bool:
        with self._fewer:
            return self._fewer.wait_for(lambda: self._waiting < than, timeout_s)

    # ── the round ────────────────────────────────────────────────────────────────────────────────────────────────────
    def _run(self) -> None:
        while (turn := self._next_turn()) is not None:
            ref_no, failures = turn
            letter = self._lines[ref_no][0]
            wait_s = self._deliver(letter)
            with self._change:
                if wait_s is None:
                    self._done(ref_no)
                else:
                    self._take_turn(ref_no, max(wait_s, min(FIRST_WAIT_S * 2**failures, LONGEST_WAIT_S)), failures + 1)

    def _next_turn(self) -> tuple[str, int] | None:
        with self._change:
            while not self._closing:
                wait_s = self._turns[0][0] - time.monotonic() if self._turns else None
                if wait_s is not None and wait_s <= 0:
                    _, _, ref_no, failures = heapq.heappop(self._turns)
                    return ref_no, failures
                self._change.wait(wait_s)
        return None

    def _take_turn(self, ref_no: str, wait_s: float, failures: int) -> None:
        heapq.heappush(self._turns, (time.monotonic() + wait_s, next(self._ties), ref_no, failures))
        self._change.notify()

    def _done(self, ref_no: str) -> None:
        self.delivered += 1
        self._waiting -= 1
        line = self._lines[ref_no]
        line.popleft()
        if line:
            self._take_turn(ref_no, 0.0, 0)
        else:
            del self._lines[ref_no]
        self._fewer.notify_all()

    # ── one letter ───────────────────────────────────────────────────────────────────────────────────────────────────
    def _deliver(self, letter: Letter) -> float | None:
        """Try once. None when it is over, else the seconds the gateway asks us to wait."""
        status, receipt, wait_s = self._attempt(letter)
        if receipt is None:
            self._desk.record("unanswered", mid=letter.mid, status=status)
            return wait_s
        proof, jws = receipt
        if proof.decision is Decision.REJECTED:
            self._desk.record("refused", mid=letter.mid, status=status, code=proof.code, receipt=jws)
            return None
        self._desk.record("answered", mid=letter.mid, status=status, decision=proof.decision, receipt=jws)
        if letter.again:
            status, again, _ = self._attempt(letter)
            decision = again[0].decision if again else None
            self._desk.record("resent", mid=letter.mid, status=status, decision=decision)
        return None

    def _attempt(self, letter: Letter) -> tuple[int | None, tuple[Receipt, str] | None, float]:
        content_type = self._dialect.content_type
        headers = http.sign(
            "POST", self._url, content_type, letter.body, letter.mid, letter.jws,
            key=self._seals.own, created=self._seals.now(), nonce=secrets.token_urlsafe(24),
        )  # fmt: skip
        case = self._desk.case(letter.ref_no)
        if case and case.trace:
            headers["traceparent"] = case.trace
        request = httpx2.Request("POST", self._url, content=letter.body, headers=headers, extensions=_TIMEOUTS)
        answer = self._ask(request)
        if answer is None:
            return None, None, 0.0
        return answer.status_code, self._proof(letter, answer), _seconds(answer.headers.get("Retry-After", ""))

    def promised(self, mid: str) -> str | None:
        """The gateway's proof that the leaf which its receipt promised is in its log, once there is one."""
        answer = self._ask(
            httpx2.Request("GET", f"{self._base}/messages/{mid}/receipt.tlog-proof", extensions=_TIMEOUTS)
        )
        return answer.text if answer is not None and answer.status_code == 200 else None

    def _ask(self, request: httpx2.Request) -> httpx2.Response | None:
        """One request, read to its end; None when the gateway cannot be reached."""
        try:
            answer = self._http.handle_request(request)
            try:
                answer.read()
            finally:
                answer.close()
        except httpx2.HTTPError:
            return None
        return answer

    def _proof(self, letter: Letter, answer: httpx2.Response) -> tuple[Receipt, str] | None:
        """The gateway's receipt for this letter, if the answer carries a good one."""
        jws = answer.headers.get("Comwel-Receipt-JWS", "")
        try:
            receipt = receipts.check(
                jws, keys=self._seals.gateway, expected_mid=letter.mid, sent_jws=letter.jws, received=self._seals.now()
            )
        except SealRefused:
            return None
        return receipt, jws


def message_id(now: datetime) -> str:
    """A UUID version 7 (RFC 9562 §5.7): milliseconds, then 74 random bits."""
    milliseconds = int(now.timestamp() * 1000)
    number = (milliseconds << 80) | (7 << 76) | (secrets.randbits(12) << 64) | (2 << 62) | secrets.randbits(62)
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _seconds(retry_after: str) -> float:
    return min(float(retry_after), LONGEST_WAIT_S) if retry_after.isdecimal() else 0.0
