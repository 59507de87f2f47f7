"""The independent checker: reads both sides' books and says what is wrong with them. No code of the gateway.

    L lost        one side was told that a message is across, and the other does not have it; or nobody will bring it
    D doubled     a message, or what it stands for, took effect twice
    O disordered  a case's messages took effect in another order than that of their numbers
    E unproven    a manifest or a receipt does not verify, or is not about the bytes it lies beside; or it
                  could not be proven by whom it was sent to
    S stuck       a delivery that is due, leased by nobody, and still not tried; a report that is held in its turn
    X broken      an answer of the gateway with an unexpected 5xx

Signatures are verified with joserfc. What a partner journals: `received` (once a message that took effect), `letter`
(what it has to tell), `answer` (what the gateway said to an attempt), `fetched` (a receipt asked for), `forged` (what
it said to an attempt that it must not believe), `duplicate` (a message that came again), `unproven` (one that it could
not believe).
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import orjson
from joserfc import jws as joserfc
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from tests.faults.books import Books, Row

LATE_S = 2.0
"""How long after its time a delivery may still lie there when the books are read."""
ACCEPTED = ("accepted", "duplicate")


class Findings(NamedTuple):
    """Sentences, by what is wrong. All empty: nothing is."""

    lost: list[str]
    doubled: list[str]
    disordered: list[str]
    unproven: list[str]
    stuck: list[str]
    broken: list[str]

    @property
    def numbers(self) -> tuple[int, ...]:
        """L, D, O, E, S, X."""
        return tuple(map(len, self))

    def __str__(self) -> str:
        named = zip("LDOESX", self, strict=True)
        return "; ".join(f"{letter}={len(found)} {found[:3]}" for letter, found in named if found) or "nothing wrong"


def check(books: Books, *, allowed: frozenset[int] = frozenset()) -> Findings:
    """Judge the books of a round that has ended. `allowed` are 5xx that the row expects, with Retry-After."""
    rules: tuple[Callable[[Books], Iterator[str]], ...] = (_lost, _doubled, _disordered, _unproven, _stuck)
    found = [*(rule(books) for rule in rules), _broken(books, allowed)]
    return Findings(*(sorted(set(sentences)) for sentences in found))


def _received(books: Books) -> Iterator[tuple[str, Row]]:
    for partner, lines in books.theirs.items():
        yield from ((partner, line) for line in lines if line["what"] == "received")


def _lines(books: Books, what: str) -> Iterator[tuple[str, Row]]:
    for partner, lines in books.theirs.items():
        yield from ((partner, line) for line in lines if line["what"] == what)


# ── L ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _lost(books: Books) -> Iterator[str]:
    if not books.ours["messages"] or not any(books.theirs.values()):
        yield "the books are empty"
    yield from _lost_out(books)
    yield from _lost_in(books)


def _lost_out(books: Books) -> Iterator[str]:
    there = {(partner, line["mid"]): line["decision"] for partner, line in _received(books)}
    shown = {(w["partner"], w["mid"]) for w in books.ours["work"]}
    ours = {(m["partner"], m["mid"]): m for m in books.ours["messages"] if m["direction"] == "out"}
    states = {(d["partner"], d["mid"]): d["state"] for d in books.ours["deliveries"]}
    for key in ours:
        state = states.get(key, "nowhere")
        if state == "delivered" and key not in there:
            yield f"{key} is delivered here, and was never received there"
        elif state == "delivered" and there[key] == "rejected":
            yield f"{key} is delivered here, and was rejected there"
        elif state == "blocked" and there.get(key) == "accepted":
            yield f"{key} is blocked here, and was accepted there"
        elif state in ("blocked", "dead") and key not in shown:
            yield f"{key} is {state}, and nobody was told"
        elif state not in ("delivered", "blocked", "dead"):
            yield f"{key} is {state} at the end"
    receipted = {(r["partner"], r["mid"]): r for r in books.ours["receipts"] if r["direction"] == "out"}
    for d in books.ours["deliveries"]:
        receipt = receipted.get((d["partner"], d["mid"]))
        if (
            d["state"] != "delivered"
            and receipt
            and receipt["decision"] in ACCEPTED
            and receipt["written"] <= d["written"]
        ):
            yield f"{d['mid']} was {d['state']} after its receipt had come"
    created = {m["ref_no"] for m in ours.values() if m["type"] == "referral.created"}
    yield from (f"leg {leg['ref_no']} has no message" for leg in books.ours["legs"] if leg["ref_no"] not in created)
    yield from (f"{key} was received, and we do not know it" for key in there if key not in ours)


def _lost_in(books: Books) -> Iterator[str]:
    here = {(row["partner"], row["mid"]): row for row in books.ours["inbox"]}
    facts = {row["mid"] for row in books.ours["facts"]}
    answered = {(p, line["mid"]): line["decision"] for p, line in _lines(books, "answer") if line.get("decision")}
    for partner, line in _lines(books, "letter"):
        key = (partner, line["mid"])
        if key not in answered:
            yield f"{key} never got a receipt"
    for key, decision in answered.items():
        row = here.get(key)
        if row is None:
            yield f"{key} has our receipt, and is not in the inbox"
        elif decision not in ACCEPTED:
            yield f"{key} was refused, and nothing is wrong with it"
        elif row["state"] == "applied" and key[1] not in facts:
            yield f"{key} is applied, and there is no fact"
        elif row["state"] not in ("applied", "held"):
            yield f"{key} is accepted, and {row['state']} here"


# ── D ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _doubled(books: Books) -> Iterator[str]:
    effects = Counter((partner, line["mid"]) for partner, line in _received(books))
    places = Counter((partner, line["case"], line["seq"]) for partner, line in _received(books))
    created = Counter(
        (m["partner"], m["case_no"])
        for m in books.ours["messages"]
        if m["direction"] == "out" and m["type"] == "referral.created"
    )
    facts = Counter(row["mid"] for row in books.ours["facts"])
    numbers = Counter((row["ref_no"], row["seq"]) for row in books.ours["facts"])
    for said, counted in (
        ("took effect there", effects),
        ("was used as a number there", places),
        ("was referred", created),
        ("became a fact", facts),
        ("was used as a number here", numbers),
    ):
        yield from (f"{key} {said} {times} times" for key, times in counted.items() if times > 1)
    given = defaultdict(set)
    for what in ("answer", "fetched"):
        for partner, line in _lines(books, what):
            if line.get("receipt"):
                given[partner, line["mid"]].add(line["receipt"])
    yield from (f"{key} got {len(found)} different receipts" for key, found in given.items() if len(found) > 1)


# ── O ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _disordered(books: Books) -> Iterator[str]:
    there: dict[Any, list[int]] = defaultdict(list)
    for partner, line in _received(books):
        there[partner, line["case"]].append(line["seq"])
    here: dict[Any, list[int]] = defaultdict(list)
    for row in books.ours["facts"]:
        here[row["ref_no"]].append(row["seq"])
    for key, seqs in [*there.items(), *here.items()]:
        if seqs != sorted(seqs):
            yield f"{key} took effect as {seqs}"


# ── E ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
class _Seals:
    """Opens what either side has signed. Keys are imported once, and the same words under the same seal opened once."""

    def __init__(self, books: Books) -> None:
        self._keys = {owner: KeySet.import_key_set({"keys": keys}) for owner, keys in books.keys.items()}
        self._stated: dict[tuple[str, str], tuple[Row, Row] | None] = {}

    def open(self, owner: str, jws: str, typ: str) -> Row | None:
        """What a compact JWS states, if it is signed by its owner."""
        if (owner, jws) not in self._stated:
            self._stated[owner, jws] = self._opened(owner, jws)
        head, stated = self._stated[owner, jws] or ({}, {})
        return stated if head.get("typ") == typ else None

    def _opened(self, owner: str, jws: str) -> tuple[Row, Row] | None:
        if owner not in self._keys:
            return None
        try:
            found = joserfc.deserialize_compact(jws, self._keys[owner], algorithms=["ES256"])
        except (JoseError, ValueError):
            return None
        return found.headers(), orjson.loads(found.payload)


def _unproven(books: Books) -> Iterator[str]:
    seals = _Seals(books)
    for m in books.ours["messages"]:
        sender, receiver = (
            ("comwel", m["partner"].lower()) if m["direction"] == "out" else (m["partner"].lower(), "comwel")
        )
        stated = seals.open(sender, m["jws"], "comwel-msg+jwt")
        digests = {p["s256"] for p in stated["parts"]} if stated else set()
        if stated is None or (stated["mid"], stated["iss"], stated["aud"]) != (m["mid"], sender, receiver):
            yield f"message {m['mid']} does not verify"
        elif m["body"] is not None and digests != {_digest(m["body"])}:
            yield f"message {m['mid']} is about other bytes"
    sent = {(m["partner"], m["direction"], m["mid"]): m["jws"] for m in books.ours["messages"]}
    for r in books.ours["receipts"]:
        issuer = r["partner"].lower() if r["direction"] == "out" else "comwel"
        yield from _about(seals, issuer, r["jws"], r["mid"], sent.get((r["partner"], r["direction"], r["mid"])))
        said = seals.open(issuer, r["jws"], "comwel-receipt+jwt")
        if said and said["decision"] != r["decision"]:
            yield f"the receipt for {r['mid']} says {said['decision']}, and is kept as {r['decision']}"
    across = {(d["partner"], d["mid"]) for d in books.ours["deliveries"] if d["state"] == "delivered"}
    kept = {(r["partner"], r["mid"]) for r in books.ours["receipts"] if r["direction"] == "out"}
    yield from (f"{key} is delivered without a receipt" for key in across - kept)
    letters = {(p, line["mid"]): line["jws"] for p, line in _lines(books, "letter")}
    for partner, line in _lines(books, "answer"):
        if line.get("receipt"):
            yield from _about(seals, "comwel", line["receipt"], line["mid"], letters.get((partner, line["mid"])))
    for partner, line in _lines(books, "forged"):
        if (line.get("status") or 999) < 400 or line.get("receipt"):
            yield f"{line['kind']}: {partner} was believed, {line['mid']}"
    for m in books.ours["messages"]:
        if m["direction"] == "in" and letters.get((m["partner"], m["mid"])) != m["jws"]:
            yield f"{m['mid']} was taken in, and nobody wrote it so"
    yield from _unproven_there(books, sent)


def _unproven_there(books: Books, sent: Mapping[tuple[str, str, str], str]) -> Iterator[str]:
    bodies = {
        (m["partner"], m["mid"]): hashlib.sha256(m["body"]).hexdigest()
        for m in books.ours["messages"]
        if m["direction"] == "out" and m["body"] is not None
    }
    for partner, line in _received(books):
        if sent.get((partner, "out", line["mid"])) not in (None, line["jws"]):
            yield f"{line['mid']} was received under another proof than ours"
        if bodies.get((partner, line["mid"])) not in (None, line["sha256"]):
            yield f"{line['mid']} was received as other bytes than ours"
    for partner, line in _lines(books, "duplicate"):
        if not line["same"]:
            yield f"{line['mid']} came to {partner} again under another proof"
    for partner, line in _lines(books, "unproven"):
        yield f"{partner} could not prove an attempt of ours: {line['code']}"


def _about(seals: _Seals, issuer: str, jws: str, mid: str, sent: str | None) -> Iterator[str]:
    stated = seals.open(issuer, jws, "comwel-receipt+jwt")
    if stated is None or stated["iss"] != issuer:
        yield f"the receipt for {mid} does not verify"
    elif sent is None or (stated["mid"], stated["mjws_s256"]) != (mid, _digest(sent.encode())):
        yield f"the receipt for {mid} is about another message"


def _digest(raw: bytes) -> str:
    return urlsafe_b64encode(hashlib.sha256(raw).digest()).rstrip(b"=").decode()


# ── S, X ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _stuck(books: Books) -> Iterator[str]:
    for d in books.ours["deliveries"]:
        if d["state"] in ("ready", "leased") and d["overdue_s"] > LATE_S:
            yield f"{d['mid']} is {d['state']}, {d['overdue_s']:.1f} s after its time"
    heard = defaultdict(set)
    for row in books.ours["inbox"]:
        if row["state"] in ("applied", "refused"):
            heard[row["ref_no"]].add(row["seq"])
    for row in books.ours["inbox"]:
        if row["state"] == "held" and heard[row["ref_no"]].issuperset(range(1, row["seq"])):
            yield f"{row['mid']} is held, and everything before it was heard"


def _broken(books: Books, allowed: frozenset[int]) -> Iterator[str]:
    for what in ("answer", "fetched", "forged", "meanwhile"):
        for partner, line in _lines(books, what):
            status = line.get("status") or 0
            if status >= 500 and not (status in allowed and line.get("retry_after")):
                yield f"{partner} was answered {status} for {line['mid']}"
