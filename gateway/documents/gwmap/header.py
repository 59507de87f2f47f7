"""The head of a map file: everything but let and template, as plain data, checked against the meta schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.documents.gwmap.yaml_subset import YNode

META = "urn:gateway:schema:gwmap:1"
TEST_META = "urn:gateway:schema:maptest:1"


@dataclass(frozen=True, slots=True)
class Header:
    """What a map says about itself. `lines`: where each name stands."""

    id: str
    version: str
    status: str
    direction: str
    source: str
    target_schema: str | None
    target_fhir: str | None
    root: str
    maps: Mapping[str, str]
    params: Mapping[str, str]
    policy: Mapping[str, str]
    partner: str | None
    purpose: str | None
    ignored: Mapping[str, str]
    external: Mapping[str, str]
    let: Mapping[str, YNode]
    template: YNode
    lines: Mapping[str, int]

    @property
    def pin(self) -> str:
        """`id|version`."""
        return f"{self.id}|{self.version}"


def read(node: YNode) -> Header:
    """The header of a map whose shape the meta schema has already passed."""
    items: dict[str, YNode] = node.value
    plain = {name: value.plain() for name, value in items.items() if name not in ("let", "template")}
    target = plain["target"]
    lines = {name: value.line for name, value in items.items()}
    for section in ("maps", "ignored", "params", "external"):
        lines |= {f"{section}.{name}": child.line for name, child in _children(items.get(section)).items()}
    return Header(
        id=plain["id"],
        version=plain["version"],
        status=plain["status"],
        direction=plain["direction"],
        source=plain["source"]["schema"],
        target_schema=target.get("schema"),
        target_fhir=target.get("fhir"),
        root=target.get("root", ""),
        maps=plain.get("maps") or {},
        params=plain.get("params") or {},
        policy=plain.get("policy") or {},
        partner=plain.get("partner"),
        purpose=plain.get("purpose"),
        ignored=plain.get("ignored") or {},
        external=plain.get("external") or {},
        let=_children(items.get("let")),
        template=items["template"],
        lines=lines,
    )


def _children(node: YNode | None) -> dict[str, YNode]:
    return node.value if node is not None and isinstance(node.value, dict) else {}


def canonical(header: Header) -> dict[str, Any]:
    """The parts of the header that decide what a map does."""
    return {
        "id": header.id,
        "version": header.version,
        "direction": header.direction,
        "source": header.source,
        "target": header.target_schema or {"fhir": header.target_fhir, "root": header.root},
        "maps": dict(header.maps),
        "params": dict(header.params),
        "policy": dict(header.policy),
        "partner": header.partner,
        "purpose": header.purpose,
    }
