"""The world of the journey tests: everything is real but the clock, the partners' side of the wire, and sometimes the
store. Builders are valid by default; a test changes one thing.

Protocol time stands still until a test lets it pass (it begins a minute ago, for PostgreSQL knows the real one);
business time is nine in the morning of 2026-11-23 in Korea until a test sets another day.
"""

from __future__ import annotations

import itertools
import secrets
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from time import time
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import psycopg
from psycopg.rows import dict_row

from adapters.comwel import files, synthetic
from adapters.comwel.handed_files import FolderFiles
from adapters.comwel.handover import A1Batch, A6Entries
from adapters.comwel.rtw_register import RtwFiles
from adapters.comwel.synthetic import Night
from adapters.comwel.synthetic_cases import Invented, invent
from adapters.partners.pretend.dialects import Sheet
from adapters.partners.pretend.dialects.kead import KEAD
from adapters.partners.pretend.dialects.keis import KEIS
from adapters.partners.pretend.dialects.trn import TRN
from adapters.partners.pretend.scripts import Kind
from adapters.partners.pretend.story import Check, Event, Job
from gateway import wholefile
from gateway.assembly.knowledge import know
from gateway.config import Settings
from gateway.delivery.schedule import RetrySchedule
from gateway.documents.strict_json import dumps, reread
from gateway.journey.admit import Taken
from gateway.journey.deliver import deliver
from gateway.journey.intake import take_in
from gateway.journey.prove import Inbound
from gateway.journey.receive import receive
from gateway.journey.refer import refer
from gateway.journey.reply import Reply
from gateway.journey.screen import screen_cases
from gateway.journey.track import track
from gateway.journey.withdraw import withdraw
from gateway.journey.world import Knowledge, Limits, World
from gateway.ports import Answer, LegRow, Outgoing, Said
from gateway.sealing import http, manifest, receipts
from gateway.sealing.keys import KeyRing, SigningKey, generate
from gateway.sealing.manifest import Manifest
from gateway.sealing.receipts import Decision
from tests.fakes.memory import MemoryStore
from tests.keys import public_half
from tests.unsealed import Unsealed

KST = ZoneInfo("Asia/Seoul")
TODAY = date(2026, 11, 23)
DAY = timedelta(days=1)
PARTNERS = ("KEIS", "KEAD", "TRN")
DOOR = "https://gateway.example"
URLS = {p: f"https://{p.lower()}.example/messages" for p in PARTNERS}
DIALECTS = {"KEIS": KEIS, "KEAD": KEAD, "TRN": TRN}
EVER = datetime(2020, 1, 1, tzinfo=UTC)
NEVER = datetime(2036, 1, 1, tzinfo=UTC)
RRN = "880101-1234567"
"""A resident registration number that nobody can have: its check digit is wrong."""


# ── data, keys, time ─────────────────────────────────────────────────────────────────────────────────────────────────
@cache
def knowledge() -> Knowledge:
    """The real maps, schemas, rules and profiles, loaded once."""
    return know(Settings(), TODAY)


@cache
def readers() -> tuple[A1Batch, A6Entries]:
    return A1Batch(Settings().schemas), A6Entries(Settings().schemas)


def key_of(owner: str) -> SigningKey:
    """The signing key of `comwel`, of a partner (in any case), or of a stranger; one each a test run."""
    return _made_once(owner.lower())


@cache
def _made_once(owner: str) -> SigningKey:
    return generate(f"{owner}-2026")


def ring(*owners: str) -> KeyRing:
    return KeyRing(public_half(key_of(o), o.lower(), EVER, NEVER) for o in owners)


class StoppedClock:
    """Both clocks stand still until told otherwise; protocol time ticks a millisecond at every look."""

    def __init__(self, today: date = TODAY) -> None:
        self.day = today
        self.at = datetime.fromtimestamp(int(time()) - 60, UTC)

    def now(self) -> datetime:
        self.at += timedelta(milliseconds=1)
        return self.at

    def today(self) -> date:
        return self.day

    def business_now(self) -> datetime:
        return datetime(self.day.year, self.day.month, self.day.day, 9, tzinfo=KST).astimezone(UTC)

    def pass_(self, **time: float) -> None:
        self.at += timedelta(**time)


