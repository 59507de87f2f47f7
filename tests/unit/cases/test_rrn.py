"""The detector of resident registration numbers: what hides is found, what is innocent is left alone.

All numbers here are invented: their tails were never issued, or their check digits are wrong.
"""

from __future__ import annotations

import unicodedata
from datetime import date
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cases import rrn

EVASIVE = (
    "00 01 02 3000000",  # ends like a Seoul telephone
    "880101-1234567",
    "8801011234567",
    "주민번호 8801011234567 확인",
    "８８０１０１－１２３４５６７",
    "본인 ８８０１０１１２３４５６７",
    "880101 1234567",
    "880101 - 1234567",
    "880101–1234567",
    "880101—1234567",
    "880101−1234567",
    "880101ㅡ1234567",
    "880101ー1234567",
    "880101_1234567",
    "880101.1234567",
    "880101·1234567",
    "880101/1234567",
    "880101~1234567",
    "880101*1234567",
    "880101(1234567)",
    "880101\n1234567",
    "880101\u00a01234567",
    "880101\u3000-\u30001234567",
    "880101\u200b1234567",
    "8\u200b8\u200b0\u200b1\u200b0\u200b1\u200b1\u200b2\u200b3\u200b4\u200b5\u200b6\u200b7",
    "880101\u2060-\ufeff1234567",
    "88\u00ad0101-123\u00ad4567",
    "8 8 0 1 0 1 1 2 3 4 5 6 7",
    "8-8-0-1-0-1-1-2-3-4-5-6-7",
    "8801 0112 3456 7",
    "0001 1530 0000 0",  # the middle looks like 1588-1234
    "880 101 123 456 7",
    "88 01 01 12 34 56 7",
    "88.01.01-1234567",
    "88/01/01 1234567",
    "880101-1-234567",
    "880101-123-4567",
    "880101-1 2 3 4 5 6 7",
    "8801011-234567",
    "88010-11234567",
    "8801-0112-34567",
    "1988-01-01-1234567",
    "19880101-1234567",
    "1988.01.01.-1234567",
    "1988.01.01 1234567",
    "생년월일 1988-01-01 / 2234567",
    "1988년 01월 01일 1234567",
    "생년월일 1988.01.01 뒷자리 1234567",
    "20011231-3234567",
    "88년 01월 01일 1234567",
    "앞자리 880101, 뒷자리 1234567",
    "주민 880101 뒷자리는 1234567",
    "팔팔공일공일 일이삼사오육칠",
    "팔팔공일공일-일이삼사오육칠",
    "팔팔영일영일일이삼사오륙칠",
    "팔 팔 공 일 공 일 일 이 삼 사 오 육 칠",
    unicodedata.normalize("NFD", "주민번호 팔팔공일공일 일이삼사오육칠"),
    "八八〇一〇一-一二三四五六七",
    "880101-일이삼사오육칠",
    "٨٨٠١٠١-١٢٣٤٥٦٧",
    "८८०१०१ १२३४५६७",
    "⑧⑧⓪①⓪①-①②③④⑤⑥⑦",
    "𝟖𝟖𝟎𝟏𝟎𝟏-𝟏𝟐𝟑𝟒𝟓𝟔𝟕",
    "8️⃣8️⃣0️⃣1️⃣0️⃣1️⃣-1️⃣2️⃣3️⃣4️⃣5️⃣6️⃣7️⃣",
    "88O1O1-1234567",
    "88o1o1-l234567",
    "RRN8801011234567",
    "8801011234567입니다",
    "외국인등록번호 850615-5123456",
    "국내거소 900101-8000011",
    "2000년생 000229-3123456",
    "010101-3123456",
    "820101-1234567",
    "연락처 010-1234-5678, 880101-1234567",
    "2026-11-23 880101-1234567 01012345678",
    "1. 880101-1234567",
    "원부 20260001000001 (880101-1234567)",
    "id=8801011234567@example.kr",
    # words that begin like a unit
    "880101 1234567 원직복귀 희망",
    "880101 1234567 명의 계좌",
    "880101 1234567 건강보험 문의",
    "880101 1234567 천안 거주",
    "880101 1234567 억제대",
    "880101 1234567 개인정보",
    "880101 1234567만 기억함",
    "880101 1234567 명",
    "880101 1234567건",
    "880101 - 1234567 원본",
    "88 01 01 1234567 원직복귀",
    "0001 1530 0000 0 명의",
    # what else stands between the halves
    "880101→1234567",
    "880101 ⇒ 1234567",
    "880101와 1234567",
    "880101 과 1234567",
    "880101번-1234567",
    "880101x1234567",
    "880101 X 1234567",
    "880101×1234567",
    "880101<br>1234567",
    "880101<BR />1234567",
    "880101&nbsp;1234567",
    "880101&#45;1234567",
    "881231&#9;1234567",
    "880101&#x2D;1234567",
    "880101&nbsp;&ndash;&nbsp;1234567",
    "880101&lt;br&gt;1234567",
    "&#56;&#56;&#48;&#49;&#48;&#49;-&#x31;&#x32;34567",
    "R&D 담당 880101-1234567",
    "880101            1234567",
    "88 01 01            1234567",
    "880101   -            1234567",
    "880101" + "&nbsp;" * 12 + "1234567",
    "880101\n\n\n\n\n\n\n\n\n\n1234567",
    "1988.01.01            1234567",
    # zeros that nobody wrote
    "1988.1.1 1234567",
    "1988-1-15-1234567",
    "1988년 1월 1일 1234567",
    "1988. 12. 1. 뒷자리 2234567",
    # an account of Woori Bank in its usual form, and a number of somebody born in February 2010: nobody can tell
    "우리은행 1002-123-456789",
)

