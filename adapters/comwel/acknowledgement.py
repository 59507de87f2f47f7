"""The answer to a hand-over: `RHB_ACK_<date>_<number>.dat` (A1) or `RHB_JCACK_…` (A6), with `.sum` and `.done`.

Fixed width, CP949, layout `schemas/comwel/ack/layout.json`: H says whether the whole file was accepted (A) or rejected
(R, with its code); one R record for each record put aside, with its number, case, code, field and a sentence in
Korean; T the totals. The same judgement gives the same bytes, so an acknowledgement may be written again.
A file that is refused under the date and number of one that was taken in is answered beside the answer to that one:
the name of the answer then ends with the first twelve digits of the refused file's digest.
It refuses to repeat anything that stood in a record except its case number.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

from adapters.comwel import files
from adapters.comwel.layout import Layout
from gateway.errors import WrongLength
from gateway.ports import FileHead, Problem

_INTERFACES = {"A1": ("RHB-ACK-01", "RHB_ACK"), "A6": ("RHB-JCACK-01", "RHB_JCACK")}
SENTENCES = {
    "E-LEN": "길이 또는 숫자 형식이 레이아웃과 다름",
    "E-ENC": "파일의 문자코드로 읽을 수 없는 글자",
    "E-RRN": "주민등록번호가 들어 있음: 삭제 후 재전송",
    "E-DATE": "있을 수 없는 날짜",
    "E-CODE": "코드표에 없는 값",
    "E-MERGE": "병합 대상 원부번호 오류",
    "E-TOTALS": "합계 또는 해시 불일치: 파일 전체 재전송",
    "E-GAP": "앞 파일 누락",
    "E-DUP": "같은 번호의 다른 파일",
    "E-ORDER": "순서 오류",
    "E-STALE": "더 새로운 차수가 이미 있음",
    "E-LIMIT": "오류 레코드 한도 초과",
}


class Row(NamedTuple):
    """One record put aside, as the file says it."""

    record_no: int
    case_no: str
    code: str
    field: str


class Answer(NamedTuple):
    """An acknowledgement read back."""

    base_date: str
    file_seq: int
    accepted: bool
    code: str
    sha256: str
    rows: tuple[Row, ...]
    total: int


class Acknowledgements:
    """Writes and reads acknowledgements of one layout."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    @classmethod
    def load(cls, schemas: Path) -> Self:
        """With the layout under `schemas/`."""
        return cls(Layout.load(schemas / "comwel" / "ack" / "layout.json"))

    def write(
        self,
        directory: Path,
        head: FileHead,
        refused: str | None,
        problems: Sequence[Problem],
        total: int,
        *,
        beside: bool = False,
    ) -> Path:
        """Write the acknowledgement atomically and return its path."""
        prefix, own = _INTERFACES[head.way][1], f".{head.sha256[:12]}" if beside else ""
        path = directory / f"{prefix}_{head.base_date:%Y%m%d}_{head.file_seq:05d}{own}.dat"
        files.deliver(path, self.build(head, refused, problems, total), len(problems))
        return path

    def build(self, head: FileHead, refused: str | None, problems: Sequence[Problem], total: int) -> bytes:
        """The bytes of the acknowledgement; a pure function."""
        first = {
            "recTp": "H",
            "ifId": _INTERFACES[head.way][0],
            "sndOrg": "GATEWAY",
            "rcvOrg": "B490001",
            "fileSeq": head.file_seq,
            "baseDt": head.base_date,
            "rsltCd": "R" if refused else "A",
            "errCd": refused,
            "errNm": SENTENCES.get(refused or ""),
            "orgSha": head.sha256,
            "layVer": "0100",
            "charset": "CP949",
        }
        last = {
            "recTp": "T",
            "totCnt": total,
            "accCnt": 0 if refused else max(total - len(problems), 0),
            "rejCnt": len(problems),
            "eof": "EOF",
        }
        rows = (self._row(seq, problem) for seq, problem in enumerate(problems, start=1))
        return b"".join([self._layout.pack("H", first), *rows, self._layout.pack("T", last)])

    def read(self, data: bytes) -> Answer:
        """Read an acknowledgement back. Raises `WrongLength` when its frame is broken."""
        records = self._layout.records(data)
        head, tail = self._layout.texts("H", records[0]), self._layout.texts("T", records[-1])
        rows = [self._layout.texts("R", r) for r in records[1:-1]]
        if head["recTp"] != "H" or tail["eof"] != "EOF" or int(tail["rejCnt"]) != len(rows):
            raise WrongLength("the acknowledgement is not H, R…, T")
        return Answer(
            base_date=head["baseDt"],
            file_seq=int(head["fileSeq"]),
            accepted=head["rsltCd"] == "A",
            code=head["errCd"],
            sha256=head["orgSha"],
            rows=tuple(Row(int(r["recNo"]), r["wonbuNo"], r["errCd"], r["fldNm"]) for r in rows),
            total=int(tail["totCnt"]),
        )

    def _row(self, seq: int, problem: Problem) -> bytes:
        values = {
            "recTp": "R",
            "seq": seq,
            "recNo": problem.record_no,
            "wonbuNo": problem.case_no,
            "errCd": problem.reason,
            "fldNm": problem.field,
            "errNm": SENTENCES.get(problem.reason),
        }
        return self._layout.pack("R", values)
