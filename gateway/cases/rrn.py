"""Find resident and foreign registration numbers in any field, spelling or width.

A number is thirteen digits, YYMMDD-SNNNNNN: a date that exists in the century S names, S = 1-4 for Korean nationals,
5-8 for foreigners (주민등록법 시행규칙 2조; 출입국관리법 시행령 40조의2). The check digit is not looked at: numbers
issued since 2020-10 have none. Nothing may carry such a number (개인정보 보호법 24조의2), so this detector is made for
people who hide one, and for the many innocent numbers around it.

1. Read HTML entities (`&#45;`, `&nbsp;`) as what they stand for.
2. Count digits first: nearly every field has fewer than thirteen, and costs nothing.
3. Read the text as digits and separators (`gateway.cases.digits`); a second time with Hangul and hanja digits.
4. Blank what is known to be something else: telephones, dates, times, amounts, business numbers, hexadecimal.
5. In what is left, look at neighbouring groups that add up to thirteen digits: they must be a plausible number, and
   be grouped as somebody would write one (880101-1234567, 88.01.01 1234567, 8 8 0 1 …, 8801 0112 3456 7). The halves
   may be any number of blanks apart.

Zeros may be missing in a birthday of the last century with its full year (1988.1.1 1234567), and nowhere else: people
write down what was paid on a day in the same way (26.1.5 3000000).

It refuses to return, log or quote what it found: answers are yes or no, places, and bytes with the digits struck out.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator, Mapping
from html import unescape
from itertools import chain
from typing import Any, NamedTuple

from gateway.cases.digits import DIGITISH, JAMO, Reading, read, streams

_LENGTH, _TAIL = 13, 7
_CENTURY = {"1": 1900, "2": 1900, "5": 1900, "6": 1900, "3": 2000, "4": 2000, "7": 2000, "8": 2000}
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,8});")
_HEX = re.compile(
    r"(?<![0-9A-Za-z])(?:(?=[0-9]*[a-fA-F])[0-9a-fA-F]{24,}"
    r"|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})(?![0-9A-Za-z])"
)
_PLAINLY_ELSE = re.compile(  # a digest, a UUID, a moment
    r"[0-9a-f]{64}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|20\d\d-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)"
)
_BEGINS = re.compile(r"(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])[1-8]\d{6}|19\d{4,5}[1256]\d{6}")
# Patterns over class strings (see gateway.cases.digits). A digit tied on either side means: the number goes on.
_NEW, _END = r"(?<!\d)(?<!\d-)", r"(?!\d|-\d)"
_AREA = r"0(?:2|[13-6]\d|[78]0|50\d)"
_FULL_YEAR = re.compile(r"(?<![\da])(19|20)(\d\d)-?(\d\d)-?(\d\d)-{0,2}([1-8])\d{6}(?!\d)")
_BORN = re.compile(  # 1988.01.01 1234567, 1988년 01월 01일 뒷자리 1234567; in this century a day of work looks the same
    r"(?<![\da])19(\d\d)[ \-]{0,2}(\d\d)[ \-]{0,2}(\d\d)( +|[ \-/]{1,8})([1256])\d{6}(?!\d|-\d)"
)
_BORN_WITHOUT_ZEROS = re.compile(  # 1988.1.1 1234567, 1988년 1월 1일 1234567
    r"(?<![\da])19(\d\d)[ \-]{1,2}(\d\d?)[ \-]{1,2}(\d\d?)( +|[ \-/]{1,8})([1256])\d{6}(?!\d|-\d)"
)
_PART_BY_PART = re.compile(  # 88 01 01 1234567: a date in parts, the rest in one, even if that ends like a telephone
    r"(?<!\d)(?<!\d-)(\d\d)([ \-/]{1,3})(\d\d)\2(\d\d)([ \-/]{1,3})([1-8])\d{6}(?!\d|-\d)"
)
_IN_FOURS = re.compile(r"(?<!\d)(?<!\d-)(\d{4})([ \-/]{1,3})(\d{4})\2(\d{4})\2(\d)(?!\d|-\d)")  # 0001 1530 0000 0
_INNOCENT = tuple(
    re.compile(pattern)
    for pattern in (
        _NEW + r"(?:82[ \-/]{1,3})?" + _AREA + r"[ \-/]{1,3}\d{3,4}[ \-/]{1,3}\d{4}" + _END,  # 010-1234-5678
        _NEW + r"82[ \-/]{1,3}(?:2|[1-7]\d)[ \-/]{1,3}\d{3,4}[ \-/]{1,3}\d{4}" + _END,  # +82 10-1234-5678
        _NEW + _AREA + r"[ \-/]{1,3}\d{7,8}" + _END,  # 010-12345678
        _NEW + r"0\d{8,10}" + _END,  # 01012345678
        _NEW + r"1[5-8]\d\d[ -]{1,3}\d{4}" + _END,  # 1588-1234
        r"(?<!\d)(?:19|20)\d\d- ?(?:0?[1-9]|1[0-2])- ?(?:0?[1-9]|[12]\d|3[01])" + _END,  # 2026. 11. 23
        r"(?<!\d)(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])" + _END,  # 20261123
        r"(?<!\d)(?:[01]\d|2[0-4])-[0-5]\d(?:-[0-5]\d)?(?=[ax /]|$)",  # 14:00:00
        _NEW + r"\d{3}-\d\d-\d{5}(?:-\d)?" + _END,  # 124-81-00998(-0)
    )
)
_AMOUNT = re.compile(r"(?<![\d,.])\d{1,3}(?:,\d{3})+(?!,?\d)")
# Words that stand inside a number: 88년 01월 01일 1234567; 앞자리 880101 뒷자리 1234567.
_UNIT_OF_DATE = re.compile(r"(?<=\d)(?:[년월](?=\s*\d)|일생?(?=[\s\-]*\d))")
_LABEL = re.compile(r"[앞뒷뒤](?:의?\s?자리|번호|쪽)?(?:는|은|이)?(?=\s{0,8}:?\s{0,8}\d)")
_BOTH = re.compile(  # 880101와 1234567, 880101번-1234567, 880101 x 1234567, 880101<br>1234567
    r"(?:(?<=\d)|(?<=\d\s))(?:와|과|번|[xX]|<[bB][rR]\s?/?>)(?=[\s\-]{0,8}\d)"
)
_MONEY = re.compile(r" ?n* ?w(?![wnxa\d])")
_MONEY_OR_COUNT = re.compile(r" ?(?:n* ?w|n+)(?![wnxa\d])")
_GROUP = re.compile(r"\d+")
_BETWEEN = re.compile(r"[ \-/]{0,8}\Z")
_DATE_PARTS = {(6,), (2, 2, 2), (4, 2), (2, 4), (3, 3), (1,) * 6}


class _Window(NamedTuple):
    """Neighbouring groups with thirteen digits together; `seps` stand between them."""

    start: int
    end: int
    sizes: tuple[int, ...]
    seps: tuple[str, ...]


def find(text: str) -> bool:
    """Whether `text` holds a registration number in any spelling."""
    return next(_spans(text), None) is not None


def find_anywhere(document: Any, *, least: int = 10**9) -> str | None:
    """JSON pointer (RFC 6901) of the first value of `document` that holds a number, or None.

    A name that holds one is reported as the object around it, so that the pointer itself never holds a number. `least`:
    from where on a JSON number may be one; smaller ones count something.
    """
    if isinstance(document, str):
        return "" if len(document) >= _LENGTH and find(document) else None
    if isinstance(document, dict):  # before the abstract class, which is slow to ask
        return _in_object(document, least)
    if isinstance(document, list | tuple):
        for index, value in enumerate(document):
            inner = find_anywhere(value, least=least)
            if inner is not None:
                return f"/{index}{inner}"
        return None
    if isinstance(document, int | float) and least <= document < 10**_LENGTH:
        return "" if find(str(int(document)).zfill(_LENGTH)) else None
    return _in_object(document, least) if isinstance(document, Mapping) else None


def mask(raw: bytes, encoding: str = "cp949") -> bytes:
    """`raw` with every digit of every number found struck out as `*`; the length stays, bytes that are no text stay."""
    text = raw.decode(encoding, "surrogateescape")
    struck = {i for start, end in _spans(text) for i in range(start, end)}
    if not struck:
        return raw
    return b"".join(_bytes(char, encoding, i in struck) for i, char in enumerate(text))


def _in_object(document: Mapping[str, Any], least: int) -> str | None:
    for name, value in document.items():
        if isinstance(value, str) and len(value) < _LENGTH and len(name) < _LENGTH:
            continue
        if len(name) >= _LENGTH and find(name):
            return ""
        inner = find_anywhere(value, least=least)
        if inner is not None:
            return "/" + name.replace("~", "~0").replace("/", "~1") + inner
    return None


def _bytes(char: str, encoding: str, struck: bool) -> bytes:
    as_is = char.encode(encoding, "surrogateescape")
    return b"*" * len(as_is) if struck and DIGITISH.match(char) else as_is


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Places of all numbers in `text`."""
    if "&" not in text:
        return _places(text)
    plain, begins = _unescaped(text)  # 1
    return ((begins[start], begins[end]) for start, end in _places(plain))


