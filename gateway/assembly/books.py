"""The books alone: store, keys and exchange log, for whoever looks or registers and needs no map, rule or partner.

Refuses a database that is not there or does not fit: none is made, and none is migrated, for who only looks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple

from gateway.assembly.clocks import clock_of, uuid7
from gateway.assembly.log import log_of
from gateway.assembly.shelf import KeyShelf
from gateway.config import Settings
from gateway.ports import Reading
from gateway.store.embedded import embedded_postgres, require_made
from gateway.store.exchange_log import ExchangeLog
from gateway.store.figures import PostgresFigures
from gateway.store.keyfiles import later_secrets, vault_secret
from gateway.store.leaves import Leaves
from gateway.store.migrate import require_fit
from gateway.store.postgres import PostgresStore
from gateway.store.rewrap import rewrap
from gateway.store.vault import Vault


class Books(NamedTuple):
    """What can be read and registered without knowing any map."""

    store: PostgresStore
    shelf: KeyShelf
    log: ExchangeLog

    def figures(self, partners: Sequence[str]) -> Sequence[Reading]:
        """How things stand with these partners; only that the database is away when it is."""
        clock = self.shelf.clock
        figures = PostgresFigures(self.store, clock.now, witnessed=bool(self.log.witnesses))
        return figures.read(clock.today(), partners)


@contextmanager
def open_books(settings: Settings) -> Iterator[Books]:
    """Open the store alone, of a database that is there and migrated.

    Raises StoreUnavailable, SchemaTooOld or SchemaTooNew.
    """
    with ExitStack() as stack:
        if settings.database_url is None:
            require_made(settings.home)
        url = settings.database_url or stack.enter_context(embedded_postgres(settings.home))
        require_fit(url)
        store = PostgresStore(url, leaves_of(settings, os.urandom), most=4)
        stack.callback(store.close)
        yield Books(store, KeyShelf(store, clock_of(settings)), log_of(settings, store, stack, Random()))


def next_secret(settings: Settings, books: Books) -> Path:
    """The file of the secret that will take the place of the vault's, made if it is not there yet."""
    with books.store.unit() as unit:
        number, everywhere = unit.secret()
    number += everywhere
    keys = settings.home / "keys"
    vault_secret(keys, os.urandom, number)
    return keys / f"vault-{number}.secret"


def replace_secret(books: Books, by: str) -> int:
    """Put it in its place; see `gateway.store.rewrap`."""
    return rewrap(books.store, by)


def leaves_of(settings: Settings, random: Callable[[int], bytes]) -> Leaves:
    """What writes a leaf for every act."""
    return Leaves(vault_of(settings, random), uuid7, settings.log_name)


def vault_of(settings: Settings, random: Callable[[int], bytes]) -> Vault:
    """What wraps the keys of cases, with the secrets of this home; the first is made if there is none."""
    keys = settings.home / "keys"
    return Vault(vault_secret(keys, random), random, partial(later_secrets, keys))
