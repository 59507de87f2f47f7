"""The function library: the simple functions, as a table. Values in, value out; pure, bounded, never random.

A row is: name, kinds it takes, kinds of its arguments, kind it gives, the function, whether it is one of ours.
FHIRPath functions (hl7.org/fhirpath/N1) want one value; ours go over lists item by item. Empty in, empty out is the
engine's business: no function here ever sees None.

Where FHIRPath would answer "empty" to text that cannot be converted (`toInteger`, `toDecimal`, `toBoolean`), we refuse,
because a value that vanishes in silence is the fault this engine exists to prevent.

Refused by design: now(), random ids, I/O, regular expressions of analysts. A function is added by reviewed code; one
that gives something else than before gets the next number of `FNLIB`, which is in the digests of the maps that use it.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.documents.gwmap import limits
from gateway.documents.gwmap.model import UnfitError
from gateway.korea import business_number

TEXT = frozenset({"string", "date", "dateTime", "instant"})
DATES = TEXT  # the same kinds: a string may hold a date, and is refused when it holds none
MOMENTS = frozenset({"dateTime", "instant"})
DAYS = frozenset({"string", "date"})  # a moment is on one day here and on another elsewhere: `date` says where
NUMBER = frozenset({"integer", "decimal"})
SCALAR = TEXT | NUMBER | {"boolean"}
_S = frozenset({"string"})
_I = frozenset({"integer"})


class Function(NamedTuple):
    """One function. `args` are the kinds of each argument; those after `needed` may be left out."""

    name: str
    takes: frozenset[str]
    args: tuple[frozenset[str], ...]
    needed: int
    gives: str
    run: Callable[..., Any]
    ours: bool = False


# ── text ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _substring(text: str, start: int, length: int | None = None) -> str | None:
    if not 0 <= start < len(text):
        return None
    return text[start:] if length is None else text[start : start + max(length, 0)]


def _replace(text: str, old: str, new: str) -> str:
    grown = len(text) + text.count(old) * (len(new) - len(old))
    if grown > max(len(text), limits.GROWN_CHARS):
        raise UnfitError(f"would become longer than {limits.GROWN_CHARS} characters")
    return text.replace(old, new)


def _to_string(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _to_integer(value: Any) -> int:
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,15}", value):
        return int(value)
    raise UnfitError("is not a whole number")


def _to_decimal(value: Any) -> float | int:
    if isinstance(value, int | float):
        return value
    if not isinstance(value, str) or not re.fullmatch(r"[+-]?[0-9]{1,15}(\.[0-9]{1,12})?", value):
        raise UnfitError("is not a number")
    if "." not in value:
        return int(value)
    found = float(value)
    if len(value) > 16 and Decimal(str(found)) != Decimal(value):  # 15 digits and the point always fit
        raise UnfitError("has more digits than a number can keep")
    return found


def _round(value: float | int, places: int = 0) -> float | int:
    """FHIRPath `round` (N1 5.7.8): 0.5 and more of the last place goes up, counted on the digits that were written."""
    if not 0 <= places <= 12:
        raise UnfitError("cannot be rounded to so many places")
    if isinstance(value, int) or abs(value) >= 2**53:
        return value
    return float(Decimal(str(value)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP))


def _to_boolean(value: Any) -> bool:
    text = _to_string(value).lower()
    if text in ("true", "t", "yes", "y", "1", "1.0"):
        return True
    if text in ("false", "f", "no", "n", "0", "0.0"):
        return False
    raise UnfitError("is neither true nor false")


# ── dates ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _real_date(year: str, month: str, day: str) -> date:
    if not 1 <= int(month) <= 12:
        raise UnfitError("is not a real date (month must be in 1..12)")
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        raise UnfitError("is not a real date (no such day in that month)") from None


def _ymd(text: str) -> str:
    if len(text) != 8 or not (text.isascii() and text.isdigit()):
        raise UnfitError("is not of the form YYYYMMDD")
    return _real_date(text[:4], text[4:6], text[6:]).isoformat()


def _to_ymd(text: str) -> str:
    return day(text).isoformat().replace("-", "")


def day(text: str) -> date:
    """The calendar date that an ISO date or dateTime begins with."""
    match = re.match(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?![0-9])", text)
    if not match:
        raise UnfitError("is not a date (YYYY-MM-DD)")
    return _real_date(*match.groups())


def moment(text: str) -> datetime:
    """The instant of an ISO dateTime with zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UnfitError("is not a date and time") from None
    if found.tzinfo is None:
        raise UnfitError("has no time zone")
    return found