class OneByOne(Executor):
    """An executor without threads: attempts in order."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


# ── the partners' side ───────────────────────────────────────────────────────────────────────────────────────────────
class Killed(BaseException):
    """The process died while the partner was working."""


@dataclass
class Partner:
    """A scripted `PartnerChannel`: verifies what comes, then does what its script says next (nothing left: `good`)."""

    id: str
    clock: StoppedClock
    script: deque[Callable[[Partner, Outgoing], Answer]] = field(default_factory=deque)
    sent: list[Outgoing] = field(default_factory=list)
    taken: dict[str, Manifest] = field(default_factory=dict)
    before: Callable[[], None] = lambda: None
    asked: list[Outgoing] = field(default_factory=list)
    list_of: Callable[[Partner, Outgoing], Said] = lambda _, message: Said("attempt", None, None, "cannot connect")
    closed: bool = False
    ours: Callable[[], KeyRing] = lambda: ring("comwel")

    def ask(self, message: Outgoing, most: int) -> Said:
        self.asked.append(message)
        return self.list_of(self, message)

    def send(self, message: Outgoing) -> Answer:
        self.before()
        self.sent.append(message)
        return (self.script.popleft() if self.script else good)(self, message)

    def close(self) -> None:
        self.closed = True

    def will(self, *answers: Callable[[Partner, Outgoing], Answer]) -> None:
        self.script.extend(answers)

    def open(self, message: Outgoing) -> Manifest:
        """What a partner does first: prove the attempt and the message with the gateway's public key."""
        keys, now = self.ours().of("comwel"), self.clock.now()
        attempt = http.verify("POST", message.url, message.headers, message.body, keys=keys, now=now)
        stated = manifest.open_sealed(
            attempt.jws,
            {"body": message.body},
            keys=keys,
            audience=self.id.lower(),
            sender="comwel",
            received=now,
        )
        assert stated.mid == attempt.mid == message.mid
        return stated

    def receipt(self, message: Outgoing, decision: Decision, *, by: str | None = None, code: str | None = None) -> str:
        stated = self.open(message)
        seq = None if decision is Decision.REJECTED else len(self.taken)
        word = receipts.acknowledge(stated, message.jws, decision, self.clock.now(), inbox_seq=seq, code=code)
        return receipts.make(word, key_of(by or self.id))


def good(partner: Partner, message: Outgoing) -> Answer:
    """Takes it and signs; the second time says duplicate."""
    stated = partner.open(message)
    known = message.mid in partner.taken
    partner.taken[message.mid] = stated
    decision = Decision.DUPLICATE if known else Decision.ACCEPTED
    word, result = partner.receipt(message, decision), "duplicate" if known else "ok"
    return Answer("after", 200, word, result, None, "HTTP 200", head=HEAD)


HEAD = (("date", "Mon, 23 Nov 2026 00:00:00 GMT"), ("content-type", "application/json"))


def forged_receipt(partner: Partner, message: Outgoing) -> Answer:
    """A receipt that somebody else signed."""
    return Answer("after", 200, partner.receipt(message, Decision.ACCEPTED, by="mallory"), "ok", None, "HTTP 200")


def rejects(code: str) -> Callable[[Partner, Outgoing], Answer]:
    def answer(partner: Partner, message: Outgoing) -> Answer:
        jws = partner.receipt(message, Decision.REJECTED, code=code)
        return Answer("after", 422, jws, "permanent", None, "HTTP 422")

    return answer


def says(status: int, *, retry_after: float | None = None, result: str | None = None) -> Callable[..., Answer]:
    """An unsigned answer with this status."""
    return lambda partner, message: Answer("after", status, None, result, retry_after, f"HTTP {status}")


