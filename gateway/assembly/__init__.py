"""The composition root: the one place that knows clock, randomness, settings, store and adapters, and introduces them.

Rules: everything is built here, in one function with replaceable parts, and nothing at import; tests and the demo build
the same gateway with another clock, other channels or another home.

clocks       time and ids
knowledge    everything under schemas/ and mappings/, loaded once and checked
shelf        what the store knows of keys, gates and witnesses, remembered for two seconds
log          the exchange log, its witnesses and its stamps
books        store, keys and log without the rest, for who only looks
sandbox      what a demo needs besides: nights, pretend partners, a witness of our own
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from adapters.comwel.handed_files import FolderFiles
from adapters.comwel.handover import A1Batch, A6Entries
from adapters.comwel.rtw_register import RtwFiles
from adapters.partners import channel_for
from gateway import failpoint
from gateway.assembly.books import Books, leaves_of, vault_of
from gateway.assembly.clocks import clock_of, uuid7
from gateway.assembly.knowledge import know
from gateway.assembly.log import log_of, log_rounds, stamps_of, unseen_of
from gateway.assembly.shelf import KeyShelf, Stops
from gateway.config import Settings
from gateway.delivery.breaker import Patience
from gateway.delivery.schedule import RetrySchedule
from gateway.errors import NotFit, NothingProven, NothingSigns, SettingsInvalid, StoreUnavailable
from gateway.journey.activate import activate
from gateway.journey.rotate import FIRST, turn
from gateway.journey.signing import Signing
from gateway.journey.unproven import Unproven
from gateway.journey.world import US, Knowledge, Limits, World
from gateway.ports import Clock, Observer, PartnerChannel, Reading, Unobserved, Wake, nobody
from gateway.store import health
from gateway.store.embedded import embedded_postgres
from gateway.store.exchange_log import ExchangeLog
from gateway.store.figures import CALENDARS
from gateway.store.keyfiles import kept_key, own_key, pairwise_secret
from gateway.store.migrate import PHASES, current, migrate, require_fit
from gateway.store.postgres import PostgresStore
from gateway.store.rest import seal_rest
from gateway.telemetry.channel import WatchedChannel


class _Crew(ThreadPoolExecutor):
    """Threads that work in the name of whoever asked them: log lines and traces know what it was for."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """See `Executor.submit`."""
        return super().submit(copy_context().run, fn, *args, **kwargs)


@dataclass(slots=True)
class Gateway:
    """A gateway that is ready: the world for its verbs, and what the doors need besides."""

    settings: Settings
    world: World
    store: PostgresStore
    shelf: KeyShelf
    public_url: str
    observer: Observer
    log: ExchangeLog
    signing: Signing
    stops: Stops

    def jwks(self) -> dict[str, Any]:
        """Our public keys."""
        return self.shelf.jwks(US)

    def receipt(self, partner: str, mid: str) -> str | None:
        """Our receipt for a message of a partner of ours, if there is one: two partners may have one id."""
        if partner not in self.world.know.profiles:
            return None
        with self.store.unit(partner) as unit:
            found = unit.inbox.receipt(partner, mid)
        return found.jws if found else None

    def receipt_proof(self, partner: str, mid: str) -> str:
        """The proof that the leaf which our receipt promises is in the log. Raises NothingProven, NotInTheTreeYet."""
        if partner not in self.world.know.profiles:
            raise NothingProven
        return self.log.prove_promise(partner, mid)

    def figures(self) -> Sequence[Reading]:
        """How things stand, for those who watch; never raises StoreUnavailable.

        With every partner of ours: where one has no address, its messages wait, and somebody must be told.
        """
        found = Books(self.store, self.shelf, self.log).figures(sorted(self.world.know.profiles))
        return [*found, Reading(*CALENDARS, [((c.id,), c.end.timestamp()) for c in self.world.know.calendars.values()])]

    def ailments(self, patience_s: float = health.PATIENCE_S) -> list[str]:
        """Why no message could be taken in or sent now, in sentences; none when the gateway is ready."""
        found = health.ailments(self.store, self.world.clock.now, patience_s)
        away = health.AWAY in found or health.BUSY in found
        return found if away else found + self._key_ailments() + self._secret_ailments()

    def _key_ailments(self) -> list[str]:
        try:
            self.signing.now()
        except (NothingSigns, SettingsInvalid) as error:
            return [error.detail]
        except StoreUnavailable:
            return [health.AWAY]
        return []

    def _secret_ailments(self) -> list[str]:
        try:
            with self.store.unit() as unit:
                (number, _), wrapped = unit.secret(), unit.some_key()
            self.store.vault.require(number)
            if wrapped:  # a home of its own making has a secret as well, and not this database's
                self.store.vault.unwrap(wrapped)
        except SettingsInvalid as error:
            return [error.detail]
        except StoreUnavailable:
            return [health.AWAY]
        return []


def prepare(settings: Settings, phases: Sequence[str] = PHASES) -> None:
    """Migrate the database and make our keys, once, before several processes start."""
    with ExitStack() as stack:
        given = settings.owner_url or settings.database_url
        url = given or stack.enter_context(embedded_postgres(settings.home))
        migrate(url, phases)
        keys = settings.home / "keys"
        if not any(keys.glob(f"{US}-*.pem")):
            own_key(keys, FIRST)
        pairwise_secret(keys, os.urandom)
        seal_rest(url, vault_of(settings, os.urandom))


@contextmanager
def assemble(
    settings: Settings,
    *,
    clock: Clock | None = None,
    channels: Mapping[str, PartnerChannel] | None = None,
    knowledge: Knowledge | None = None,
    rng: Random | None = None,
    random: Callable[[int], bytes] = os.urandom,
    wake: Wake = nobody,
    observer: Observer | None = None,
    mending: Collection[str] = (),
) -> Iterator[Gateway]:
    """Build a gateway and keep it while the block lasts: database up and fit, keys on the shelf, channels open.

    `mending`: what may be wrong with it, for whoever opens it to put that in order.
    Raises SchemaTooOld or SchemaTooNew when database and release do not go together, and NotFit.
    """
    # 1 the database, up and fit, and what this process remembers of it
    # 2 our keys
    # 3 what the verbs know, and a way to each partner
    # 4 the log, and who watches it
    # 5 the world; a gateway that lacks something does not open
    with ExitStack() as stack:
        seen, used, chance = observer or Unobserved(), clock or clock_of(settings), rng or Random(secrets.randbits(64))
        store = _fit_store(settings, stack, used, seen, random)  # 1
        shelf = KeyShelf(store, used)
        keys = settings.home / "keys"
        make_key = partial(own_key, keys)
        shelf.first(make_key)  # 2
        signing = Signing(store, partial(kept_key, keys), time.monotonic)
        with suppress(NothingSigns):  # said below
            signing()
        known = knowledge or know(settings, used.today())  # 3
        ways = _watched(channels or _channels(settings, known), seen, stack)
        crews = {p: stack.enter_context(_Crew(_in_flight(settings, known, p), f"attempt-{p}")) for p in ways}
        log, stops = log_of(settings, store, stack, chance), Stops(store)  # 4
        world = World(
            store=store,
            clock=used,
            ids=uuid7,
            nonce=lambda: secrets.token_urlsafe(18),
            rng=chance,
            know=known,
            limits=_limits(settings),
            signing=signing,
            keys=shelf.finder,
            secret=pairwise_secret(keys, random),
            readers=(A1Batch(settings.schemas), A6Entries(settings.schemas)),
            register=RtwFiles(settings.schemas),
            handed=FolderFiles(settings.from_comwel(), settings.to_comwel()),
            channels=ways,
            retry=RetrySchedule().scaled(settings.retry_scale),
            stopped=stops,
            unseen=unseen_of(settings, log.witnesses),
            patience=Patience().scaled(settings.retry_scale),
            unproven=Unproven(seen),
            attempts=crews.__getitem__,
            make_key=make_key,
            pause=time.sleep,
            wake=wake,
            log_rounds=log_rounds(log, stamps_of(settings, store)),
            reached=failpoint.armed(failpoint.read(settings.failpoint), chance),
        )
        gateway = Gateway(settings, world, store, shelf, _public_url(settings), seen, log, signing, stops)  # 5
        if unfit := [one for one in gateway.ailments(health.START_S) if one not in mending]:
            raise NotFit("; ".join(unfit))
        activate(world)
        turn(world)
        yield gateway


def _fit_store(
    settings: Settings, stack: ExitStack, clock: Clock, observer: Observer, random: Callable[[int], bytes]
) -> PostgresStore:
    """The store, whose database is migrated when it is ours or empty. Raises SchemaTooOld, SchemaTooNew, NotFit."""
    url = settings.database_url or stack.enter_context(embedded_postgres(settings.home))
    if settings.database_url is None or not current(url):  # a server with data waits for `gateway migrate`
        migrate(url)
        seal_rest(url, vault_of(settings, random))
    require_fit(url)
    store = PostgresStore(url, leaves_of(settings, random), observer=observer, idle_s=settings.unit_idle_s)
    stack.callback(store.close)
    if unfit := health.ailments(store, clock.now, health.START_S):
        raise NotFit("; ".join(unfit))
    return store


def _watched(channels: Mapping[str, PartnerChannel], observer: Observer, stack: ExitStack) -> dict[str, PartnerChannel]:
    """These channels under the eyes of `observer`, closed with the gateway."""
    watched: dict[str, PartnerChannel] = {p: WatchedChannel(p, one, observer) for p, one in channels.items()}
    for channel in watched.values():
        stack.callback(channel.close)
    return watched


def _public_url(settings: Settings) -> str:
    return settings.public_url or f"http://{settings.host}:{settings.port}"


def _in_flight(settings: Settings, known: Knowledge, partner: str) -> int:
    """Attempts at once to one partner, from this process: a thread and a connection each, which nobody else uses."""
    return min(settings.deliver_threads, known.profiles[partner].delivery.max_in_flight)


def _limits(settings: Settings) -> Limits:
    return Limits(
        lease_s=settings.lease_s,
        attempt_timeout_s=settings.attempt_timeout_s,
        deliver_batch=settings.deliver_batch,
        poison_after=settings.poison_after,
        settle_s=settings.settle_s,
        base_url=settings.fhir_base,
        partner_urls=settings.partner_urls,
        from_comwel=settings.from_comwel(),
        to_comwel=settings.to_comwel(),
        clocks_apart_s=health.CLOCKS_APART_S,
        keys_cached_s=settings.keys_cached_s,
    )


def _channels(settings: Settings, known: Knowledge) -> dict[str, PartnerChannel]:
    """A channel for every partner that has an address. Raises SettingsInvalid for one that we know nothing about."""
    if unknown := sorted(settings.partner_urls.keys() - known.profiles.keys()):
        raise SettingsInvalid(f"GATEWAY_PARTNER_URLS: no profile for {', '.join(unknown)}")
    return {
        partner: channel_for(
            known.profiles[partner], attempt_s=settings.attempt_timeout_s, networks=settings.partner_networks
        )
        for partner in settings.partner_urls
    }
