"""Names, places and codes from which invented people are made. Nobody here exists; no number here was issued.

It refuses to hold anything taken from a real file.
"""

from __future__ import annotations

from typing import NamedTuple


class Home(NamedTuple):
    """A district: postal code, 법정동 code, street, branch in charge and the region code to wish for."""

    postal: str
    code: str
    street: str
    branch: str

    @property
    def region(self) -> str:
        return self.code[:5]


class Foreigner(NamedTuple):
    """A person with a Latin name: nationality, language, Hangul and Latin spelling."""

    nationality: str
    language: str
    hangul: str
    latin: str


HOMES = (
    Home("06234", "1168010100", "서울특별시 강남구 테헤란로", "1100"),
    Home("15495", "4127310100", "경기도 안산시 단원구 원포공원1로", "1300"),
    Home("24329", "5111010100", "강원특별자치도 춘천시 중앙로", "1500"),
    Home("46726", "2644010100", "부산광역시 강서구 명지국제로", "2100"),
    Home("21554", "2817710100", "인천광역시 미추홀구 인하로", "2200"),
    Home("51391", "4812310100", "경상남도 창원시 의창구 창원대로", "2300"),
    Home("34141", "3020010100", "대전광역시 유성구 대학로", "2500"),
    Home("54999", "5211110100", "전북특별자치도 전주시 완산구 풍남문로", "2600"),
)
FOREIGNERS = (
    Foreigner("VNM", "vi", "응우옌티호아", "NGUYEN THI HOA"),
    Foreigner("CHN", "zh", "왕샤오밍", "WANG XIAOMING"),
    Foreigner("MNG", "mn", "투멘바야르", "TUMENBAYAR BATBOLD"),
    Foreigner("NPL", "ne", "샤르마라즈", "SHARMA RAJ"),
)
SURNAMES = "김이박최정강조윤장임한오서신권황안송전홍유고문양손배백허남심"
GIVEN = (
    "민수 서연 지훈 은주 동현 영희 상철 순자 정희 경숙 기태 수진 성호 현우 병철 가람 미경 재영 준호 지혜".split()  # noqa: SIM905
)
LONG_SURNAMES = ("남궁", "황보", "제갈", "선우", "독고", "사공", "서문", "동방")
RARE_NAMES = ("이설믜", "김펲", "박쀼", "최똠")
HANJA_NAMES = ("\uf9e1民守", "金\uf90a洙", "李英\uf9b4")
EUC_KR_NAME = "이".encode("cp949") + "믜".encode("euc_kr")  # eight bytes for one rare syllable
EMPLOYERS = ("한국전자", "대한건설", "동방기계", "미래물류", "서해수산")
EMPLOYER_TAILS = ("", "(주)", " 제2공장")
INDUSTRIES = ("28519", "22810", "40001", "50802")
OCCUPATIONS = (("7421", "821"), ("8222", "821"), ("7103", "703"), ("8750", "622"), ("4412", "622"), ("9300", "890"))
DIAGNOSES = ("S626", "M511", "S720", "S824", "G560", "S062", "S320", "T312", "M751", "S420", "S681", "T143")
MIND = ("F431", "F329")
WISHES = ("82", "62", "56", "02", "81", "53")
LICENCES = ("지게차운전기능사", "용접기능사", "전기기능사", "굴착기운전기능사")
KEAD_SERVICES = (["취업알선"], ["지원고용"], ["직업능력평가", "취업알선"])
TRN_SERVICES = (["직업훈련"], ["직업훈련", "훈련상담"])