def html(partner: Partner, message: Outgoing) -> Answer:
    head = (("content-type", "text/html; charset=utf-8"),)
    return Answer("after", 200, None, None, None, "HTTP 200, no JSON (text/html)", head=head)


def timeout(partner: Partner, message: Outgoing) -> Answer:
    return Answer("attempt", None, None, None, None, "no answer in time")


def nobody_there(partner: Partner, message: Outgoing) -> Answer:
    return Answer("attempt", None, None, None, None, "cannot connect", sent=False)


def takes_it_and_is_too_slow(partner: Partner, message: Outgoing) -> Answer:
    partner.taken[message.mid] = partner.open(message)
    return timeout(partner, message)


def takes_it_and_we_die(partner: Partner, message: Outgoing) -> Answer:
    partner.taken[message.mid] = partner.open(message)
    raise Killed


# ── the world ────────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass
class Scene:
    """A world with what is around it, and the short words the tests are told in."""

    world: World
    clock: StoppedClock
    partners: dict[str, Partner]
    folder: Path
    files: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    entries: Iterator[int] = field(default_factory=lambda: itertools.count(500))

    @property
    def store(self) -> Any:
        return self.world.store

    # what COMWEL does
    def hand_over(self, *cases: Invented, entries: Sequence[Invented] | None = None, **head: Any) -> list[Taken]:
        """Write one batch file (and entries, if any has one) and take the folder in."""
        numbers = self.files if cases else self.entries
        given = {**head, "seq": head.get("seq") or next(numbers)}
        write_night(self.folder, cases, entries=cases if entries is None else entries, **self._head(given))
        return self.take_in()

    def enter(self, *cases: Invented) -> list[Taken]:
        """The coordinators hand over entries, without a batch."""
        return self.hand_over(entries=cases)

    def _head(self, head: Mapping[str, Any]) -> dict[str, Any]:
        number = head["seq"]
        return {"seq": number, "previous": number - 1, "base": self.clock.day, **head}

    def take_in(self) -> list[Taken]:
        return [t for t in take_in(self.world, self.folder) if t.verdict != "unchanged"]

    # what the gateway does
    def refer(self, *cases: Invented) -> dict[str, LegRow]:
        """Hand cases over, screen and refer; the legs by partner (of the first case)."""
        self.hand_over(*(cases or (a_case(),)))
        screen_cases(self.world)
        refer(self.world)
        return self.legs((cases or (a_case(),))[0].case_no)

    def deliver(self, *partners: str, worker: str = "w1") -> int:
        return sum(deliver(self.world, p, worker) for p in partners or PARTNERS)

    def referred(self, *cases: Invented) -> dict[str, LegRow]:
        """Referred and delivered: the legs wait for the partners' answers."""
        self.refer(*cases)
        self.deliver()
        return self.legs((cases or (a_case(),))[0].case_no)

    def withdraw(self) -> int:
        return withdraw(self.world)

    def track(self) -> int:
        return track(self.world)

    # what a partner does
    def hear(self, letter: Letter, **defects: Any) -> Reply:
        return receive(self.world, inbound(self, letter, **defects))

    def say(self, leg: LegRow, kind: Kind, seq: int, **facts: Any) -> Reply:
        """A partner reports one thing about a leg."""
        return self.hear(letter(leg, kind, seq, **facts))

    # the books
    def legs(self, case_no: str) -> dict[str, LegRow]:
        with self.store.unit() as unit:
            return {leg.partner: leg for leg in unit.legs.of_cases([case_no])}

    def leg(self, ref_no: str) -> LegRow:
        with self.store.unit() as unit:
            found: LegRow | None = unit.legs.get(ref_no)
        assert found is not None
        return found

    def rows(self, table: str) -> list[dict[str, Any]]:
        return rows(self.store, table)

    def events(self, since: int = 0) -> list[dict[str, Any]]:
        return self.rows("audit_event")[since:]

    def acts(self, since: int = 0) -> list[tuple[str, str, str | None]]:
        return [(e["act"], str(e["verdict"]), e["code"]) for e in self.events(since)]

    def dump(self) -> dict[str, list[dict[str, Any]]]:
        """All there is, but the log and the nonces."""
        return {table: self.rows(table) for table in TABLES if table not in ("audit_event", "nonce")}

    def case(self, case_no: str) -> dict[str, Any]:
        return next(r for r in self.rows("case_record") if r["case_no"] == case_no)

    def record(self, case_no: str) -> dict[str, Any]:
        found: dict[str, Any] = reread(self.case(case_no)["record"])
        return found


