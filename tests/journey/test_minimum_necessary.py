"""Minimum necessary: whatever a record, a consent and a partner are, no withheld value is in the bytes that leave.

What is withheld is read from the field dictionary and the words of the consent, not asked from the code under test.
"""

from __future__ import annotations

import csv
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.config import Settings
from gateway.documents.strict_json import dumps
from gateway.errors import MappingFailed
from gateway.journey.refer import refer
from gateway.ports import CaseChange, CaseRow, ScreeningRow
from tests.fakes.memory import MemoryStore
from tests.journey.world import PARTNERS, TODAY, Scene, knowledge, make_scene

MODERATE = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ROOT = Settings().mappings
SERVICES = {"KEIS": ["01"], "KEAD": ["직업능력평가", "취업알선"], "TRN": ["직업훈련"]}
ITEMS = ("identity", "contact", "jobWish", "function", "subsidy")
SHORTEST = 4
FEW = 5
CHANCE = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|20\d\d(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])(?:[01]\d|2[0-3])[0-5]\d[0-5]\d"
)
"""Ids and the moment of sending, in which any five digits may stand: at 10:10:15 the postal code 01015."""


# ── what may leave, by the documents ─────────────────────────────────────────────────────────────────────────────────
@cache
def dictionary() -> dict[str, dict[str, str]]:
    """field → partner → permission word."""
    with (Settings().schemas / "comwel" / "dictionary.csv").open(encoding="utf-8", newline="") as rows:
        return {row["name"]: {p: row[p] for p in PARTNERS} for row in csv.DictReader(rows)}


@cache
def words_of_consent() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "rules" / "legal-basis" / "2026.3.yaml").read_text("utf-8"))
    return dict(found["consent"])


def parts_that_leave(word: str) -> frozenset[str] | None:
    """Parts of a value that a permission word names; None: all of it."""
    if word == "period":
        return frozenset({"from", "until"})
    named = re.search(r"\(([a-z]+(?:,[a-z]+)*)\)", word)
    names = named[1].split(",") if named else word.split(",") if "," in word else []
    return frozenset(names) if names and names != ["text"] else None


def sorted_out(record: Mapping[str, Any], partner: str) -> tuple[list[Any], list[Any]]:
    """What may leave to this partner, and what may not: values of the record, in parts where a part may leave."""
    consent, may, may_not = record["consent"][0], list[Any](), list[Any]()
    covered = {f for item in consent["items"] for f in words_of_consent()["items"].get(item, ())}
    covered |= set(words_of_consent()["always"])
    for name, value in record.items():
        word = dictionary().get(name, {}).get(partner, "-")
        never = word in ("-", "", "in") or "C2" in word or name not in covered
        parts = parts_that_leave(word)
        if never or ("C1" in word and not consent["sensitive"]):
            may_not.append(value)
        elif parts is None or name == "referral":
            may.append(value)
        else:
            may += [{k: v for k, v in one.items() if k in parts} for one in _dicts(value)]
            may_not += [{k: v for k, v in one.items() if k not in parts} for one in _dicts(value)]
    return may, may_not


def _dicts(value: Any) -> list[dict[str, Any]]:
    found = value if isinstance(value, list) else [value]
    return [one for one in found if isinstance(one, dict)]


def leaves(value: Any) -> Iterator[str]:
    """Every text and number in a document, as text."""
    if isinstance(value, dict):
        for one in value.values():
            yield from leaves(one)
    elif isinstance(value, list):
        for one in value:
            yield from leaves(one)
    elif not isinstance(value, bool):
        yield str(value)


def spellings(leaf: str) -> set[str]:
    """A value as partners may write it: dates without hyphens, numbers without separators."""
    return {leaf, leaf.replace("-", ""), leaf.replace(" ", "")}


# ── records ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@cache
def whole_record() -> bytes:
    return (ROOT / "case-to-fhir" / "1.0.0" / "fixtures" / "case-full.json").read_bytes()


