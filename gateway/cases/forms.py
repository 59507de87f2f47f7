"""The narrow forms in which a field may leave: the permission words of `schemas/comwel/dictionary.csv`.

Rules: a form copies, never aliases, and only ever takes away; where it does not fit the value it gives None and nothing
leaves. A word that is not in `FORMS` (`-`, `in`, anything new) is no form: the field stays.
It refuses to decide whether a field may leave; that is `permission`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def copied(value: Any) -> Any:
    """A copy of a JSON value that shares nothing that can change."""
    if isinstance(value, dict):
        return {name: copied(item) for name, item in value.items()}
    return [copied(item) for item in value] if isinstance(value, list) else value


def _parts(*names: str) -> Callable[[Any], Any]:
    def keep(value: Any) -> Any:
        if isinstance(value, list):
            return [kept for entry in value if (kept := keep(entry))]
        if not isinstance(value, dict):
            return None
        return {name: copied(value[name]) for name in names if name in value}

    return keep


def _flag(value: Any) -> str | None:
    """등록상태 reduced to what a yes/no/unknown flag needs; a veteran's status (상이) counts as registered."""
    if not isinstance(value, str):
        return None
    return {"등록": "등록", "상이": "등록", "미등록": "미등록"}.get(value, "불가")


FORMS: Mapping[str, Callable[[Any], Any]] = {  # the permission words of schemas/comwel/dictionary.csv
    "Y": copied,
    "C1": copied,
    "C2": copied,
    "date": copied,
    "summary C1": copied,  # the field is itself the summary
    "Y(text)": copied,  # the map turns the code into text
    "Y(code)": _parts("code"),
    "Y(name,tel)": _parts("name", "tel"),
    "period": _parts("from", "until"),
    "flag": _flag,
    "no,until": _parts("no", "until", "thirdParty", "sensitive"),  # with its two flags: what the recipient may hold
}