def make_scene(store: Any, folder: Path, **parts: Any) -> Scene:
    """A world over a store; `parts` replace parts of the World."""
    clock = StoppedClock()
    partners = {p: Partner(p, clock) for p in PARTNERS}
    (folder / "in").mkdir(parents=True, exist_ok=True)
    ids = itertools.count(1)
    world = World(
        store=store,
        clock=clock,
        ids=lambda: f"019abc00-0000-7000-8000-{next(ids):012x}",
        nonce=lambda: secrets.token_urlsafe(18),
        rng=Random(7),
        know=knowledge(),
        limits=Limits(
            lease_s=30.0,
            attempt_timeout_s=2.0,
            deliver_batch=32,
            poison_after=3,
            settle_s=0.0,
            base_url=f"{DOOR}/fhir",
            partner_urls=URLS,
            from_comwel=folder / "in",
            to_comwel=folder / "out",
            clocks_apart_s=float("inf"),
            keys_cached_s=60.0,
        ),
        signing=lambda: key_of("comwel"),
        keys=lambda owner: ring("comwel", *PARTNERS).of(owner.lower()),
        secret=lambda partner: f"a secret of thirty-two bytes {partner}".encode().ljust(40, b"."),
        readers=readers(),
        register=RtwFiles(Settings().schemas),
        handed=FolderFiles(folder / "in", folder / "out"),
        channels=partners,
        retry=RetrySchedule(),
        attempts=lambda partner: OneByOne(),
        make_key=generate,
        pause=lambda seconds: clock.pass_(seconds=seconds),
    )
    return Scene(replace(world, **parts), clock, partners, folder / "in")


# ── cases ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def a_case(n: int = 1, **values: Any) -> Invented:
    """A case with priority, in care for eight months, consent for all, services of all three partners.

    Keywords are names of the layout and change the C record; `entry=` is a mapping merged into the entry (None: there
    is no entry), `consent=` a mapping merged into its one consent.
    """
    case = invent(n, 4242, TODAY, Random(n))
    if case.values["idTp"] != "1":  # a foreigner by chance; the plain case is not
        case.values.update(idTp="1", ntntyCd="KOR", korNm="남궁민수", engNm=None)
    assert case.entry is not None
    start = TODAY - timedelta(days=200)
    case.values.update(
        disstDt=start,
        aprvDt=start + 9 * DAY,
        yoyStDt=start,
        yoyEdExpDt=date(2027, 3, 31),
        yoyEdDt=None,
        jhGrdCd=0,
        jhGrdExpCd=9,
        jhBuwiCd="09",
        jhDcsnDt=None,
        wonjikPosCd="N",
        wkrTpCd="01",
        jisaCd="1100",
        consYn="Y",
    )
    case.entry["language"] = "ko"
    case.entry["services"] = {"KEIS": ["01"], "KEAD": ["취업알선"], "TRN": ["직업훈련"]}
    case.entry["consent"][0].update(sensitive=True, no=f"C2026-{n:06d}")
    consent, entry = values.pop("consent", {}), values.pop("entry", {})
    case.values.update(values)
    case.entry["consent"][0].update(consent)
    case.entry["caseVersion"] = case.values["wonbuVer"]
    if entry is None:
        case.entry = None
    else:
        case.entry.update(entry)
    return case


