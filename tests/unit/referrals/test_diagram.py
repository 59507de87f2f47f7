"""The diagram says what the table says."""

from __future__ import annotations

import re

from gateway.referrals.diagram import diagram
from gateway.referrals.lifecycle import MOVES, Act


def test_every_move_is_an_arrow_and_every_arrow_is_a_move() -> None:
    drawn = {
        (frm.replace("_", "-"), to.replace("_", "-"), label)
        for frm, to, labels in re.findall(r"^ +(\S+) --> (\w+): (.+)$", diagram(), re.MULTILINE)
        for label in labels.split(", ")
    }
    assert drawn == {(m.now or "[*]", m.then, f"{m.act} ({m.by})") for m in MOVES if m.act is not Act.VOID}


def test_the_diagram_is_mermaid_and_the_same_every_time() -> None:
    assert diagram().startswith("stateDiagram-v2\n")
    assert diagram() == diagram()