def _unescaped(text: str) -> tuple[str, list[int]]:
    """`text` with its entities read, and where in `text` each character begins; last, where it ends."""
    pieces, begins, at = list[str](), list[int](), 0
    for entity in _ENTITY.finditer(text):
        pieces += [text[at : entity.start()], unescape(entity.group())]
        begins += [*range(at, entity.start()), *[entity.start()] * len(pieces[-1])]
        at = entity.end()
    return "".join([*pieces, text[at:]]), [*begins, *range(at, len(text) + 1)]


def _places(text: str) -> Iterator[tuple[int, int]]:
    """Places of all numbers in a text without entities."""
    if not _may_hold(text):  # 2
        return
    text = _HEX.sub(_blank, text)  # 4, what only the text itself can tell
    text = _AMOUNT.sub(_blank, text)
    for word in (_UNIT_OF_DATE, _LABEL, _BOTH):
        text = word.sub(_tie, text)
    if not _may_hold(text):
        return
    plain = read(text)  # 3
    yield from _numbers(plain)
    softly = read(text, softly=True)
    if softly != plain:
        yield from _numbers(softly)


def _may_hold(text: str) -> bool:
    """Cheap: are there enough digits, and do any of them in a row begin like a number, whatever is between them?"""
    if len(text) < _LENGTH or (len(text) == _LENGTH + 1 and text.isascii() and text.isdigit()):
        return False
    characters = DIGITISH.findall(text)
    if len(characters) < _LENGTH or _PLAINLY_ELSE.fullmatch(text):
        return False
    if max(characters) >= "\u1100" and JAMO.search(text):
        return True
    plain, every = streams(characters)
    return bool(_BEGINS.search(plain) or (every != plain and _BEGINS.search(every)))


