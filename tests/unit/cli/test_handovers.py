"""What `gateway intake` says of files: for a file that was rejected, where and what to do; each in one line."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from gateway.cli import handovers
from gateway.errors import Place, TotalsMismatch
from gateway.journey.admit import Taken
from gateway.ports import Problem

FILE = "RHB_CASE_20261123_00001.dat"


def _shown(taken: Taken) -> list[str]:
    out = StringIO()
    handovers.show([taken], Console(file=out, width=40))
    return out.getvalue().splitlines()


def test_a_rejected_file_is_shown_with_the_place_and_the_remedy() -> None:
    refusal = TotalsMismatch("wageSum", place=Place(FILE, 3, "wageSum"))
    taken = Taken(FILE, "rejected", refusal.code, said=str(refusal))
    assert _shown(taken) == [f"{FILE}: rejected (E-TOTALS), 0 records ", f"  {refusal}"]
    assert "hand over the whole file again" in str(refusal)
    assert handovers.plain(taken)["said"] == str(refusal)


def test_a_record_that_was_put_aside_is_one_line_however_narrow_the_screen() -> None:
    problem = Problem(22, "20260001000037", "E-LEN", None, b"", "")
    [_, line] = _shown(Taken(FILE, "accepted", records=23, problems=[problem]))
    assert line.startswith(f"  E-LEN [{FILE}, record 22] ")
    assert line.endswith("(case 20260001000037)")