def again(case: Invented, change: str = "U", **values: Any) -> Invented:
    """The same case in a later file; values as in `a_case`."""
    entry = orjson.loads(orjson.dumps(case.entry))
    later = Invented({**case.values, "chgTp": change}, entry)
    consent, told = values.pop("consent", None), values.pop("entry", None)
    later.values.update(values)
    if entry is not None:
        entry["caseVersion"] = later.values["wonbuVer"]
        entry["consent"][0].update(consent or {})
        entry.update(told or {})
    return later


def write_night(
    folder: Path,
    cases: Sequence[Invented],
    *,
    entries: Sequence[Invented] = (),
    seq: int = 1,
    previous: int = 0,
    base: date = TODAY,
    mode: str = "D",
    original: int = 0,
    edit: Callable[[bytes], bytes] = lambda data: data,
) -> Path:
    """Write `RHB_CASE` and, when somebody has an entry, `RHB_JC`. `edit` spoils the batch; `.sum` is true of it."""
    night = Night(base, seq, previous, mode, tuple(cases), {})
    stem = f"{base:%Y%m%d}_{seq:05d}"
    told = [orjson.dumps(c.entry) + b"\n" for c in entries if c.entry]
    if told:
        wholefile.write(folder / f"RHB_JC_{stem}.ndjson", b"".join(told))
    path = folder / f"RHB_CASE_{stem}.dat"
    if cases:
        data = edit(_with_original(synthetic.file_bytes(night), original))
        files.deliver(path, data, data.count(b"\r\nC") if data.startswith(b"H") else len(cases))
    return path


def _with_original(data: bytes, original: int) -> bytes:
    place = readers()[0].read.layout.field("H", "orgFileSeq").place
    width = place.stop - place.start
    return data[: place.start] + str(original).zfill(width).encode() + data[place.stop :]


# ── what partners say ────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Letter:
    """A partner's message before it is sealed: its document, and what its manifest says."""

    partner: str
    document: Any
    seq: int
    mid: str
    case: str = "C-of-the-partner"

    @property
    def body(self) -> bytes:
        return self.document if isinstance(self.document, bytes) else orjson.dumps(self.document)


def a_job(start: date = date(2026, 12, 1), **changes: Any) -> Job:
    return Job(
        "(가상)새길정밀", "9999900010", "11680", "821", "부품 검사원", "INDEFINITE", "OPEN",
        "40", 22, "M", 2_600_000, start, start,
    )._replace(**changes)  # fmt: skip


_MIDS = itertools.count(1)


def a_mid() -> str:
    return f"019abd00-0000-7000-9000-{next(_MIDS):012x}"


_SAID: Mapping[Kind, Mapping[str, Any]] = {  # what an event needs besides its kind
    Kind.DECLINE: {"reason": "out-of-area", "text": "관할 밖"},
    Kind.ASK: {"text": "작업 제한을 알려 주십시오"},
    Kind.CLOSE_UNPLACED: {
        "reason": "no-suitable-vacancy",
        "text": "적합 일자리 없음",
        "outcome": "no-suitable-vacancy",
    },
    Kind.CLOSE_PLACED: {"outcome": "new-employer"},
    Kind.PLACED: {"outcome": "new-employer", "evidence": "E1", "job": a_job()},
    Kind.RETENTION: {"evidence": "E1", "job": a_job()},
    Kind.CONFIRM_CANCEL: {"reason": "consent-withdrawn", "text": "취소를 확인하고 자료를 파기함"},
}


def event_of(kind: Kind, on: date = TODAY, **facts: Any) -> Event:
    return Event(kind, on, **{**_SAID.get(kind, {}), **facts})


def letter(leg: LegRow, kind: Kind, seq: int, *, mid: str | None = None, on: date = TODAY, **facts: Any) -> Letter:
    """One report of the leg's owner, in the owner's own dialect."""
    return told(leg, event_of(kind, on, **facts), seq, mid)


def told(leg: LegRow, event: Event, seq: int, mid: str | None = None) -> Letter:
    mid = mid or a_mid()
    basis = knowledge().profiles[leg.partner].legal_basis_in
    sheet = Sheet(leg.ref_no, leg.person_id, f"F-{leg.ref_no[-7:]}", basis, leg.consent_no or "-")
    at = datetime(event.on.year, event.on.month, event.on.day, 10, tzinfo=KST)
    return Letter(leg.partner, DIALECTS[leg.partner].write(event, sheet, seq, mid, at), seq, mid, leg.ref_no)


