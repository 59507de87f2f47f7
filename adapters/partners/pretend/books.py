"""The books of a pretend partner: its own signed list of what went between it and the gateway, from its journal alone.

The gateway brings a list of a period and gets ours of the same period back; the same list again gets the same bytes
again. Both stand in the journal before ours leaves. Refuses a list that is not the gateway's, and to look into the
gateway's list before it has written its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from adapters.partners.pretend.desk import Desk
from adapters.partners.pretend.dialects import Verdict
from adapters.partners.pretend.keyring import GATEWAY, Seals
from gateway.sealing import compact, lists, manifest
from gateway.sealing.lists import Entry, ReconciliationList, State, digest_list

TOLD = {"answered": State.DELIVERED, "refused": State.REJECTED}


class Clerk:
    """Answers lists. Safe for several threads."""

    def __init__(self, partner: str, desk: Desk, seals: Seals) -> None:
        self._partner, self._desk, self._seals = partner, desk, seals

    def answer(self, jws: str) -> str:
        """Our list, in answer to the gateway's. Raises SealRefused for what is not a list of the gateway for us."""
        asked = lists.check(
            jws, keys=self._seals.gateway, author=GATEWAY, audience=self._partner, received=self._seals.now()
        )
        with self._desk.lock:
            given = {line["asked"]: line["list"] for line in self._desk.lines() if line["what"] == "listed"}
            if found := given.get(digest_list(jws)):
                return str(found)
            ours = lists.make(self._stated(asked, jws, self._desk.lines(), list(given.values())), self._seals.own)
            self._desk.record("listed", asked=digest_list(jws), list=ours)
        return ours

    def _stated(
        self, asked: ReconciliationList, jws: str, lines: Iterable[Mapping[str, Any]], before: list[str]
    ) -> ReconciliationList:
        return ReconciliationList(
            iss=self._partner,
            aud=GATEWAY,
            at=int(self._seals.now().timestamp()),
            since=asked.since,
            until=asked.until,
            previous=digest_list(before[-1]) if before else None,
            answers=digest_list(jws),
            entries=tuple(entries(lines, asked.since, asked.until)),
        )


def entries(lines: Iterable[Mapping[str, Any]], since: int, until: int) -> list[Entry]:
    """What a journal says of the messages whose manifests were sealed in a period."""
    found: dict[tuple[str, str], Entry] = {}
    for line in lines:
        what, mid = line["what"], line.get("mid", "")
        if what == "received" and since <= _sealed(line) < until:
            state = State.ACCEPTED if line["verdict"] == Verdict.OK else State.REJECTED
            found[mid, "in"] = Entry(mid, line["mjws_s256"], "in", state)
        elif what == "outgoing" and since <= _own(line["jws"]) < until:
            found[mid, "out"] = Entry(mid, manifest.digest_jws(line["jws"]), "out", State.WAITING)
        elif what in TOLD and (mid, "out") in found:
            found[mid, "out"] = found[mid, "out"]._replace(state=TOLD[what])
    return list(found.values())


def _sealed(line: Mapping[str, Any]) -> int:
    """When the gateway sealed a message that we received; journals of the first release say only when it came."""
    return int(line.get("iat") or datetime.fromisoformat(line["at"]).timestamp())


def _own(jws: str) -> int:
    return manifest.read(compact.read(jws, typ=manifest.TYP).payload).iat
