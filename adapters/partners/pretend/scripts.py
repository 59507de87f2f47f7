"""What can happen at a pretend partner, as tables: scripts, reasons, employers, jobs, courses and misbehaviour.

Columns `keis`, `kead`, `trn` are weights: how often a script is drawn at that partner, of the sum of its column. A wait
is (least, most) days after the step before; dates on a weekend move to Monday. A step that a partner has no word for is
left out of its reports (its days still pass). Employers, courses and business numbers are invented; `999` is no tax
office. This module refuses to hold logic.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What a partner can report, in neutral words."""

    RECEIVE = "receive"  # it is on our desk
    ACCEPT = "accept"  # we take it
    DECLINE = "decline"  # we do not take it, with a coded reason
    ASK = "ask"  # we need to know more
    START = "start"  # first contact with the worker
    PLAN = "plan"  # a plan is agreed
    TRAINING = "training"  # on a course
    SEARCH = "search"  # looking for a job
    TRIAL = "trial"  # supported trial at a workplace; not employment
    PLACED = "placed"  # working, with the facts of the job
    RETENTION = "retention"  # still working? at 1, 3, 6, 12 calendar months
    CLOSE_PLACED = "close-placed"  # done, the worker was placed
    CLOSE_UNPLACED = "close-unplaced"  # done, the worker was not placed, with a reason
    CONFIRM_CANCEL = "confirm-cancel"  # stopped, as you asked


class Ending(StrEnum):
    """What becomes of a placement."""

    NONE = "none"  # there was no placement
    STAYS = "stays"
    LEAVES = "leaves"
    LOST = "lost"  # nobody can reach the worker or the employer


class Mishap(StrEnum):
    """Protocol misbehaviour, on purpose and once."""

    NONE = "none"
    BUSY = "busy"  # inbound: 503 on the first attempt, before anything is done
    SLOW = "slow"  # inbound: processed, but answered after the caller has given up
    HTML = "html"  # inbound: a maintenance page instead of an answer, nothing done
    RESEND = "resend"  # outbound: the same message twice
    LATE = "late"  # outbound: sent only after its successor


class Step(NamedTuple):
    """One step of a script: what, and how many days after the step before."""

    kind: Kind
    least: int
    most: int


class Script(NamedTuple):
    """One kind of story. `course` and `self_employed` say what sort of training or placement it is."""

    name: str
    keis: int
    kead: int
    trn: int
    steps: tuple[Step, ...]
    ending: Ending = Ending.NONE
    self_employed: bool = False
    course_ends: str = "COMPLETED"


K = Kind
_ON_DESK = Step(K.RECEIVE, 0, 1)
_OPENING = (_ON_DESK, Step(K.ACCEPT, 1, 9), Step(K.START, 1, 8))
_LOOKING = (*_OPENING, Step(K.PLAN, 2, 10), Step(K.SEARCH, 2, 14))
_TRAINED = (*_OPENING, Step(K.PLAN, 2, 10), Step(K.TRAINING, 5, 21), Step(K.TRAINING, 60, 100))
_DROPPED = (*_TRAINED[:-1], Step(K.TRAINING, 20, 40))
_TRIED = (*_OPENING, Step(K.PLAN, 2, 10), Step(K.TRIAL, 7, 20))

SCRIPTS: tuple[Script, ...] = (
    #      name                          keis kead trn steps                                          ending
    Script("placed and stays", 30, 22, 14, (*_LOOKING, Step(K.PLACED, 8, 45)), Ending.STAYS),
    Script("placed and leaves", 10, 10, 8, (*_LOOKING, Step(K.PLACED, 8, 45)), Ending.LEAVES),
    Script("placed, then out of sight", 4, 4, 4, (*_LOOKING, Step(K.PLACED, 8, 45)), Ending.LOST),
    Script("trained, placed, stays", 8, 0, 22, (*_TRAINED, Step(K.PLACED, 3, 30)), Ending.STAYS),
    Script("trained, placed, leaves", 2, 0, 8, (*_TRAINED, Step(K.PLACED, 3, 30)), Ending.LEAVES),
    Script("trial, placed, stays", 0, 16, 0, (*_TRIED, Step(K.PLACED, 21, 42)), Ending.STAYS),
    Script("trial, placed, leaves", 0, 6, 0, (*_TRIED, Step(K.PLACED, 21, 42)), Ending.LEAVES),
    Script("own business", 4, 0, 2, (*_LOOKING, Step(K.PLACED, 20, 60)), Ending.STAYS, self_employed=True),
    Script(
        "asks, then places", 0, 0, 10,
        (*_OPENING, Step(K.ASK, 1, 4), Step(K.PLAN, 5, 9), Step(K.SEARCH, 2, 9), Step(K.PLACED, 8, 45)), Ending.STAYS,
    ),
    Script("declines", 10, 10, 8, (_ON_DESK, Step(K.DECLINE, 1, 10))),
    Script("declines late", 2, 2, 2, (*_OPENING[:2], Step(K.DECLINE, 2, 10))),
    Script("gives up", 8, 8, 6, (*_LOOKING, Step(K.CLOSE_UNPLACED, 10, 60))),
    Script("drops out of the course", 2, 0, 6, (*_DROPPED, Step(K.CLOSE_UNPLACED, 3, 15)), course_ends="DROPPED"),
    Script("trial fails", 0, 4, 0, (*_TRIED, Step(K.CLOSE_UNPLACED, 14, 35))),
    Script("nothing found", 8, 6, 4, (*_LOOKING, Step(K.CLOSE_UNPLACED, 80, 120))),
    Script("stops at the start", 4, 4, 2, (*_OPENING, Step(K.CLOSE_UNPLACED, 10, 30))),
    Script("never answers", 6, 6, 4, ()),
)  # fmt: skip

