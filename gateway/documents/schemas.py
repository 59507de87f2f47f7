"""JSON Schemas (2020-12) of cases, outcomes, partner messages and our own data files, compiled once.

Rules: a schema is every `*.json` under the root that carries both `$schema` (2020-12) and `$id`; two files with one
`$id` are refused; formats are asserted, so `19810229` is no date; `$ref` resolves inside the root only, never outside.
A finding is a JSON pointer, the rule that failed and a sentence made from the schema.

It refuses to put a value of the document into a finding, and it refuses to load anything after `Schemas.load`.
`schemas/fhir/` is left to `gateway.documents.fhir`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, Self, TypeVar

import jsonschema_rs
import rfc8785

from gateway.documents import strict_json
from gateway.errors import DataFileInvalid, DocumentInvalid, Place

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NAMED = 20  # places named in one refusal
_LARGEST_SCHEMA = 8_388_608
T = TypeVar("T")


class Finding(NamedTuple):
    """One broken rule. `pointer` is a JSON pointer (RFC 6901) into the document, `rule` a JSON Schema keyword."""

    pointer: str
    rule: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.pointer or '/'}: {self.sentence}"


class Schemas:
    """All schemas under one root, compiled. Build with `load`; immutable afterwards."""

    def __init__(self, documents: Mapping[str, dict[str, Any]]) -> None:
        self._raw = dict(documents)
        registry = _registry(self._raw)
        self._compiled = {i: _compiled(i, d, registry) for i, d in self._raw.items()}
        self._digests = {i: "sha256:" + hashlib.sha256(rfc8785.dumps(d)).hexdigest() for i, d in self._raw.items()}

    @classmethod
    def load(cls, root: Path) -> Self:
        """Read every schema under `root` (a folder). Raises `DataFileInvalid`."""
        found: dict[str, dict[str, Any]] = {}
        for path in sorted(root.rglob("*.json")):
            if path.relative_to(root).parts[0] == "fhir":
                continue
            document = _read(path)
            if document is None:
                continue
            if document["$id"] in found:
                raise DataFileInvalid("this $id is already taken by another file", place=Place(file=str(path)))
            found[document["$id"]] = document
        return cls(found)

    def ids(self) -> tuple[str, ...]:
        """The `$id` of every schema."""
        return tuple(self._raw)

    def check(self, schema_id: str, document: Any) -> tuple[Finding, ...]:
        """All findings of `document` against the schema; empty when it keeps to it."""
        compiled = _known(schema_id, self._compiled)
        if compiled.is_valid(document):
            return ()
        return tuple(_finding(error) for error in compiled.iter_errors(document))

    def require(self, schema_id: str, document: Any) -> None:
        """Raise `DocumentInvalid` naming up to 20 places unless `document` keeps to the schema."""
        findings = self.check(schema_id, document)
        if findings:
            named = "; ".join(str(f) for f in findings[:_NAMED])
            more = f"; and {len(findings) - _NAMED} more" if len(findings) > _NAMED else ""
            raise DocumentInvalid(f"{schema_id}: {named}{more}", place=Place(field=findings[0].pointer or "/"))

    def raw(self, schema_id: str) -> dict[str, Any]:
        """The schema itself (do not change it)."""
        return _known(schema_id, self._raw)

    def digest(self, schema_id: str) -> str:
        """`sha256:` and the hex digest of the schema in its canonical form (RFC 8785)."""
        return _known(schema_id, self._digests)


def _known(schema_id: str, table: Mapping[str, T]) -> T:
    try:
        return table[schema_id]
    except KeyError:
        raise DataFileInvalid(f"no schema has the id {schema_id!r}") from None


def _read(path: Path) -> dict[str, Any] | None:
    document = strict_json.loads(path.read_bytes(), max_bytes=_LARGEST_SCHEMA, max_depth=64, max_tokens=1_000_000)
    if isinstance(document, dict) and document.get("$schema") == _DIALECT and isinstance(document.get("$id"), str):
        return document
    return None


def _registry(documents: Mapping[str, dict[str, Any]]) -> jsonschema_rs.Registry:
    try:
        return jsonschema_rs.Registry(list(documents.items()), retriever=_nowhere)
    except (jsonschema_rs.ReferencingError, ValueError) as error:
        raise DataFileInvalid(f"schemas {', '.join(list(documents)[:3])}: {str(error).splitlines()[0]}") from None


def _nowhere(uri: str) -> NoReturn:
    raise LookupError(f"{uri} is not one of our schemas")


def _compiled(schema_id: str, document: dict[str, Any], registry: jsonschema_rs.Registry) -> Any:
    try:
        return jsonschema_rs.Draft202012Validator(document, validate_formats=True, registry=registry)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        raise DataFileInvalid(f"schema {schema_id}: {str(error).splitlines()[0]}") from None


# What each keyword demands, said without the value. `{}` is what the schema says.
_SENTENCES = {
    "type": "must be of type {}",
    "enum": "must be one of {}",
    "const": "must be {}",
    "format": "is not a valid {}",
    "pattern": "does not match {}",
    "required": "{} is missing",
    "additionalProperties": "holds names the schema does not know: {}",
    "unevaluatedProperties": "holds names the schema does not know: {}",
    "minLength": "is shorter than {}",
    "maxLength": "is longer than {}",
    "minimum": "is below {}",
    "maximum": "is above {}",
    "exclusiveMinimum": "must be above {}",
    "exclusiveMaximum": "must be below {}",
    "minItems": "has fewer items than {}",
    "maxItems": "has more items than {}",
    "uniqueItems": "holds the same item twice",
    "not": "is in a form that is forbidden here",
    "anyOf": "fits none of the permitted forms",
    "oneOf": "does not fit exactly one of the permitted forms",
    "falseSchema": "is not allowed here",
}


def _finding(error: Any) -> Finding:
    rule = str(error.kind.name)
    pointer = "".join("/" + str(p).replace("~", "~0").replace("/", "~1") for p in error.instance_path)
    return Finding(pointer, rule, _SENTENCES.get(rule, f"breaks the rule {rule}").format(_demand(error.kind.value)))


def _demand(value: Any) -> str:
    if isinstance(value, list):
        names = [str(v)[:40] for v in value[:15]]
        return ", ".join(names) + (", …" if len(value) > 15 else "")
    return str(value)[:120]