INNOCENT = (
    "",
    "010-1234-5678",
    "01012345678",
    "+82 10-1234-5678",
    "+82-10-1234-5678",
    "+82 010-1123-4567",
    "(02) 123-4567, (031)1234-5678",
    "02)880-1011, 010.8801.0112",
    "010 8801 0112 / 010 3456 7890",
    "010-1234-5678 880101",
    "880101 010-1234-5678",
    "880101 02-123-4567",
    "생년월일 880101 자택 234-5678",
    "880101 234-5678",
    "1588-1234 880101",
    "0505-123-4567 26",
    "연락처 010-1234-5678 내선 123",
    "전화 01012345678 01087654321",
    "20260001000001",
    "원부번호 20260001000001 001",
    "88010112345678",
    "880101123456",
    "124-81-00998",
    "1248100998",
    "사업자 124-81-00998 사업장 124-81-00998-0",
    "12481009980 26",
    "1999-05-03 1500000원",
    "1999.05.03 234-5678",
    "1999-05-03 3234567",
    "1999-13-03 1234567",
    "2026-11-23",
    "2026-11-23 14:00:00",
    "20261123 140000",
    "2026.11.23 ~ 2027.11.22",
    "2026. 11. 23. 14:00 - 16:30",
    "2026-01-01 2026-12-31 2027-01-01",
    "20260101~20261231 06234",
    "2026년 11월 23일 3000000원",
    "26년 11월 23일 3100000원 지급",
    "평균임금 120,000원 월 3,600,000원",
    "250101 3000000원",
    "250101 3000000 원",
    "250101 3000000원, 3명",
    "250101 3000 만원",
    "260101 3000000천원",
    "250101 300만 원 3건",
    "101번 102번 103번 104번 105",
    "전화 010-1234-5678번 20명",
    "1920x1080 1280x720",
    "2026-11-23→2027-02-28",
    "8,801,011,234,567",
    "R20261123-0000001",
    "R20261123-3000001",
    "접수번호 20261123-1000001",
    "19880101-3234567",
    "C20260001000001",
    "P000001000001",
    "PKE-AB2C3D4E5F6G7H2I3J4K5L6M7N",
    "33475e436fb9d3a13be9f3250e1ec611bc03fe82876ef99cec7e8fe6af39e9bc",
    "a8801011234567b33475e436fb9d3a13be9f3250e1ec611bc03fe8287",
    "88010112-3456-4123-8123-123456789012",
    "6f1c2d3e-1234-4123-8123-123456789012",
    "경기도 안산시 단원구 원포공원1로 101동 1203호 (15495)",
    "강남구 테헤란로 143, 12층 1201-1호",
    "요양기간 2026-01-05부터 2026-07-05까지 181일, 통원 12회",
    "이 일은 이사 오기 전 구 사업장에서 팔 일 동안 한 일",
    "880101-1******",
    "880230-1234567",
    "881301-1234567",
    "010229-3123456",
    "880101-0234567",
    "2026-11-22T14:00:00+09:00",
    "[11680, 41273, 52111]",
    "42, 17, 3, 2026, 11, 23",
    "KECO 622 890 703 821",
    "26.1.5 3000000",
    "1999.5.3 1500000원",
    "1999.5.3 234-5678",
    "1999.5.3 3234567",
    "1988 11 1234567",
    "1988.13.1 1234567",
    "880101            010-1234-5678",
    "생년월일 880101            234-5678",
    "250101            3000000원",
    "880230            1234567",
    "연금&amp;보상 010-1234-5678 &#40;02&#41; 123-4567",
    "주소 &#45;&#45; 880101",
)


