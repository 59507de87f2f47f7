"""The checker is checked: clean books are clean, and each way of doctoring them is found under its own letter."""

from __future__ import annotations

import copy
import hashlib
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from joserfc import jws
from joserfc.jwk import ECKey

from tests.faults.books import Books, Row
from tests.faults.checker import check

ROOT = Path(__file__).parents[2]
KEYS = {owner: ECKey.generate_key("P-256", {"kid": f"{owner}-1"}) for owner in ("comwel", "keis")}
OUT, IN = "0000000a", "0000000b"
DECIDED = {"decision": "accepted"}
ACCEPTED = {**DECIDED, "written": 7}


def digest(raw: bytes) -> str:
    return urlsafe_b64encode(hashlib.sha256(raw).digest()).rstrip(b"=").decode()


def sign(owner: str, typ: str, stated: Row, key: ECKey | None = None) -> str:
    header = {"alg": "ES256", "typ": typ, "kid": f"{owner}-1"}
    return jws.serialize_compact(header, orjson.dumps(stated), key or KEYS[owner], algorithms=["ES256"])


def sealed(mid: str, sender: str, receiver: str, body: bytes) -> str:
    parts = [{"name": "body", "s256": digest(body)}]
    return sign(sender, "comwel-msg+jwt", {"mid": mid, "iss": sender, "aud": receiver, "parts": parts})


def receipt(mid: str, issuer: str, about: str, key: ECKey | None = None, decision: str = "accepted") -> str:
    stated = {"mid": mid, "iss": issuer, "mjws_s256": digest(about.encode()), "decision": decision}
    return sign(issuer, "comwel-receipt+jwt", stated, key)


def clean() -> Books:
    """One leg: its referral and a note went out, two reports came in."""
    books = Books(keys={owner: [key.as_dict(private=False)] for owner, key in KEYS.items()})
    theirs: list[Row] = []
    for n in (1, 2):
        mid, body = f"{OUT}{n}", b"out %d" % n
        said = sealed(mid, "comwel", "keis", body)
        word = receipt(mid, "keis", said)
        kind = "referral.created" if n == 1 else "referral.note"
        row = {"partner": "KEIS", "direction": "out", "mid": mid, "seq": n, "body": body, "jws": said}
        books.ours["messages"].append({**row, "type": kind, "case_no": "c1", "ref_no": "r1"})
        books.ours["deliveries"].append(
            {"partner": "KEIS", "mid": mid, "state": "delivered", "overdue_s": 9.0, "written": 7}
        )
        books.ours["receipts"].append({"partner": "KEIS", "direction": "out", "mid": mid, "jws": word, **ACCEPTED})
        sha256 = hashlib.sha256(body).hexdigest()
        taken = {"mid": mid, "case": "p1", "seq": n, "jws": said, "sha256": sha256, "receipt": word, **DECIDED}
        theirs.append({"what": "received", **taken})
    for n in (1, 2):
        mid, body = f"{IN}{n}", b"in %d" % n
        said = sealed(mid, "keis", "comwel", body)
        word = receipt(mid, "comwel", said)
        row = {"partner": "KEIS", "direction": "in", "mid": mid, "seq": n, "body": body, "jws": said}
        books.ours["messages"].append({**row, "type": "outcome.reported", "case_no": "c1", "ref_no": "r1"})
        books.ours["receipts"].append({"partner": "KEIS", "direction": "in", "mid": mid, "jws": word, **ACCEPTED})
        books.ours["inbox"].append({"partner": "KEIS", "mid": mid, "ref_no": "r1", "seq": n, "state": "applied"})
        books.ours["facts"].append({"ref_no": "r1", "seq": n, "mid": mid})
        theirs.append({"what": "letter", "mid": mid, "jws": said})
        for _ in range(2):
            theirs.append({"what": "answer", "mid": mid, "status": 200, "receipt": word, "decision": "accepted"})
    books.ours["legs"].append({"ref_no": "r1", "partner": "KEIS", "case_no": "c1"})
    books.theirs["KEIS"] = theirs
    return books


def lines(books: Books, what: str) -> list[Row]:
    return [line for line in books.theirs["KEIS"] if line["what"] == what]


