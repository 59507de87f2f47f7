"""Lineage: what it names, that it is true (metamorphic), and what follows: versions and digests."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.documents.gwmap import CompiledMap, diff
from gateway.documents.gwmap.model import FNLIB

ROOT = Path(__file__).parents[4]
HEAD = (
    'params: {now: instant}\nlet: {who: "=name & coordinator.name", lead: "=diagnoses.where(role = \'main\').first()"}'
)
TEMPLATE = """
fixed: constant
no: =caseNo
who: {label: name, text: =%who}
lead: =%lead.code
sex: "=sex.translate('sex')"
tel: {$if: alive, system: phone, value: =phone.first(), $else: {none: text}}
long: "=iif(months > 6, 'long', 'short')"
all: [=diagnoses.code]
calls: "=phone.select('x').count()"
known: "=hours.select('y')"
whose: "=iif(months > 6, coordinator, {}).no"
bday: {system: iso, value: =birth.ymd(), tags: [{t: k}]}
"""


@pytest.fixture(scope="session")
def small(workshops: Callable[[], Any]) -> CompiledMap:
    compiled: CompiledMap = workshops().compiled(TEMPLATE, head=HEAD)
    return compiled


def test_lineage_goes_through_lets_guards_and_criteria(small: CompiledMap) -> None:
    found = {line.target: line for line in small.lineage()}
    assert found["fixed"].sources == found["fixed"].guards == ()
    assert found["who.text"].sources == ("coordinator.name", "name")
    assert found["who.text"].via == ("who",)
    assert found["who.label"].guards == ("coordinator.name", "name")
    assert found["lead"].sources == ("diagnoses.code", "diagnoses.role")
    assert found["sex"].tables == ("sex",)
    assert found["tel.value"].guards == ("alive",)
    assert found["long"].sources == ("months",)
    assert found["bday.tags[0].t"].guards == ("birth",)
    assert found["no"].at.startswith("mappings/mini/1.0.0/map.yaml:")
    assert str(found["who.text"]).startswith("who.text <- coordinator.name, name via who  (mappings/mini/")


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Target paths of a document, positions of lists of values left out."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from flat(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for index, inner in enumerate(value):
            yield from flat(inner, f"{path}[{index}]")
    else:
        yield path, value


CHANGES: dict[str, st.SearchStrategy[Any]] = {
    "caseNo": st.sampled_from(["2", "3"]),
    "name": st.sampled_from(["나", "다"]),
    "birth": st.sampled_from(["19910101", "19920202"]),
    "sex": st.sampled_from(["1", "2", "9"]),
    "phone": st.lists(st.sampled_from(["010", "02"]), max_size=2),
    "months": st.integers(0, 12),
    "alive": st.booleans(),
    "coordinator": st.sampled_from([{"no": "J1"}, {"no": "J1", "name": "박"}]),
    "diagnoses": st.sampled_from([[{"code": "X", "role": "main"}], [{"code": "Y", "role": "sub"}]]),
    "hours": st.sampled_from([1.5, 2.5]),
}
OPTIONAL = ("phone", "months", "alive", "coordinator", "hours", "born")


@given(st.sampled_from(sorted(CHANGES)).flatmap(lambda f: st.tuples(st.just(f), CHANGES[f])), st.booleans())
@settings(max_examples=150, deadline=None)
def test_changing_or_removing_one_field_changes_only_targets_in_its_lineage(
    small: CompiledMap, change: tuple[str, Any], remove: bool
) -> None:
    name, value = change
    before = {
        "caseNo": "1", "name": "가", "birth": "19800229", "sex": "1", "phone": ["010"], "months": 7, "alive": True,
        "coordinator": {"no": "J1", "name": "김"}, "diagnoses": [{"code": "A", "role": "main"}], "hours": 1.0,
    }  # fmt: skip
    after = copy.deepcopy(before)
    if remove and name in OPTIONAL:
        del after[name]
    else:
        after[name] = value
    params = {"now": "2026-11-23T00:00:00Z"}
    one, two = dict(flat(small.apply(before, params).document)), dict(flat(small.apply(after, params).document))
    touched = {t for t in one | two if one.get(t) != two.get(t)}
    lineage: dict[str, set[str]] = {}
    for line in small.lineage():
        tops = {p.split(".")[0] for p in (*line.sources, *line.guards)}
        lineage.setdefault(line.target.removesuffix("[0]"), set()).update(tops)
    assert {t for t in touched if name not in lineage[t]} == set()


# ── versions ─────────────────────────────────────────────────────────────────────────────────────────────────────────
BUMPS = [
    ("a: =name\nb: =sex", "a: =name", "1.1.0", "major", False, "removed b (sex)"),
    ("a: =name\nb: =sex", "a: =name", "2.0.0", "major", True, ""),
    ("a: =name", "a: =caseNo", "1.1.0", "major", False, "retargeted a: name -> caseNo"),
    ("a: =name", "a: =name\nb: =sex", "1.0.1", "minor", False, "added b (sex)"),
    ("a: =name", "a: =name\nb: =sex", "1.1.0", "minor", True, ""),
    ("a: {v: =name}", "a: {$if: alive, v: =name}", "1.0.1", "minor", False, "guarded a.v: always -> alive"),
    (
        "a: [{$for: x in phone, v: =name}]",
        "a: [{$for: x in phone where alive, v: =name}]",
        "1.1.0",
        "minor",
        True,
        "guarded a[*].v: phone -> alive, phone",
    ),
    ("a: {v: =name, k: c}", "a: {v: =name, k: c, w: =sex}", "1.1.0", "minor", True, "added a.w (sex)"),
    ("a: =name", "a: =name.upper()", "1.0.1", "patch", True, "reworded a: name -> name.upper()"),
    ("a: x\nb: =name", "a: y\nb: =name", "1.0.1", "patch", True, "reworded a: 'x' -> 'y'"),
    ("a: =name", "a: =name.trim()", "1.0.0", "patch", False, ""),
    (
        "a: {$if: \"sex = '1'\", v: =name}",
        "a: {$if: \"sex != '1'\", v: =name}",
        "1.0.1",
        "patch",
        True,
        "reworded $if of a: sex = '1' -> sex != '1'",
    ),
    (
        "a: [{$for: x in phone where %x != '1', v: =%x}]",
        "a: [{$for: x in phone where %x != '2', v: =%x}]",
        "1.0.1",
        "patch",
        True,
        "reworded $for of a: phone where %x != '1' -> phone where %x != '2'",
    ),
]


@pytest.mark.parametrize(("old", "new", "version", "needed", "ok", "said"), BUMPS)
def test_a_version_must_say_what_changed(
    workshops: Callable[[], Any], old: str, new: str, version: str, needed: str, ok: bool, said: str
) -> None:
    first, second = workshops(), workshops()
    path = second.map(new)
    path.write_text(path.read_text(encoding="utf-8").replace("version: 1.0.0", f"version: {version}"), encoding="utf-8")
    path.parent.rename(path.parent.with_name(version))
    found = diff(first.compiled(old), second.load().get(f"mini|{version}"))
    assert (found.needed, found.ok) == (needed, ok)
    assert said in str(found)
    assert ("REFUSED" in str(found)) is not ok


def test_a_let_and_a_policy_that_read_otherwise_are_named(workshops: Callable[[], Any]) -> None:
    first, second = workshops(), workshops()
    old = first.compiled("a: =%who", head="let: {who: =name}")
    new = second.compiled("a: =%who", head="let: {who: =name.trim()}\npolicy: {onValueError: omit}")
    said = [str(change) for change in diff(old, new).changes]
    assert said == ["reworded let who: name -> name.trim()", "reworded policy.onValueError: nothing -> omit"]


# ── digests ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def digest(workshop: Any, template: str, **more: Any) -> str:
    compiled: CompiledMap = workshop.compiled(template, **more)
    return compiled.digest


def test_the_digest_names_what_a_map_does_not_how_it_is_written(workshops: Callable[[], Any]) -> None:
    one = digest(workshops(), "a: =name & sex\nb: {c: d}")
    assert one.startswith("sha256:")
    assert digest(workshops(), "# why\nb: {c: 'd'}\na: =(name   &   sex)") == one
    assert digest(workshops(), "a: =name & 'x'\nb: {c: d}") != one


def test_the_digest_follows_the_functions_a_map_uses(
    workshops: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    months, none = TEMPLATE + "old: =monthsBetween(birth.ymd(), '2026-11-23')\n", TEMPLATE
    before = [digest(workshops(), template, head=HEAD) for template in (months, none)]
    monkeypatch.setitem(FNLIB, "monthsBetween", 3)
    after = [digest(workshops(), template, head=HEAD) for template in (months, none)]
    assert before[0] != after[0]
    assert before[1] == after[1]


def test_the_digest_follows_schemas_and_code_tables(workshops: Callable[[], Any]) -> None:
    template = "a: \"=sex.translate('sex')\""
    one, other = workshops(), workshops()
    other.tables["sex"]["group"][0]["element"][0]["target"][0]["code"] = "other"
    assert digest(one, template) != digest(other, template)


PROGRAM = """
import sys
from pathlib import Path
from gateway.documents.gwmap import Catalogue
root = Path(sys.argv[1])
found = Catalogue.load(root / "mappings", root / "schemas").get("mini|1.0.0")
record = {"caseNo": "1", "name": "x", "birth": "19800229", "sex": "1", "diagnoses": [{"code": "A", "role": "main"}]}
print(found.digest, found.apply(record, {"now": "2026-11-23T00:00:00Z"}).document, [l.target for l in found.lineage()])
"""


def test_digest_document_and_lineage_are_the_same_in_every_process(workshop: Any) -> None:
    workshop.map(TEMPLATE, head=HEAD)
    said = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM, str(workshop.root)],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "4711")
    }
    assert len(said) == 1
    assert "sha256:" in said.pop()
