"""The sandbox of a demo: which settings pretend partners need, how they are started, and where they may be.

Rules: only a home that is empty or marked as a demo's may have a business day of its own, and pretend partners get
their keys into a database of a running server only if nobody has worked with it. Refuses to touch any other, and real
work in a demo's home: the next demo would delete it.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import NamedTuple

from gateway.assembly.books import open_books
from gateway.assembly.clocks import DEMO, DayFile, RealClock
from gateway.assembly.sandbox import witness_vkey
from gateway.cli.partners import free_port
from gateway.cli.running import LOOPBACK
from gateway.config import Settings
from gateway.errors import SettingsInvalid
from gateway.store.migrate import worked_with

PARTNERS = ("KEIS", "KEAD", "TRN")
PATH = "/messages"
WITNESS = "witness.example/own"
ATTEMPT_TIMEOUT_S = 2.0
LEASE_S = 8.0
SLOW_S = 2.5
"""A pretend partner that is late is later than an attempt waits."""


class Sandbox(NamedTuple):
    """How the pretend partners act: another seed, other casework; `base` is their first business day."""

    seed: int
    base: date


def pretending(settings: Settings, door: str) -> Settings:
    """The settings of a gateway that talks to pretend partners on this machine, on a calendar that somebody moves."""
    urls = settings.partner_urls or {p: f"http://127.0.0.1:{free_port()}{PATH}" for p in PARTNERS}
    return settings.model_copy(
        update={
            "public_url": door,
            "partner_urls": urls,
            "partner_networks": (LOOPBACK,),
            "attempt_timeout_s": ATTEMPT_TIMEOUT_S,
            "lease_s": LEASE_S,
            "retry_scale": 0.02,
            "settle_s": 0.0,
            "business_day": day_file(settings.home),
        }
    )


def witnessed(settings: Settings) -> Settings:
    """The same with our own witness on this machine, unless the settings name others."""
    return settings if settings.witnesses else settings.model_copy(update={"witnesses": policy_file(settings.home)})


def policy_file(home: Path) -> Path:
    """Where a demo says who cosigns its log."""
    return home.resolve() / "witnesses"


def witness_home(home: Path) -> Path:
    """Where the witness of a demo keeps its key and its memory."""
    return home.resolve() / "witness"


def introduce_witness(settings: Settings, home: Path, url: str) -> None:
    """Say who cosigns, our own witness alone, and tell it which logs to watch. `home`: its folder.

    Raises SettingsInvalid when the settings do not name the file to say it in.
    """
    if settings.witnesses is None:
        raise SettingsInvalid("GATEWAY_WITNESSES: name the file in which to write who cosigns")
    vkey = witness_vkey(home, WITNESS)
    settings.witnesses.write_text(f"witness own {vkey} {url}\nquorum own\n", encoding="utf-8")
    with open_books(settings) as books:
        (home / "logs").write_text("\n".join([*books.log.keys(), ""]), encoding="utf-8")


def day_file(home: Path) -> Path:
    """Where the business day of a demo stands."""
    return home.resolve() / "business-day"


def sandbox(home: Path, seed: int) -> Sandbox:
    """A sandbox that begins on the business day of the home, or today where it has none yet."""
    found = day_file(home)
    return Sandbox(seed, DayFile(found).day() if found.exists() else RealClock().today())


def mark(settings: Settings, sandbox: Sandbox) -> None:
    """Make the home a demo's. Raises SettingsInvalid when it, or the database that is named, holds something else."""
    home = settings.home
    if not (home / DEMO).exists():
        refuse_what_is_no_demo(home, but=("logs",))
        refuse_a_database_in_use(settings)
        (home / DEMO).touch()
    if not day_file(home).exists():
        DayFile(day_file(home)).set_today(sandbox.base)


def refuse_what_is_no_demo(home: Path, *, but: tuple[str, ...] = ()) -> None:
    """Raises SettingsInvalid when a home holds something else than an earlier demo."""
    if home.exists() and not (home / DEMO).exists() and any(p.name not in but for p in home.iterdir()):
        raise SettingsInvalid("GATEWAY_HOME holds data that is not a demo's; set GATEWAY_HOME to another folder")


def refuse_a_demos(settings: Settings) -> None:
    """Raises SettingsInvalid when a gateway would work in a demo's home without being part of a demo.

    Whoever is has a business day of its own, and only in such a home is there one.
    """
    if settings.business_day is None and (settings.home / DEMO).exists():
        raise SettingsInvalid(
            "GATEWAY_HOME is a demo's, and the next demo empties it; set GATEWAY_HOME to another folder"
        )


def refuse_a_database_in_use(settings: Settings) -> None:
    """Raises SettingsInvalid when a gateway has worked with the database of a running server, be it an earlier demo."""
    if settings.database_url and worked_with(settings.database_url):
        raise SettingsInvalid("GATEWAY_DATABASE_URL: somebody has worked with this database; a demo takes an empty one")


def home_of(settings: Settings, partner: str) -> Path:
    """Where a pretend partner keeps its keys and its journal."""
    return settings.home / "partners" / partner.lower()


def options(settings: Settings, partner: str, sandbox: Sandbox) -> list[str]:
    """The words after `python -m adapters.partners.pretend`."""
    port = settings.partner_urls[partner].removesuffix(PATH).rpartition(":")[2]
    return ["--partner", partner.lower(), "--port", port, "--home", str(home_of(settings, partner)),
            "--gateway", str(settings.public_url), "--seed", str(sandbox.seed), "--base-date",
            sandbox.base.isoformat(), "--slow-seconds", str(SLOW_S), "--pace", "calendar"]  # fmt: skip
