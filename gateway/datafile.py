"""Data files under `mappings/`: strict YAML, checked against a grammar, named by digest.

Rules: a key appears once; only `true` and `false` are booleans, dates and `NO`, `on`, `010` stay text (YAML 1.2 core);
the file keeps to its grammar in `schemas/meta/`. It refuses to load anything else, and names file and place.
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
    """YAML 1.2 core scalars only: no dates, no yes/no booleans, no key twice."""


_StrictLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if not tag.endswith((":timestamp", ":bool"))]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_StrictLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"(?:true|false)\Z"), list("tf"))


def _mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    pairs = [(loader.construct_object(k, deep=True), loader.construct_object(v, deep=True)) for k, v in node.value]
    found = dict(pairs)
    if len(found) != len(pairs):
        raise yaml.constructor.ConstructorError(None, None, "a key appears twice", node.start_mark)
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