def again(rows: list[Row], n: int, **other: Any) -> None:
    rows.append({**rows[n], **other})


def forget(books: Books, what: str) -> None:
    books.theirs["KEIS"].remove(lines(books, what)[0])


def told_of(books: Books, state: str) -> None:
    """The second message does not go on, and somebody was told; there is no receipt here."""
    books.ours["deliveries"][1].update(state=state)
    books.ours["receipts"] = [r for r in books.ours["receipts"] if r["mid"] != f"{OUT}2"]
    books.ours["work"].append({"partner": "KEIS", "mid": f"{OUT}2"})


def dead_after_all(books: Books, written: int = 8) -> None:
    """The second message is given up after it was across, and somebody was told."""
    books.ours["deliveries"][1].update(state="dead", written=written)
    books.ours["work"].append({"partner": "KEIS", "mid": f"{OUT}2"})


def held_in_its_turn(books: Books) -> None:
    """The second report waits for nobody."""
    books.ours["inbox"][1].update(state="held")
    books.ours["facts"].pop(1)


def test_nothing_is_wrong_with_books_that_agree() -> None:
    assert check(clean()).numbers == (0, 0, 0, 0, 0, 0)


DOCTORED: dict[str, tuple[str, Callable[[Books], Any]]] = {
    "delivered here and never received there": ("L", lambda b: forget(b, "received")),
    "given up and nobody told": ("L", lambda b: b.ours["deliveries"][1].update(state="dead")),
    "given up after its receipt had come": ("L", dead_after_all),
    "given up as its receipt came": ("L", lambda b: dead_after_all(b, written=7)),
    "delivered here and rejected there": ("L", lambda b: lines(b, "received")[1].update(decision="rejected")),
    "blocked here and accepted there": ("L", lambda b: told_of(b, "blocked")),
    "still waiting at the end": ("L", lambda b: b.ours["deliveries"][1].update(state="ready", overdue_s=0.0)),
    "a leg without a message": ("L", lambda b: again(b.ours["legs"], 0, ref_no="r2")),
    "received and unknown to us": ("L", lambda b: again(b.theirs["KEIS"], 0, mid="x", case="p9")),
    "a letter without a receipt": ("L", lambda b: again(b.theirs["KEIS"], 2, mid="x")),
    "receipted and not in the inbox": ("L", lambda b: b.ours["inbox"].pop(0)),
    "applied without a fact": ("L", lambda b: b.ours["facts"].pop(0)),
    "accepted and refused": ("L", lambda b: b.ours["inbox"][0].update(state="refused")),
    "accepted and put away as an old one": ("L", lambda b: b.ours["inbox"][0].update(state="stale")),
    "refused, and a good one": ("L", lambda b: [line.update(decision="rejected") for line in lines(b, "answer")]),
    "two effects of one message there": ("D", lambda b: b.theirs["KEIS"].insert(1, dict(b.theirs["KEIS"][0]))),
    "one number under two ids there": ("D", lambda b: lines(b, "received")[1].update(seq=1)),
    "one case referred twice": ("D", lambda b: b.ours["messages"][1].update(type="referral.created")),
    "two facts of one message": ("D", lambda b: b.ours["facts"].insert(1, {**b.ours["facts"][0], "ref_no": "r0"})),
    "one number twice here": ("D", lambda b: b.ours["facts"][1].update(seq=1)),
    "another receipt the second time": (
        "D", lambda b: lines(b, "answer")[1].update(receipt=receipt(f"{IN}1", "comwel", lines(b, "letter")[0]["jws"])),
    ),
    "the note before the referral": ("O", lambda b: b.theirs["KEIS"].insert(0, b.theirs["KEIS"].pop(1))),
    "the second report applied first": ("O", lambda b: b.ours["facts"].reverse()),
    "a body of other bytes": ("E", lambda b: b.ours["messages"][0].update(body=b"other")),
    "a message of another key": (
        "E", lambda b: b.keys.update(keis=[ECKey.generate_key("P-256", {"kid": "keis-1"}).as_dict(private=False)]),
    ),
    "a receipt about another message": (
        "E", lambda b: b.ours["receipts"][0].update(jws=b.ours["receipts"][1]["jws"]),
    ),
    "a receipt of a stranger": (
        "E",
        lambda b: b.ours["receipts"][0].update(
            jws=receipt(f"{OUT}1", "keis", b.ours["messages"][0]["jws"], ECKey.generate_key("P-256", {"kid": "keis-1"}))
        ),
    ),
    "a forged attempt that was believed": (
        "E", lambda b: again(b.theirs["KEIS"], 3, what="forged", kind="flip", receipt=None, status=202),
    ),
    "a forged attempt that got a receipt": (
        "E", lambda b: again(b.theirs["KEIS"], 3, what="forged", kind="flip", status=422),
    ),
    "received there as other bytes": ("E", lambda b: lines(b, "received")[1].update(sha256="00")),
    "came again under another proof": (
        "E", lambda b: b.theirs["KEIS"].append({"what": "duplicate", "mid": f"{OUT}1", "same": False}),
    ),
    "an attempt that the partner could not prove": (
        "E", lambda b: b.theirs["KEIS"].append({"what": "unproven", "code": "SEAL-DIGEST"}),
    ),
    "a rejection kept as an acceptance": (
        "E",
        lambda b: b.ours["receipts"][0].update(
            jws=receipt(f"{OUT}1", "keis", b.ours["messages"][0]["jws"], decision="rejected")
        ),
    ),
    "taken in as nobody wrote it": ("E", lambda b: lines(b, "letter")[1].update(jws="other")),
    "delivered without a receipt": ("E", lambda b: b.ours["receipts"].pop(0)),
    "due for long and not tried": ("S", lambda b: b.ours["deliveries"][1].update(state="leased", overdue_s=3.0)),
    "held, and nothing is missing before it": ("S", held_in_its_turn),
    "a 500 to a partner": ("X", lambda b: again(b.theirs["KEIS"], 3, status=500, receipt=None, decision=None)),
    "a 503 nobody expected": (
        "X", lambda b: again(b.theirs["KEIS"], 3, status=503, retry_after="1", receipt=None, decision=None),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DOCTORED)
def test_what_was_doctored_is_found(name: str) -> None:
    letter, doctor = DOCTORED[name]
    books = copy.deepcopy(clean())
    doctor(books)
    found = dict(zip("LDOESX", check(books).numbers, strict=True))
    assert found[letter] >= 1, found
    alone = {letter} if name not in ("still waiting at the end", "due for long and not tried") else {"L", "S"}
    assert {kind for kind, count in found.items() if count} <= alone | {"E", "L"}


def test_what_waits_behind_a_gap_is_neither_lost_nor_stuck() -> None:
    books = clean()
    held_in_its_turn(books)
    books.ours["inbox"].pop(0)
    books.ours["receipts"] = [r for r in books.ours["receipts"] if r["mid"] != f"{IN}1"]
    books.ours["messages"] = [m for m in books.ours["messages"] if m["mid"] != f"{IN}1"]
    books.ours["facts"].clear()
    books.theirs["KEIS"] = [line for line in books.theirs["KEIS"] if line["mid"] != f"{IN}1"]
    assert check(books).numbers == (0, 0, 0, 0, 0, 0)


def test_the_checker_runs_without_any_code_of_the_gateway() -> None:
    script = "import sys, tests.faults.checker; print(*(m.partition('.')[0] for m in sys.modules))"
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert not {"gateway", "adapters"} & set(ran.stdout.split())


def test_empty_books_are_not_clean_books() -> None:
    assert check(Books()).lost == ["the books are empty"]


def test_a_503_that_the_row_expects_is_not_wrong_if_it_says_when_to_come_again() -> None:
    books = clean()
    again(books.theirs["KEIS"], 3, status=503, retry_after="1", receipt=None, decision=None)
    assert check(books, allowed=frozenset({503})).numbers == (0, 0, 0, 0, 0, 0)
    again(books.theirs["KEIS"], 3, status=503, retry_after=None, receipt=None, decision=None)
    assert check(books, allowed=frozenset({503})).broken
