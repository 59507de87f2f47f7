"""What the verbs hold in their hands: ports, data and limits, introduced by the assembly.

Refuses to build anything: a `World` is put together in `gateway.assembly`, or in a test with other parts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

from gateway.cases.caseload import Caseload
from gateway.cases.legal_basis import LegalBases
from gateway.cases.retention import Retention
from gateway.cases.ruleset import RuleSet
from gateway.delivery.breaker import Patience
from gateway.delivery.hours import Calendar, OpeningHours
from gateway.delivery.schedule import RetrySchedule
from gateway.documents.fhir.rules import FhirRules
from gateway.documents.gwmap import Catalogue
from gateway.documents.schemas import Schemas
from gateway.errors import ClocksApart
from gateway.exchange_log.audit import AuditEvent, actor
from gateway.journey.unproven import Unproven
from gateway.korea import KST
from gateway.outcomes.definition import RtwDefinition
from gateway.outcomes.employment import Definitions
from gateway.partners.profile import Profile
from gateway.ports import (
    Clock,
    HandedFiles,
    HandoverReader,
    Ids,
    PartnerChannel,
    Reached,
    Round,
    RtwRegister,
    Store,
    Wake,
    nobody,
    nothing,
)
from gateway.sealing.keys import KeyFinder, SigningKey
from gateway.versions import Versions

US = "comwel"
"""Our own name in manifests (iss, aud)."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Everything specific to Korea, COMWEL or a partner: versioned data, loaded once."""

    catalogue: Catalogue
    schemas: Schemas
    fhir: FhirRules
    rules: Versions[RuleSet]
    caseloads: tuple[Caseload, ...]
    bases: Versions[LegalBases]
    profiles: Mapping[str, Profile]
    rtw: Versions[RtwDefinition]
    employed: Definitions
    retention: Versions[Retention]
    calendars: Mapping[str, Calendar]
    hours: Mapping[str, OpeningHours]  # of partners that do not take messages at any time
    in_force: Mapping[tuple[str, str], bytes]
    """(map|rules|partner, name) → SHA-256: what acts are done by, rules from their day on; to be kept on record."""

    def opens_at(self, partner: str, now: datetime) -> datetime:
        """When a partner takes messages next; now, if it does or keeps no hours."""
        hours = self.hours.get(partner)
        return hours.next_open(now) if hours else now

    def law(self, at: datetime) -> LegalBases:
        """The registry of legal bases that counts at a moment of business time. Raises DataFileInvalid."""
        return self.bases.on(at.astimezone(KST).date())


@dataclass(frozen=True, slots=True)
class Limits:
    """Numbers an operator may turn; see `gateway.config.Settings`."""

    lease_s: float
    attempt_timeout_s: float
    deliver_batch: int
    poison_after: int
    settle_s: float
    base_url: str
    partner_urls: Mapping[str, str]
    from_comwel: Path
    to_comwel: Path
    clocks_apart_s: float
    keys_cached_s: float


def never() -> bool:
    """What `stopping` and `unseen` say where nobody can stop us and nobody has to see us."""
    return False


def nobody_is(partner: str) -> bool:
    """No partner is stopped."""
    return False


@dataclass(frozen=True, slots=True)
class World:
    """All a verb needs.

    `signing()` is the key of ours that signs now, `keys(owner)` finds the public keys of a party, `make_key(kid)` makes
    the private half of a key of ours, once; `secret(partner)` keys the ids that no other partner knows.
    `attempts(partner)` runs attempts to it side by side; `pause(seconds)` lets time pass.

    While `unseen()`, nothing is sent: too few outsiders keep the exchange log, and whoever runs us wants them to.
    Once `stopping()`, nothing is begun that is not under way.
    `log_rounds` are those of the exchange log; without them leaves wait, and lose nothing by it.
    """

    store: Store
    clock: Clock
    ids: Ids
    nonce: Callable[[], str]
    rng: Random
    know: Knowledge
    limits: Limits
    signing: Callable[[], SigningKey]
    keys: Callable[[str], KeyFinder]
    secret: Callable[[str], bytes]
    readers: tuple[HandoverReader, ...]
    register: RtwRegister
    handed: HandedFiles
    channels: Mapping[str, PartnerChannel]
    retry: RetrySchedule
    attempts: Callable[[str], Executor]
    make_key: Callable[[str], SigningKey]
    pause: Callable[[float], None]
    wake: Wake = nobody
    log_rounds: Mapping[str, Round] = field(default_factory=dict)
    reached: Reached = nothing
    stopping: Callable[[], bool] = never
    stopped: Callable[[str], bool] = nobody_is
    unseen: Callable[[], bool] = never
    patience: Patience = Patience()  # noqa: RUF009 - frozen
    unproven: Unproven = field(default_factory=Unproven)

    @property
    def signing_key(self) -> SigningKey:
        """The key of ours that signs now. Raises NothingSigns."""
        return self.signing()

    def require_same_time(self, there: datetime, asked_at: datetime | None = None) -> None:
        """What is sealed says when, for good: nothing is by a clock that is wrong. Raises ClocksApart.

        `there`: what the store said it was. `asked_at`: what we said before we asked it, where the answer took a while.
        """
        now, allowed = self.clock.now(), self.limits.clocks_apart_s
        too_early, too_late = (asked_at or now) - there, there - now
        if too_early.total_seconds() > allowed or too_late.total_seconds() > allowed:
            raise ClocksApart

    def event(self, act: str, purpose: str, *, by: str | None = None, **ids: Any) -> AuditEvent:
        """One act, now: ours, or that of an officer. Raises NoOfficer."""
        return AuditEvent(act=act, actor=actor(by), purpose=purpose, **ids)


def iso(at: datetime) -> str:
    """An instant in FHIR's notation, seconds, UTC."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
