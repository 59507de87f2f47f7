"""Evidence: everything about a message, a case or a period that a stranger can check, in one bundle.

Rules: making it is an act itself, with officer and purpose, kept before anything is given out. The messages themselves
go in only when they are asked for; without them their digests, seals, receipts and proofs say the same of their origin.
Each act can be opened with a key of its own. What a message rests on — keys, maps, rules — comes with the acts that
introduced it. The head of every request that brought one goes in as it was signed, with what came back; the manifest of
digests stands in it too. What is not there is said, with the reason.
Refuses: without officer and purpose; more than `MOST` acts, reading no more than one too many; more files than a ZIP
holds; a body or a head that holds a resident registration number; what was destroyed, of which the act of destruction
is given instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from gateway.cases import rrn
from gateway.errors import NothingProven, Refused, TooMuchAsked
from gateway.exchange_log.bundle import bundle, json
from gateway.exchange_log.leaf import ACTS, BRINGS_A_MESSAGE, direction_of
from gateway.exchange_log.named import named
from gateway.journey import activate
from gateway.journey.account import require_partner
from gateway.journey.evidence_files import Bundled, Found, files_of, list_of
from gateway.journey.explain import explained
from gateway.journey.world import US, World
from gateway.ports import ActsAsked, AttemptRow, Evidence, KeptEvent, KeyRow, LogSeen, MessageRow, Prover, Unit
from gateway.sealing import base64url
from gateway.sealing.keys import from_jwk, thumbprint

MOST = 10_000
ENDS = sorted(act for act in ACTS if act.startswith(("records.", "erasure.")))
"""Acts by which content ends."""
KEY_ADDED, KEY_REVOKED = "key.added", "key.revoked"
RESTS_ON = (KEY_ADDED, KEY_REVOKED, *activate.ACTS.values())


def evidence(world: World, prover: Prover, asked: ActsAsked, *, by: str, purpose: str, content: bool = False) -> bytes:
    """A bundle, as the bytes of a ZIP. Raises NothingProven when nothing of it is in the log, TooMuchAsked."""
    # 1 the acts asked for, their messages, and what those rest on
    # 2 keep that a bundle is made, of how much, and whether with the messages themselves
    # 3 the proofs, all of one moment
    # 4 files, the list of them with what is not there, signed and packed
    with world.store.unit() as unit:
        found = _found(world, unit, asked)  # 1
        require_partner(world, asked, found.acts)
        cases = {kept.event.case_no for kept in found.acts} - {None}
        made = world.event(
            "bundle.made", purpose, by=by, case_no=asked.case_no, partner=asked.partner, mid=asked.mid,
            subject="with-content" if content else "without-content",
            counts={"acts": len(found.acts), "messages": len(found.messages), "cases": len(cases)},
        )  # fmt: skip
        unit.commit(made)  # 2
    proven = prover.evidence([kept.id for kept in found.acts if kept.id])  # 3
    if not proven.acts:
        raise NothingProven
    _note_unproven(found, proven)
    files = dict(files_of(found, proven, content=content))  # 4
    said = list_of(asked, found, proven, content=content)
    return bundle(files, said, _origin(proven.logs[-1]), lambda text: prover.sign(proven.logs[-1].name, text))


def _note_unproven(found: Found, proven: Evidence) -> None:
    """Say which acts have no place yet, and of which messages no leaf can be opened."""
    opened = {act.id: act.statement is not None for act in proven.acts}
    for kept in found.acts:
        if kept.id and kept.id not in opened:
            found.lacks("act", kept.id, "not-in-the-tree-yet")
    brought = {_which(kept) for kept in found.acts if kept.event.act in BRINGS_A_MESSAGE and opened.get(kept.id or "")}
    for bundled in found.messages:
        if (bundled.row.mid, bundled.row.direction, bundled.row.partner) not in brought:
            found.lacks("leaf", bundled.row.mid, "not-open")


# ── 1 what belongs to it ─────────────────────────────────────────────────────────────────────────────────────────────
def _found(world: World, unit: Unit, asked: ActsAsked) -> Found:
    found = Found(_no_more(_acts(unit, asked)))
    rows = list(_rows(unit, found))
    found.messages = [_bundled(world, unit, row, found) for row in rows]
    if any(not row.body for row in rows):
        found.acts = _no_more([*found.acts, *_destructions(unit, min(row.at for row in rows), found.acts)])
    found.keys = list(_keys(unit, rows))
    found.acts += _rests_on(unit, rows, found)
    found.acts.sort(key=lambda kept: kept.number)
    return found


def _rows(unit: Unit, found: Found) -> Iterator[MessageRow]:
    """The messages that these acts brought about. A bundle has one place for an id: for ours, if others used it too."""
    brought = {_which(kept) for kept in found.acts if kept.event.act in BRINGS_A_MESSAGE and kept.event.mid}
    taken = set[str]()
    for mid, direction, partner in sorted(brought, key=lambda one: (one[0], one[1] == "in", one[2])):
        row = unit.outbox.find_message(mid, partner=partner or None, direction=direction)
        if row and mid in taken:
            found.lacks("message", mid, "another-has-its-id")
        elif row:
            taken.add(mid)
            yield row


def _which(kept: KeptEvent) -> tuple[str, str, str]:
    """Which message an act brought about: id, direction, partner."""
    return kept.event.mid or "", direction_of(kept.event.act), kept.event.partner or ""


def _acts(unit: Unit, asked: ActsAsked) -> list[KeptEvent]:
    """The acts asked for. Of a message those about it, and those by which the content of its case ends."""
    message = unit.outbox.find_message(asked.mid, partner=asked.partner) if asked.mid else None
    if message is None or message.case_no is None:
        return list(unit.events(asked, limit=MOST + 1))
    of_case = ActsAsked(case_no=message.case_no)
    about = unit.events(of_case._replace(mid=asked.mid, partner=asked.partner), limit=MOST + 1)
    ends = unit.events(of_case._replace(acts=ENDS), limit=MOST + 1)
    return sorted({one.number: one for one in (*about, *ends)}.values(), key=lambda one: one.number)


def _no_more(acts: list[KeptEvent]) -> list[KeptEvent]:
    if len(acts) > MOST:
        raise TooMuchAsked(f"a bundle holds up to {MOST} acts")
    return acts


def _destructions(unit: Unit, since: datetime, known: Iterable[KeptEvent]) -> Iterator[KeptEvent]:
    """Batches in which content was destroyed since a message was made: one of them is its own."""
    numbers = {kept.number for kept in known}
    yield from (kept for kept in unit.destructions(since, limit=MOST + 1) if kept.number not in numbers)


def _bundled(world: World, unit: Unit, row: MessageRow, found: Found) -> Bundled:
    receipt = (unit.outbox if row.direction == "out" else unit.inbox).receipt(row.partner, row.mid)
    if receipt is None:
        found.lacks("receipt", row.mid, "none-kept")
    explanation = None
    if row.map_pin and row.body and row.type == "referral.created":
        try:
            explanation = _explanation(world, unit, row.mid)
        except Refused as refusal:
            found.lacks("explanation", row.mid, refusal.code)
    elif row.map_pin:
        found.lacks("explanation", row.mid, "destroyed" if not row.body else "ids-only")
    attempts = unit.outbox.attempts(row.mid) if row.direction == "out" else ()
    return Bundled(row, receipt, attempts, explanation, _heads(row, attempts, found))


def _heads(row: MessageRow, attempts: Sequence[AttemptRow], found: Found) -> dict[int, bytes]:
    """The heads that go in, by the number of the attempt. Says of which answered requests there is none, and why."""
    inbound = row.direction == "in"
    kept = {1: row.head} if inbound else {n: one.head for n, one in enumerate(attempts, 1)}
    answered = {n for n in kept if inbound or attempts[n - 1].http_status is not None}
    given: dict[int, bytes] = {}
    reasons = {"not-kept" if row.body else "destroyed" for n in answered if not kept[n]}
    for n, head in kept.items():
        if head and rrn.find(head.decode()):
            reasons.add("holds-a-resident-number")
        elif head:
            given[n] = head
    for reason in sorted(reasons):
        found.lacks("http", row.mid, reason)
    return given


def _explanation(world: World, unit: Unit, mid: str) -> bytes:
    """Rule, code table and source of every element, without any value."""
    said = explained(world, unit, mid)
    lines = [
        {"target": e.target, "status": e.status, "rule": e.rule, "at": e.at, "expr": e.expr, "via": list(e.via),
         "tables": list(e.tables), "sources": [source.path for source in e.sources]}
        for e in said.explained
    ]  # fmt: skip
    return json({"map": said.message.map_pin, "sameMap": said.same_map, "sameBytes": said.same_bytes, "lines": lines})


def _keys(unit: Unit, rows: Sequence[MessageRow]) -> Iterator[KeyRow]:
    for owner in sorted({US, *(row.partner.lower() for row in rows)} if rows else ()):
        yield from unit.keys.of(owner)


def _rests_on(unit: Unit, rows: Sequence[MessageRow], found: Found) -> list[KeptEvent]:
    """The acts that introduced the keys and maps of these messages, the partners' profiles, and all rules."""
    keys = {_subject(key) for key in found.keys}
    maps = {
        named(row.map_pin, bytes.fromhex((row.map_digest or "").removeprefix("sha256:"))) for row in rows if row.map_pin
    }
    partners = {row.partner for row in rows}
    known = {kept.number for kept in found.acts}
    said = [kept for kept in unit.named(RESTS_ON) if kept.number not in known] if rows else []
    wanted = [
        kept
        for kept in said
        if kept.event.subject in keys | maps
        or kept.event.act.startswith("rules.")
        or (kept.event.act.startswith("partner.") and kept.event.partner in partners)
    ]
    told = {kept.event.subject for kept in [*wanted, *found.acts] if kept.event.act in (KEY_ADDED, "map.activated")}
    for subjects, act in ((keys, KEY_ADDED), (maps, "map.activated")):
        for subject in sorted(subjects - told):
            found.lacks("act", subject, act)
    return wanted


def _subject(key: KeyRow) -> str:
    public = from_jwk(key.jwk, key.owner, key.not_before).public
    return named(key.owner, base64url.decode(thumbprint(public)))


def _origin(log: LogSeen) -> str:
    return log.vkey.partition("+")[0]
