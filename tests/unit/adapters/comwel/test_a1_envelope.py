"""The frame of the nightly file: what rejects the whole file, and what does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters.comwel import a1_envelope
from adapters.comwel.a1_batch import A1Batch
from adapters.comwel.layout import Layout
from gateway.errors import HandoverRefused
from gateway.ports import FactsRecord, Problem


def test_a_good_file_shows_its_head(write_night: Any, batch: A1Batch) -> None:
    path = write_night(head={"mode": "R", "orgFileSeq": 3, "prvFileSeq": 7})
    head = batch.head(path)
    assert (head.way, head.file_seq, head.previous_seq, head.original_seq, head.mode) == ("A1", 1, 7, 3, "R")
    assert head.base_date.isoformat() == "2026-11-23"
    assert list(batch.ready(path.parent)) == [path]


def _take(batch: A1Batch, path: Path) -> None:
    batch.head(path)
    list(batch.records(path))


def _code(batch: A1Batch, path: Path) -> str:
    with pytest.raises(HandoverRefused) as refused:
        _take(batch, path)
    assert "남궁" not in str(refused.value)
    return refused.value.code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ifId": "RHB-CASE-02"}, "E-CODE"),
        ({"sndOrg": "B490002"}, "E-CODE"),
        ({"rcvOrg": "OTHER"}, "E-CODE"),
        ({"mode": "Z"}, "E-CODE"),
        ({"layVer": "0101"}, "E-CODE"),
        ({"charset": "UTF-8"}, "E-CODE"),
        ({"fileSeq": 2}, "E-ORDER"),
        ({"baseDt": "20261124"}, "E-ORDER"),
    ],
)
def test_a_head_that_is_not_known_rejects_the_file(
    write_night: Any, batch: A1Batch, change: dict[str, Any], code: str
) -> None:
    assert _code(batch, write_night(head=change)) == code


def test_an_impossible_base_date_rejects_the_file(write_night: Any, batch: A1Batch) -> None:
    path = write_night(head={"baseDt": "20260230"}, name="RHB_CASE_20260230_00001.dat")
    assert _code(batch, path) == "E-DATE"


@pytest.mark.parametrize("name", ["totCnt", "insCnt", "updCnt", "delCnt", "wageSum", "hashTot"])
def test_any_wrong_total_rejects_the_whole_file(write_night: Any, batch: A1Batch, name: str) -> None:
    assert _code(batch, write_night(tail={name: 3})) == "E-TOTALS"


def test_a_tampered_file_rejects_itself(write_night: Any, batch: A1Batch) -> None:
    path = write_night()
    path.write_bytes(path.read_bytes().replace(b"J001234", b"J001235"))
    assert _code(batch, path) == "E-TOTALS"


def test_a_sum_with_another_count_rejects_the_file(write_night: Any, batch: A1Batch) -> None:
    path = write_night()
    sha256, size, _ = path.with_suffix(".sum").read_text().split()
    path.with_suffix(".sum").write_text(f"{sha256} {size} 2")
    assert _code(batch, path) == "E-TOTALS"


def test_without_done_nothing_is_read(write_night: Any, batch: A1Batch) -> None:
    path = write_night(done=False)
    assert not batch.ready(path.parent)
    assert _code(batch, path) == "E-LEN"


@pytest.mark.parametrize(
    ("order", "code"),
    [
        ("HCCTC", "E-ORDER"),
        ("HCHT", "E-ORDER"),
        ("HCC", "E-LEN"),
        ("CT", "E-LEN"),
        ("T", "E-LEN"),
        ("", "E-LEN"),
        ("HTT", "E-ORDER"),
    ],
)
def test_records_in_another_order_reject_the_file(
    write_night: Any, batch: A1Batch, layout: Layout, order: str, code: str
) -> None:
    whole = write_night().read_bytes()
    size = layout.record_bytes + 2
    pieces = {"H": whole[:size], "C": whole[size : 2 * size], "T": whole[2 * size :]}
    assert _code(batch, write_night(data=b"".join(pieces[kind] for kind in order))) == code


def test_a_tail_without_eof_rejects_the_file(write_night: Any, batch: A1Batch) -> None:
    assert _code(batch, write_night(tail={"eof": "EO"})) == "E-LEN"


def test_unix_line_ends_reject_the_file(write_night: Any, batch: A1Batch) -> None:
    data = write_night().read_bytes().replace(b"\r\n", b"\n")
    assert _code(batch, write_night(data=data)) == "E-LEN"


@pytest.mark.parametrize("cut", [1, 3, 100, 620])
def test_a_record_of_another_length_costs_only_itself(write_night: Any, batch: A1Batch, line: Any, cut: int) -> None:
    good = line()
    path = write_night([good, good[: 640 - cut] + b"\r\n", good])
    found = list(batch.records(path))
    assert [type(r) for r in found] == [FactsRecord, Problem, FactsRecord]
    assert isinstance(found[1], Problem)
    assert (found[1].reason, found[1].record_no) == ("E-LEN", 2)
    assert found[1].case_no == (None if cut > 616 else "20260001000001")


def test_a_record_that_is_too_long_costs_only_itself(write_night: Any, batch: A1Batch, line: Any) -> None:
    path = write_night([line()[:-2] + b"  \r\n", line()])
    assert [getattr(r, "reason", None) for r in batch.records(path)] == ["E-LEN", None]


def test_a_line_feed_inside_a_record_costs_only_that_record(write_night: Any, batch: A1Batch, line: Any) -> None:
    path = write_night([line(addr=b"A\nB"), line(addr=b"A\r\nB"), line()])
    assert [getattr(r, "reason", None) for r in batch.records(path)] == ["E-ENC", "E-ENC", None]


def test_totals_must_lie_within_what_a_broken_record_could_add(write_night: Any, batch: A1Batch, line: Any) -> None:
    broken = [line(), line()[:-3] + b"\r\n"]
    assert len(list(batch.records(write_night(broken)))) == 2
    assert _code(batch, write_night(broken, tail={"wageSum": 123456 + 10**9})) == "E-TOTALS"
    assert _code(batch, write_night(broken, tail={"wageSum": 123455})) == "E-TOTALS"


def test_an_unreadable_wage_or_change_costs_only_its_record(write_night: Any, batch: A1Batch, line: Any) -> None:
    path = write_night([line(pyImgm=b"00012345X"), line(chgTp="Q"), line()])
    assert [getattr(r, "reason", None) for r in batch.records(path)] == ["E-LEN", "E-CODE", None]


@pytest.mark.parametrize(("bad", "rejected"), [(50, False), (51, True)])
def test_more_bad_records_than_the_limit_reject_the_file(
    write_night: Any, batch: A1Batch, line: Any, bad: int, rejected: bool
) -> None:
    path = write_night([line(wonjikPosCd="Z")] * bad + [line()] * (60 - bad))
    if rejected:
        assert _code(batch, path) == "E-LIMIT"
    else:
        assert sum(isinstance(r, Problem) for r in batch.records(path)) == bad


def test_a_gigabyte_line_is_refused(write_night: Any, batch: A1Batch) -> None:
    path = write_night()
    with path.open("r+b") as file:
        file.truncate(1 << 30)
    with pytest.raises(HandoverRefused) as refused:
        a1_envelope.check(path, batch.read.layout)
    assert refused.value.code == "E-LEN"
