"""The diagram of the lifecycle, drawn from the table so that it cannot say anything else.

Refuses to draw by hand: README shows what `diagram()` returns, and a test compares the two.
"""

from __future__ import annotations

from gateway.referrals.states import TERMINAL, Act, Status
from gateway.referrals.table import MOVES, Move


def diagram() -> str:
    """Return the table as a Mermaid state diagram, one arrow for each pair of statuses.

    Voiding is a note, not ten arrows.
    """
    arrows: dict[tuple[str, str], list[str]] = {}
    for move in MOVES:
        if move.act is not Act.VOID:
            labels = arrows.setdefault((_node(move.now), _node(move.then)), [])
            if (label := _label(move)) not in labels:
                labels.append(label)
    lines = [f"    {frm} --> {to}: {', '.join(labels)}" for (frm, to), labels in arrows.items()]
    ends = [f"    {_node(status)} --> [*]" for status in sorted(TERMINAL - {Status.ENTERED_IN_ERROR})]
    note = "    note right of draft: the placer may void a leg in any status (entered-in-error)"
    return "\n".join(["stateDiagram-v2", *_names(), *lines, *ends, note]) + "\n"


def _node(status: str | None) -> str:
    return status.replace("-", "_") if status else "[*]"


def _label(move: Move) -> str:
    return f"{move.act} ({move.by})"


def _names() -> list[str]:
    hyphened = sorted({m.then for m in MOVES if "-" in m.then and m.act is not Act.VOID})
    return [f'    state "{status}" as {_node(status)}' for status in hyphened]
