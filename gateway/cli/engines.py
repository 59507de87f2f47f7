"""The two engines that a demo can tell its story to: one process, or everything that `gateway up` starts.

Rules: both take the same files, the same days and the same questions, so the story and what is expected of it are told
once. Refuses to wait for ever for an engine that does not come to rest.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from gateway.assembly import Gateway, assemble
from gateway.assembly.books import Books, open_books
from gateway.assembly.clocks import DayFile
from gateway.cli import pretend, running
from gateway.cli.partners import Partners, PretendPartners
from gateway.cli.serving import Door, listen
from gateway.config import Settings
from gateway.errors import GatewayError, HandoverRefused, ImpossibleDate, Place, StoreUnavailable, handover_refusal
from gateway.journey import reconcile
from gateway.journey.admit import Taken
from gateway.journey.deliver import deliver
from gateway.journey.intake import take_in
from gateway.journey.world import World
from gateway.ports import HandoverFile, Store
from gateway.store.exchange_log import ExchangeLog
from gateway.worker.rounds import quiet, walk
from gateway.worker.wake import BrokerWake

WORKERS = 2
LOOK_S = 0.05
HINT_EVERY_S = 0.25
PATIENCE_S = 300.0
AWAY_S = 60.0
"""How long a process may be away that somebody killed: it is started again."""
_T = TypeVar("_T")


class Running(NamedTuple):
    """How an engine stands: seconds until it was ready, how many processes, and their memory (PSS) in MB."""

    ready_s: float
    processes: int
    memory_mb: float


class Engine(Protocol):
    """What a story is told to."""

    store: Store
    log: ExchangeLog
    partners: Partners
    running: Running | None

    def hand_over(self, night: Path) -> list[Taken]:
        """Give it the files of a night; returns what came of each once it has answered them."""
        ...

    def until_quiet(self) -> None:
        """Wait until nothing is left to do."""
        ...

    def set_today(self, today: date) -> list[dict[str, Any]]:
        """Let a business day begin here and at the partners; returns what each of them said."""
        ...

    def reconcile(self, days: Sequence[date]) -> list[reconcile.Reconciled]:
        """Exchange and compare the lists of real days with every partner."""
        ...


# ── one process ──────────────────────────────────────────────────────────────────────────────────────────────────────
class Inline:
    """The gateway in this process: it walks the journey when it is told to."""

    running: Running | None = None

    def __init__(self, gateway: Gateway, partners: Partners, clock: DayFile) -> None:
        self._world, self._clock = gateway.world, clock
        self.store: Store = gateway.store
        self.log, self.partners = gateway.log, partners

    def hand_over(self, night: Path) -> list[Taken]:
        """Take the folder in."""
        return take_in(self._world, night)

    def until_quiet(self) -> None:
        """Until nothing is waiting any more."""
        until_quiet(self._world)

    def set_today(self, today: date) -> list[dict[str, Any]]:
        """Here first, then there."""
        self._clock.set_today(today)
        return self.partners.set_today(today)

    def reconcile(self, days: Sequence[date]) -> list[reconcile.Reconciled]:
        """In this process."""
        return reconcile_all(self._world, days)


@contextmanager
def inline(settings: Settings, sandbox: pretend.Sandbox) -> Iterator[Engine]:
    """One process, its door, and three partners with their keys exchanged."""
    listening = listen("127.0.0.1", 0)
    door = f"http://127.0.0.1:{listening.getsockname()[1]}"
    used = pretend.pretending(settings.model_copy(update={"partner_urls": {}}), door)
    clock = DayFile(pretend.day_file(settings.home))
    clock.set_today(sandbox.base)
    ports = {p: int(url.removesuffix(pretend.PATH).rpartition(":")[2]) for p, url in used.partner_urls.items()}
    partners = PretendPartners(
        settings.home / "partners", ports, gateway=door, seed=sandbox.seed, base=sandbox.base,
        slow_s=pretend.SLOW_S, pace="calendar",
    )  # fmt: skip
    with assemble(used, clock=clock) as gateway, partners, Door(gateway, listening):
        partners.start(gateway.jwks())
        for partner in partners:
            for jwk in partners.keys(partner):
                gateway.shelf.add(partner, jwk)
        yield Inline(gateway, partners, clock)


def until_quiet(world: World) -> None:
    """Walk the journey and deliver until nothing is waiting any more. Raises GatewayError when that does not come."""
    worked = time.monotonic()
    with ThreadPoolExecutor(len(world.channels)) as side_by_side:
        while True:
            done = walk(world)
            done += sum(side_by_side.map(lambda p: deliver(world, p, f"demo-{p}"), world.channels))
            if done:
                worked = time.monotonic()
            elif quiet(world.store, world.clock):
                return
            elif time.monotonic() - worked > PATIENCE_S:
                raise GatewayError(f"waited {PATIENCE_S:.0f} s in vain until everything has come to rest")
            else:
                time.sleep(LOOK_S)


# ── every process ────────────────────────────────────────────────────────────────────────────────────────────────────
class Full:
    """The processes under the supervisor: the story only drops files, moves the calendar, and reads the books."""

    def __init__(
        self, settings: Settings, books: Books, partners: Partners, clock: DayFile, hint: Callable[[], None]
    ) -> None:
        self._settings, self._inbox, self._clock, self._hint = settings, settings.from_comwel(), clock, hint
        self.store: Store = books.store
        self.log = books.log
        self.partners = partners
        self.running: Running | None = None

    def hand_over(self, night: Path) -> list[Taken]:
        """Drop the files as COMWEL does, each `.done` last, and wait until they are put away."""
        before, rejected = self._judged(), self._rejected()
        names = _drop(night, self._inbox)
        self._wait(lambda: not any((self._inbox / name).exists() for name in names), "the files are answered")
        judged = {file.name: file for key, file in self._judged().items() if key not in before}
        bad = {path.name.partition(".")[0] for path in self._rejected() - rejected}
        return [self._taken(name, judged.get(name), Path(name).stem in bad) for name in names]

    def until_quiet(self) -> None:
        """Wait until no round here and no partner there has anything left to do."""
        self._wait(lambda: self._rests() and not any(s["pending"] for s in self.partners.statuses()) and self._rests(),
                   "everything has come to rest")  # fmt: skip

    def set_today(self, today: date) -> list[dict[str, Any]]:
        """Here first, then there."""
        self._clock.set_today(today)
        said = self.partners.set_today(today)
        self._hint()
        return said

    def reconcile(self, days: Sequence[date]) -> list[reconcile.Reconciled]:
        """Beside the processes, as `gateway reconcile` does."""
        with assemble(running.at_home(self._settings), clock=self._clock) as gateway:
            return reconcile_all(gateway.world, days)

    def _rests(self) -> bool:
        return quiet(self.store, self._clock)

    def _wait(self, fulfilled: Callable[[], bool], what: str) -> None:
        began = hinted = time.monotonic()
        while not patiently(fulfilled):
            now = time.monotonic()
            if now - began > PATIENCE_S:
                raise GatewayError(f"waited {PATIENCE_S:.0f} s in vain until {what}")
            if now - hinted > HINT_EVERY_S:
                self._hint()
                hinted = now
            time.sleep(LOOK_S)

    def _judged(self) -> dict[str, HandoverFile]:
        def read() -> dict[str, HandoverFile]:
            with self.store.unit() as unit:
                known = [f(way) for way in ("A1", "A6") for f in (unit.handovers.taken_in, unit.handovers.rejected)]
            return {file.file_id: file for files in known for file in files}

        return patiently(read)

    def _rejected(self) -> set[Path]:
        return set((self._inbox / "err").glob("*"))

    def _taken(self, name: str, file: HandoverFile | None, rejected: bool) -> Taken:
        if not rejected:
            return Taken(name, "accepted", records=file.records) if file else Taken(name, "unchanged")
        code = file.reason if file and file.reason else ImpossibleDate.code  # nothing is kept of a name without a day
        refusal = (handover_refusal(code) or HandoverRefused)(place=Place(name))
        return Taken(name, "rejected", code, said=str(refusal), answer=file and self._answer_to(file))

    def _answer_to(self, file: HandoverFile) -> Path | None:
        """The acknowledgement that names the digest of a file."""
        answers = self._settings.to_comwel().glob("*ACK_*.dat")
        return next((path for path in answers if file.sha256.encode() in path.read_bytes()), None)


@contextmanager
def full(settings: Settings, sandbox: pretend.Sandbox) -> Iterator[Engine]:
    """Everything up under the supervisor, and down again."""
    home, began = settings.home.resolve(), time.monotonic()
    clock = DayFile(pretend.day_file(home))
    clock.set_today(sandbox.base)
    options = ("--workers", str(WORKERS), "--pretend", "--seed", str(sandbox.seed))
    with ExitStack() as stack:
        stack.callback(running.down, home)
        state = running.up(settings.model_copy(update={"port": 0}), *options)
        ready_s = time.monotonic() - began
        used = pretend.witnessed(settings).model_copy(
            update={"database_url": settings.database_url or state["database_url"]}
        )
        books = stack.enter_context(open_books(used))
        urls = {p: url.removesuffix(pretend.PATH) for p, url in state["partners"].items()}
        partners = stack.enter_context(closing(Partners(urls, patience_s=AWAY_S)))
        wake = stack.enter_context(closing(BrokerWake(settings.broker_url or state["broker_url"], urls)))
        engine = Full(settings, books, partners, clock, wake.journey)
        engine.running = Running(ready_s, *_measured(state))
        yield engine


def _measured(state: Mapping[str, Any]) -> tuple[int, float]:
    pids = set(running.family(state["supervisor"]["pid"]))
    pids |= {pid for one in state["children"] for pid in running.family(one["pid"])}
    return len(pids), sum(map(running.memory_mb, pids))


def patiently(ask: Callable[[], _T]) -> _T:
    """Ask again while the database is away; it may be, for a while, when somebody killed it."""
    deadline = time.monotonic() + AWAY_S
    while True:
        try:
            return ask()
        except StoreUnavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(LOOK_S)


def reconcile_all(world: World, days: Sequence[date]) -> list[reconcile.Reconciled]:
    """Every day with every partner that nobody else is at."""
    found = (reconcile.reconcile(world, partner, day) for partner in sorted(world.channels) for day in days)
    return [one for one in found if one]


def _drop(night: Path, inbox: Path) -> list[str]:
    """Copy the complete files of a night into the drop folder; returns the names of those that will be answered."""
    inbox.mkdir(parents=True, exist_ok=True)
    batches = [path for path in sorted(night.glob("RHB_CASE_*.dat")) if path.with_suffix(".done").exists()]
    entries = sorted(night.glob("RHB_JC_*.ndjson"))
    for path in batches:
        for suffix in (".sum", ".dat", ".done"):
            if path.with_suffix(suffix).exists():
                shutil.copy(path.with_suffix(suffix), inbox)
    for path in entries:
        arriving = inbox / f".{path.name}"
        shutil.copy(path, arriving)
        arriving.rename(inbox / path.name)
    return [path.name for path in (*batches, *entries)]


class EngineName(StrEnum):
    """What a demo may be told to run."""

    FULL = "full"
    INLINE = "inline"


ENGINES = {EngineName.FULL: full, EngineName.INLINE: inline}
