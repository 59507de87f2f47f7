"""The door of a pretend partner: judges one attempt of the gateway to bring a message, and answers in its dialect.

Order: seal before anything else, memory before the content, content before the case. Whoever cannot prove to be the
gateway gets no receipt; everybody else gets one that says what was decided, and gets the same bytes again whenever the
same message comes again. Refuses to act on anything that it has not written into its journal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from adapters.partners.pretend.desk import Desk, Heard
from adapters.partners.pretend.dialects import Dialect, Purpose, Referral, Reply, Verdict
from adapters.partners.pretend.keyring import GATEWAY, Seals
from adapters.partners.pretend.scripts import Mishap
from gateway.documents import strict_json
from gateway.documents.schemas import Schemas
from gateway.errors import DocumentRefused, NotFresh, SealRefused, WrongAudience
from gateway.sealing import http, receipts
from gateway.sealing.manifest import Manifest, digest_jws, open_sealed
from gateway.sealing.receipts import Decision

_CODE = {
    Verdict.BAD_FORMAT: "DOC-SCHEMA",
    Verdict.WRONG_PERSON: "WRONG-PERSON",
    Verdict.UNKNOWN_REFERRAL: "UNKNOWN-REFERRAL",
    Verdict.REUSED_ID: "LOOP-REUSED",
}
NONCES_KEPT = timedelta(minutes=15)


class Request(NamedTuple):
    """One HTTP request as it came; `target` is our public base URL with the raw path and query."""

    target: str
    headers: Mapping[str, str]
    body: bytes


class Judged(NamedTuple):
    """What to answer, which misbehaviour to act out, and the referral whose case was opened, changed or stopped."""

    reply: Reply
    receipt: str | None = None
    mishap: Mishap = Mishap.NONE
    touched: str | None = None


class Nonces:
    """Nonces seen in the last 15 minutes."""

    def __init__(self) -> None:
        self._seen: dict[str, datetime] = {}

    def use(self, nonce: str, now: datetime) -> None:
        """Raise NotFresh when the nonce was used before."""
        while self._seen and (oldest := next(iter(self._seen.items())))[1] < now - NONCES_KEPT:
            del self._seen[oldest[0]]
        if nonce in self._seen:
            raise NotFresh("nonce seen before")
        self._seen[nonce] = now


class Door:
    """Judges requests one at a time; not safe for several threads (the server calls it from one)."""

    def __init__(
        self,
        dialect: Dialect,
        desk: Desk,
        schemas: Schemas,
        seals: Seals,
    ) -> None:
        self._dialect, self._desk, self._schemas, self._seals = dialect, desk, schemas, seals
        self._nonces = Nonces()
        self._schema = f"urn:{dialect.id}:schema:referral:1.0.0"

    def judge(self, request: Request) -> Judged:
        """Judge one attempt.

        1. It comes from the gateway, is fresh, is for us, and its bytes are those that were signed.
        2. It is new; or it came before, and the same is said again.
        3. A planned mishap that comes before anything is done.
        4. It keeps to our schema, and its person is one of ours.
        5. It opens, changes or stops a case.
        """
        # 1.
        try:
            manifest, jws = self.prove(request)
        except SealRefused as error:
            self._desk.record("unproven", code=error.code)
            return Judged(self._dialect.reply(Verdict.NOT_PROVEN, None, error.code))
        # 2.
        heard = self._desk.heard(manifest.mid)
        if heard is not None:
            return self._again(manifest, jws, heard)
        # 3.
        referral = self._read(request.body)
        mishap = Mishap.NONE
        if referral is not None and referral.purpose is Purpose.NEW:
            mishap = self._desk.mishap_for(manifest.mid, referral.ref_no)
        if mishap is not Mishap.NONE:
            self._desk.record("mishap", mid=manifest.mid, mishap=mishap)
        if mishap in (Mishap.BUSY, Mishap.HTML):
            return Judged(self._dialect.reply(Verdict.BUSY, None, ""), mishap=mishap)
        # 4.
        verdict = self._verdict(referral)
        # 5. Before the receipt is remembered: killed in between, the message comes again and finds its case.
        touched = self._act(referral, manifest, request) if referral and verdict is Verdict.OK else None
        receipt = self._receipt(manifest, jws, verdict)
        self._desk.record(
            "received",
            mid=manifest.mid,
            type=manifest.type,
            ref_no=referral.ref_no if referral else None,
            sha256=hashlib.sha256(request.body).hexdigest(),
            mjws_s256=digest_jws(jws),
            iat=manifest.iat,
            verdict=verdict,
            receipt=receipt,
        )
        return Judged(self._dialect.reply(verdict, receipt, ""), receipt, mishap, touched)

    def prove(self, request: Request) -> tuple[Manifest, str]:
        """The manifest of a request that the gateway has sent us just now. Raises SealRefused."""
        now = self._seals.now()
        attempt = http.verify("POST", request.target, request.headers, request.body, keys=self._seals.gateway, now=now)
        manifest = open_sealed(
            attempt.jws,
            {"body": request.body},
            keys=self._seals.gateway,
            audience=self._dialect.id,
            sender=GATEWAY,
            received=now,
        )
        if attempt.mid != manifest.mid or attempt.owner != manifest.iss:
            raise WrongAudience("the attempt and the manifest do not belong together")
        self._nonces.use(attempt.nonce, now)
        return manifest, attempt.jws

    def _again(self, manifest: Manifest, jws: str, heard: Heard) -> Judged:
        if heard.mjws_s256 != digest_jws(jws):
            self._desk.record("reused", mid=manifest.mid)
            receipt = self._receipt(manifest, jws, Verdict.REUSED_ID)
            return Judged(self._dialect.reply(Verdict.REUSED_ID, receipt, ""), receipt)
        self._desk.record("duplicate", mid=manifest.mid)
        verdict = Verdict.DUPLICATE if heard.verdict is Verdict.OK else heard.verdict
        return Judged(self._dialect.reply(verdict, heard.receipt, ""), heard.receipt)

    def _read(self, body: bytes) -> Referral | None:
        """The referral, or None when it is not one."""
        try:
            document = strict_json.loads(body)
            if self._schema in self._schemas.ids():
                self._schemas.require(self._schema, document)
            return self._dialect.read(document)
        except (DocumentRefused, LookupError, TypeError, AttributeError, StopIteration):
            return None

    def _verdict(self, referral: Referral | None) -> Verdict:
        if referral is None:
            return Verdict.BAD_FORMAT
        case = self._desk.case(referral.ref_no)
        if not referral.person_id.startswith(self._dialect.prefix):
            return Verdict.WRONG_PERSON
        if case is not None and case.sheet.person_id != referral.person_id:
            return Verdict.WRONG_PERSON
        return Verdict.UNKNOWN_REFERRAL if case is None and referral.purpose is Purpose.UPDATE else Verdict.OK

    def _receipt(self, manifest: Manifest, jws: str, verdict: Verdict) -> str:
        code = _CODE.get(verdict)
        decision = Decision.REJECTED if code else Decision.ACCEPTED
        place = None if code else self._desk.next_inbox_seq()
        receipt = receipts.acknowledge(manifest, jws, decision, self._seals.now(), inbox_seq=place, code=code)
        return receipts.make(receipt, self._seals.own)

    def _act(self, referral: Referral, manifest: Manifest, request: Request) -> str | None:
        """Open or stop a case; returns its number when there is something to report about it now.

        What ends and has never been here is signed for, and there is nothing to do.
        """
        known = self._desk.case(referral.ref_no) is not None
        if referral.purpose in (Purpose.CANCEL, Purpose.WITHDRAW):
            if not known:
                return None
            self._desk.stop(referral.ref_no, withdrawn=referral.purpose is Purpose.WITHDRAW)
        elif not known:
            filler_no = _filler_no(self._dialect.id, referral.ref_no)
            numbers = (referral.ref_no, referral.person_id, filler_no, referral.legal_basis, referral.consent_no)
            today = self._desk.today.isoformat()
            trace = request.headers.get("traceparent")
            self._desk.record("opened", sheet=numbers, case=manifest.case, mid=manifest.mid, on=today, trace=trace)
        return referral.ref_no


def _filler_no(partner: str, ref_no: str) -> str:
    """The partner's own number for a referral (FILL): its id and nine digits."""
    digits = int.from_bytes(hashlib.sha256(f"{partner}|{ref_no}".encode()).digest()[:6], "big") % 1_000_000_000
    return f"{partner.upper()}-{digits:09d}"
