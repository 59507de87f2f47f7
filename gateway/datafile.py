"""Data files under `mappings/`: strict YAML, checked against a grammar, named by digest.

Rules: a key is text and appears once; only `true` and `false` are booleans, only what JSON writes so is a number; dates
and `NO`, `on`, `010`, `0x1f`, `12:30` stay text; the file keeps to its grammar in `schemas/meta/`. It refuses to load
anything else, and names file and place.
Maps have a reader of their own (`gateway.documents.gwmap`): they need the line of every leaf.
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml

from gateway.errors import DataFileInvalid, Place


class _StrictLoader(yaml.SafeLoader):
    """JSON's numbers, true, false and null; every other plain scalar is text. Keys are text, and none appears twice."""


_SCALARS = (
    ("null", r"(?:~|null|Null|NULL|)\Z", ["~", "n", "N", ""]),
    ("bool", r"(?:true|false)\Z", list("tf")),
    ("int", r"-?(?:0|[1-9][0-9]*)\Z", list("-0123456789")),
    ("float", r"-?(?:0|[1-9][0-9]*)\.[0-9]+\Z", list("-0123456789")),
)
_StrictLoader.yaml_implicit_resolvers = {}
for _name, _form, _firsts in _SCALARS:
    _StrictLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(_form), _firsts)


def _mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in node.value:
        name = loader.construct_object(key, deep=True)
        if not isinstance(name, str) or name == "<<":
            raise yaml.constructor.ConstructorError(
                None, None, "a key is no text, or merges others (<<)", key.start_mark
            )
        if name in found:
            raise yaml.constructor.ConstructorError(None, None, "a key appears twice", key.start_mark)
        found[name] = loader.construct_object(value, deep=True)
    return found


_StrictLoader.add_constructor("tag:yaml.org,2002:map", _mapping)


@cache
def _grammar(path: Path) -> Any:
    return jsonschema_rs.validator_for(json.JSONDecoder().decode(path.read_text("utf-8")), validate_formats=True)


def load(path: Path, grammar: Path) -> dict[str, Any]:
    """The content of the file `path`, which keeps to `grammar`; DataFileInvalid with every finding if not."""
    document = read(path)
    findings = [f"/{'/'.join(map(str, e.instance_path))} {e.message}" for e in _grammar(grammar).iter_errors(document)]
    if findings:
        raise DataFileInvalid("; ".join(findings), place=_place(path))
    return dict(document)


def read(path: Path) -> Any:
    """The content of the file `path`, held against no grammar. Raises DataFileInvalid."""
    try:
        return yaml.load(path.read_bytes(), _StrictLoader)  # noqa: S506 - a SafeLoader, only stricter
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as e:
        raise DataFileInvalid(str(e).replace("\n", " "), place=_place(path)) from None


def _place(path: Path) -> Place:
    return Place(file=f"{path.parent.name}/{path.name}")


def digest(path: Path) -> str:
    """`sha256:<hex>` of the file's bytes: the name under which a lock file keeps it."""
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
