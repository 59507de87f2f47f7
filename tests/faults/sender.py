"""The partners' side of the way back: letters written beforehand, brought to the door until each has a receipt.

Rules: a letter is sealed once and signed anew for every attempt; every attempt is one line in the partner's journal,
whatever came of it; a letter that is answered is sometimes brought again, and its receipt is asked for again.
Refuses to judge: the receipt is kept as it came.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from base64 import urlsafe_b64decode
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any, NamedTuple

import httpx2
import orjson

from adapters.partners.pretend import story
from adapters.partners.pretend.journal import Journal
from adapters.partners.pretend.keyring import own_key
from gateway.assembly.clocks import uuid7
from gateway.ports import LegRow
from gateway.sealing import http
from gateway.sealing.keys import SigningKey
from tests.faults.partner import DIALECTS
from tests.faults.place import PARTNERS, TODAY, Place
from tests.journey.world import knowledge, seal, told

PAUSE_S, TIMEOUT_S = 0.05, 5.0


class Habits(NamedTuple):
    """How letters are brought: `side` legs at a time, in order or all mixed; how often again, of a thousand."""

    side: int = 6
    shuffled: bool = False
    again: int = 200
    fetch: int = 1000
    again_after_s: float = 0.0
    copies: int = 1  # so many at the same moment
    patience_s: float = TIMEOUT_S


def slowly(cases: int) -> Habits:
    """Letters for some seconds, so that there is work before, during and after what happens, however many they are."""
    return Habits(side=1, again=1000, again_after_s=min(0.08, 3.0 / cases), fetch=0, patience_s=15.0)


def write_letters(place: Place, legs: Sequence[LegRow]) -> int:
    """The shortest good story of every leg, sealed and journalled; returns how many letters."""
    count = 0
    for partner in PARTNERS:
        home, dialect = place.partners / partner.lower(), DIALECTS[partner.lower()]
        journal, key = Journal(home / "journal.ndjson"), own_key(home, partner.lower())
        for leg in (one for one in legs if one.partner == partner):
            events = story.tell_bench(leg.ref_no, TODAY, partner=dialect.id, speaks=dialect.speaks).events
            for seq, event in enumerate(events, 1):
                letter = told(leg, event, seq, uuid7())
                jws = seal(letter, datetime.fromtimestamp(time.time(), UTC), key=key)
                journal.append(
                    {"what": "letter", "mid": letter.mid, "ref_no": leg.ref_no, "seq": seq, "jws": jws,
                     "body": letter.body.decode()}
                )  # fmt: skip
                count += 1
        journal.close()
    return count


@dataclass(frozen=True)
class Pen:
    """What a partner writes and signs with: where to, its key, and its letters."""

    url: str
    content_type: str
    key: SigningKey
    letters: list[dict[str, Any]]

    def sign(
        self, letter: dict[str, Any], *, body: bytes | None = None, jws: str | None = None, ahead_s: float = 0.0
    ) -> dict[str, str]:
        """The headers of one attempt, now or `ahead_s` from now; body or manifest may be others than the letter's."""
        content = letter["body"].encode() if body is None else body
        return http.sign(
            "POST", self.url, self.content_type, content, letter["mid"], jws or letter["jws"], key=self.key,
            created=datetime.fromtimestamp(time.time() + ahead_s, UTC), nonce=secrets.token_urlsafe(24),
        )  # fmt: skip


def pen_of(place: Place, partner: str) -> Pen:
    """A partner's pen."""
    home = place.partners / partner.lower()
    lines = map(orjson.loads, (home / "journal.ndjson").read_bytes().splitlines())
    return Pen(
        f"{place.public_url}/partners/{partner.lower()}/v1/outcomes",
        knowledge().profiles[partner].content_type,
        own_key(home, partner.lower()),
        [line for line in lines if line["what"] == "letter"],
    )