@pytest.mark.parametrize("text", EVASIVE)
def test_a_number_is_found_however_it_is_written(text: str) -> None:
    assert rrn.find(text)


@pytest.mark.parametrize("text", INNOCENT)
def test_innocent_numbers_are_left_alone(text: str) -> None:
    assert not rrn.find(text)


def _seconds(text: str) -> float:
    """Time of this process that the detector takes at best."""
    taken = []
    for _ in range(3):
        begun = process_time()
        rrn.find(text)
        taken.append(process_time() - begun)
    return min(taken)


@pytest.mark.parametrize(
    "text",
    [
        "앞{}x 8801011234567",
        "앞:{}: 8801011234567x",
        "1년{}x 8801011234567",
        "1일{}x 8801011234567",
        "1와{}x 880101 123456",
        "1988.1.1{}x 8801011234567x",
        "880101{}x 8801011234567x",
        "1&#45;{}&#45;x 880101 123456",
    ],
)
@pytest.mark.parametrize("filler", [" ", "-", " -"])
def test_long_blanks_take_time_that_grows_with_their_length_alone(text: str, filler: str) -> None:
    short, long = (_seconds(text.format(filler * n)) for n in (4_000, 32_000))
    assert long < 24 * max(short, 0.000_5)  # eight times as long: 8 when it is linear, 64 when it is quadratic


_BIRTHS = st.dates(date(1930, 1, 1), date(2019, 12, 31))


@st.composite
def numbers(draw: st.DrawFn) -> str:
    """Thirteen digits of a plausible number."""
    birth = draw(_BIRTHS)
    s = draw(st.sampled_from("1256" if birth.year < 2000 else "3478"))
    return birth.strftime("%y%m%d") + s + draw(st.from_regex(r"[0-9]{6}", fullmatch=True))


_ALPHABETS = ("0123456789", "０１２３４５６７８９", "٠١٢٣٤٥٦٧٨٩", "공일이삼사오육칠팔구", "〇一二三四五六七八九")
_SEPS = ("", "-", " ", " - ", "－", "–", ".", "·", "\u200b", "\u2060-", "/", "ㅡ", "~")


@st.composite
def spellings(draw: st.DrawFn) -> str:
    digits = draw(numbers())
    alphabet = draw(st.sampled_from(_ALPHABETS))
    sep = draw(st.sampled_from(_SEPS))
    shape = draw(st.sampled_from(((13,), (6, 7), (6, 1, 6), (2, 2, 2, 7), (1,) * 13, (4, 4, 4, 1), (7, 6))))
    groups, at = [], 0
    for size in shape:
        groups.append("".join(alphabet[int(d)] for d in digits[at : at + size]))
        at += size
    return sep.join(groups)


_WORDS = st.sampled_from(
    [
        "산재",
        "근로자",
        "요양",
        "중",
        "상담",
        "본인",
        "희망",
        "직종은",
        "용접",
        "통근",
        "거리",
        "중요",
        "가족",
        "연락",
        "가능",
        "오후",
        "이후",
        "사업장",
        "방문",
        "예정",
        "통화함",
        "주소",
        "변경",
    ]
)


