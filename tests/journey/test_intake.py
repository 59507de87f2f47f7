"""Intake: what COMWEL hands over becomes cases, or is refused, and nothing in between."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from time import monotonic, sleep

import pytest

from adapters.comwel import files, synthetic
from adapters.comwel.acknowledgement import Acknowledgements
from gateway.config import Settings
from gateway.errors import FolderUnusable, WorkRefused
from gateway.journey.intake import MISSED_AFTER, VERSION_MISSING, mind_versions, pick_up, take_file, take_in
from gateway.journey.work import done, look
from gateway.ports import EntryRecord, FactsRecord, Problem
from gateway.worker.embedded import Runner
from gateway.worker.rounds import walk
from tests.journey.world import (
    TODAY,
    Scene,
    a_case,
    again,
    assert_nothing_personal,
    write_night,
)

A1_ROWS = ("case_record", "case_history", "quarantined_record", "parked_record")
GIGABYTE = 1 << 30


# ── the same again ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_same_bytes_change_nothing(scene: Scene) -> None:
    scene.hand_over(a_case(1), a_case(2))
    before, events = scene.dump(), len(scene.events())
    assert [t.verdict for t in take_in(scene.world, scene.folder)] == ["unchanged", "unchanged"]
    assert scene.dump() == before
    assert len(scene.events()) == events


def test_a_whole_night_with_all_its_edges_read_again_changes_nothing(scene: Scene) -> None:
    synthetic.write_night(scene.folder, 60, 7, TODAY)
    taken = scene.take_in()
    assert [t.verdict for t in taken] == ["accepted", "accepted"]
    before = scene.dump()
    take_in(scene.world, scene.folder)
    assert scene.dump() == before


def test_the_same_content_in_a_new_file_makes_no_new_revision(scene: Scene) -> None:
    scene.hand_over(a_case())
    before = scene.rows("case_record"), scene.rows("case_history")
    [taken] = scene.hand_over(again(a_case()), entries=())
    assert taken.verdict == "accepted"
    assert taken.counts == {"same": 1}
    assert (scene.rows("case_record"), scene.rows("case_history")) == before


def test_each_file_is_one_event_with_counts_and_no_words_of_the_worker(scene: Scene) -> None:
    case = a_case()
    scene.hand_over(case)
    events = scene.events()
    assert [(e["act"], e["subject"], e["counts"]) for e in events] == [
        ("handover.taken", "RHB_CASE_20261123_00001.dat", {"I": 1, "quarantined": 0, "records": 1}),
        ("handover.taken", "RHB_JC_20261123_00001.ndjson", {"E": 1, "quarantined": 0, "records": 1}),
        ("consent.granted", "RHB_JC_20261123_00001.ndjson", events[2]["counts"]),
    ]
    assert not events[2]["counts"]
    assert_nothing_personal(scene, case)


# ── whole files ──────────────────────────────────────────────────────────────────────────────────────────────────────
def _totals(data: bytes) -> bytes:
    at = data.rindex(b"\r\nT") + 2
    tail = readers_tail(data[at:])
    return data[:at] + tail


def readers_tail(tail: bytes) -> bytes:
    from tests.journey.world import readers

    place = readers()[0].read.layout.field("T", "wageSum").place
    number = int(tail[place]) + 1
    return tail[: place.start] + str(number).zfill(place.stop - place.start).encode() + tail[place.stop :]


def _in_the_middle_of_a_syllable(data: bytes) -> bytes:
    at = next(n for n, byte in enumerate(data) if byte > 0x80)
    return data[: at + 1]


SPOILT: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "a total that does not add up": (_totals, "E-TOTALS"),
    "cut off in the trailer": (lambda d: d[:-100], "E-LEN"),
    "cut off in the middle of a syllable": (_in_the_middle_of_a_syllable, "E-LEN"),
    "without a trailer": (lambda d: d[: d.rindex(b"\r\nT") + 2], "E-LEN"),
    "a trailer that is none": (lambda d: d.replace(b"EOF", b"FOE"), "E-LEN"),
    "something after the trailer": (lambda d: d + b"C" * 640 + b"\r\n", "E-ORDER"),
    "a head from somebody else": (lambda d: d.replace(b"B490001", b"B490002"), "E-CODE"),
    "nothing at all": (lambda d: b"", "E-LEN"),
    "a head that names another file": (lambda d: d.replace(b"20261123", b"20261122", 1), "E-ORDER"),
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_spoilt_file_leaves_only_its_refusal(quick: Scene, how: str) -> None:
    assert_only_its_refusal(quick, how)


def test_in_the_database_as_well(real: Scene) -> None:
    assert_only_its_refusal(real, "cut off in the middle of a syllable")


def assert_only_its_refusal(scene: Scene, how: str) -> None:
    edit, code = SPOILT[how]
    case = a_case()
    [taken] = scene.hand_over(case, a_case(2), entries=(), edit=edit)
    assert (taken.verdict, taken.reason) == ("rejected", code)
    assert str(taken.said).startswith(f"{code} ")
    assert all(scene.rows(table) == [] for table in A1_ROWS)
    assert [(f["status"], f["reason"]) for f in scene.rows("handover_file")] == [("rejected", code)]
    [answer] = scene.world.limits.to_comwel.glob("RHB_ACK_*.dat")
    said = Acknowledgements.load(Settings().schemas).read(answer.read_bytes())
    assert (said.base_date, said.file_seq, said.accepted, said.code) == ("20261123", 1, False, code)
    [file] = scene.folder.glob("*.dat")
    assert said.sha256 == sha256(file.read_bytes()).hexdigest()
    assert scene.acts() == [("handover.taken", "refused", code)]
    assert_nothing_personal(scene, case)


@pytest.mark.parametrize("way", ["A1", "A6"])
def test_a_file_that_is_exchanged_while_it_is_read_is_refused(
    scene: Scene, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """COMWEL writes the same name again between the two readings; the second one is taken in the next time."""
    write_night(scene.folder, [a_case(2)], entries=[a_case(2)])
    others = {path: path.read_bytes() for path in scene.folder.iterdir()}
    write_night(scene.folder, [a_case(1)], entries=[a_case(1)])
    reader = next(one for one in scene.world.readers if one.way == way)
    records = reader.records

    def exchanged(path: Path) -> Iterator[FactsRecord | EntryRecord | Problem]:
        for other, content in others.items():
            other.write_bytes(content)
        yield from records(path)

    [path] = reader.ready(scene.folder)
    monkeypatch.setattr(reader, "records", exchanged)
    taken = take_file(scene.world, reader, path)
    assert (taken.verdict, taken.reason) == ("rejected", "E-TOTALS")
    assert all(scene.rows(table) == [] for table in A1_ROWS)
    assert take_file(scene.world, reader, path).verdict == "accepted"
    assert [row["case_no"] for row in scene.rows("case_record")] == [a_case(2).case_no]


def test_after_a_refusal_the_corrected_file_with_the_same_number_is_taken(scene: Scene) -> None:
    scene.hand_over(a_case(), entries=(), seq=1, edit=lambda d: d[:-100])
    [taken] = scene.hand_over(a_case(), entries=(), seq=1)
    assert taken.verdict == "accepted"
    assert len(scene.rows("case_record")) == 1


def test_a_file_without_its_done_is_not_there_yet(scene: Scene) -> None:
    path = write_night(scene.folder, [a_case()])
    path.with_suffix(".done").unlink()
    assert scene.take_in() == []


def test_a_line_of_a_gigabyte_is_refused_in_bounded_memory(quick: Scene) -> None:
    path = write_night(quick.folder, [a_case()])
    with path.open("r+b") as file:
        file.truncate(GIGABYTE)  # zeros without an end of line, and without a byte on the disk
    _assert_refused_in_bounded_memory(quick)


def test_an_entry_of_a_gigabyte_is_refused_in_bounded_memory(quick: Scene) -> None:
    with (quick.folder / "RHB_JC_20261123_00001.ndjson").open("wb") as file:
        file.truncate(GIGABYTE)
    _assert_refused_in_bounded_memory(quick)


def _assert_refused_in_bounded_memory(quick: Scene) -> None:
    tracemalloc.start()
    taken = quick.take_in()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [(t.verdict, t.reason) for t in taken] == [("rejected", "E-LEN")]
    assert quick.rows("case_record") == []
    assert most < 32 * 1024 * 1024


def test_more_bad_records_than_the_limit_refuse_the_file_and_undo_the_good_ones(scene: Scene) -> None:
    good, bad = [a_case(n) for n in range(1, 20)], [a_case(n, wonjikPosCd="Z") for n in range(100, 151)]
    [taken] = scene.hand_over(*good, *bad, entries=())
    assert (taken.verdict, taken.reason) == ("rejected", "E-LIMIT")
    assert all(scene.rows(table) == [] for table in A1_ROWS)
    assert scene.acts() == [("handover.taken", "refused", "E-LIMIT")]


def test_as_many_bad_records_as_the_limit_are_put_aside_and_the_file_goes_on(scene: Scene) -> None:
    good, bad = [a_case(n) for n in range(1, 20)], [a_case(n, wonjikPosCd="Z") for n in range(100, 150)]
    [taken] = scene.hand_over(*good, *bad, entries=())
    assert taken.verdict == "accepted"
    assert len(scene.rows("quarantined_record")) == 50
    assert len(scene.rows("case_record")) == 19


# ── the order of files ───────────────────────────────────────────────────────────────────────────────────────────────
def test_a_gap_in_the_numbers_is_refused_and_then_filled(scene: Scene) -> None:
    scene.hand_over(a_case(1), entries=(), seq=1)
    [early] = scene.hand_over(a_case(3), entries=(), seq=3)
    assert early.reason == "E-GAP"
    assert [r["case_no"] for r in scene.rows("case_record")] == [a_case(1).case_no]
    filled = scene.hand_over(a_case(2), entries=(), seq=2)
    assert [t.verdict for t in filled] == ["accepted", "accepted"]  # the third is still in the folder
    assert len(scene.rows("case_record")) == 3


def test_the_same_number_with_other_bytes_is_refused(scene: Scene) -> None:
    scene.hand_over(a_case(1), entries=(), seq=1)
    before = scene.dump()
    [second] = scene.hand_over(a_case(2), entries=(), seq=1, previous=0)
    assert (second.verdict, second.reason) == ("rejected", "E-DUP")
    assert scene.rows("case_record") == before["case_record"]


@pytest.mark.parametrize("spoil", [lambda data: data, lambda data: data.replace(b"CP949   ", b"LATIN1  ", 1)])
def test_a_refused_file_leaves_the_answer_to_the_good_one_of_its_number(
    scene: Scene, spoil: Callable[[bytes], bytes]
) -> None:
    scene.hand_over(a_case(1), entries=(), seq=1)
    answers, file = scene.world.limits.to_comwel, scene.folder / "RHB_CASE_20261123_00001.dat"
    before = (answers / "RHB_ACK_20261123_00001.dat").read_bytes()
    [second] = scene.hand_over(a_case(2), entries=(), seq=1, previous=0, edit=spoil)
    assert second.verdict == "rejected"
    assert (answers / "RHB_ACK_20261123_00001.dat").read_bytes() == before
    [beside] = answers.glob("RHB_ACK_20261123_00001.*.dat")
    told = Acknowledgements.load(Settings().schemas).read(beside.read_bytes())
    assert (told.accepted, told.code, told.sha256) == (False, second.reason, sha256(file.read_bytes()).hexdigest())


def test_a_replaced_file_keeps_its_number_and_its_own_bytes_change_nothing(scene: Scene) -> None:
    scene.hand_over(a_case(1), entries=(), seq=1)
    first = (scene.folder / "RHB_CASE_20261123_00001.dat").read_bytes()
    scene.hand_over(again(a_case(1), addr="새 주소 1"), entries=(), seq=2, previous=1, mode="R", original=1)
    before, events = scene.dump(), len(scene.events())
    assert (scene.folder / "RHB_CASE_20261123_00001.dat").read_bytes() == first
    assert [t.verdict for t in take_in(scene.world, scene.folder)] == ["unchanged", "unchanged"]
    assert (scene.dump(), len(scene.events())) == (before, events)
    [third] = scene.hand_over(a_case(3), entries=(), seq=1, previous=2)
    assert (third.verdict, third.reason) == ("rejected", "E-DUP")


def test_a_resend_replaces_the_file_it_names(scene: Scene) -> None:
    scene.hand_over(a_case(1), entries=(), seq=1)
    corrected = again(a_case(1), "U", addr="서울 강남구 역삼로 7")
    [taken] = scene.hand_over(corrected, entries=(), seq=2, previous=1, mode="R", original=1)
    assert taken.verdict == "accepted"
    files = {f["file_seq"]: f["status"] for f in scene.rows("handover_file")}
    assert files == {1: "replaced", 2: "accepted"}
    assert scene.record(corrected.case_no)["addrText"] == "서울 강남구 역삼로 7"


def test_a_case_that_a_full_file_does_not_name_stays_and_is_shown_to_a_person_once(scene: Scene) -> None:
    scene.hand_over(a_case(1), a_case(2), a_case(3), a_case(4), entries=())
    scene.hand_over(again(a_case(4), "D"), entries=())
    before = scene.rows("case_record")
    for addr in ("새 주소 1", "새 주소 2"):
        full = again(a_case(1), addr=addr), a_case(2, wonjikPosCd="Z")
        [taken] = scene.hand_over(*full, entries=(), mode="F")
        assert (taken.verdict, taken.counts["missing"]) == ("accepted", 1)
    assert [r for r in scene.rows("case_record") if r["case_no"] == a_case(3).case_no] == [
        r for r in before if r["case_no"] == a_case(3).case_no
    ]
    assert [(w["kind"], w["case_no"]) for w in scene.rows("work_item")] == [
        ("case-not-in-full-file", a_case(3).case_no)
    ]
    assert_nothing_personal(scene)


@pytest.mark.parametrize("named", ["U", "D", "M", "F", "missing"])
def test_what_was_missing_from_a_full_file_needs_nobody_once_comwel_names_it(scene: Scene, named: str) -> None:
    scene.hand_over(a_case(1), a_case(2), entries=())
    scene.hand_over(again(a_case(1), addr="새 주소 1"), entries=(), mode="F")
    again_named = {
        "U": [again(a_case(2), addr="새 주소 2")],
        "D": [again(a_case(2), "D")],
        "M": [again(a_case(1), "M", addr="새 주소 2", oldWonbuNo=a_case(2).case_no)],
        "F": [a_case(1), a_case(2)],
        "missing": [again(a_case(1), addr="새 주소 2")],
    }
    scene.hand_over(entries=[a_case(2)])
    assert [w["done_at"] is None for w in scene.rows("work_item")] == [True]
    scene.hand_over(*again_named[named], entries=(), mode="F" if named in ("F", "missing") else "D")
    assert [w["done_at"] is None for w in scene.rows("work_item")] == [named == "missing"]


# ── versions that others wait for ────────────────────────────────────────────────────────────────────────────────────
def missed(scene: Scene) -> list[tuple[str, str, bool]]:
    """Case, which version, and whether it is over, of every version that was missed."""
    found = [w for w in scene.rows("work_item") if w["kind"] == VERSION_MISSING]
    return [(w["case_no"], w["code"], w["done_at"] is not None) for w in found]


def test_a_version_that_others_have_waited_for_a_day_is_shown_to_a_person_once_until_it_comes(scene: Scene) -> None:
    first, second, third = a_case(), again(a_case(), wonbuVer=2), again(a_case(), wonbuVer=3)
    scene.hand_over(first)
    scene.hand_over(third, entries=())
    before = len(scene.events())
    assert mind_versions(scene.world) == 0
    scene.clock.at += MISSED_AFTER + timedelta(seconds=1)
    assert [mind_versions(scene.world) for _ in range(2)] == [1, 0]
    assert missed(scene) == [(first.case_no, "version-2", False)]
    with pytest.raises(WorkRefused, match="by itself"):
        done(scene.world, look(scene.world, by="kim.0417")[0].number, by="kim.0417")
    scene.hand_over(second, entries=())
    assert [mind_versions(scene.world) for _ in range(2)] == [1, 0]
    assert missed(scene) == [(first.case_no, "version-2", True)]
    told = [e["counts"] for e in scene.events(before) if e["act"] == "versions.missed"]
    assert told == [{"waiting": 1, "come": 0}, {"waiting": 0, "come": 1}]
    assert_nothing_personal(scene)


def test_behind_a_version_that_has_come_the_next_one_may_be_missing(scene: Scene) -> None:
    scene.hand_over(a_case())
    scene.hand_over(*(again(a_case(), wonbuVer=n) for n in (3, 5)), entries=())
    scene.clock.at += MISSED_AFTER + timedelta(seconds=1)
    mind_versions(scene.world)
    scene.hand_over(again(a_case(), wonbuVer=2), entries=())
    assert mind_versions(scene.world) == 2
    assert missed(scene) == [(a_case().case_no, "version-2", True), (a_case().case_no, "version-4", False)]


def test_of_a_case_that_nobody_has_opened_the_first_version_is_missing(scene: Scene) -> None:
    scene.hand_over(again(a_case(), "U"))
    scene.clock.at += MISSED_AFTER + timedelta(seconds=1)
    assert walk(scene.world) > 0
    assert missed(scene) == [(a_case().case_no, "version-1", False)]
    scene.hand_over(a_case(), entries=())
    walk(scene.world)
    assert missed(scene) == [(a_case().case_no, "version-1", True)]


# ── the drop folder ──────────────────────────────────────────────────────────────────────────────────────────────────
def _lying(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("RHB_*"))


def test_what_is_picked_up_is_put_away_whole(scene: Scene) -> None:
    write_night(scene.folder, [a_case()], entries=[a_case()], seq=1, previous=0, base=TODAY)
    assert [t.verdict for t in pick_up(scene.world)] == ["accepted", "accepted"]
    name = "done/RHB_CASE_20261123_00001"
    entries = "done/RHB_JC_20261123_00001.ndjson"
    assert _lying(scene.folder) == [f"{name}.dat", f"{name}.done", f"{name}.sum", entries]
    assert pick_up(scene.world) == []


def test_a_refused_file_lies_apart_and_its_neighbour_is_taken_in(scene: Scene) -> None:
    for number, previous in ((1, 0), (3, 2)):
        write_night(scene.folder, [a_case(number)], entries=(), seq=number, previous=previous, base=TODAY)
    taken = pick_up(scene.world)
    assert [(t.verdict, t.reason) for t in taken] == [("accepted", None), ("rejected", "E-GAP")]
    lying = [name for name in _lying(scene.folder) if name.endswith(".dat")]
    assert lying == ["done/RHB_CASE_20261123_00001.dat", "err/RHB_CASE_20261123_00003.dat"]


def test_a_crash_before_putting_away_changes_nothing_twice(scene: Scene) -> None:
    write_night(scene.folder, [a_case()], entries=(), seq=1, previous=0, base=TODAY)
    take_in(scene.world, scene.folder)  # committed and answered, then killed
    before = scene.dump()
    assert [t.verdict for t in pick_up(scene.world)] == ["unchanged"]
    assert scene.dump() == before
    assert all(name.startswith("done/") for name in _lying(scene.folder))


def test_a_crash_in_the_middle_of_putting_away_leaves_nothing_in_the_folder(scene: Scene) -> None:
    path = write_night(scene.folder, [a_case()], entries=(), seq=1, previous=0, base=TODAY)
    pick_up(scene.world)
    (scene.folder / "done" / path.name).rename(path)  # killed before the data followed
    assert pick_up(scene.world) == []
    name = "done/RHB_CASE_20261123_00001"
    assert _lying(scene.folder) == [f"{name}.dat", f"{name}.done", f"{name}.sum"]


def test_a_folder_that_cannot_be_written_is_named_and_nothing_is_lost(scene: Scene) -> None:
    write_night(scene.folder, [a_case()], entries=(), seq=1, previous=0, base=TODAY)
    (scene.folder / "done").write_text("a file where the folder should be")
    with pytest.raises(FolderUnusable, match=r"RHB_CASE_20261123_00001\.dat"):
        pick_up(scene.world)
    (scene.folder / "done").unlink()
    assert [t.verdict for t in pick_up(scene.world)] == ["unchanged"]


@pytest.mark.parametrize("form", ["RHB_CASE_{}.dat", "RHB_JC_{}.ndjson"])
def test_a_name_in_digits_of_another_script_is_none_of_ours_and_keeps_no_file_waiting(scene: Scene, form: str) -> None:
    name = form.format("２０２６１１２３_００００２")
    write_night(scene.folder, [], entries=[a_case()], seq=1, base=TODAY)
    files.deliver(scene.folder / name, b"{}", 0)
    assert [(t.name, t.verdict) for t in pick_up(scene.world)] == [("RHB_JC_20261123_00001.ndjson", "accepted")]
    assert (scene.folder / name).exists()


def _unreadable(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = files.digest

    def read(path: Path) -> str:
        if path.name.startswith("RHB_CASE"):
            raise PermissionError
        return digest(path)

    monkeypatch.setattr(files, "digest", read)


def _unanswerable(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    (scene.world.limits.to_comwel / "RHB_ACK_20261123_00001.dat").mkdir(parents=True)


@pytest.mark.parametrize("spoil", [_unreadable, _unanswerable])
def test_a_file_that_cannot_be_used_is_named_and_keeps_no_other_waiting(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Scene, pytest.MonkeyPatch], None]
) -> None:
    write_night(scene.folder, [a_case()], entries=[a_case()], seq=1, base=TODAY)
    spoil(scene, monkeypatch)
    with pytest.raises(FolderUnusable, match=r"RHB_CASE_20261123_00001\.dat"):
        pick_up(scene.world)
    assert (scene.folder / "done" / "RHB_JC_20261123_00001.ndjson").exists()
    assert (scene.folder / "RHB_CASE_20261123_00001.done").exists()  # its turn comes again


def test_the_engine_finds_what_is_dropped_while_it_runs(real: Scene) -> None:
    with Runner(real.world, partners=(), pause_s=0.01):
        write_night(real.folder, [a_case()], entries=(), seq=1, previous=0, base=TODAY)
        deadline = monotonic() + 10
        while not (real.folder / "done").exists() and monotonic() < deadline:
            sleep(0.01)
    assert _lying(real.folder)[0] == "done/RHB_CASE_20261123_00001.dat"
    assert len(real.rows("case_record")) == 1
