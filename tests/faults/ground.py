"""The ground that rounds begin on: databases made once by the gateway's own verbs, and copied for every round.

cases      taken in and screened, nothing referred
referred   sealed messages wait: for every leg the referral and two short notes behind it
delivered  the partners have the referrals, and letters to bring
"""

from __future__ import annotations

import itertools
import os
import shutil
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import psycopg

from gateway.assembly import Gateway
from gateway.assembly.clocks import uuid7
from gateway.cli.serving import listen
from gateway.journey.intake import take_in
from gateway.journey.refer import refer
from gateway.journey.screen import screen_cases
from gateway.journey.world import US
from gateway.ports import LegRow, MessageRow
from gateway.sealing import manifest
from gateway.sealing.manifest import Manifest
from tests.bench.stage import staffed
from tests.conftest import TEMPLATE, in_database
from tests.faults import careless
from tests.faults.crew import crew_at
from tests.faults.partner import partners, show_keys
from tests.faults.place import Place, bound
from tests.faults.sender import write_letters
from tests.journey.world import a_case, knowledge, write_night

NOTES = 2
"""Further messages behind every referral, so that there is an order to keep."""
_COUNT = itertools.count(1)


@dataclass
class Ground:
    """Templates on one server, and where homes are made."""

    server: str
    folder: Path
    cases: int
    home: Path | None = None  # of a server of our own, to which things may happen
    templates: dict[str, tuple[str, Path]] = field(default_factory=dict)

    @contextmanager
    def place(self, template: str, **more: Any) -> Iterator[tuple[Place, socket.socket]]:
        """A copy of a template, with the socket of the partners; the port of our door is kept for us."""
        name, home = self._template(template)
        copy = f"round{os.getpid()}_{next(_COUNT)}"
        _run(self.server, f"create database {copy} template {name}")
        theirs, ours = listen("127.0.0.1", 0), bound()
        there = self.folder / copy
        shutil.copytree(home, there)
        place = Place(in_database(self.server, copy), there, theirs.getsockname()[1], ours.getsockname()[1], **more)
        _run(place.database, "update delivery set next_at = now(), first_at = now()")  # its patience begins now
        if self.home:
            _run(self.server, "checkpoint")  # or the sequences that were copied would give numbers twice after a crash
        careless.allow(place.careless, place.database)
        try:
            yield place, theirs
        finally:
            theirs.close()
            ours.close()
            _run(self.server, f"drop database {copy} with (force)")

    def drop(self) -> None:
        """Leave nothing on the server."""
        for database, _ in self.templates.values():
            _run(self.server, f"drop database {database} with (force)")

    def _template(self, name: str) -> tuple[str, Path]:
        if name not in self.templates:
            self.templates[name] = self._make(name)
        return self.templates[name]

    def _make(self, name: str) -> tuple[str, Path]:
        makers = {"cases": self._cases, "referred": self._referred, "delivered": self._delivered}
        database, home = f"ground{os.getpid()}_{name}", self.folder / name
        home.mkdir()
        before = {"cases": TEMPLATE, "referred": "cases", "delivered": "referred"}[name]
        if name == "cases":
            _run(self.server, f"create database {database} template {before}")
        else:
            source, source_home = self._template(before)
            _run(self.server, f"create database {database} template {source}")
            shutil.copytree(source_home, home, dirs_exist_ok=True)
        theirs, ours = listen("127.0.0.1", 0), bound()
        place = Place(
            in_database(self.server, database), home, theirs.getsockname()[1], ours.getsockname()[1], lease_s=30.0
        )
        with theirs, ours:
            makers[name](place, theirs)
        return database, home

    def _cases(self, place: Place, _: socket.socket) -> None:
        with place.gateway(staffed(knowledge(), 100_000)) as gateway:
            for owner, jwk in show_keys(place, gateway.jwks()).items():
                gateway.shelf.add(owner, jwk)
            night = place.home / "night"
            night.mkdir()
            cases = [a_case(n) for n in range(1, self.cases + 1)]
            write_night(night, cases, entries=cases)
            assert {t.verdict for t in take_in(gateway.world, night)} == {"accepted"}
            screen_cases(gateway.world)

    def _referred(self, place: Place, _: socket.socket) -> None:
        with place.gateway(knowledge()) as gateway:
            while refer(gateway.world):
                pass
            add_notes(gateway)

    def _delivered(self, place: Place, theirs: socket.socket) -> None:
        from tests.faults.actors import worker  # the fork server loads it, the test's own process need not before

        with crew_at(place) as crew, psycopg.connect(place.database, autocommit=True) as books:
            crew.hire("partners", partners, lambda: (theirs,))
            crew.hire("worker", worker, lambda: ("",))
            waiting = "select count(*) from delivery where state <> 'delivered'"
            crew.until("everything is delivered", lambda: books.execute(waiting).fetchone() == (0,), 120.0)
        with place.gateway(knowledge()) as gateway:
            write_letters(place, legs_of(gateway))


def legs_of(gateway: Gateway) -> Sequence[LegRow]:
    """Every leg there is."""
    with gateway.store.unit() as unit:
        cases = [row["caseNo"] for row in unit.cases.report()]
        return unit.legs.of_cases(cases)


def add_notes(gateway: Gateway) -> None:
    """Behind every referral short messages of a kind that needs no permission, sealed like any other."""
    with gateway.store.unit() as unit:
        first = [unit.outbox.find_message(row["mid"]) for row in unit.outbox.report()]
        notes = [_note(gateway, row, n) for row in first if row for n in range(1, NOTES + 1)]
        unit.outbox.enqueue(notes)
        unit.commit(gateway.world.event("referral.prepared", "vocational-rehab", counts={"messages": len(notes)}))


def _note(gateway: Gateway, row: MessageRow, n: int) -> MessageRow:
    mid, body = uuid7(), orjson.dumps({"refNo": row.ref_no, "note": n})
    stated = Manifest(
        mid=mid, iss=US, aud=row.partner.lower(), iat=int(row.at.timestamp()), type="referral.note",
        case=f"C-{row.ref_no}", seq=row.seq + n, profile="note|1.0.0",
        parts=(manifest.digest_part("body", row.content_type, body),),
    )  # fmt: skip
    return row._replace(
        mid=mid, type="referral.note", seq=row.seq + n, body=body, jws=manifest.seal(stated, gateway.world.signing_key),
        body_sha256=sha256(body).digest(), fields=(), fhir=None,
    )  # fmt: skip


def _run(server: str, sql: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql)
