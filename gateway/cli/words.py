"""What people may type: words and days that an act can keep, and what is said when one cannot.

Rules: a bad word ends the command before anything is opened, with the option, what is wrong and what is right; the word
itself is not repeated. Refuses sentences and resident numbers: acts hold ids and short codes, and are kept for years.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

import typer

from gateway.errors import NoOfficer
from gateway.exchange_log.audit import actor, is_code
from gateway.ports import FAMILIES, KINDS
from gateway.sealing.claims import UUID

_PARTNER = re.compile(r"[A-Za-z][A-Za-z0-9]{1,11}", re.ASCII)
_YEARS = range(2000, 2100)


def code(value: str | None) -> str | None:
    """An id or a short code. Raises BadParameter."""
    if value is not None and not is_code(value):
        raise typer.BadParameter("a short code: letters, digits and . _ : | / + - without blanks; no resident number")
    return value


def officer(value: str | None) -> str | None:
    """The id of an officer. Raises BadParameter."""
    if value is not None:
        try:
            actor(value)
        except NoOfficer as refusal:
            raise typer.BadParameter(refusal.remedy) from None
    return value


def partner(value: str | None) -> str | None:
    """The id of a partner, in any case. Raises BadParameter."""
    if value is not None and not _PARTNER.fullmatch(value):
        raise typer.BadParameter("the id of a partner is like KEIS")
    return value and value.upper()


def message(value: str | None) -> str | None:
    """The id of a message. Raises BadParameter."""
    if value is not None and not UUID(value):
        raise typer.BadParameter("the id of a message is like 019abd00-0000-7000-9000-000000000001")
    return value


def kind(value: str | None) -> str | None:
    """A kind of work item. Raises BadParameter, naming all."""
    if value is not None and value not in KINDS and not value.startswith(FAMILIES):
        known = (*sorted(KINDS), *(f"{family}…" for family in FAMILIES))
        raise typer.BadParameter(f"there is no such kind; one of {', '.join(known)}")
    return value


def day(value: datetime | None) -> datetime | None:
    """A day that our clocks and calendars know. Raises BadParameter."""
    if value is not None and value.year not in _YEARS:
        raise typer.BadParameter(f"a day from {_YEARS.start} to {_YEARS.stop - 1}")
    return value


def in_order(first: datetime | None, last: datetime | None) -> None:
    """Raises BadParameter when a period ends before it begins."""
    if first and last and last < first:
        raise typer.BadParameter("the period ends before it begins")


By = Annotated[str, typer.Option(callback=officer, help="id of the officer, like kim.0417; it is logged")]
ByIfAny = Annotated[
    str | None, typer.Option(callback=officer, help="id of the officer; it is logged; unset: the gateway itself")
]
Purpose = Annotated[str, typer.Option(callback=code, help="why, as a short code; it is logged")]
CaseNo = Annotated[str, typer.Argument(callback=code, metavar="CASE_NO", help="원부번호")]
