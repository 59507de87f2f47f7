"""Walks `mappings/`: every map, its tests and golden files, the code tables, the bad examples, the page for analysts.

The laws hold between maps: what goes out comes back (round trip), and two projections of one case agree (commuting
square). Nothing here knows what a particular map does; that stands in the tests beside it.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.conceptmap import ConceptMap

from gateway import datafile
from gateway.documents import strict_json
from gateway.documents.fhir.rules import FhirRules
from gateway.documents.gwmap import Catalogue, CompiledMap, MapsRefused, Severity, check, run_tests
from gateway.documents.schemas import Schemas
from tests.data.maps import HOST, MAPPINGS, SCHEMAS

BAD = sorted(p.parent for p in (MAPPINGS / "bad").glob("*/map.yaml"))
PARTNERS = ("keis", "kead", "trn")
PINS = (
    "audit-to-fhir|1.0.0",
    "case-to-fhir|1.0.0",
    *(f"{p}-{kind}|1.0.0" for p in ("kead", "keis") for kind in ("cancel-out", "outcome-in", "referral-out")),
    "outcome-to-comwel|1.0.0",
    "outcome-to-fhir|1.0.0",
    "provenance-to-fhir|1.0.0",
    "trn-cancel-out|1.0.0",  # retired
    *(f"trn-{kind}" for kind in ("cancel-out|1.1.0", "outcome-in|1.0.0", "referral-out|1.0.0")),
)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue.load(MAPPINGS, SCHEMAS)


@pytest.fixture(scope="module")
def schemas() -> Schemas:
    return Schemas.load(SCHEMAS)


@pytest.fixture(scope="module")
def fhir() -> FhirRules:
    return FhirRules.load(SCHEMAS / "fhir")


def read(path: Path) -> Any:
    return strict_json.loads(path.read_bytes())


def case() -> dict[str, Any]:
    """A full case record with the referral of KEIS."""
    found: dict[str, Any] = read(MAPPINGS / "case-to-fhir/1.0.0/fixtures/case-full.json")
    return found


def leg(partner: str) -> dict[str, Any]:
    """What the narrowed fixture of a partner says about its leg."""
    found: dict[str, Any] = read(MAPPINGS / f"partners/{partner}/referral-out/1.0.0/fixtures/narrowed.json")
    return {name: found[name] for name in ("referral", "partnerPersonId")}


def resource(bundle: Mapping[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == kind)
    return found


# ── every map ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_all_maps_are_there_and_usable(catalogue: Catalogue) -> None:
    assert catalogue.pins() == PINS


def test_no_map_has_an_error_and_all_tests_beside_the_maps_pass() -> None:
    assert [str(f) for f in check(MAPPINGS, SCHEMAS) if f.severity is Severity.ERROR] == []


@pytest.mark.parametrize("pin", PINS)
def test_every_map_has_three_tests_and_a_golden_pair(pin: str, catalogue: Catalogue, schemas: Schemas) -> None:
    results = run_tests(catalogue, pin)
    assert len(results) >= 3
    assert all(r.passed for r in results)
    assert list((catalogue.folder(pin) / "golden").glob("*.json"))


@pytest.mark.parametrize("pin", PINS)
def test_every_golden_document_is_what_its_target_demands(
    pin: str, catalogue: Catalogue, schemas: Schemas, fhir: FhirRules
) -> None:
    target = catalogue.get(pin).header.target_schema
    golden = sorted((catalogue.folder(pin) / "golden").glob("*.json"))
    assert golden
    for path in golden:
        found = schemas.check(target, read(path)) if target else fhir.check(read(path))
        assert [f"{path.name}{f}" for f in found] == []


@pytest.mark.parametrize("pin", PINS)
def test_every_golden_document_is_named_by_a_test(pin: str, catalogue: Catalogue) -> None:
    folder = catalogue.folder(pin)
    named = "".join(p.read_text() for p in (folder / "tests").glob("*.yaml"))
    golden = [p.name for p in (folder / "golden").glob("*.json")]
    assert golden
    assert [name for name in golden if f"golden/{name}" not in named] == []


@pytest.mark.parametrize("pin", [p for p in PINS if "cancel" not in p and "referral" not in p])
def test_every_input_is_what_its_source_demands(pin: str, catalogue: Catalogue, schemas: Schemas) -> None:
    source = catalogue.get(pin).header.source
    inputs = sorted((catalogue.folder(pin) / "fixtures").glob("*.json"))
    assert inputs
    for path in inputs:
        assert [str(f) for f in schemas.check(source, read(path))] == []


# ── code tables ──────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("path", sorted((MAPPINGS / "conceptmaps").glob("*/*.json")), ids=lambda p: p.parent.name)
def test_a_second_opinion_reads_every_code_table_as_a_concept_map(path: Path) -> None:
    ConceptMap.model_validate(read(path))


PUBLISHED_ONLY = {"act-task-status", "business-kead-stage", "business-keis-result"}  # for $translate


def test_every_code_table_is_used_by_a_map_or_published_on_purpose(catalogue: Catalogue) -> None:
    used = {
        url.split("|")[0].rsplit("/", 1)[1] for p in catalogue.pins() for url in catalogue.get(p).header.maps.values()
    }
    there = {p.parent.name for p in (MAPPINGS / "conceptmaps").glob("*/*.json")}
    assert there - used == PUBLISHED_ONLY


@pytest.mark.parametrize("table", ["region-current", "region-label"])
@pytest.mark.parametrize(
    ("code", "on", "known"),
    [
        ("42110", "2023-06-10", True),
        ("42110", "2023-06-11", True),
        ("51110", "2023-06-10", False),
        ("51110", "2023-06-11", True),
        ("45111", "2024-01-18", True),
        ("52111", "2024-01-17", False),
        ("28110", "2026-07-01", False),
        ("99999", "2026-11-23", False),
    ],
)
def test_a_region_is_known_in_its_days_only(table: str, code: str, on: str, known: bool, catalogue: Catalogue) -> None:
    found = catalogue.tables.get(f"https://gateway.example/fhir/ConceptMap/{table}|1.0.0").find(code, on)
    assert bool(found) is known


def codings(value: Any) -> Iterator[tuple[str, str]]:
    """Every (system, code) in a document."""
    if isinstance(value, dict):
        if "system" in value and "code" in value:
            yield value["system"], value["code"]
        for inner in value.values():
            yield from codings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from codings(inner)


def concepts(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every (system, code) that a ConceptMap reads or writes."""
    for group in table["group"]:
        for element in group["element"]:
            yield group["source"], element["code"]
            yield from ((group["target"], t["code"]) for t in element["target"] if "code" in t)