@lru_cache(maxsize=32)
def zone(name: str) -> ZoneInfo:
    """A time zone of the IANA data base."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise UnfitError("is asked for in a time zone that does not exist") from None


def _ymdhm(text: str, tz: str) -> str:
    if len(text) not in (12, 14) or not (text.isascii() and text.isdigit()):
        raise UnfitError("is not of the form YYYYMMDDhhmm or YYYYMMDDhhmmss")
    real = _real_date(text[:4], text[4:6], text[6:8])
    hour, minute, second = int(text[8:10]), int(text[10:12]), int(text[12:] or 0)
    if hour > 23 or minute > 59 or second > 59:
        raise UnfitError("is not a real time")
    found = datetime(real.year, real.month, real.day, hour, minute, second, tzinfo=zone(tz))
    return found.isoformat()


_PATTERN = re.compile(r"yyyy|MM|dd|HH|mm|ss|XXX|'([^']*)'|[^A-Za-z']")
_YEAR, _OFFSET = "\1", "\2"
"""Stand in a format for what strftime writes in another way: the year in four digits, and the offset as +09:00."""
_FORMATS = {"yyyy": _YEAR, "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S", "XXX": _OFFSET}


@lru_cache(maxsize=64)
def date_format(pattern: str) -> str:
    """A strftime format of `yyyy MM dd HH mm ss XXX`, 'quoted' text and punctuation, with `_YEAR` and `_OFFSET`.

    Raises `UnfitError`.
    """
    at, made = 0, ""
    while at < len(pattern):
        match = _PATTERN.match(pattern, at)
        if match is None:
            raise UnfitError("is asked for in a pattern that is none (yyyy MM dd HH mm ss XXX)")
        piece = match[1] if match[1] is not None else match[0]
        made += _FORMATS.get(match[0], piece.replace("%", "%%"))
        at = match.end()
    return made


@lru_cache(maxsize=64)
def tells_time(pattern: str) -> bool:
    """Whether a date pattern asks for more than a day: hours, minutes, seconds or an offset."""
    return any(piece[0] in ("HH", "mm", "ss", "XXX") for piece in _PATTERN.finditer(pattern))


def _date(text: str, pattern: str, tz: str | None = None) -> str:
    form = date_format(pattern)
    if len(text) == 10:
        found_day = day(text)
        if tells_time(pattern):
            raise UnfitError("is a day, it has no time")
        return found_day.strftime(form).replace(_YEAR, f"{found_day.year:04d}")
    found = moment(text)
    found = found.astimezone(zone(tz)) if tz else found
    offset = found.strftime("%z")
    made = found.strftime(form).replace(_YEAR, f"{found.year:04d}")
    return made.replace(_OFFSET, f"{offset[:3]}:{offset[3:]}")


def months_between(start: str, end: str) -> int:
    """Whole calendar months from `start` to `end` (민법 160조②③).

    A month is full on the day of the same number, and on its last day when it has no such day: from 31 August to 28
    February it is six.
    """
    a, b = day(start), day(end)
    months = (b.year - a.year) * 12 + b.month - a.month
    full = min(a.day, monthrange(b.year, b.month)[1])
    return months - (b.day < full) if months >= 0 else months


def _age(born: str, on: str) -> int:
    a, b = day(born), day(on)
    return b.year - a.year - ((b.month, b.day) < (a.month, a.day))


def _plus_days(start: str, days: int) -> str:
    """`start` and so many days, backwards when negative: FHIRPath date arithmetic (N1 6.8), in days only."""
    try:
        return (day(start) + timedelta(days)).isoformat()
    except OverflowError:
        raise UnfitError("is too far from that day") from None


def iso(value: Any) -> Any:
    """A host's datetime or date as the ISO text the engine works on; everything else as it is."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


# ── numbers of people, firms and things ──────────────────────────────────────────────────────────────────────────────
_OTHERS = re.compile("[^0-9]+")


def _digits(text: str) -> str:
    return _OTHERS.sub("", text)


def _local(text: str) -> str:
    found = _digits(text)
    if found.startswith("82") and text.lstrip().startswith("+"):
        found = "0" + found[2:]
    if not re.fullmatch(r"0[0-9]{8,11}", found):
        raise UnfitError("is not a Korean telephone number")
    return found


def _phone(text: str) -> str:
    return "+82-" + _kr_phone(text)[1:]


