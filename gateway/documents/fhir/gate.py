"""The first pass: all strict schemas in one compiled validator, so that they share what they have in common.

Resources are handed over under the name of their type (`[{"Patient": {…}}]`), and find their schema by that name. One
validator for each type would hold every data type and every pattern once for each of them.

It refuses a type that has no schema, and it leaves rules that the second pass decides at a tenth of the cost to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonschema_rs

from gateway.documents.fhir import strict
from gateway.errors import DataFileInvalid

Json = dict[str, Any]
_LATER = frozenset({"allOf", "if", "then"})  # choices and ele-1: rules of the second pass as well


class Gate:
    """Compiled strict schemas: name → schema, with that of the data types among them."""

    def __init__(self, schemas: Mapping[str, Json]) -> None:
        self.types = frozenset(schemas) - {strict.DATATYPES}
        self._schema = _compiled({name: lean(schema) for name, schema in schemas.items()}, self.types)

    def accepts(self, *resources: Json) -> bool:
        """Has every resource the form of its type (one of `types`)? Several are judged in one stroke."""
        return bool(self._schema.is_valid([{resource["resourceType"]: resource} for resource in resources]))

    def complaint(self, resource: Json) -> tuple[list[str | int], str]:
        """Where in a resource that is not accepted the first broken rule is, and which keyword it is."""
        error = next(self._schema.iter_errors([{resource["resourceType"]: resource}]))
        return list(error.instance_path)[2:], str(error.kind.name)


def lean(schema: Any) -> Any:
    """A strict schema without the rules that the second pass checks as well."""
    if isinstance(schema, dict):
        return {k: lean(v) for k, v in schema.items() if k not in _LATER or not isinstance(v, list | dict)}
    return [lean(v) for v in schema] if isinstance(schema, list) else schema


def _compiled(schemas: Mapping[str, Json], types: frozenset[str]) -> Any:
    try:
        registry = jsonschema_rs.Registry([(s["$id"], s) for s in schemas.values()])
        by_type = {name: {"$ref": schemas[name]["$id"]} for name in sorted(types)}
        return jsonschema_rs.Draft202012Validator(
            {"items": {"properties": by_type}}, registry=registry, pattern_options=jsonschema_rs.RegexOptions()
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError, KeyError) as error:
        raise DataFileInvalid(f"schemas/fhir/r4/strict: {str(error).splitlines()[0]}") from None