class Sender:
    """One partner's postman."""

    def __init__(self, place: Place, partner: str, habits: Habits) -> None:
        self._habits, self._pen = habits, pen_of(place, partner)
        self._journal = Journal(place.partners / partner.lower() / "journal.ndjson")
        self._http = httpx2.Client(timeout=habits.patience_s, trust_env=False)

    def run(self) -> None:
        """Bring every letter; then say so in the journal."""
        with ThreadPoolExecutor(self._habits.side) as side_by_side:
            list(side_by_side.map(self._bring_all, self._lines()))
        self._journal.append({"what": "done", "at": time.time()})

    def _lines(self) -> Iterator[list[dict[str, Any]]]:
        if self._habits.shuffled:
            mixed = list(self._pen.letters)
            Random(7).shuffle(mixed)
            yield from ([letter] for letter in mixed)
            return
        by_leg = defaultdict(list)
        for letter in self._pen.letters:
            by_leg[letter["ref_no"]].append(letter)
        yield from by_leg.values()

    def _bring_all(self, letters: list[dict[str, Any]]) -> None:
        for letter in letters:
            while not self._bring(letter):
                time.sleep(PAUSE_S)
            if _draw(letter["mid"], "again") < self._habits.again:
                time.sleep(self._habits.again_after_s)
                self._bring(letter)
            if _draw(letter["mid"], "fetch") < self._habits.fetch:
                while not self._fetch(letter):
                    time.sleep(PAUSE_S)

    def _bring(self, letter: dict[str, Any]) -> bool:
        """One attempt, or several at the same moment; whether a receipt came back."""
        if self._habits.copies == 1:
            return self._attempt(letter)
        start = threading.Barrier(self._habits.copies)
        with ThreadPoolExecutor(self._habits.copies) as at_once:
            return any(list(at_once.map(lambda _: self._attempt(letter, start.wait), range(self._habits.copies))))

    def _attempt(self, letter: dict[str, Any], wait: Callable[[], object] = lambda: None) -> bool:
        body, headers = letter["body"].encode(), self._pen.sign(letter)
        wait()
        return self._heard("answer", letter, lambda: self._http.post(self._pen.url, content=body, headers=headers))

    def _fetch(self, letter: dict[str, Any]) -> bool:
        url = f"{self._pen.url.removesuffix('outcomes')}messages/{letter['mid']}/receipt"
        return self._heard("fetched", letter, lambda: self._http.get(url))

    def _heard(self, what: str, letter: dict[str, Any], ask: Callable[[], httpx2.Response]) -> bool:
        began = time.time()
        try:
            answer = ask()
        except httpx2.HTTPError as error:
            self._journal.append({"what": what, "mid": letter["mid"], "at": began, "failed": type(error).__name__})
            return False
        receipt = answer.headers.get("Comwel-Receipt-JWS") if what == "answer" else _receipt_in(answer)
        self._journal.append(
            {"what": what, "mid": letter["mid"], "at": began, "took": time.time() - began,
             "status": answer.status_code, "receipt": receipt, "decision": decision_in(receipt),
             "retry_after": answer.headers.get("Retry-After")}
        )  # fmt: skip
        return receipt is not None


def _receipt_in(answer: httpx2.Response) -> str | None:
    found: str | None = orjson.loads(answer.content).get("receipt") if answer.status_code == 200 else None
    return found


def decision_in(receipt: str | None) -> str | None:
    """What a receipt says, believed for now."""
    if receipt is None:
        return None
    payload = receipt.split(".")[1]
    said: str = orjson.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["decision"]
    return said


def _draw(mid: str, what: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{mid}|{what}".encode()).digest()[:4], "big") % 1000


def sender(place: Place, habits: Habits = Habits()) -> None:  # noqa: B008 - immutable
    """Be all three postmen; wait to be ended when everything is brought."""
    postmen = [threading.Thread(target=Sender(place, p, habits).run) for p in PARTNERS]
    for postman in postmen:
        postman.start()
    threading.Event().wait()
