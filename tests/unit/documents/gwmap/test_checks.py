"""The checks S1 to S13: each blocks a map, and says so in words an analyst understands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from gateway.documents.gwmap import Catalogue, MapsRefused, check_file
from gateway.documents.gwmap.minimise import Allowed
from gateway.errors import MappingFailed, MapRefused

ROOT = Path(__file__).parents[4]
PARTNER = '{schema: "urn:t:partner:1"}'
BUNDLE = '{fhir: "4.0.1", root: Bundle}'
GOOD = "no: =caseNo\nsex: \"=sex.translate('letter')\""
ENTRY = "resourceType: Bundle\ntype: collection\nentry:\n  - fullUrl: ='urn:uuid:' & caseNo\n    resource:\n      "


def patient(body: str) -> str:
    return ENTRY + "resourceType: Patient\n      " + body.replace("\n", "\n      ")


# template, target, what is said
WRONG = [
    (GOOD + "\nnumber: =name", PARTNER, "S5", "target element 'number' does not exist in urn:t:partner:1"),
    (GOOD + "\ntel: =name", PARTNER, "S5", "(did you mean 'tels'?) [target tel]"),
    (GOOD + "\nwho: {nam: =name, name: x}", PARTNER, "S5",
     "'nam' does not exist in 'who' (did you mean 'name'?) [target who.nam]"),
    (GOOD + "\nborn: =birth", PARTNER, "S4",
     "'birth' is a string, a date is wanted (use .ymd() for YYYYMMDD) [target born]"),
    (GOOD + "\nborn: yesterday", PARTNER, "S4", "'yesterday' is not a date"),
    (GOOD + "\ncount: =hours", PARTNER, "S4", "'hours' is a decimal, an integer is wanted (use .toInteger())"),
    (GOOD + "\ncount: '7'", PARTNER, "S4", "'7' is not an integer"),
    (GOOD + "\ntels: =name", PARTNER, "S5", "'tels' is a list: write its items with '-' or in [ ]"),
    (GOOD + "\nmemo: =phone", PARTNER, "S4",
     "'phone' is a list, one value is wanted (use .first(), .single() or .join(', '))"),
    (GOOD + "\nmemo: [=name]", PARTNER, "S5", "'memo' holds one value, a list is given"),
    (GOOD + "\nmemo: [{$for: x in phone, v: =%x}]", PARTNER, "S5", "'memo' holds one value"),
    (GOOD + "\nmemo: {a: =name}", PARTNER, "S5", "'memo' is a string, an object is given"),
    (GOOD + "\nwho: =name", PARTNER, "S4", "is wanted here, 'name' is a string"),
    (GOOD + "\nmemo: ~", PARTNER, "S1", "a constant must hold something"),
    ("sex: M", PARTNER, "S6", "'no' is required in urn:t:partner:1 but never written [target no]"),
    ("no: =caseNo\nsex: X", PARTNER, "S7", "'X' is not among the codes allowed here (allowed: M, F)"),
    ("no: =caseNo\nsex: \"=sex.translate('sex')\"", PARTNER, "S7",
     "'male', 'female', 'unknown' (by ConceptMap sex) not among"),
    ("no: =caseNo\nsex: \"=iif(alive, 'M', 'W')\"", PARTNER, "S7", "'W' not among the codes allowed here"),
    (patient("gendr: male"), BUNDLE, "S5",
     "'gendr' does not exist in Patient (did you mean 'gender'?) [target Bundle.entry[0].resource.gendr]"),
    (patient("gender: mael"), BUNDLE, "S7", "'mael' is not among the codes allowed here (did you mean 'male'?)"),
    (patient("name: {text: =name}"), BUNDLE, "S5", "'name' is a list"),
    (patient("name: [{use: nick}]"), BUNDLE, "S7", "'nick'"),
    (patient("birthDate: =name"), BUNDLE, "S4", "'name' is a string, a date is wanted"),
    (patient("deceasedBoolean: =alive\ndeceasedDateTime: =born"), BUNDLE, "S5",
     "both 'deceased[x]': only one may be written"),
    (patient("deceasedString: =name"), BUNDLE, "S5", "'deceasedString' does not exist"),
    (patient("contact: [{gendr: x}]"), BUNDLE, "S5",
     "'gendr' does not exist in Patient.contact (did you mean 'gender'?)"),
    (patient("managingOrganization: {reference: ='urn:uuid:' & name}"), BUNDLE, "S11",
     "reference ''urn:uuid:' & name' has no entry with that fullUrl"),
    (ENTRY + "resourceType: Patent", BUNDLE, "S5", "there is no resource 'Patent' (did you mean 'Patient'?)"),
    (ENTRY + "name: [{text: =name}]", BUNDLE, "S5", "a resource needs its 'resourceType' as a constant"),
    (ENTRY + "resourceType: Organization", BUNDLE, "S6", "'name' is required in Organization but never written"),
    (ENTRY + "resourceType: Organization\n      _name: {extension: [{url: why, valueString: =name}]}", BUNDLE, "S6",
     "'name' is required in Organization but never written"),
    ("resourceType: Bundle\ntimestamp: =%now\nentry: [{fullUrl: =caseNo}]", BUNDLE, "S6",
     "'type' is required in Bundle"),
    ("a: {$iff: x}", '{schema: "urn:t:open:1"}', "S1", "'$iff' is not a directive (did you mean '$if'?)"),
    ("a: {$else: x}", '{schema: "urn:t:open:1"}', "S1", "'$else' stands only beside '$if'"),
    ("a: {$keep: yes, v: =name}", '{schema: "urn:t:open:1"}', "S1", "'$keep' is true or false"),
    ("a: {$with: {x: 1}, v: =name}", '{schema: "urn:t:open:1"}', "S1", "'$with' stands only beside '$use'"),
    ("a: [{$for: x of phone, v: 1}]", '{schema: "urn:t:open:1"}', "S2", "'$for' reads \"x in path\""),
    ("a: [{$for: a in phone, b: [{$for: b in phone, c: [{$for: c in phone, d: [{$for: d in phone, v: 1}]}]}]}]",
     '{schema: "urn:t:open:1"}', "S1", "nested deeper than 3"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("template", "target", "code", "said"), WRONG, ids=[f"{i}-{w[2]}" for i, w in enumerate(WRONG)]
)
def test_a_wrong_template_blocks_the_map_with_a_sentence(
    workshop: Any, template: str, target: str, code: str, said: str
) -> None:
    head = "params: {now: instant}" if "%now" in template else ""
    errors = workshop.errors(template, target=target, head=head)
    assert any(e.startswith(code + " mappings/mini/1.0.0/map.yaml:") and said in e for e in errors), errors


HEADS = [
    ("maps: {sx: 'https://gateway.example/fhir/ConceptMap/sex|1.0.0'}", "S13", "code table 'sx' is never used"),
    ("maps: {sex: 'https://gateway.example/fhir/ConceptMap/sex|9.0.0'}", "S8", "there is no ConceptMap"),
    ("maps: {sex: 'https://gateway.example/fhir/ConceptMap/sex'}", "S1", "/maps/sex: does not match"),
    ("let: {lonely: =name}", "S13", "let 'lonely' is never used"),
    ("let: {a: '=%b', b: =name}", "S13", "'%b' is neither a parameter nor a let"),
    ("params: {now: moment}", "S1", "/params/now: does not match"),
    ("params: {p: 'urn:nobody'}", "S3", "there is no schema 'urn:nobody'"),
    ("ignored: {nam: not needed}", "S3", "ignored field 'nam' does not exist"),
    ("ignored: {coordinator.nam: not needed}", "S3", "(did you mean 'name'?)"),
    ("ignored: {'*': not needed, nam: too much}", "S3", "ignored field 'nam' does not exist"),
    ("ignored: {'*': not needed, birth: not needed}", "S13",
     "'birth' is ignored for the reason of '*' (take the line away)"),
    ("ignored: {'*': no}", "S1", "/ignored/*"),
    ("colour: blue", "S1", "holds names the schema does not know: colour"),
    ("policy: {unmapped: guess}", "S1", "/policy/unmapped: must be one of error, omit"),
    ("partner: KEAD\npurpose: rehab", "S9", "partner KEAD has no profile.yaml: nothing may leave"),
    ("partner: KEIS\npurpose: fun", "S9", "purpose 'fun' is not in mappings/partners/keis/profile.yaml"),
]  # fmt: skip


@pytest.mark.parametrize(("head", "code", "said"), HEADS, ids=[h[0] for h in HEADS])
def test_a_wrong_head_blocks_the_map_with_a_sentence(workshop: Any, head: str, code: str, said: str) -> None:
    errors = workshop.errors("a: =name", head=head)
    assert any(e.startswith(code + " mappings/mini/1.0.0/map.yaml:") and said in e for e in errors), errors


def test_a_duplicate_name_is_an_s1_with_its_line(workshop: Any) -> None:
    errors = workshop.errors("a: =name\na: =sex")
    assert any(re.match(r"S1 mappings/mini/1\.0\.0/map\.yaml:\d+: the name 'a' occurs twice", e) for e in errors)


def test_lets_that_double_each_other_are_refused(workshop: Any) -> None:
    doubled = "".join(f"  l{n}: =%l{n - 1} & %l{n - 1}\n" for n in range(1, 40))
    (error,) = workshop.errors("a: =%l39", head="let:\n  l0: =caseNo & name\n" + doubled)
    assert error.startswith("S1")
    assert "holds more than 5000 nodes, with the lets put in" in error


def test_two_files_with_one_pin_are_refused(workshop: Any) -> None:
    workshop.map("a: =name")
    assert any("stands in" in e for e in workshop.errors("a: =name", place="other"))


def test_a_map_stands_in_the_folder_of_its_version(workshop: Any) -> None:
    path = workshop.map("a: =name")
    path.parent.rename(path.parent.with_name("2.0.0"))
    assert any("version 1.0.0 must stand in a folder of that name" in e for e in workshop.errors())


# ── S8: code tables ──────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_code_the_field_may_hold_must_be_in_the_table(workshop: Any) -> None:
    del workshop.tables["sex"]["group"][0]["element"][1]
    errors = workshop.errors("a: \"=sex.translate('sex')\"")
    assert any("S8" in e and "ConceptMap 'sex' has no entry for ['2'] allowed by sex [target a]" in e for e in errors)


def test_a_policy_of_omitting_lifts_s8(workshop: Any) -> None:
    del workshop.tables["sex"]["group"][0]["element"][1]
    assert workshop.errors("a: \"=sex.translate('sex', unmapped: 'omit')\"\nb: =name") == []


TRANSLATE = [
    ("sex.translate('sx')", "S13", "code table 'sx' is not declared under 'maps'"),
    ("sex.translate(sex)", "S4", "takes the name of a code table first"),
    ("sex.translate('sex', 'nonsense')", "S4", "output must be one of code, display"),
    ("sex.translate('sex', unmapped: 'guess')", "S4", "unmapped must be one of"),
    ("sex.translate('sex', unmapped: 'text')", "S4", "needs output 'concept'"),
    ("sex.translate('sex', onn: %now)", "S4", "has no argument 'onn' (did you mean 'on'?)"),
    ("months.translate('sex')", "S4", "translate() takes codes, 'months' is an integer"),
]


@pytest.mark.parametrize(("source", "code", "said"), TRANSLATE)
def test_a_translation_used_wrongly_blocks_the_map(workshop: Any, source: str, code: str, said: str) -> None:
    head = "maps: {sex: 'https://gateway.example/fhir/ConceptMap/sex|1.0.0'}\nparams: {now: instant}"
    errors = workshop.errors(f'a: "={source}"\nb: =name\nc: "=sex.translate(\'sex\')"', head=head)
    assert any(e.startswith(code) and said in e for e in errors), errors


# ── S9, S10: minimisation ────────────────────────────────────────────────────────────────────────────────────────────
OUT = "partner: KEIS\npurpose: rehab"
LEAKS = [
    (
        "memo: =diagnoses.code.join(',')",
        "field 'diagnoses' (상병, class H3) must never leave to KEIS: the dictionary says '-' [target memo]",
    ),
    ("memo: \"=iif(diagnoses.exists(role = 'main'), 'x')\"", "field 'diagnoses' (상병, class H3) must never leave"),
    ("who: {$if: diagnoses.count() > 1, name: x}", "field 'diagnoses' (상병, class H3) must never leave"),
    ("memo: =%sick", "field 'diagnoses' (상병, class H3) must never leave"),
    ("memo: =%context.diagnoses.first().code", "field 'diagnoses' (상병, class H3) must never leave"),
    (
        'memo: "=caseNo & phone.where($this = %context.name).first()"',
        "field 'name' (성명, class P1) is not allowed to KEIS for 'rehab' by mappings/partners/keis/profile.yaml",
    ),
    ("count: =hours.toInteger()", "field 'hours' (시간, class S0) must never leave to KEIS: the dictionary says 'in'"),
    ("memo: =coordinator.no", "'coordinator.no' (잡코디) may not leave to KEIS: only name, tel"),
    ("tels: [{$for: d in diagnoses, x: 1}]", "field 'diagnoses'"),
    ("count: \"=diagnoses.select('x').count()\"", "field 'diagnoses' (상병, class H3) must never leave"),
    ("memo: \"=diagnoses.select('x').join('')\"", "field 'diagnoses' (상병, class H3) must never leave"),
    ("memo: \"=alive.select('known')\"", "field 'alive' (생존, class P1) is not allowed"),
    ('memo: "=iif(caseNo.exists(), coordinator, {}).no"', "'coordinator.no' (잡코디) may not leave to KEIS"),
    ("memo: =coordinator.select($this).no", "'coordinator.no' (잡코디) may not leave to KEIS"),
    (
        'tels: [{$for: "c in iif(caseNo.exists(), coordinator)", x: =%c.no}]',
        "'coordinator.no' (잡코디) may not leave to KEIS",
    ),
]


@pytest.mark.parametrize(("line", "said"), LEAKS, ids=[leak[0] for leak in LEAKS])
def test_nothing_leaves_that_the_allow_list_does_not_name(workshop: Any, line: str, said: str) -> None:
    head = OUT + ("\nlet: {sick: '=diagnoses.first().code'}" if "%sick" in line else "")
    errors = workshop.errors(GOOD + "\n" + line, target=PARTNER, head=head)
    assert any(e.startswith("S9") and said in e for e in errors), errors


@pytest.mark.parametrize("leaf", ["=%context", "=$this", "=iif(alive, %context)", "=%all"])
def test_the_whole_record_cannot_leave_at_once(workshop: Any, leaf: str) -> None:
    head = OUT + ("\nlet: {all: =%context}" if "%all" in leaf else "")
    errors = workshop.errors(f'a: "{leaf}"', head=head)
    assert any(e.startswith("S9") and "field '*'" in e for e in errors), errors


@pytest.mark.parametrize("leaf", ["=coordinator", "=%one", "=coordinator.where(name.exists())"])
def test_an_object_that_leaves_as_one_takes_all_its_parts_along(workshop: Any, leaf: str) -> None:
    head = OUT + ("\nlet: {one: '=coordinator'}" if "%one" in leaf else "")
    errors = workshop.errors(f'a: "{leaf}"\nb: =caseNo & sex & phone.first()', head=head)
    assert [e.partition(": ")[2] for e in errors] == [
        "'coordinator.no' (잡코디) may not leave to KEIS: only name, tel [target a]"
    ]


def test_whether_an_object_is_there_may_be_asked_where_its_parts_may_leave(workshop: Any) -> None:
    workshop.profile("caseNo: Y\n      sex: C1\n      coordinator: Y(name,tel)")
    more = "\nmemo: \"=iif(coordinator.exists(), 'x')\"\nwho: {$if: coordinator.exists(), name: =coordinator.name}"
    assert workshop.errors(GOOD + more, target=PARTNER, head=OUT) == []


def test_of_a_period_only_its_days_may_leave() -> None:
    allowed = Allowed("KEIS", "rehab", "profile.yaml", {"subsidies": "period", "careEnd": "date"})
    assert allowed.parts("subsidies") == frozenset({"from", "until"})
    assert allowed.parts("careEnd") is None


@pytest.mark.parametrize(
    ("kind", "head", "said"),
    [
        ("referral", "partner: KEIS\npurpose: rehab", ""),
        ("referral", "", "'mini|1.0.0' is outbound for nobody, not outbound for KEIS"),
        ("referral", "partner: KEAD\npurpose: rehab", "'mini|1.0.0' is outbound for KEAD, not outbound for KEIS"),
        ("outcome", "partner: KEIS\npurpose: rehab", "'mini|1.0.0' is outbound for KEIS, not inbound for KEIS"),
    ],
)
def test_a_profile_pins_maps_that_were_made_for_its_partner(workshop: Any, kind: str, head: str, said: str) -> None:
    workshop.profile(f"caseNo: Y\n      sex: C1\nmappings: {{{kind}: mini|1.0.0}}")
    errors = workshop.errors(GOOD, target=PARTNER, head=head)
    found = [e for e in errors if "mappings/partners/keis/profile.yaml:1:" in e]
    assert found == ([f"S9 mappings/partners/keis/profile.yaml:1: mappings.{kind}: {said}"] if said else [])


def test_a_fragment_cannot_smuggle(workshop: Any) -> None:
    workshop.fragment("f", "fragment: f\nparams: []\ntemplate: {name: =diagnoses.first().code}\n")
    errors = workshop.errors(GOOD + "\nwho: {$use: f}", target=PARTNER, head=OUT)
    assert any(e.startswith("S9 mappings/fragments/f.yaml:3") and "[target who.name]" in e for e in errors)


def test_an_allow_list_wider_than_the_dictionary_is_refused(workshop: Any) -> None:
    workshop.profile(
        "caseNo: Y\n      sex: Y\n      diagnoses: Y\n      hours: Y\n      coordinator: Y(no)\n      nm: Y"
    )
    errors = " ".join(workshop.errors(GOOD, target=PARTNER, head=OUT))
    assert "allows field 'sex' (성별, class P1) as 'Y': the dictionary says 'C1'" in errors
    assert "allows field 'diagnoses' (상병, class H3) as 'Y': the dictionary says '-'" in errors
    assert "allows field 'hours' (시간, class S0) as 'Y': the dictionary says 'in'" in errors
    assert "allows field 'coordinator' (잡코디, class P1) as 'Y(no)': the dictionary says 'Y(name,tel)'" in errors
    assert "allows 'nm', which the dictionary does not know" in errors


def test_a_stricter_allow_list_is_fine(workshop: Any) -> None:
    workshop.profile("caseNo: C1\n      sex: C1\n      coordinator: Y(name)")
    assert workshop.errors(GOOD + "\nwho: {name: =coordinator.name}", target=PARTNER, head=OUT) == []


def test_a_map_under_partners_must_say_for_whom_and_why(workshop: Any) -> None:
    errors = workshop.errors(GOOD, target=PARTNER, place="partners/keis/out")
    assert any("S9" in e and "declares its 'partner' and 'purpose'" in e for e in errors)


def test_a_partner_map_uses_or_ignores_every_field_it_may_use(workshop: Any) -> None:
    errors = workshop.errors(GOOD, target=PARTNER, head=OUT, ignore=False)
    assert [e for e in errors if "S10" in e] == [e for e in errors if "'phone'" in e or "'coordinator'" in e]
    assert len(errors) == 2


def test_an_internal_map_uses_or_ignores_every_field(workshop: Any) -> None:
    errors = workshop.errors("a: =name", ignore=False)
    assert any("S10" in e and "source field 'months' (개월) is neither used nor ignored" in e for e in errors)
    assert len(errors) == 10


def test_a_star_gives_one_reason_for_all_that_is_not_used(workshop: Any) -> None:
    assert workshop.errors("a: =name", head="ignored: {'*': only the name, birth: for another reason}") == []


def test_a_star_hides_no_leak(workshop: Any) -> None:
    errors = workshop.errors(GOOD + "\nmemo: =birth", target=PARTNER, head=OUT + "\nignored: {'*': not needed}")
    assert [e for e in errors if e.startswith("S9") and "field 'birth'" in e]


def test_a_star_with_nothing_left_is_refused(workshop: Any) -> None:
    workshop.profile("caseNo: Y\n      sex: C1")
    errors = workshop.errors(GOOD, target=PARTNER, head=OUT + "\nignored: {'*': not needed}")
    assert [e for e in errors if e.startswith("S13") and "'*' has nothing left to ignore" in e]


def test_a_conditional_field_is_never_surely_there(workshop: Any) -> None:
    workshop.profile("caseNo: Y\n      sex: C1")
    found = workshop.findings(GOOD + "\nmemo: x", target=PARTNER, head=OUT)
    said = [str(f) for f in found if f.code == "S6"]
    assert len(said) == 1
    assert "warning: 'sex' is required in urn:t:partner:1 but may be empty: sex is not always there" in said[0]


def test_an_unconditional_required_field_is_surely_there(workshop: Any) -> None:
    assert not [f for f in workshop.findings(GOOD, target=PARTNER) if f.code == "S6"]


@pytest.mark.parametrize("who", ["{name: =coordinator.name}", "{$if: alive, name: =coordinator.name, tel: =caseNo}"])
def test_what_is_optional_as_a_whole_is_not_warned_of_but_checked(workshop: Any, who: str) -> None:
    found = workshop.findings(GOOD + f"\nwho: {who}", target=PARTNER)
    assert not [f for f in found if f.code == "S6"]


def test_a_required_part_of_an_optional_whole_stops_the_record(workshop: Any, record: dict[str, Any]) -> None:
    map_ = workshop.compiled(GOOD + "\nwho: {name: =coordinator.name, tel: =name}", target=PARTNER)
    del record["coordinator"]["name"]
    with pytest.raises(MappingFailed, match="required element 'name' would be empty"):
        map_.apply(record, {})


def test_narrowing_always_leaves_the_entry_of_the_leg() -> None:
    allowed = Allowed("KEIS", "rehab", "profile.yaml", {"name": "Y", "sex": "C1", "phone": "Y"})
    surely = {
        n: allowed.certain(n, n in ("name", "sex")) for n in ("referral", "partnerPersonId", "name", "sex", "phone")
    }
    assert [n for n, sure in surely.items() if sure] == ["referral", "partnerPersonId", "name"]


# ── S11, S12, S13 ────────────────────────────────────────────────────────────────────────────────────────────────────
REFERENCES = [
    ("{reference: ='urn:uuid:' & caseNo}", ""),
    ("{reference: =%me}", ""),
    ('{reference: "=iif(alive, %me)"}', ""),
    ("{reference: =%branch}", "external: {branch: it is known}"),
    ("{reference: \"=ref('Organization', name)\"}", "external: {Organization: it is known}"),
    ("{reference: Organization/comwel}", "external: {Organization: it is known}"),
    ("{reference: '#inside'}", ""),
]


@pytest.mark.parametrize(("reference", "head"), REFERENCES)
def test_a_reference_to_an_entry_or_declared_external_is_fine(workshop: Any, reference: str, head: str) -> None:
    lets = {"me": "='urn:uuid:' & caseNo", "branch": "='x' & name"}
    used = "\n".join(f'  {n}: "{e}"' for n, e in lets.items() if f"%{n}" in reference)
    more = head + ("\nlet:\n" + used if used else "")
    assert workshop.errors(patient("managingOrganization: " + reference), target=BUNDLE, head=more) == []


def test_a_relative_reference_finds_its_full_url(workshop: Any) -> None:
    template = patient("managingOrganization: {reference: \"=ref('Patient', caseNo)\"}").replace(
        "='urn:uuid:' & caseNo", "\"=%base & '/' & ref('Patient', caseNo)\""
    )
    assert workshop.errors(template, target=BUNDLE, head="params: {base: url}") == []


def test_unused_fragments_and_parameters_are_warned_of(workshop: Any) -> None:
    workshop.fragment("idle", "fragment: idle\ntemplate: {a: b}\n")
    said = " ".join(str(f) for f in workshop.findings("a: =name", head="params: {now: instant, base: url?}"))
    assert "fragment 'idle' is never used" in said
    assert "parameter 'now' is never used" in said
    assert "parameter 'base'" not in said  # the host may give it, the map need not use it


def test_text_for_a_place_of_codes_is_warned_of_but_not_what_the_host_answers_for(workshop: Any) -> None:
    head = "params: {which: code}"
    said = [f for f in workshop.findings("no: =caseNo\nsex: =%which", target=PARTNER, head=head) if f.code == "S7"]
    assert said == []
    said = [
        f for f in workshop.findings("no: =caseNo\nsex: =name & %which", target=PARTNER, head=head) if f.code == "S7"
    ]
    assert len(said) == 1


# ── the catalogue ────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_refusal_lists_every_finding_of_every_active_map(workshop: Any) -> None:
    workshop.map("a: =nam\nb: =sx", name="one")
    workshop.map("a: =brth\nb: =name", name="two")
    with pytest.raises(MapsRefused) as caught:
        workshop.load()
    assert {"'nam'", "'sx'", "'brth'"} <= set(re.findall(r"'\w+'", str(caught.value)))
    assert isinstance(caught.value, MapRefused)
    assert len([f for f in caught.value.findings if f.code == "S3"]) == 3


def test_a_bad_draft_blocks_nobody_but_cannot_be_had(workshop: Any) -> None:
    path = workshop.map("a: =nam", name="rough")
    path.write_text(path.read_text(encoding="utf-8").replace("status: active", "status: draft"), encoding="utf-8")
    workshop.map("a: =name")
    catalogue: Catalogue = workshop.load()
    assert catalogue.pins() == ("mini|1.0.0",)
    with pytest.raises(MapRefused, match="'nam'"):
        catalogue.get("rough|1.0.0")


def test_an_unknown_pin_is_refused_with_the_nearest(workshop: Any) -> None:
    workshop.map("a: =name")
    with pytest.raises(MapRefused, match=r"there is no map 'mini\|1.0.1' \(did you mean 'mini\|1.0.0'\?\)"):
        workshop.load().get("mini|1.0.1")


def test_a_file_is_checked_wherever_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    here = Path("mappings/outcome-to-comwel/1.0.0/map.yaml")
    assert check_file(here, ROOT / "mappings", ROOT / "schemas") == []
    draft = tmp_path / "draft.yaml"
    draft.write_text(here.read_text("utf-8").replace("gwmap: 1", "gwmap: 2"), encoding="utf-8")
    assert [(f.code, f.file) for f in check_file(draft, ROOT / "mappings", ROOT / "schemas")][:1] == [
        ("S1", "draft.yaml")
    ]
