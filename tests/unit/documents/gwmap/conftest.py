"""A small world for maps: one case schema, a partner schema, a tiny FHIR table, two code tables, one profile."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest

from gateway.documents.gwmap import Catalogue, CompiledMap, Finding, check

ROOT = Path(__file__).parents[4]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
TABLE = "https://gateway.example/fhir/ConceptMap/"

CASE: dict[str, Any] = {
    "$schema": DIALECT,
    "$id": "urn:t:case:1",
    "type": "object",
    "additionalProperties": False,
    "required": ["caseNo", "name", "birth", "sex", "diagnoses"],
    "properties": {
        "caseNo": {"title": "원부번호", "x-gw-class": "P1", "type": "string"},
        "name": {"title": "성명", "x-gw-class": "P1", "type": "string"},
        "birth": {"title": "생년월일", "x-gw-class": "P1", "type": "string"},
        "born": {"title": "생일", "x-gw-class": "P1", "type": "string", "format": "date"},
        "sex": {"title": "성별", "x-gw-class": "P1", "enum": ["1", "2", "9"]},
        "phone": {"title": "전화", "x-gw-class": "P2", "type": "array", "items": {"type": "string"}},
        "months": {"title": "개월", "x-gw-class": "S0", "type": "integer"},
        "hours": {"title": "시간", "x-gw-class": "S0", "type": "number"},
        "alive": {"title": "생존", "x-gw-class": "P1", "type": "boolean"},
        "coordinator": {"title": "잡코디", "x-gw-class": "P1", "$ref": "#/$defs/person"},
        "diagnoses": {
            "title": "상병",
            "x-gw-class": "H3",
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["code", "role"],
                "additionalProperties": False,
                "properties": {
                    "code": {"type": "string"},
                    "role": {"enum": ["main", "sub"]},
                    "parts": {"type": "array", "items": {"type": "string"}},
                },
            },
        },
    },
    "$defs": {
        "person": {
            "type": "object",
            "required": ["no"],
            "additionalProperties": False,
            "properties": {"no": {"type": "string"}, "name": {"type": "string"}, "tel": {"type": "string"}},
        }
    },
}

PARTNER: dict[str, Any] = {
    "$schema": DIALECT,
    "$id": "urn:t:partner:1",
    "type": "object",
    "additionalProperties": False,
    "required": ["no", "sex"],
    "properties": {
        "no": {"type": "string"},
        "sex": {"enum": ["M", "F"]},
        "born": {"type": "string", "format": "date"},
        "count": {"type": "integer"},
        "tels": {"type": "array", "items": {"type": "string"}},
        "memo": {"type": "string"},
        "who": {
            "type": "object",
            "additionalProperties": False,
            "required": ["name"],
            "properties": {"name": {"type": "string"}, "tel": {"type": "string"}},
        },
    },
}


def _element(*types: str, low: int = 0, high: str = "1", codes: list[str] | None = None) -> dict[str, Any]:
    return {"min": low, "max": high, "types": list(types)} | ({"codes": codes} if codes else {})


FHIR: dict[str, Any] = {
    "fhirVersion": "4.0.1",
    "types": {
        "Bundle": {
            "elements": {
                "type": _element("code", low=1, codes=["collection", "message"]),
                "timestamp": _element("instant"),
                "entry": _element("BackboneElement", high="*"),
            }
        },
        "Bundle.entry": {"elements": {"fullUrl": _element("uri"), "resource": _element("Resource")}},
        "Patient": {
            "elements": {
                "identifier": _element("Identifier", high="*"),
                "name": _element("HumanName", high="*"),
                "telecom": _element("ContactPoint", high="*"),
                "gender": _element("code", codes=["male", "female", "other", "unknown"]),
                "birthDate": _element("date"),
                "deceased[x]": _element("boolean", "dateTime"),
                "contact": _element("BackboneElement", high="*"),
                "managingOrganization": _element("Reference"),
            }
        },
        "Patient.contact": {"elements": {"name": _element("HumanName"), "gender": _element("code")}},
        "Organization": {"elements": {"name": _element("string", low=1)}},
        "HumanName": {"elements": {"use": _element("code", codes=["official", "old"]), "text": _element("string"),
                                   "given": _element("string", high="*")}},
        "Identifier": {"elements": {"system": _element("uri"), "value": _element("string")}},
        "ContactPoint": {"elements": {"system": _element("code", codes=["phone", "email"]),
                                      "value": _element("string")}},
        "Reference": {"elements": {"reference": _element("string"), "display": _element("string")}},
        "Element": {"elements": {}},
        "Extension": {"elements": {"url": _element("uri", low=1), "value[x]": _element("string", "date")}},
    },
    "valueSets": {},
}  # fmt: skip

SEX = {"1": "male", "2": "female", "9": "unknown"}


def concept_map(name: str, codes: dict[str, str], **group: Any) -> dict[str, Any]:
    """A ConceptMap with `equivalent` targets."""
    elements = [
        {"code": a, "display": f"뜻 {a}", "target": [{"code": b, "equivalence": "equivalent"}]}
        for a, b in codes.items()
    ]
    return {
        "resourceType": "ConceptMap",
        "url": TABLE + name,
        "version": "1.0.0",
        "group": [{"source": "urn:t:a", "target": "urn:t:b", "element": elements, **group}],
    }


HEAD = """\
gwmap: 1
id: {id}
version: 1.0.0
status: active
direction: outbound
source: {{schema: "urn:t:case:1"}}
target: {target}
"""
IGNORED = list(CASE["properties"])


@dataclass
class Workshop:
    """Builds maps in a temporary folder."""

    root: Path
    tables: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {
            "sex": concept_map("sex", SEX),
            "letter": concept_map("letter", {"1": "M", "2": "F", "9": "M"}),
        }
    )

    def __post_init__(self) -> None:
        for name, schema in (("case", CASE), ("partner", PARTNER)):
            self.write(f"schemas/{name}.json", json.dumps(schema))
        open_schema = {"$schema": DIALECT, "$id": "urn:t:open:1"}
        self.write("schemas/open.json", json.dumps(open_schema))
        shutil.copytree(ROOT / "schemas" / "meta", self.root / "schemas" / "meta")
        path = self.root / "schemas" / "fhir" / "r4" / "elements.json.gz"
        path.parent.mkdir(parents=True)
        path.write_bytes(gzip.compress(json.dumps(FHIR).encode()))
        columns = {"caseNo": "Y", "name": "Y", "birth": "Y", "born": "Y", "sex": "C1", "phone": "Y", "diagnoses": "-"}
        columns |= {"months": "Y", "hours": "in", "alive": "Y", "coordinator": '"Y(name,tel)"'}
        rows = "\n".join(f"{name},{form}" for name, form in columns.items())
        self.write("schemas/comwel/dictionary.csv", f"name,KEIS\n{rows}\n")
        self.profile("caseNo: Y\n      sex: C1\n      coordinator: Y(name,tel)\n      phone: Y")

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def profile(self, allow: str) -> None:
        self.write(
            "mappings/partners/keis/profile.yaml",
            f"partner: KEIS\npurposes:\n  rehab:\n    allow:\n      {allow}\n",
        )

    def fragment(self, name: str, text: str) -> None:
        self.write(f"mappings/fragments/{name}.yaml", dedent(text))

    def map(
        self,
        template: str,
        *,
        target: str = '{schema: "urn:t:open:1"}',
        head: str = "",
        name: str = "mini",
        place: str = "",
        ignore: bool = True,
    ) -> Path:
        """Write a map; fields it does not mention are ignored with a reason."""
        for table, resource in self.tables.items():
            self.write(f"mappings/conceptmaps/{table}/1.0.0.json", json.dumps(resource, ensure_ascii=False))
        template, head = dedent(template).strip("\n"), dedent(head).strip("\n")
        text = HEAD.format(id=name, target=target) + (head + "\n" if head else "")
        used = [t for t in self.tables if f"'{t}'" in template + head]
        if used and "\nmaps:" not in text:
            text += "maps:\n" + "".join(f'  {t}: "{TABLE}{t}|1.0.0"\n' for t in used)
        if ignore and "ignored:" not in head:
            rest = [n for n in IGNORED if n not in template + head]
            text += "ignored:\n" + "".join(f"  {n}: not used here\n" for n in rest) if rest else ""
        return self.write(
            f"mappings/{place or name}/1.0.0/map.yaml", text + "template:\n" + indent(template, "  ") + "\n"
        )

    def load(self) -> Catalogue:
        return Catalogue.load(self.root / "mappings", self.root / "schemas")

    def compiled(self, template: str, **more: Any) -> CompiledMap:
        self.map(template, **more)
        return self.load().get(f"{more.get('name', 'mini')}|1.0.0")

    def findings(self, template: str | None = None, **more: Any) -> list[Finding]:
        if template is not None:
            self.map(template, **more)
        return check(self.root / "mappings", self.root / "schemas")

    def errors(self, template: str | None = None, **more: Any) -> list[str]:
        found = self.findings(template, **more)
        return [f"{f.code} {f}" for f in found if f.severity == "error"]


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


@pytest.fixture(scope="session")
def workshops(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Workshop]:
    """A new workshop at each call, for property tests."""
    return lambda: Workshop(tmp_path_factory.mktemp("maps"))


@pytest.fixture
def record() -> dict[str, Any]:
    """A case with everything."""
    return {
        "caseNo": "20260000000123",
        "name": "남궁민수",
        "birth": "19800229",
        "born": "1980-02-29",
        "sex": "1",
        "phone": ["01012345678", "0212345678"],
        "months": 7,
        "hours": 37.5,
        "alive": True,
        "coordinator": {"no": "J1", "name": "김담당", "tel": "0521112222"},
        "diagnoses": [
            {"code": "S62.6", "role": "main", "parts": ["09", "08"]},
            {"code": "M54.5", "role": "sub"},
        ],
    }