def test_maps_and_tables_use_only_codes_that_our_code_systems_hold() -> None:
    own = {
        s["url"]: {c["code"] for c in s["concept"]} for s in map(read, (SCHEMAS / "fhir").rglob("code-systems/*.json"))
    }
    used = {c for path in MAPPINGS.rglob("golden/*.json") for c in codings(read(path))}
    used |= {c for path in MAPPINGS.glob("conceptmaps/*/*.json") for c in concepts(read(path))}
    ours = {(system, code) for system, code in used if system in own}
    assert len(ours) > 150
    assert {(system, code) for system, code in ours if code not in own[system]} == set()


# ── laws between maps ────────────────────────────────────────────────────────────────────────────────────────────────
ANSWERS: dict[str, tuple[str, Callable[[dict[str, Any], str, str], object]]] = {
    "keis": ("accepted.json", lambda d, no, person: d["body"].update(refNo=no, ptnrPsnId=person)),
    "kead": ("assessed.json", lambda d, no, person: d.update(rno=no, ptnrPsnId=person)),
    "trn": (
        "accepted.json",
        lambda d, no, person: (d["identifier"][0].update(value=no), d["for"]["identifier"].update(value=person)),
    ),
}
WRITTEN = {
    "keis": lambda d: (d["body"]["refNo"], d["body"]["ptnrPsnId"]),
    "kead": lambda d: (d["rno"], d["ptnrPsnId"]),
    "trn": lambda d: (resource(d, "Task")["identifier"][0]["value"], resource(d, "Patient")["identifier"][0]["value"]),
}


