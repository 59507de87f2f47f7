"""kill -9 of any process while a night is under way: another one takes its place, and the funnel is complete."""

from __future__ import annotations

from pathlib import Path

from tests.faults.rehearsal import SUPERVISOR, VICTIMS, Kill, Rehearsal, rehearse, told, verdict

CASES, EVERY_S = 60, 1.0


def test_every_process_is_killed_once_and_the_funnel_is_complete(home: Path) -> None:
    found = rehearse(home / "demo", cases=CASES, every_s=EVERY_S, times=1)
    said = "\n".join(told(found))
    assert [one.name for one in found.kills] == [*VICTIMS, SUPERVISOR], said
    assert all(one.replaced_s for one in found.kills if one.name != SUPERVISOR), said
    assert (verdict(found), found.report["problems"]) == (0, []), said
    assert found.report["verdicts"] == f"{CASES} of {CASES} expected verdicts are met"
    referred = next(line for line in found.report["funnel"] if line["what"] == "cases referred")
    assert referred["total"] > 10
    assert not (home / "demo" / "up.json").exists()


def test_a_night_in_which_nobody_was_killed_is_no_rehearsal() -> None:
    for kills in ([], [Kill(SUPERVISOR, None)], [Kill("door", None)]):
        found = Rehearsal(0, {}, "", kills)
        assert verdict(found) == 1
        assert "nobody was killed" in next(line for line in told(found) if "killed" in line)
    assert verdict(Rehearsal(0, {}, "", [Kill("door", 0.3)])) == 0
    assert verdict(Rehearsal(3, {}, "", [Kill("door", 0.3)])) == 3
