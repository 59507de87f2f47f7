"""Good resources, spoilt at a random place in a random way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        "",
        " ",
        "x",
        "a  b",
        0,
        -1,
        1.5,
        True,
        [],
        {},
        [None],
        ["x"],
        [{}],
        {"id": "x"},
        {"extension": []},
        "2026",
        "2026-02-30",
        "2026-11-23T09:30:00Z",
        "Patient/1",
        "Group/1",
        "#x",
        "urn:uuid:1",
        {"reference": "Task/1"},
    ]
)
NAMES = st.sampled_from(["id", "extension", "value", "valueString", "_id", "_birthDate", "reference", "nosuch", "text"])


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in pairs:
        if name != "resourceType":
            yield value, name
            yield from _places(child)


def spoilt(data: st.DataObject, resource: dict[str, Any]) -> dict[str, Any]:
    """The same resource, changed at one place; it may be none the worse."""
    owner, name = data.draw(st.sampled_from(list(_places(resource))))
    match data.draw(st.sampled_from(["set", "drop", "add", "wrap", "unwrap"])):
        case "set":
            owner[name] = data.draw(VALUES)
        case "drop":
            del owner[name]
        case "wrap":
            owner[name] = [owner[name]]
        case "unwrap" if isinstance(owner[name], list):
            owner[name] = owner[name][0]
        case "add" if isinstance(owner[name], dict):
            owner[name][data.draw(NAMES)] = data.draw(VALUES)
    return resource