def _blank(match: re.Match[str]) -> str:
    return "x" * len(match.group())


def _tie(match: re.Match[str]) -> str:
    return "-" * len(match.group())


def _numbers(reading: Reading) -> Iterator[tuple[int, int]]:
    classes = reading.classes
    for match in _FULL_YEAR.finditer(classes):
        century, year, month, day, s = match.groups()
        if _CENTURY[s] == int(century) * 100 and _plausible(year + month + day + s):
            yield reading.spans[match.start()][0], reading.spans[match.end() - 1][1]
    for match in chain(_BORN.finditer(classes), _BORN_WITHOUT_ZEROS.finditer(classes)):
        year, month, day, last, s = match.groups()
        if _plausible(year + month.zfill(2) + day.zfill(2) + s) and not _is_amount(last, _TAIL, classes[match.end() :]):
            yield reading.spans[match.start()][0], reading.spans[match.end() - 1][1]
    for match in _PART_BY_PART.finditer(classes):
        year, _, month, day, last, s = match.groups()
        if _plausible(year + month + day + s) and not _is_amount(last, 7, classes[match.end() :]):
            yield reading.spans[match.start()][0], reading.spans[match.end() - 1][1]
    for match in _IN_FOURS.finditer(classes):  # two of the four may look like 1588-1234
        first, between, second, third, last = match.groups()
        if _plausible(first + second + third + last) and not _is_amount(between, 1, classes[match.end() :]):
            yield reading.spans[match.start()][0], reading.spans[match.end() - 1][1]
    for pattern in _INNOCENT:
        classes = pattern.sub(_blank, classes)
    for window in _windows(classes):
        digits = classes[window.start : window.end].translate(_ONLY_DIGITS)
        if _plausible(digits) and _written_so(window, classes):
            yield reading.spans[window.start][0], reading.spans[window.end - 1][1]