@pytest.mark.parametrize("partner", PARTNERS)
def test_referral_number_and_person_id_come_back_as_they_went_out(partner: str, catalogue: Catalogue) -> None:
    sent = catalogue.get(f"{partner}-referral-out|1.0.0").apply({**case(), **leg(partner)}, HOST).document
    no, person = WRITTEN[partner](sent)
    name, fill = ANSWERS[partner]
    answer = read(MAPPINGS / f"partners/{partner}/outcome-in/1.0.0/fixtures/{name}")
    fill(answer, no, person)
    back = catalogue.get(f"{partner}-outcome-in|1.0.0").apply(answer, {"now": HOST["now"]}).document
    said = leg(partner)
    assert (back["refNo"], back["partnerPersonId"]) == (said["referral"][0]["no"], said["partnerPersonId"][0]["id"])


VARIANTS: tuple[dict[str, Any], ...] = (
    {},
    {"nameFull": "NGUYEN THI HOA", "sex": "female", "birthDate": "1999-12-31", "phone": ["0212345678"]},
    {"nameFull": "이설믜", "sex": "unknown", "birthDate": "2000-01-01", "phone": ["05051234567"]},
    {"nameFull": "김 훈", "phone": ["0311234567", "01098765432"]},
)


def digits(text: str) -> str:
    return "0" + re.sub(r"\D", "", text).removeprefix("82").removeprefix("0")


def facts_of_fhir(bundle: Mapping[str, Any]) -> dict[str, str]:
    worker = resource(bundle, "Patient")
    return {
        "name": worker["name"][0]["text"],
        "born": worker["birthDate"],
        "sex": worker.get("gender", ""),
        "phone": digits(worker["telecom"][0]["value"]),
        "no": resource(bundle, "Task")["identifier"][0]["value"],
    }


def facts_of_keis(d: Mapping[str, Any]) -> dict[str, str]:
    body, born = d["body"], d["body"]["brthDt"]
    return {
        "name": body["sekrNm"],
        "born": f"{born[:4]}-{born[4:6]}-{born[6:]}",
        "sex": {"1": "male", "2": "female", "9": "unknown"}[body["sexCd"]],
        "phone": body["mblTelno"],
        "no": body["refNo"],
    }


def facts_of_kead(d: Mapping[str, Any]) -> dict[str, str]:
    sex = {"남": "male", "여": "female", "미상": "unknown"}[d["gender"]]
    return {"name": d["name"], "born": d["birthDt"], "sex": sex, "phone": digits(d["tel"]), "no": d["rno"]}


FACTS = {"keis": facts_of_keis, "kead": facts_of_kead, "trn": facts_of_fhir}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("partner", PARTNERS)
def test_the_standard_record_and_the_partners_message_agree(
    partner: str, variant: dict[str, Any], catalogue: Catalogue
) -> None:
    record = {**case(), **leg(partner), **variant}
    ours = facts_of_fhir(catalogue.get("case-to-fhir|1.0.0").apply(record, {"now": HOST["now"]}).document)
    theirs = FACTS[partner](catalogue.get(f"{partner}-referral-out|1.0.0").apply(record, HOST).document)
    told = {name: value for name, value in theirs.items() if value}
    assert told.keys() >= ours.keys() - ({"sex"} if partner == "trn" else set())
    assert told == {name: ours[name] for name in told}