def _kr_phone(text: str) -> str:
    found = _local(text)
    area = 2 if found.startswith("02") else (4 if re.match(r"0(50|30)[0-9]", found) and len(found) >= 12 else 3)
    return f"{found[:area]}-{found[area:-4]}-{found[-4:]}"


def _pad(text: str, width: int) -> str:
    if width > limits.GROWN_CHARS:
        raise UnfitError(f"would become longer than {limits.GROWN_CHARS} characters")
    return text.rjust(width, "0")


def _biz_no(text: str) -> str:
    found = _digits(text)
    if len(found) != 10:
        raise UnfitError("is not a business registration number (10 digits)")
    if not business_number(found):
        raise UnfitError("is not a business registration number (check digit)")
    return found


@lru_cache(maxsize=256)
def _namespace(name: str) -> Any:
    """A hash that has already taken in the namespace; copied, because to set one up costs more than to use it."""
    space = uuid.uuid5(uuid.NAMESPACE_URL, "https://gateway.example/" + name)
    return hashlib.sha1(space.bytes, usedforsecurity=False)


_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))


@lru_cache(maxsize=1024)
def _uuid5(text: str, namespace: str) -> str:
    """RFC 9562 version 5 under `https://gateway.example/<namespace>` (as `uuid.uuid5`, without its objects).

    The last ones are kept: a document names its resources again and again, and a case has a document for each leg.
    """
    state = _namespace(namespace).copy()
    state.update(text.encode())
    found = state.hexdigest()
    return f"{found[:8]}-{found[8:12]}-5{found[13:16]}-{_VARIANT[found[16]]}{found[17:20]}-{found[20:32]}"


def reference(kind: str, key: str) -> str:
    """`Type/key`, the deterministic reference of a resource (FHIR id: 1 to 64 of A-Z a-z 0-9 - .)."""
    if not re.fullmatch(r"[A-Za-z0-9.-]{1,64}", key):
        raise UnfitError("cannot be the id of a resource")
    return f"{kind}/{key}"


def _key(text: str) -> str:
    kind, _, key = text.rpartition("/")
    if not kind:
        raise UnfitError("is not a reference")
    return key


FUNCTIONS: dict[str, Function] = {
    f.name: f
    for f in (
        Function("lower", TEXT, (), 0, "string", str.lower),
        Function("upper", TEXT, (), 0, "string", str.upper),
        Function("trim", TEXT, (), 0, "string", str.strip),
        Function("length", TEXT, (), 0, "integer", len),
        Function("substring", TEXT, (_I, _I), 1, "string", _substring),
        Function("startsWith", TEXT, (_S,), 1, "boolean", str.startswith),
        Function("endsWith", TEXT, (_S,), 1, "boolean", str.endswith),
        Function("contains", TEXT, (_S,), 1, "boolean", lambda a, b: b in a),
        Function("indexOf", TEXT, (_S,), 1, "integer", str.find),
        Function("replace", TEXT, (_S, _S), 2, "string", _replace),
        Function("toString", SCALAR, (), 0, "string", _to_string),
        Function("toInteger", SCALAR, (), 0, "integer", _to_integer),
        Function("toDecimal", SCALAR, (), 0, "decimal", _to_decimal),
        Function("round", NUMBER, (_I,), 0, "decimal", _round),
        Function("toBoolean", SCALAR, (), 0, "boolean", _to_boolean),
        Function("ymd", _S, (), 0, "date", _ymd, ours=True),
        Function("toYmd", DAYS, (), 0, "string", _to_ymd, ours=True),
        Function("ymdhm", _S, (_S,), 1, "dateTime", _ymdhm, ours=True),
        Function("date", DATES, (_S, _S), 1, "string", _date, ours=True),
        Function("phone", _S, (), 0, "string", _phone, ours=True),
        Function("krPhone", _S, (), 0, "string", _kr_phone, ours=True),
        Function("digits", TEXT, (), 0, "string", _digits, ours=True),
        Function("pad", _S, (_I,), 1, "string", _pad, ours=True),
        Function("bizNo", _S, (), 0, "string", _biz_no, ours=True),
        Function("uuid5", _S, (_S,), 1, "string", _uuid5, ours=True),
        Function("key", _S, (), 0, "string", _key, ours=True),
        Function("plusDays", frozenset({"date"}), (_I,), 1, "date", _plus_days, ours=True),
        Function("age", DAYS, (DAYS,), 1, "integer", _age, ours=True),
    )
}
