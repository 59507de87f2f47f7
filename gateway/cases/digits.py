"""Read text as digits, separators and everything else, whatever alphabet the digits are written in.

A `Reading` has one class character for each visible character of the text (and remembers where that stood):

    0-9   a digit: ASCII, full-width, any other Unicode decimal, circled, superscript; softly also Hangul (일이삼),
          hanja (一二三) and look-alike letters (O, l), which are words elsewhere and therefore read only on request
    ' '   white space
    -     what ties digits together: dashes, dots, underscores, colons, tildes, bullets, arrows, the vowel sign ㅡ
    /     what lists things: slash, comma, brackets, semicolon, bar
    w     a unit that makes the number before it an amount (원, %)
    n     a multiplier or a count (만, 천, 명, 건); whether it is a word of its own is not judged here
    a     a Latin letter           x     anything else

Zero-width characters, combining marks and fillers have no class: they are skipped, as a reader's eye would.
Conjoining jamo (macOS uploads) are composed first. This module refuses to judge what the digits mean.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

_TIES = frozenset("-._:~·•∙⋅・ㆍᆞㅡー―─━−﹣－＿．：～〜‐‑‒–—⁃⸺⸻_¯'’`*+=＊＋＝|￨→⇒➔➜←↔×")
_LISTS = frozenset('/|,;()[]{}<>／，；（）［］｛｝〈〉《》「」『』【】\\、。!?"“”&#@^')
_UNITS = frozenset("원￦₩%")
_COUNTS = frozenset("만천억명건개")
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f")
_SOFT = {
    **dict(zip("영공일이삼사오육칠팔구", "00123456789", strict=True)),
    **dict(zip("령륙", "06", strict=True)),
    **dict(zip("〇零一二三四五六七八九", "00123456789", strict=True)),
    **dict(zip("壹貳參壱弐参○◯", "12312300", strict=True)),
    **dict(zip("OoОоΟοlIǀⅠ", "0000001111", strict=True)),
}
# The same digits as a character class, to count them cheaply before anything is read.
DIGITISH = re.compile(
    r"[\d²³¹⁰⁴-⁹₀-₉①-⑨⓪⑴-⑼⒈-⒐⓵-⓽⓿❶-❾➀-➈➊-➒\U0001F100-\U0001F10A\u1100-\u1112" + re.escape("".join(_SOFT)) + "]"
)
JAMO = re.compile(r"[\u1100-\u11ff]+")


class Reading(NamedTuple):
    """`classes[i]` stands for `text[spans[i][0]:spans[i][1]]`."""

    classes: str
    spans: tuple[tuple[int, int], ...]


def streams(characters: list[str]) -> tuple[str, str]:
    """The digits that `DIGITISH` found, without what stands between them: plain ones alone, and all of them."""
    values = [_digit(char) for char in characters]
    return "".join([v for v in values if len(v) == 1]), "".join([v[-1:] for v in values])


@lru_cache(maxsize=2048)
def _digit(char: str) -> str:
    """`7` for a plain digit, `s7` for one that is a digit only softly."""
    kind = _class(char)
    return kind[:2] if kind.startswith("s") else kind


def read(text: str, *, softly: bool = False) -> Reading:
    """Classify every visible character of `text`; `softly` reads Hangul, hanja and look-alike digits as digits."""
    classes: list[str] = []
    spans: list[tuple[int, int]] = []
    for char, start, end in _characters(text):
        kind = _class(char)
        if kind:
            classes.append(kind if len(kind) == 1 else kind[1 if softly else 2])
            spans.append((start, end))
    return Reading("".join(classes), tuple(spans))


def _characters(text: str) -> list[tuple[str, int, int]]:
    """Characters with their places; runs of conjoining jamo come out as the syllables they spell."""
    found: list[tuple[str, int, int]] = []
    at = 0
    for run in JAMO.finditer(text):
        found += [(text[i], i, i + 1) for i in range(at, run.start())]
        at = run.start()
        for syllable in unicodedata.normalize("NFC", run.group()):
            length = len(unicodedata.normalize("NFD", syllable))
            found.append((syllable, at, at + length))
            at += length
    return found + [(text[i], i, i + 1) for i in range(at, len(text))]


@lru_cache(maxsize=8192)
def _class(char: str) -> str:
    """Class of one character; '' when it is skipped; `s<digit><class otherwise>` when it is a digit only softly."""
    value = unicodedata.digit(char, -1)
    if value >= 0:
        return str(value)
    for kind, members in (("-", _TIES), ("/", _LISTS), ("w", _UNITS), ("n", _COUNTS), ("", _FILLERS)):
        if char in members:
            return kind
    if char in _SOFT:
        return "s" + _SOFT[char] + ("a" if char.isascii() else "x")
    category = unicodedata.category(char)
    if category in ("Cf", "Mn", "Me", "Mc"):
        return ""
    if category[0] == "Z" or category in ("Cc", "Pd"):
        return "-" if category == "Pd" else " "
    return "a" if unicodedata.normalize("NFKC", char).isascii() and char.isalpha() else "x"