@pytest.mark.rule("R-01")
@given(spellings(), st.lists(_WORDS, max_size=3), st.lists(_WORDS, max_size=3))
@settings(max_examples=150, deadline=None)
def test_any_number_in_any_spelling_is_found_and_struck_out(number: str, before: list[str], after: list[str]) -> None:
    text = " ".join([*before, number, *after])
    assert rrn.find(text)
    assert rrn.find_anywhere({"a": ["x", {"memo": text}]}) == "/a/1/memo"
    raw = text.encode("utf-8")
    struck = rrn.mask(raw, "utf-8")
    assert len(struck) == len(raw)
    assert not rrn.find(struck.decode("utf-8"))


_PHONES = st.from_regex(
    r"(010-[2-9][0-9]{3}-[0-9]{4}|010[2-9][0-9]{7}|0(2|31|51)-[2-9][0-9]{2,3}-[0-9]{4})", fullmatch=True
)
_DATES = st.dates(date(1990, 1, 1), date(2035, 1, 1)).map(date.isoformat)
_CASES = st.from_regex(r"20[12][0-9]{11}", fullmatch=True)
_WAGES = st.integers(10_000, 9_999_999).map(lambda n: f"{n:,}원")
_BRNS = st.from_regex(r"[1-9][0-9]{2}-[0-9]{2}-[0-9]{5}", fullmatch=True)
_TOKENS = st.binary(min_size=32, max_size=32).map(bytes.hex)


@given(
    st.lists(st.one_of(_WORDS, _PHONES, _DATES, _CASES, _WAGES, _BRNS, _TOKENS), max_size=10),
    st.sampled_from((" ", ", ", " / ")),
)
@settings(max_examples=300, deadline=None)
def test_innocent_text_with_telephones_never_fires(parts: list[str], sep: str) -> None:
    assert not rrn.find(sep.join(parts))


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ({"memo": "8801011234567"}, "/memo"),
        ({"a~b": {"c/d": "880101-1234567"}}, "/a~0b/c~1d"),
        ([1, [2, "880101-1234567"]], "/1/1"),
        ({"no": 8801011234567}, "/no"),
        ({"no": 101013123456}, "/no"),
        ({"no": 8801011234567.0}, "/no"),
        ({"x": {"880101-1234567": 1}}, "/x"),
        ("880101-1234567", ""),
        ({"wage": 123_456_789, "memo": "없음", "n": None, "b": True}, None),
    ],
)
def test_the_place_is_a_json_pointer_that_never_holds_a_number(document: object, pointer: str | None) -> None:
    assert rrn.find_anywhere(document) == pointer


@pytest.mark.parametrize(
    "number",
    [
        "880101-1234567",
        "８８０１０１－１２３４５６７",
        "팔팔공일공일 일이삼사오육칠",
        "8 8 0 1 0 1 1 2 3 4 5 6 7",
        "&#56;&#56;&#48;&#49;&#48;&#49;&#45;&#49;&#50;34567",
    ],
)
def test_masking_strikes_out_digits_and_changes_nothing_else(number: str) -> None:
    raw = b"\xbc" + f"서울 {number} 010-1234-5678 ".encode("cp949") + b"\xb1\xff "
    struck = rrn.mask(raw)
    assert len(struck) == len(raw)
    assert struck.startswith(b"\xbc" + "서울 ".encode("cp949"))
    assert struck.endswith(" 010-1234-5678 ".encode("cp949") + b"\xb1\xff ")
    assert b"*" * 6 in struck or struck.count(b"*") >= 13
    assert rrn.mask(struck) == struck


def test_bytes_without_a_number_come_back_unchanged_even_when_they_are_no_text() -> None:
    raw = bytes(range(256)) * 2
    assert rrn.mask(raw) == raw


def test_masking_gives_every_other_character_of_the_code_page_back_byte_for_byte() -> None:
    every = [bytes((lead, trail)) for lead in range(0x81, 0xFF) for trail in range(0x41, 0xFF)]
    valid = b" ".join(pair for pair in every if len(pair.decode("cp949", "replace")) == 1 and b"\x7f" not in pair)
    raw = b"880101-1234567 " + valid
    assert rrn.mask(raw) == b"******-******* " + valid