_ONLY_DIGITS = {ord(c): None for c in " -/"}


def _windows(classes: str) -> Iterator[_Window]:
    """All runs of whole, neighbouring groups that have thirteen digits together."""
    groups = [m.span() for m in _GROUP.finditer(classes)]
    for first, (start, _) in enumerate(groups):
        sizes: list[int] = []
        seps: list[str] = []
        for last in range(first, len(groups)):
            if last > first:
                between = classes[groups[last - 1][1] : groups[last][0]]
                halves = sum(sizes) == _LENGTH - _TAIL
                if not _BETWEEN.match(between.strip(" ") if halves else between):
                    break
                seps.append(between)
            sizes.append(groups[last][1] - groups[last][0])
            if sum(sizes) >= _LENGTH:
                break
        if sum(sizes) == _LENGTH:
            yield _Window(start, groups[first + len(sizes) - 1][1], tuple(sizes), tuple(seps))


def _plausible(digits: str) -> bool:
    """Whether YYMMDDS… can begin a number: the day exists in the century that S names."""
    century = _CENTURY.get(digits[6])
    month, day = int(digits[2:4]), int(digits[4:6])
    return century is not None and 1 <= month <= 12 and 1 <= day <= monthrange(century + int(digits[:2]), month)[1]


def _written_so(window: _Window, classes: str) -> bool:
    """Whether somebody would group a number like this, and it is not an amount, a list or a local telephone."""
    sizes, seps = window.sizes, window.seps
    if len(sizes) == 1:
        return True
    if _is_amount(seps[-1], sizes[-1], classes[window.end :]):
        return False
    if sizes == (7, 6) or _uniform(sizes, seps):
        return True
    if _parts_at_six(sizes):
        return not (sizes[-2:] == (3, 4) and seps[-1] == "-" and seps[-2] != "-")
    return max(sizes) < 10 and set("".join(seps)) == {"-"} and _alone(window, classes)


def _is_amount(before: str, size: int, after: str) -> bool:
    """Whether a group that stands apart is followed by a unit, as in `3100000원`.

    The unit is a word of its own: 원직복귀, 명의, 건강, 천안 only begin like one. Nobody counts seven digits of people.
    """
    unit = _MONEY if size >= _TAIL else _MONEY_OR_COUNT
    return " " in before and unit.match(after) is not None


def _uniform(sizes: tuple[int, ...], seps: tuple[str, ...]) -> bool:
    """8 8 0 1 …, 8801 0112 3456 7: equal chunks, a shorter rest, one separator."""
    return len(set(sizes[:-1])) == 1 and sizes[-1] <= sizes[0] < 6 and len(set(seps)) == 1


def _parts_at_six(sizes: tuple[int, ...]) -> bool:
    """A date in one of its usual forms, then the rest however it is split."""
    return any(sizes[: len(part)] == part for part in _DATE_PARTS)


def _alone(window: _Window, classes: str) -> bool:
    """Whether no further group is tied to the window, as in an account or serial number that goes on."""
    return not (re.search(r"\d-\Z", classes[: window.start]) or re.match(r"-\d", classes[window.end :]))
