"""Bad lines and bad manners: nothing lost, doubled, disordered or stuck, and everybody else is served meanwhile."""

from __future__ import annotations

from tests.faults import lines
from tests.faults.conftest import CASES
from tests.faults.ground import NOTES, Ground
from tests.faults.lines import STORM
from tests.faults.partner import Manners
from tests.faults.place import ATTEMPT_S, PARTNERS
from tests.faults.rounds import Result
from tests.faults.sender import Habits

MESSAGES = CASES * len(PARTNERS) * (1 + NOTES)


def assert_nothing_is_wrong(found: Result) -> None:
    assert found.findings.numbers == (0, 0, 0, 0, 0, 0), str(found.findings)
    assert found.kills == 0


def test_partners_that_are_busy_get_it_later_and_not_before_they_asked(ground: Ground) -> None:
    found, books = lines.outbound(ground, "busy", Manners(busy=300))
    assert_nothing_is_wrong(found)
    waits = list(lines.waits(books))
    assert len(waits) > 10
    assert min(waits) >= 0.99


def test_partners_that_take_it_and_say_nothing_get_it_again_and_it_counts_once(ground: Ground) -> None:
    found, books = lines.outbound(ground, "deaf", Manners(deaf=300))
    assert_nothing_is_wrong(found)
    repeats = [line for said in books.theirs.values() for line in said if line["what"] == "duplicate"]
    assert len(repeats) > MESSAGES // 10
    assert all(line["same"] for line in repeats)


def test_a_partner_that_answers_one_byte_a_second_is_cut_off_and_keeps_nobody_waiting(ground: Ground) -> None:
    found, books = lines.outbound(ground, "trickle", Manners(trickle=1000, only="KEIS"))
    assert_nothing_is_wrong(found)
    assert max(lines.attempts_s(books, "KEIS")) < ATTEMPT_S + 1
    ended = {p: max(a["ended_at"] for a in books.ours["attempts"] if a["partner"] == p) for p in PARTNERS}
    assert max(ended["KEAD"], ended["TRN"]) < ended["KEIS"]


def test_a_signed_no_is_final_and_others_go_on(ground: Ground) -> None:
    found, books = lines.outbound(ground, "rejects", Manners(rejects=150))
    assert_nothing_is_wrong(found)
    blocked = {d["mid"] for d in books.ours["deliveries"] if d["state"] == "blocked"}
    assert 3 < len(blocked) < MESSAGES // 2
    assert {lines.tries(books)[mid] for mid in blocked} == {1}
    assert blocked <= {w["mid"] for w in books.ours["work"]}


def test_connections_that_break_in_every_way_cost_no_message_going_out(ground: Ground) -> None:
    found, _ = lines.outbound(ground, "storm", weather=STORM)
    assert_nothing_is_wrong(found)
    assert found.hits["cut"] > 0


def test_connections_that_break_in_every_way_cost_no_message_coming_in(ground: Ground) -> None:
    found, _ = lines.inbound(ground, "storm", Habits(patience_s=1.0), STORM)
    assert_nothing_is_wrong(found)
    assert found.hits["cut"] > 0


def test_requests_that_come_in_small_slices_are_all_understood(ground: Ground) -> None:
    found, books = lines.sliced(ground)
    assert_nothing_is_wrong(found)
    assert {line.get("status") for line in lines.answers(books)} == {200}


def test_ten_copies_at_the_same_moment_count_once_and_get_one_receipt(ground: Ground) -> None:
    found, books = lines.inbound(ground, "ten at once", Habits(copies=10, again=0, fetch=0))
    assert_nothing_is_wrong(found)
    answers = [line for said in books.theirs.values() for line in said if line["what"] == "answer"]
    assert len(answers) == 10 * found.messages


def test_letters_in_any_order_are_applied_in_theirs(ground: Ground) -> None:
    found, books = lines.inbound(ground, "shuffled", Habits(shuffled=True))
    assert_nothing_is_wrong(found)
    assert {row["state"] for row in books.ours["inbox"]} == {"applied"}
    early = [line for said in books.theirs.values() for line in said if line.get("status") == 202]
    assert len(early) > 10