BENCH = Script(
    "bench", 0, 0, 0, (Step(K.ACCEPT, 0, 0), Step(K.START, 0, 0), Step(K.PLACED, 0, 0), Step(K.CLOSE_PLACED, 0, 0))
)


class Reason(NamedTuple):
    """A coded reason: our neutral word, the Korean text, its weight."""

    code: str
    text: str
    weight: int


DECLINE_REASONS = (
    Reason("identity-mismatch", "성명과 생년월일이 등록 정보와 일치하지 않음", 3),
    Reason("duplicate", "이미 같은 서비스를 받고 있음", 3),
    Reason("out-of-area", "관할 지역이 아님", 3),
    Reason("no-consent", "동의 내용을 확인할 수 없음", 1),
    Reason("not-eligible", "해당 서비스의 요건에 맞지 않음", 2),
)

UNPLACED_REASONS = {
    "gives up": (Reason("worker-declined", "본인이 서비스를 더 원하지 않음", 1),),
    "drops out of the course": (Reason("worker-declined", "훈련 중도 포기", 1),),
    "trial fails": (Reason("capacity-insufficient", "현장훈련 결과 채용으로 이어지지 않음", 1),),
    "nothing found": (Reason("no-suitable-vacancy", "서비스 기간 안에 알맞은 일자리를 찾지 못함", 1),),
    "stops at the start": (
        Reason("not-contactable", "세 차례 연락하였으나 닿지 않음", 3),
        Reason("moved-away", "다른 지역으로 이주", 2),
        Reason("reopened-care", "재요양 시작", 1),
        Reason("deceased", "사망", 1),
    ),
}

QUESTIONS = (
    "희망하는 훈련 시간대를 알려 주시기 바랍니다.",
    "통원 치료가 남아 있다면 요일을 알려 주시기 바랍니다.",
    "보조공학기기가 필요한지 확인을 부탁드립니다.",
)

LEAVE_REASONS = (("voluntary", 6), ("contract-end", 2), ("dismissed", 1), ("health", 2), ("employer-closed", 1))


class Employer(NamedTuple):
    """An invented employer: name, business number (valid check digit, no real tax office), sigungu code."""

    name: str
    brn: str
    region: str


EMPLOYERS = (
    Employer("(가상)한빛물류", "9990100013", "11680"),
    Employer("(가상)동백식품", "9990100027", "26440"),
    Employer("(가상)새싹요양원", "9990100032", "11500"),
    Employer("(가상)가온전자부품", "9990100046", "27290"),
    Employer("(가상)두레시설관리", "9990100051", "30170"),
    Employer("(가상)늘봄세탁", "9990100065", "41135"),
    Employer("(가상)바다수산가공", "9990100070", "26350"),
    Employer("(가상)참좋은콜센터", "9990100084", "30200"),
)


class Work(NamedTuple):
    """A kind of work: KECO code and its name."""

    keco: str
    name: str


WORKS = (
    Work("0251", "물류 사무원"),
    Work("5612", "건물 관리원"),
    Work("0282", "전화 상담원"),
    Work("8711", "식품 가공 조작원"),
    Work("8332", "전자 부품 조립원"),
    Work("6231", "물품 이동 장비 조작원"),
    Work("5611", "건물 청소원"),
)


class Terms(NamedTuple):
    """Terms of a job: contract, weekly hours (text), days a month, wage type, wage range in KRW, weight."""

    contract: str
    hours: str
    days: int
    wage_type: str
    least: int
    most: int
    weight: int


TERMS = (
    Terms("INDEFINITE", "40", 21, "M", 2_200_000, 3_300_000, 8),
    Terms("FIXED", "40", 21, "M", 2_160_000, 2_900_000, 5),
    Terms("INDEFINITE_PT", "25", 21, "H", 10_400, 13_500, 2),
    Terms("FIXED_PT", "17.5", 15, "H", 10_400, 12_500, 2),
    Terms("DISPATCH", "40", 21, "M", 2_160_000, 2_700_000, 1),
    Terms("DAY", "40", 14, "D", 95_000, 160_000, 1),
)

SETTINGS = {"keis": ("OPEN",), "kead": ("SUPPORTED", "STANDARD_WORKPLACE", "OPEN", "OPEN"), "trn": ("OPEN",)}
EVIDENCE = (("E1", 8), ("E2", 7), ("E3", 4), ("E4", 1))
MILESTONES = ((1, "P1M"), (3, "P3M"), (6, "P6M"), (12, "P12M"))


class Course(NamedTuple):
    """An invented course: id, round, name."""

    id: str
    round: str
    name: str


COURSES = (
    Course("AIG20260000390001", "3", "지게차 운전과 물류 실무"),
    Course("AIG20260000390002", "1", "전산 회계 입문"),
    Course("AIG20260000390003", "2", "특수 용접 과정"),
    Course("AIG20260000390004", "5", "사무 자동화 기초"),
)

# Out of 1,000: how often a referral meets an inbound mishap, a report an outbound one, a placement report a correction.
INBOUND_PER_MILLE = ((Mishap.BUSY, 40), (Mishap.HTML, 20), (Mishap.SLOW, 10))
OUTBOUND_PER_MILLE = ((Mishap.RESEND, 40), (Mishap.LATE, 30))
CORRECTED_PER_MILLE = 60
