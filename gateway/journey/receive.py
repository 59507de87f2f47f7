"""Receive: partners' signed outcomes come in, are proven, understood, change their legs, or are refused with a receipt.

Rules: nothing is believed before origin, freshness and integrity are proven; a message id is remembered for life; the
partner's own order is kept; facts are stored, judged elsewhere; our receipt promises the message's leaf in the log, and
leaves only after commit, and is dated by no clock that is wrong. Messages that come at the same time share one unit:
each is judged for itself, and one commit keeps them all.
Refuses to guess: an outcome for somebody else's case, or one the table does not allow, changes nothing and is shown to
a person.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateway.errors import (
    ClocksApart,
    Interfered,
    ManifestContradicted,
    NotFresh,
    Place,
    Refused,
    SameIdOtherBytes,
    StoreUnavailable,
)
from gateway.journey.hearing import Hearing
from gateway.journey.prove import PURPOSE, Inbound, Letter, count_unproven, keep_unproven, prove
from gateway.journey.reply import (
    Judged,
    Reply,
    Result,
    digest,
    inbox_row,
    kept,
    message_row,
    receipts_of,
    result_of,
    work_about,
)
from gateway.journey.understand import understand
from gateway.journey.world import World
from gateway.ports import Arrival, InboxRow, ReceiptRow, Unit, WorkItem
from gateway.referrals.leg import Order, order
from gateway.sealing.keys import SigningKey

REUSED = "message-id-reused"
"""The work item about an id that came with other bytes."""
MOST_REUSED = 1000
_STATES = {Order.NEXT: "applied", Order.EARLY: "held", Order.STALE: "stale"}


def receive(world: World, inbound: Inbound) -> Reply:
    """Take in one message from a partner. Raises what `receive_together` says of it."""
    [word] = receive_together(world, [inbound])
    if isinstance(word, Exception):
        raise word
    return word


def receive_together(world: World, inbounds: Sequence[Inbound]) -> list[Reply | Exception]:
    """Take in messages that came at the same time; one word for each, in their order.

    An error is the word on whom it concerns alone: others of the same round are taken in, and those of a round before
    have their receipts. Raises what is nobody's own: StoreUnavailable, ClocksApart, and what breaks before anything is
    taken in; who was taken in by a round before then asks again, and gets the receipt.
    """
    # 1–3 proof: a partner of ours that is not stopped, this attempt, this message (`gateway.journey.prove`)
    # 4 strict JSON, the partner's own schema, the map, the canonical schema; the form and the number that were sealed
    # 5 the nonce is used for the first time
    # 6 the message id is new; the same bytes again get the original receipt, other bytes are refused
    # 7 it is about a leg of this partner and this worker, and the case that was sealed; the consent still stands
    # 8 its turn: older than heard is kept, not applied; too early is held, as long as not too many are; next is applied
    # 9 apply: the lifecycle's table, the facts, the retention checks; then what was held behind it
    # 10 numbers in the log, receipts that promise them, and one commit for all; then the receipts leave
    words: dict[int, Reply | Exception] = {}
    letters: list[Letter] = []
    for place, inbound in enumerate(inbounds):
        try:
            letters.append(prove(world, inbound, place))  # 1–3
            world.reached("inbound.proven")
        except Refused as refusal:
            count_unproven(world, inbound.partner, refusal)
            keep_unproven(world)
            words[place] = Reply(refusal.status, None, refusal)
    for distinct in _rounds(letters):
        words.update(_round(world, distinct))  # 4–10
    return [words[place] for place in range(len(inbounds))]


def _round(world: World, letters: Sequence[Letter]) -> Mapping[int, Reply | Exception]:
    """Take in one round; when it breaks one by one, for what broke it belongs to the one message that brought it."""
    try:
        return _take_in(world, letters)
    except (ClocksApart, StoreUnavailable):  # for one it would be no better
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the door answers for it
        if len(letters) == 1:
            return {letters[0].place: error}
        return {place: word for letter in letters for place, word in _round(world, [letter]).items()}


def _rounds(letters: Sequence[Letter]) -> Iterator[list[Letter]]:
    """Letters in rounds: each is of one partner, and in it every message id and every nonce comes once."""
    while letters:
        partner, ids, nonces = letters[0].partner, set[str](), set[str]()
        now, later = list[Letter](), list[Letter]()
        for letter in letters:
            fits = letter.partner == partner and letter.manifest.mid not in ids and letter.nonce not in nonces
            (now if fits else later).append(letter)
            ids.add(letter.manifest.mid)
            nonces.add(letter.nonce)
        yield now
        letters = later


# ── 4 what it says ───────────────────────────────────────────────────────────────────────────────────────────────────
_Said = dict[str, Any] | Refused
"""The canonical outcome, or why there is none."""


def _take_in(world: World, letters: Sequence[Letter]) -> dict[int, Reply]:
    said = {letter.place: _understood(world, letter) for letter in letters}  # 4
    key = world.signing_key  # nothing is taken in whose receipt we could not sign; later nobody may wait for it
    try:
        return _unit(world, letters, said, key)
    except Interfered:  # another process was faster with the same message: now it has been seen
        return _unit(world, letters, said, key)


def _understood(world: World, letter: Letter) -> _Said:
    stated, form = letter.manifest, world.know.profiles[letter.partner].report_form
    try:
        if stated.profile != form:
            raise ManifestContradicted(f"the body is read as {form}", place=Place(field="/profile"))
        outcome = understand(world, letter.partner, letter.body)
        if stated.seq not in (None, outcome["seq"]):
            raise ManifestContradicted("another number than that of the report", place=Place(field="/seq"))
    except Refused as refusal:
        return refusal
    return outcome


# ── 5–10 one unit ────────────────────────────────────────────────────────────────────────────────────────────────────
def _unit(world: World, letters: Sequence[Letter], said: Mapping[int, _Said], key: SigningKey) -> dict[int, Reply]:
    with world.store.unit(letters[0].partner) as unit:
        asked_at = world.clock.now()
        met = unit.inbox.meet([_arrival(letter, said[letter.place]) for letter in letters])  # 5–6
        world.reached("inbound.fresh")
        fresh = [letter for letter in letters if (letter.partner, letter.nonce) in met.fresh]
        new = [letter for letter in fresh if letter.id not in met.seen]
        if new:
            world.require_same_time(met.at, asked_at)  # our receipt says when, for good
        results = _new(world, Hearing(world, unit, met), new, said) if new else {}  # 7–9
        results |= {letter.place: _again(world, letter, *met.seen[letter.id]) for letter in fresh if letter not in new}
        results |= {letter.place: _replayed(world, letter) for letter in letters if letter not in fresh}
        unit.add_work(_untold(unit, [r.work for r in results.values() if r.work]))
        world.reached("inbound.written")
        promises = unit.promise(*(results[letter.place].event for letter in letters))  # 10
        made = receipts_of(letters, results, promises, key)
        unit.commit(receipts=list(made.values()))
        world.reached("inbound.committed")
    given = {place: result.reply for place, result in results.items()}
    return given | {place: given[place]._replace(receipt=row.jws) for place, row in made.items()}


def _arrival(letter: Letter, said: _Said) -> Arrival:
    return Arrival(*letter.id, letter.nonce, letter.at, None if isinstance(said, Refused) else said["refNo"])


# ── 5–6 seen before ──────────────────────────────────────────────────────────────────────────────────────────────────
def _replayed(world: World, letter: Letter) -> Result:
    refusal = NotFresh("the nonce was used before")
    event = world.event("message.received", PURPOSE, partner=letter.partner).refused(refusal.code)
    return Result(Reply(refusal.status, None, refusal), event)


def _again(world: World, letter: Letter, seen: InboxRow, receipt: ReceiptRow | None) -> Result:
    """Same id: with the same bytes the original decision stands; with others it is refused and somebody is told."""
    event = world.event("message.repeated", PURPOSE, partner=letter.partner, mid=letter.manifest.mid)
    if seen.jws_sha256 == digest(letter.jws):
        return Result(Reply(200, receipt.jws if receipt else None, None), event)
    refusal = SameIdOtherBytes()
    work = work_about(REUSED, refusal.code, letter, None)
    return Result(Reply(refusal.status, None, refusal), event.refused(refusal.code), work)


def _untold(unit: Unit, items: Sequence[WorkItem]) -> Sequence[WorkItem]:
    """Without reused ids that somebody has been told of and is not done with yet: one may come again for days."""
    if all(item.kind != REUSED for item in items):
        return items
    told = {(one.item.partner, one.item.mid) for one in unit.open_work(REUSED, MOST_REUSED)}
    return [item for item in items if item.kind != REUSED or (item.partner, item.mid) not in told]


# ── 7–9 new ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def _new(world: World, hearing: Hearing, letters: Sequence[Letter], said: Mapping[int, _Said]) -> dict[int, Result]:
    hearing.look_back(one for letter in letters if not isinstance(one := said[letter.place], Refused))
    judged = [_judge(hearing, letter, said[letter.place]) for letter in letters]
    places = hearing.write([(inbox_row(one), kept(one)) for one in judged])
    world.reached("inbound.remembered")
    return {one.letter.place: result_of(world, one, places[one.letter.id]) for one in judged}


def _judge(hearing: Hearing, letter: Letter, outcome: _Said) -> Judged:
    """Let its leg hear it. A refused one changes nothing, but uses up its number if it was its turn."""
    try:
        if isinstance(outcome, Refused):
            raise outcome
        row = hearing.whose(letter.partner, outcome)  # 7
        hearing.must_be_called(row, letter.manifest.case)
    except Refused as refusal:
        return Judged(letter, None, None, "quarantined", refusal)
    turn = order(row.in_seq, outcome["seq"])  # 8
    if turn is Order.NEXT:
        try:
            hearing.apply(row, outcome, letter.manifest.mid)  # 9
        except Refused as refusal:
            hearing.pass_over(row)
            return Judged(letter, row, outcome["seq"], "refused", refusal)
    if turn is Order.EARLY:
        try:
            hearing.hold(row, outcome["seq"], message_row(letter, row))
        except Refused as refusal:
            return Judged(letter, row, outcome["seq"], "refused", refusal)
    if turn is Order.STALE:
        hearing.note_stale(row, outcome, letter.manifest.mid)
    return Judged(letter, row, outcome["seq"], _STATES[turn])
