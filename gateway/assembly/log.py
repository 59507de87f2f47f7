"""The exchange log and who keeps it besides us: its key of each year, its witnesses, who stamps its checkpoints.

Refuses to go on without what the settings name: a file that cannot be read, or says too little, ends the start.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from functools import cache
from random import Random

from cryptography.x509 import Certificate, load_pem_x509_certificates

from adapters.witnesses.http import HttpWitness
from adapters.witnesses.stamps import HttpAuthority
from gateway import failpoint
from gateway.assembly.clocks import uuid7
from gateway.assembly.shelf import Unseen
from gateway.config import Settings
from gateway.errors import NoteInvalid, SettingsInvalid
from gateway.exchange_log.note import LOG, Signer
from gateway.exchange_log.policy import NOBODY, Policy
from gateway.exchange_log.policy import parse as read_policy
from gateway.journey.world import never
from gateway.ports import Round
from gateway.store.exchange_log import ExchangeLog
from gateway.store.keyfiles import log_key
from gateway.store.postgres import PostgresStore
from gateway.store.stamps import Stamps
from gateway.store.witnesses import Witnesses


def log_of(settings: Settings, store: PostgresStore, stack: ExitStack, chance: Random) -> ExchangeLog:
    """The log with the witnesses that the settings name; ways to them are closed with the gateway."""
    policy = witness_policy(settings)
    ways = {name: HttpWitness(one.url or "") for name, one in policy.witnesses.items()}
    for way in ways.values():
        stack.callback(way.close)

    @cache
    def signer(origin: str) -> Signer:
        return Signer(origin, LOG, log_key(settings.home / "keys", origin.rpartition("/")[2]))

    reached = failpoint.armed(failpoint.read(settings.failpoint), chance)
    witnesses = Witnesses(store, policy, ways, reached=reached)
    folder, roots = settings.home / "xlog", _roots(settings)
    return ExchangeLog(store, folder, settings.log_name, signer, uuid7, witnesses, reached, roots)


def stamps_of(settings: Settings, store: PostgresStore) -> Stamps:
    """Who stamps the checkpoints, if anybody. Raises SettingsInvalid."""
    if settings.stamps_url is None:
        return Stamps(store, settings.home / "xlog")
    roots = _roots(settings)
    if not roots:
        raise SettingsInvalid("GATEWAY_STAMPS_URL needs GATEWAY_STAMPS_ROOT: whose stamps are believed?")
    every = timedelta(seconds=settings.stamps_every_s)
    return Stamps(store, settings.home / "xlog", roots, HttpAuthority(settings.stamps_url), every)


def _roots(settings: Settings) -> list[Certificate]:
    """Whose stamps are believed; nobody's where no file is named. Raises SettingsInvalid."""
    try:
        return load_pem_x509_certificates(settings.stamps_root.read_bytes()) if settings.stamps_root else []
    except (OSError, ValueError):
        raise SettingsInvalid("GATEWAY_STAMPS_ROOT: the file holds no certificates in PEM") from None


def unseen_of(settings: Settings, witnesses: Witnesses) -> Callable[[], bool]:
    """Whether too few witnesses have kept the log for too long to go on sending; never, where people are told only."""
    stops = bool(witnesses) and settings.log_on_breach == "stop-sending"
    return Unseen(witnesses, timedelta(seconds=settings.log_unwitnessed_s)) if stops else never


def witness_policy(settings: Settings) -> Policy:
    """Who cosigns, and how many are enough. Raises SettingsInvalid."""
    if settings.witnesses is None:
        return Policy(quorum=NOBODY)
    try:
        found = read_policy(settings.witnesses.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        raise SettingsInvalid("GATEWAY_WITNESSES: the file cannot be read") from None
    except NoteInvalid as error:
        raise SettingsInvalid(f"GATEWAY_WITNESSES: {error.detail}") from None
    for one in found.witnesses.values():
        if not re.match(r"https?://", one.url or "") or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", one.name):
            raise SettingsInvalid("GATEWAY_WITNESSES: a witness needs an address, and a name of letters and digits")
    return found


def log_rounds(log: ExchangeLog, stamps: Stamps) -> dict[str, Round]:
    """What runs beside the verbs for the exchange log; witnesses and stamps only where there are any."""
    rounds = {"log": log.round, "check": log.nightly}
    if log.witnesses:
        rounds["witness"] = log.witnesses.round
    if stamps:
        rounds["stamp"] = stamps.round
    return rounds