def refused_cancellation(leg: LegRow, seq: int) -> Letter:
    """The institute rejects the abort task."""
    said = letter(leg, Kind.CONFIRM_CANCEL, seq)
    said.document["code"]["coding"][0]["code"] = "abort"
    said.document["status"] = "rejected"
    said.document.pop("businessStatus", None)
    return said


def retained(milestone: str, on: date, result: str = "retained-same-job", **more: Any) -> Check:
    return Check(milestone, result, on, **more)


def inbound(
    scene: Scene,
    letter: Letter,
    *,
    door: str | None = None,
    key: SigningKey | None = None,
    attempt_key: SigningKey | None = None,
    issuer: str | None = None,
    audience: str = "comwel",
    created: datetime | None = None,
    nonce: str | None = None,
    jws: str | None = None,
    attempt_mid: str | None = None,
    body: bytes | None = None,
    headers: Mapping[str, str | None] | None = None,
    method: str = "POST",
) -> Inbound:
    """A letter sealed and signed as its sender would; each argument is one thing done wrong (None: right).

    `body` replaces the bytes after sealing; `headers` replaces headers, None takes one away.
    """
    partner = door or letter.partner
    profile = knowledge().profiles[letter.partner]
    url = f"{DOOR}/partners/{partner}/v1/outcomes"
    now = scene.clock.now()
    sealed = jws or seal(letter, now, key=key, issuer=issuer, audience=audience)
    signed = http.sign(
        method,
        url,
        profile.content_type,
        letter.body,
        attempt_mid or letter.mid,
        sealed,
        key=attempt_key or key or key_of(letter.partner),
        created=created or now,
        nonce=nonce or secrets.token_urlsafe(18),
    )
    changed = {k: v for k, v in {**signed, **(headers or {})}.items() if v is not None}
    return Inbound(partner, "POST", url, changed, letter.body if body is None else body)


def seal(
    letter: Letter,
    at: datetime,
    *,
    key: SigningKey | None = None,
    issuer: str | None = None,
    audience: str = "comwel",
) -> str:
    """The compact JWS over a letter's manifest."""
    profile = knowledge().profiles[letter.partner]
    stated = Manifest(
        mid=letter.mid,
        iss=issuer or profile.iss,
        aud=audience,
        iat=int(at.timestamp()),
        type="outcome.reported",
        case=letter.case,
        seq=letter.seq,
        profile=f"{profile.iss}-outcome|1.0.0",
        parts=(manifest.digest_part("body", profile.content_type, letter.body),),
    )
    return manifest.seal(stated, key or key_of(letter.partner))


def replies(words: Sequence[Reply | Exception]) -> list[Reply]:
    """The words that were given, none of which is an error."""
    assert all(isinstance(word, Reply) for word in words), words
    return [word for word in words if isinstance(word, Reply)]


# ── the books ────────────────────────────────────────────────────────────────────────────────────────────────────────
TABLES = (
    "handover_file", "quarantined_record", "case_record", "case_history", "parked_record", "screening", "referral",
    "leg", "message", "delivery", "attempt", "receipt", "inbox", "nonce", "outcome_fact", "retention_check",
    "rtw_update", "rtw_file", "work_item", "partner_line", "replay", "reconciliation", "reconciliation_difference",
    "audit_event",
)  # fmt: skip


def rows(store: Any, table: str) -> list[dict[str, Any]]:
    """All rows of a table, whatever the store, by the column names of the schema; in a stable order."""
    found = _memory_rows(store, table) if isinstance(store, MemoryStore) else _postgres_rows(store, table)
    if table in ("audit_event", "work_item", "screening", "attempt"):
        return found
    return sorted(found, key=lambda row: repr([row[name] for name in sorted(row)]))