# ── what must not leave, even if the record was never narrowed ───────────────────────────────────────────────────────
SECRET = {
    "diagnoses": "S62.6",
    "memo": "오전 상담을 원함",
    "personKey": "P000000000042",
    "caseNo": "20260001000042",
    "matchToken": "9a" * 32,
    "addrText": "서울 강남구 테헤란로 1",
    "workplaceName": "한국전자(주)",
    "employerBrn": "1248100998",
    "email": "worker42@example.kr",
    "counselling": "직업복귀 상담",
    "coordinator.jcNo": "J001234",
    "accidentDate": "2026-01-05",
}


def in_force(partner: str, kind: str) -> str:
    """The pin in a partner's profile."""
    profile = datafile.read(MAPPINGS / "partners" / partner / "profile.yaml")
    return str(profile["mappings"][kind])


def called_back(map_: CompiledMap, reason: str, state: str) -> dict[str, str]:
    """What a cancellation is told: why, and where the leg stands, if it asks."""
    return {"reason": reason} | ({"state": state} if "state" in map_.header.params else {})


@pytest.mark.rule("R-02")
@pytest.mark.parametrize("partner", PARTNERS)
@pytest.mark.parametrize("kind", ["referral", "cancel", "cancel of work"])
def test_a_partner_map_cannot_leak_even_from_a_record_that_nobody_narrowed(
    partner: str, kind: str, catalogue: Catalogue
) -> None:
    kind, _, of_work = kind.partition(" ")
    map_ = catalogue.get(in_force(partner, kind))
    extra = called_back(map_, "WDR", "in-progress" if of_work else "accepted") if kind == "cancel" else {}
    made = map_.apply({**case(), **leg(partner)}, HOST | extra)
    text = json.dumps(made.document, ensure_ascii=False)
    assert [field for field, value in SECRET.items() if value in text] == []


@pytest.mark.parametrize("partner", PARTNERS)
@pytest.mark.parametrize("reason", ["RTW", "WDR", "DTH", "REO", "DUP", "ETC"])
@pytest.mark.parametrize("state", ["accepted", "in-progress", "completed"])
def test_a_cancellation_names_the_referral_and_nobody(
    partner: str, reason: str, state: str, catalogue: Catalogue, schemas: Schemas, fhir: FhirRules
) -> None:
    map_ = catalogue.get(in_force(partner, "cancel"))
    document = map_.apply({**case(), **leg(partner)}, HOST | called_back(map_, reason, state)).document
    target = map_.header.target_schema
    assert not (schemas.check(target, document) if target else fhir.check(document))
    text = json.dumps(document, ensure_ascii=False)
    assert leg(partner)["referral"][0]["no"] in text
    assert [w for w in ("남궁민수", "1980-02-29", "19800229", "1234-5678", "01012345678", "이순자") if w in text] == []


# ── bad examples ─────────────────────────────────────────────────────────────────────────────────────────────────────
def expected(folder: Path) -> str:
    """The check that must refuse it: named in its first line."""
    found = re.match(r"# Wrong on purpose \((S\d+)\): ", (folder / "map.yaml").read_text())
    assert found, folder
    return found[1]


@pytest.fixture
def alone(tmp_path: Path) -> Any:
    """A tree with the real code tables, fragments and profiles, and one bad map."""

    def build(folder: Path) -> Path:
        root = tmp_path / "mappings"
        for part in ("conceptmaps", "fragments"):
            shutil.copytree(MAPPINGS / part, root / part)
        for profile in MAPPINGS.glob("partners/*/profile.yaml"):
            (root / profile.relative_to(MAPPINGS)).parent.mkdir(parents=True)
            shutil.copy(profile, root / profile.relative_to(MAPPINGS))
        shutil.copytree(folder, root / folder.name / "1.0.0")
        return root

    return build


def test_there_is_a_bad_example_for_every_check() -> None:
    assert {expected(folder) for folder in BAD} == {f"S{n}" for n in range(1, 14)}


