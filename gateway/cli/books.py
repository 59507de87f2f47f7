"""`gateway reconcile`: both sides' lists of a day, exchanged and compared, and what is said about it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from gateway.errors import SettingsInvalid
from gateway.journey.reconcile import Reconciled, reconcile
from gateway.journey.world import World
from gateway.korea import KST

BUSY = "somebody else is at it"


def reconciled(world: World, partner: str | None, day: date | None) -> Iterator[Reconciled]:
    """One day (yesterday, unless given) with one partner or all that have an address.

    Raises SettingsInvalid where nobody has one: no books would be compared, and all of them agree.
    """
    names = [partner.upper()] if partner else sorted(world.channels)
    if not names:
        raise SettingsInvalid("GATEWAY_PARTNER_URLS: no partner has an address, there are no books to compare")
    when = day or world.clock.now().astimezone(KST).date() - timedelta(days=1)
    for name in names:
        yield reconcile(world, name, when) or Reconciled(name, when, BUSY)


def sentence(found: Reconciled) -> str:
    """What came of it, in words."""
    head = f"{found.partner} {found.day}: "
    if found.why:
        return f"{head}not compared, {found.why}"
    counts = f"{found.sent} sent, {found.taken} taken in, {found.waiting} on their way"
    return f"{head}{counts}, {len(found.differences) or 'no'} difference{'s' * (len(found.differences) != 1)}"


def plain(found: Reconciled) -> dict[str, Any]:
    """For `--json`."""
    return found._asdict() | {
        "agreed": found.agreed,
        "differences": [d._asdict() for d in found.differences],
    }