NEEDED = frozenset({
    "caseId", "caseNo", "caseVersion", "personKey", "nameFull", "birthDate", "approvalDate", "branch", "provenance",
    "sex", "careStart", "accidentDate", "accidentCategory", "occurrenceType", "caseStage", "track",
})  # fmt: skip
MARKED: Mapping[str, Any] = {  # values that can be told apart from everything else, by a number
    "nameRoman": lambda n: f"ROMANIZED {n}",
    "nameOld": lambda n: [f"옛이름{n}"],
    "email": lambda n: f"worker{n}@example.kr",
    "addrText": lambda n: f"서울 어딘가 {n}번지",
    "postalCode": lambda n: f"{n:05d}",
    "phone": lambda n: [f"0109{n:07d}"],
    "workplaceName": lambda n: [f"공장이름{n}"],
    "employerBrn": lambda n: [f"77{n:08d}"],
    "preWageDaily": lambda n: 7_000_000 + n,
    "hospital": lambda n: [f"9{n:07d}"],
    "restrictions": lambda n: [f"금지작업{n}"],
    "licences": lambda n: [f"자격증{n}"],
    "employerAlive": lambda n: "closed",  # "active" is a word of FHIR as well
    "memo": lambda n: f"메모글{n}",
    "counselling": lambda n: [
        {"date": "2026-10-30", "phase": "after-acceptance", "domain": "medical", "note": f"상담글{n}"}
    ],
    "coordinator": lambda n: {"jcNo": f"J9{n:05d}", "name": f"잡코디{n}", "tel": f"023{n:07d}"},
    "representative": lambda n: [
        {"name": f"대리인{n}", "relation": "한정후견인", "tel": f"024{n:07d}", "from": "2026-02-03",
         "mandateNo": f"위임{n}"}
    ],
    "stayStatus": lambda n: {"code": "H-2", "until": "2029-07-19"},
    "foreignRegNo": lambda n: f"암호문{n}",
    "subsidies": lambda n: [
        {"kind": f"지원금{n}", "from": "2026-10-03", "until": "2027-03-04", "employerBrn": f"66{n:08d}"}
    ],
    "diagnoses": lambda n: [{"kcdVersion": "9", "code": "S83.7", "role": "main"}],
}  # fmt: skip


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    """A canonical record: any optional field may be missing, marked ones are unlike all others, any consent."""
    record: dict[str, Any] = orjson.loads(whole_record())
    for name in ("partnerPersonId", "referral", "referralStatus", "dataQuality"):
        record.pop(name)
    marks = draw(st.permutations(range(1000, 1000 + len(MARKED))))
    record |= {name: make(n) for (name, make), n in zip(MARKED.items(), marks, strict=True)}
    optional = sorted(record.keys() - NEEDED - {"consent", "services"})
    for name in draw(st.lists(st.sampled_from(optional), max_size=12, unique=True)):
        del record[name]
    record["services"] = [{"partner": p, "codes": codes} for p, codes in SERVICES.items()]
    items = {"identity", *draw(st.sets(st.sampled_from(ITEMS)))}
    record["consent"][0] |= {
        "items": sorted(items),
        "sensitive": draw(st.booleans()),
        "uniqueId": draw(st.booleans()),
        "textVersion": "글판-7",
        "recipients": sorted(draw(st.sets(st.sampled_from(PARTNERS), min_size=1))),
    }
    return record


