"""CP949, the code page of COMWEL's files: strict in, transliterated or refused out.

In: a field must be CP949 to its last byte. Half a syllable, control characters, and the eight-byte sequences that
`euc_kr` writers produce for rare syllables (they begin with the filler U+3164) are not. Two-byte characters that this
code page leaves to the site (A2E8, C9A1-C9FE, FEA1-FEFE) are read only when the site has published them.
Out: a character the code page lacks is written as its known substitute, or the text is refused with its code point.

It refuses to normalise, to replace with '?', and to touch letter case (52 trail bytes look like ASCII letters).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from gateway.errors import Undecodable

_WRONG = re.compile("[\x00-\x1f\x7f\u3164]")
_PADDING = " \u3000"  # hosts fill fields of Hangul with blanks of two bytes
_JAMO = re.compile("[\u1100-\u11ff]+")
_SUBSTITUTES = str.maketrans(
    {
        "₩": "￦",
        "・": "ㆍ",
        "–": "-",
        "—": "-",
        "‐": "-",
        "‑": "-",
        "−": "-",
        "\u00a0": " ",
        "\u2009": " ",
        "\u200b": "",
    }
)


def decode(raw: bytes, site: Mapping[bytes, str] | None = None) -> str | None:
    """The text of a field without its padding, or None when the bytes are no CP949 text."""
    try:
        text = raw.decode("cp949")
    except UnicodeDecodeError:
        text = _with_site(raw, site) if site else ""
        if not text:
            return None
    return None if _WRONG.search(text) else text.strip(_PADDING)


def _with_site(raw: bytes, site: Mapping[bytes, str]) -> str:
    """Decode character by character, asking the site's map for what the code page does not know; '' when in vain."""
    found, at = [], 0
    while at < len(raw):
        width = 1 if raw[at] < 0x80 else 2
        piece = raw[at : at + width]
        try:
            found.append(site[piece] if piece in site else piece.decode("cp949"))
        except UnicodeDecodeError:
            return ""
        at += width
    return "".join(found)


def encode(text: str) -> bytes:
    """`text` as CP949. Raises `Undecodable` naming the code point that has no place in it."""
    plain = _JAMO.sub(lambda m: unicodedata.normalize("NFC", m.group()), text).translate(_SUBSTITUTES)
    try:
        return plain.encode("cp949")
    except UnicodeEncodeError as error:
        raise Undecodable(f"U+{ord(plain[error.start]):04X} cannot be written in CP949") from None


def fit(raw: bytes, width: int) -> bytes:
    """The longest beginning of CP949 bytes that fits into `width` bytes and ends with a whole character."""
    if len(raw) <= width:
        return raw
    at = 0
    while at < len(raw):
        step = 1 if raw[at] < 0x80 else 2
        if at + step > width:
            break
        at += step
    return raw[:at]
