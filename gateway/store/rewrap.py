"""Another secret in place of the vault's: the keys of cases are wrapped anew, batch by batch, while the work goes on.

Rules: first the secret is a file on every machine (`keyfiles`), then it is in force, then it is everywhere: each is one
transaction with its act. Whoever reads finds out by the key itself which secret it is wrapped with; whoever wraps asks
for the number in force in his own transaction, and the change waits for those who were told the number before. A batch
holds its rows until it commits, so nothing that is destroyed meanwhile comes back.
Refuses to begin with another secret before the last one is everywhere; given again after a death, it goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from gateway.errors import SecretRefused
from gateway.exchange_log.audit import AuditEvent, actor
from gateway.store.connections import WHOLE_JOURNEY
from gateway.store.postgres import PostgresStore
from gateway.store.statements import STATEMENTS as _SQL

PURPOSE = "trust"
ALONE = "rewrap"
BATCH = 256
TRIES, PAUSE_S = 120, 0.5
"""The change gives way to whoever is at work, and tries again."""


def rewrap(store: PostgresStore, by: str, between: Callable[[], None] = lambda: None) -> int:
    """Put the next secret in the place of the one in force; returns how many keys of cases were wrapped anew.

    `between` is called after each commit. Raises NoOfficer, SecretRefused; SettingsInvalid when the secret is not here.
    """
    # 1 the secret that is not everywhere yet, or the next one: from now on whoever wraps takes it
    # 2 what is wrapped with an older one, batch by batch
    # 3 it is everywhere
    by = actor(by)
    with store.alone(ALONE) as mine:
        if not mine:
            raise SecretRefused("somebody else is at it")
        with store.unit() as unit:
            number, everywhere = unit.secret()
        if everywhere:  # 1
            number += 1
            store.vault.require(number)
            _replace(store, number, by)
            between()
        done = 0
        while some := _batch(store, number):  # 2
            done += some
            between()
        with store.unit() as unit:  # 3
            if unit.secret_is_everywhere():
                unit.commit(AuditEvent("secret.rewrapped", by, PURPOSE, subject=_named(number), counts={"keys": done}))
        return done


def _replace(store: PostgresStore, number: int, by: str) -> None:
    for _ in range(TRIES):
        with store.unit() as unit:
            replaced = unit.replace_secret(number)
            if replaced:
                unit.commit(AuditEvent("secret.replaced", by, PURPOSE, subject=_named(number)))
                return
        if replaced is False:
            raise SecretRefused("somebody else was faster")
        time.sleep(PAUSE_S)
    raise SecretRefused("somebody works without a break")


def _batch(store: PostgresStore, number: int) -> int:
    with store.transaction(WHOLE_JOURNEY) as connection:
        found = list(_SQL.keys_of_older_secrets(connection, secret=number, most=BATCH))
        anew = [
            (case_no, *(store.vault.rewrap(key, number) if key else None for key in (wrapped, content)))
            for case_no, wrapped, content in found
        ]
        if anew:
            case_nos, wrapped, contents = map(list, zip(*anew, strict=True))
            _SQL.rewrap_keys(connection, case_nos=case_nos, wrapped=wrapped, contents=contents, secret=number)
    return len(found)


def _named(number: int) -> str:
    return f"vault-{number}"