def put(scene: Scene, record: Mapping[str, Any]) -> None:
    """A priority case with this record, as intake and screening would have left it."""
    now = scene.clock.now()
    row = CaseRow(
        case_no=record["caseNo"],
        version=record["caseVersion"],
        revision=1,
        status="live",
        branch="1100",
        facts=b"{}",
        facts_sha256="0" * 64,
        entry=b"{}",
        entry_sha256="0" * 64,
        entry_state="present",
        record=dumps(dict(record)),
        verdict="ok",
        reason=None,
        merged_into=None,
        barred=False,
        screened=1,
        referred=0,
        updated_at=now,
    )
    decided = ScreeningRow(row.case_no, 1, "PR", "CANDIDATE", 1, b"[]", "sha256:x", "PRIORITY", None, 1, TODAY, now)
    with scene.store.unit() as unit:
        unit.cases.save([CaseChange(row, "I", None)])
        unit.cases.screened([decided])
        unit.commit(scene.world.event("cases.screened", "test"))


def referred(record: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The messages that `refer` makes of a record, by partner."""
    with tempfile.TemporaryDirectory() as folder:
        scene = make_scene(MemoryStore(), Path(folder))
        put(scene, record)
        refer(scene.world)
        return {m["partner"]: m for m in scene.rows("message")}


# ── the property ─────────────────────────────────────────────────────────────────────────────────────────────────────
def judged_in_many_cases(judge: Callable[[Mapping[str, Any], str, Mapping[str, Any]], None]) -> Counter[str]:
    """Let `judge` look at every message of many records; how many it has seen, by partner."""
    seen = Counter[str]()

    @MODERATE
    @given(cases())
    def each(record: dict[str, Any]) -> None:
        messages = referred(record)
        assert set(messages) <= set(record["consent"][0]["recipients"])
        for partner, message in messages.items():
            judge(record, partner, message)
            seen[partner] += 1

    each()
    return seen


@pytest.mark.rule("R-02")
def test_no_withheld_value_is_in_the_bytes_that_leave() -> None:
    def judge(record: Mapping[str, Any], partner: str, message: Mapping[str, Any]) -> None:
        text = CHANCE.sub("", message["body"].decode())
        plain = CHANCE.sub("", " ".join(leaves(orjson.loads(message["body"]))))
        may, may_not = sorted_out(record, partner)
        permitted = set(leaves(may))
        for secret in leaves(may_not):
            if len(secret) < SHORTEST or any(secret in p for p in permitted):
                continue
            assert not [s for s in spellings(secret) if s in text or s in plain], f"{partner} was told {secret}"

    seen = judged_in_many_cases(judge)
    assert min(seen[partner] for partner in PARTNERS) > FEW


@pytest.mark.rule("R-18")
def test_the_fields_kept_with_a_message_are_allowed_by_agreement_and_consent() -> None:
    def judge(record: Mapping[str, Any], partner: str, message: Mapping[str, Any]) -> None:
        assert message["fields"]
        for name in message["fields"]:
            word = dictionary()[name][partner]
            assert word not in ("-", "", "in")
            assert "C2" not in word
            assert record["consent"][0]["sensitive"] or "C1" not in word

    seen = judged_in_many_cases(judge)
    assert min(seen[partner] for partner in PARTNERS) > FEW


def test_the_property_would_see_a_leak() -> None:
    """The whole record with every consent reaches all three, and the marks are really in what they may have."""
    record = orjson.loads(whole_record()) | {name: make(4711) for name, make in MARKED.items()}
    for name in ("partnerPersonId", "referral", "referralStatus", "dataQuality"):
        record.pop(name)
    record["services"] = [{"partner": p, "codes": codes} for p, codes in SERVICES.items()]
    record["consent"][0] |= {"items": [*ITEMS], "sensitive": True}
    messages = referred(record)
    assert set(messages) == set(PARTNERS)
    for partner, marks in {
        "KEIS": ("금지작업4711", "자격증4711", "잡코디4711", "01090004711"),
        "KEAD": ("금지작업4711", "잡코디4711", "01090004711"),
        "TRN": ("자격증4711", "잡코디4711"),
    }.items():
        text = messages[partner]["body"].decode()
        spoken = text.replace("-", "")
        assert [mark for mark in marks if mark not in spoken] == []


def test_delicate_cases_keep_the_injured_part_back_unless_the_consent_is_fresh() -> None:
    record = orjson.loads(whole_record()) | {"diagnoses": [{"kcdVersion": "9", "code": "F32.1", "role": "main"}]}
    record["services"] = [{"partner": p, "codes": codes} for p, codes in SERVICES.items()]
    old, fresh = ({"from": "2026-01-02", "until": "2028-11-23"}, {"from": "2026-11-20", "until": "2028-11-23"})
    fields = []
    for period in (old, fresh):
        record["consent"][0] |= period
        fields.append("bodyPart" in referred(record)["KEAD"]["fields"])
    assert fields == [False, True]


# ── lineage ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def changed_paths(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """Paths at which two documents differ. Equal members of two arrays stand for each other, wherever they are."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in one.keys() | other.keys():
            yield from changed_paths(one.get(name), other.get(name), f"{path}.{name}" if path else name)
    elif isinstance(one, list) and isinstance(other, list):
        mine, theirs = [m for m in one if m not in other], [t for t in other if t not in one]
        for kind in {_kind(x) for x in (*mine, *theirs)}:
            of_kind = ([m for m in mine if _kind(m) == kind], [t for t in theirs if _kind(t) == kind])
            for left, right in zip_longest(*of_kind):
                yield from changed_paths(left, right, path)
    elif one != other:
        yield from _all_paths(one if one is not None else other, path)


def _kind(member: Any) -> str | None:
    """What a member of an array is, so that like is compared with like: the resource type of a Bundle's entry."""
    return member.get("resource", {}).get("resourceType") if isinstance(member, dict) else None


def _all_paths(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _all_paths(one, f"{path}.{name}")
    elif isinstance(value, list):
        for one in value:
            yield from _all_paths(one, path)
    else:
        yield path


@cache
def reachable(pin: str, field: str) -> frozenset[str]:
    """Targets that a source field may decide, by the map's own lineage; without array places."""
    found = set()
    for one in knowledge().catalogue.get(pin).lineage():
        if any(s == field or s.startswith(f"{field}.") for s in (*one.sources, *one.guards)):
            found.add(re.sub(r"\[(\d+|\*)\]", "", one.target).removeprefix("Bundle."))
    return frozenset(found)


MAPS = {
    "keis-referral-out|1.0.0": "partners/keis/referral-out/1.0.0/fixtures/narrowed.json",
    "kead-referral-out|1.0.0": "partners/kead/referral-out/1.0.0/fixtures/narrowed.json",
    "trn-referral-out|1.0.0": "partners/trn/referral-out/1.0.0/fixtures/narrowed.json",
    "case-to-fhir|1.0.0": "case-to-fhir/1.0.0/fixtures/case-full.json",
}
PARAMS = {
    "now": "2026-11-23T00:00:00Z",
    "mid": "019abc00-0000-7000-8000-000000000001",
    "base": "https://gateway.example/fhir",
    "sender": "comwel",
    "receiver": "partner",
}


def mapped(pin: str, source: Mapping[str, Any]) -> Any:
    compiled = knowledge().catalogue.get(pin)
    params = {name: PARAMS[name] for name in compiled.header.params if name in PARAMS}
    return compiled.apply(source, params).document


@pytest.mark.parametrize("pin", MAPS)
def test_a_source_field_decides_only_the_targets_in_its_lineage(pin: str) -> None:
    source = orjson.loads((ROOT / MAPS[pin]).read_bytes())
    whole = mapped(pin, source)
    tried = 0
    for field in sorted(source):
        without = {name: value for name, value in source.items() if name != field}
        for other in (without, {**source, field: MARKED[field](5)} if field in MARKED else without):
            try:
                changed = set(changed_paths(whole, mapped(pin, other)))
            except MappingFailed:
                continue  # a field the map cannot do without
            tried += 1
            assert changed <= reachable(pin, field), field
    assert tried > 10