def _postgres_rows(store: Any, table: str) -> list[dict[str, Any]]:
    order = {"audit_event": "id", "work_item": "id", "screening": "id", "attempt": "began_at, fence"}.get(table)
    with psycopg.connect(store._pool.conninfo, row_factory=dict_row, options="-c timezone=UTC") as connection:
        query = f"select * from {table}" + (f" order by {order}" if order else "")  # noqa: S608 - our own names
        found = [{k: str(v) if k == "mid" and v else v for k, v in r.items()} for r in connection.execute(query)]
    return Unsealed(store._pool.conninfo, store.vault.require(1)).rows(table, found)


def _memory_rows(store: MemoryStore, table: str) -> list[dict[str, Any]]:
    s = store.shelf
    if table == "case_history":
        return [
            {"case_no": c.row.case_no, "revision": c.row.revision, "record": c.row.record, "change": c.change}
            for c in s.history
        ]
    if table == "delivery":
        return [
            {"partner": d.message.partner, "mid": d.message.mid, "case_no": d.message.case_no, "seq": d.message.seq,
             "state": d.state, "attempts": d.attempts, "next_at": d.next_at, "first_at": d.first_at, "fence": d.fence,
             "crashes": d.crashes, "error_class": d.error_class}
            for d in s.deliveries.values()
        ]  # fmt: skip
    if table == "nonce":
        return [{"partner": p, "nonce": n} for p, n in s.nonces]
    if table == "rtw_file":
        return [{"file_date": d, "file_seq": n, "sha256": sha} for (d, n), sha in s.rtw_files.items()]
    if table == "audit_event":
        names = (
            "act",
            "actor",
            "purpose",
            "verdict",
            "code",
            "case_no",
            "ref_no",
            "partner",
            "mid",
            "subject",
            "counts",
        )
        return [{n: getattr(e, n) for n in names} for e in (kept.event for kept in s.events)]
    shelves: dict[str, Any] = {
        "handover_file": s.files.values(), "quarantined_record": s.quarantined, "case_record": s.cases.values(),
        "parked_record": s.parked.values(), "screening": s.screenings, "referral": s.referrals.values(),
        "leg": s.legs.values(), "message": s.messages.values(), "attempt": s.attempts, "receipt": s.receipts.values(),
        "inbox": s.inbox.values(), "outcome_fact": s.facts, "retention_check": s.checks.values(),
        "rtw_update": s.updates.values(), "work_item": s.work, "partner_line": s.lines.values(),
        "replay": s.replays.values(), "reconciliation": s.lists.values(),
        "reconciliation_difference": s.differences.values(),
    }  # fmt: skip
    return [row._asdict() for row in shelves[table]]


def words_of(case: Invented) -> set[str]:
    """What only this worker's file can say: name, telephone, address, person key, birth date, token."""
    v = case.values
    said = {
        v["korNm"],
        v["telNo"],
        v["addr"],
        v["psnMgtNo"],
        v["idTok"],
        v["brthDt"].isoformat(),
        f"{v['brthDt']:%Y%m%d}",
    }
    return {str(word) for word in said if word}


def assert_nothing_personal(scene: Scene, *cases: Invented, texts: Sequence[str] = ()) -> None:
    """No event, work item or given text says anything that only the worker's file can say."""
    said = dumps(
        [[str(v) for v in row.values()] for table in ("audit_event", "work_item") for row in scene.rows(table)]
    )
    everything = said.decode() + "\n".join(texts)
    for case in cases or (a_case(),):
        for word in words_of(case):
            assert word not in everything


@contextmanager
def dying_at_commit(database: str) -> Iterator[None]:
    """A database that ends the connection of whoever commits an act, for as long as the block lasts."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "create function die() returns trigger language plpgsql security definer as "
            "$$ begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$"
        )
        connection.execute(
            "create constraint trigger die after insert on audit_event deferrable initially deferred "
            "for each row execute function die()"
        )
        yield
        connection.execute("drop trigger die on audit_event")