@pytest.mark.parametrize("folder", BAD, ids=lambda p: p.name)
def test_a_bad_example_is_refused_by_the_check_it_names(folder: Path, alone: Any) -> None:
    root = alone(folder)
    errors = [f for f in check(root, SCHEMAS) if f.severity is Severity.ERROR]
    mine = [f for f in errors if f.code == expected(folder)]
    assert mine, [str(f) for f in errors]
    assert all(re.match(rf"mappings/{folder.name}/1\.0\.0/\S+:\d+: .*\w", str(f)) for f in mine)


def test_the_refusal_of_a_leaked_diagnosis_says_what_to_whom_and_why(alone: Any) -> None:
    said = " ".join(str(f) for f in check(alone(MAPPINGS / "bad/diagnosis-to-keis"), SCHEMAS) if f.code == "S9")
    assert "diagnoses" in said
    assert "상병" in said
    assert "KEIS" in said


# ── a real map edited to leak ────────────────────────────────────────────────────────────────────────────────────────
KEIS_OUT = "partners/keis/referral-out/1.0.0/map.yaml"
RESTRICTIONS = """"=iif(restrictions.exists(), ('작업 제한: ' & %restricted).substring(0, 500))\""""
LEAKS = {  # what the analyst writes: (in the place of, instead); the fragment is written beside it
    "leaf": [(RESTRICTIONS, '"=diagnoses.first().code"')],
    "let": [
        ("  leg: ", '  sick: "=diagnoses.first().code"\n  leg: '),
        (RESTRICTIONS, '"=%sick"'),
    ],
    "guard": [("body:\n", "body:\n    $if: \"diagnoses.first().code = 'F32'\"\n")],
    "fragment": [("body:\n", "body:\n    $use: sick\n"), (f"    cnslMemo: {RESTRICTIONS}\n", "")],
}
FRAGMENT = 'fragment: sick\ntemplate:\n  cnslMemo: "=diagnoses.first().code"\n'


@pytest.mark.rule("R-06")
@pytest.mark.parametrize("how", LEAKS)
def test_a_map_edited_to_leak_a_diagnosis_is_refused_in_words_of_the_analyst(how: str, tmp_path: Path) -> None:
    root = tmp_path / "mappings"
    shutil.copytree(MAPPINGS, root, ignore=shutil.ignore_patterns("bad"))
    text = (root / KEIS_OUT).read_text().replace('  diagnoses: "health: a diagnosis never leaves (R-06)"\n', "")
    for old, new in LEAKS[how]:
        assert text.count(old) == 1
        text = text.replace(old, new)
    (root / KEIS_OUT).write_text(text)
    if how == "fragment":
        (root / "fragments" / "sick.yaml").write_text(FRAGMENT)
    with pytest.raises(MapsRefused) as refused:
        Catalogue.load(root, SCHEMAS)
    at = "fragments/sick.yaml:3" if how == "fragment" else f"{KEIS_OUT}:{line_of(text, 'cnslMemo:')}"
    said = (
        f"mappings/{at}: field 'diagnoses' (상병, class H3) must never leave to KEIS: "
        "the dictionary says '-' [target body.cnslMemo]"
    )
    assert said in [str(f) for f in refused.value.findings if f.code == "S9"]


def line_of(text: str, written: str) -> int:
    """Where something is written, lines from 1."""
    return text[: text.index(written)].count("\n") + 1


# ── the page for analysts ────────────────────────────────────────────────────────────────────────────────────────────
def test_the_worked_example_of_the_readme_works(alone: Any, tmp_path: Path) -> None:
    text = (MAPPINGS / "README.md").read_text()
    (written,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    source, row = (strict_json.loads(found.encode()) for found in re.findall(r"```json\n(.*?)```", text, re.DOTALL))
    folder = tmp_path / "example-row"
    folder.mkdir()
    (folder / "map.yaml").write_text(written)
    root = alone(folder)
    assert [str(f) for f in check(root, SCHEMAS) if f.severity is Severity.ERROR] == []
    assert Catalogue.load(root, SCHEMAS).get("example-row|1.0.0").apply(source, {}).document == row
