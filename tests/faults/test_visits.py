"""At the door: whoever is not the partner, not now, or not with these bytes, is not believed, and hurts nobody else."""

from __future__ import annotations

from collections import Counter

from tests.faults import visits
from tests.faults.books import Books, Row
from tests.faults.ground import Ground
from tests.faults.mischief import BELIEVED_S, FLIPS, TOO_FAR_S
from tests.faults.place import PARTNERS
from tests.faults.rounds import Result


def assert_nothing_is_wrong(found: Result) -> None:
    assert found.findings.numbers == (0, 0, 0, 0, 0, 0), str(found.findings)
    assert found.kills == 0


def rogue(both: Books) -> list[Row]:
    """What somebody did besides the postmen."""
    return [line for lines in both.theirs.values() for line in lines if "kind" in line]


def heard(both: Books, what: str) -> dict[str, set[int]]:
    """Which statuses each kind of attempt got."""
    found: dict[str, set[int]] = {}
    for line in rogue(both):
        if line["what"] == what:
            found.setdefault(line["kind"], set()).add(line["status"])
    return found


def test_an_id_over_other_bytes_is_refused_every_time_and_somebody_is_told_every_time(ground: Ground) -> None:
    found, both = visits.beside(ground, "reused", 8)
    assert_nothing_is_wrong(found)
    assert heard(both, "forged") == {"reused": {422}}
    assert Counter(w["kind"] for w in both.ours["work"])["message-id-reused"] == found.hits["forged"] == 24


def test_a_request_that_was_captured_is_never_believed_again_nowhere_and_not_later(ground: Ground) -> None:
    found, both = visits.beside(ground, "replayed", 5)
    assert_nothing_is_wrong(found)
    assert found.hits["forged"] == 5 * 3 * 5 + 5 * 4
    statuses = heard(both, "forged")
    assert statuses.pop("another route") == {405}
    assert set.union(*statuses.values()) <= {401, 403}
    assert len(statuses) == 8


def test_a_second_key_is_believed_until_it_is_revoked_and_nobody_else_notices(ground: Ground) -> None:
    found, both = visits.beside(ground, "revoked", 4)
    assert_nothing_is_wrong(found)
    assert heard(both, "answer")["second key"] == {200}
    assert heard(both, "forged") == {"revoked": {401}}
    assert found.hits["forged"] == 12
    others = [
        line for lines in both.theirs.values() for line in lines if line["what"] == "answer" and "kind" not in line
    ]
    assert {line["status"] for line in others} == {200}


def test_a_clock_over_there_may_be_wrong_up_to_the_limits_and_no_second_further(ground: Ground) -> None:
    found, both = visits.beside(ground, "skewed", 2)
    assert_nothing_is_wrong(found)
    believed = heard(both, "answer")
    believed.pop("honest")
    assert believed == {f"{s:+d} s": {200} for s in BELIEVED_S}
    assert heard(both, "forged") == {f"{s:+d} s": {401} for s in TOO_FAR_S}


def test_one_bit_that_is_another_anywhere_is_not_believed(ground: Ground) -> None:
    found, both = visits.beside(ground, "flipped", 4 * len(FLIPS))
    assert_nothing_is_wrong(found)
    assert heard(both, "forged").keys() == FLIPS.keys()
    assert found.hits["forged"] == 3 * 4 * len(FLIPS)


def test_a_clock_of_ours_that_jumps_refuses_for_as_long_and_costs_no_letter(ground: Ground) -> None:
    found, both = visits.jumping(ground)
    assert_nothing_is_wrong(found)
    statuses = Counter(line["status"] for lines in both.theirs.values() for line in lines if line["what"] == "answer")
    assert statuses[401] > 5
    assert statuses[503] <= len(PARTNERS)  # who was believed already when it jumped
    assert set(statuses) - {503} == {200, 401}


def test_what_comes_behind_a_gap_is_kept_and_a_day_later_somebody_is_told(ground: Ground) -> None:
    found, both, told = visits.gapped(ground)
    assert_nothing_is_wrong(found)
    held = {row["ref_no"] for row in both.ours["inbox"] if row["state"] == "held"}
    assert len(held) == found.hits["withheld"] > 5
    applied = Counter(row["ref_no"] for row in both.ours["inbox"] if row["state"] == "applied")
    assert all(applied[ref_no] == 1 for ref_no in held)
    assert len(applied.keys() - held) > 20
    missing = {line.split()[1] for line in told if not line.startswith("held")}
    assert missing == held
    assert [line for line in told if line.startswith("held")] == ["held KEAD", "held KEIS", "held TRN"]
