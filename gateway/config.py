"""Settings: the only reader of the environment.

Every setting has a default that works on one machine without any server. The table in gateway/README.md is checked
against this class by a test. Secrets are files under the home folder, never values in the environment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import orjson
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from gateway import failpoint
from gateway.errors import SettingsInvalid

_ADDRESS = re.compile(
    r"https?://[A-Za-z0-9.:\[\]-]{1,255}/(?!(.*/)?\.{1,2}([/?]|$))[A-Za-z0-9._~:/?!$&'()*+,;=%-]{0,1024}"
)
_ROOT = Path(__file__).resolve().parent.parent
WebAddress = Annotated[str, Field(pattern=r"^https?://[!-~]+$")]


class Settings(BaseSettings):
    """What an operator may set, as environment variables `GATEWAY_…`."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_", extra="forbid", frozen=True)

    home: Path = Field(default=Path(".gateway"), description="folder for the embedded database, keys and written files")
    database_url: str | None = Field(
        default=None, description="a PostgreSQL server; unset: the embedded one under home"
    )
    owner_url: str | None = Field(
        default=None,
        description="the same database as its owner, to migrate and back it up; unset: GATEWAY_DATABASE_URL owns it",
    )
    broker_url: str | None = Field(
        default=None,
        pattern=r"^(rediss?|redis\+socket)://\S+$",
        description="Redis or Valkey, only to wake workers: redis://…; unset: that of `gateway up`, if any",
    )
    schemas: Path = Field(default=_ROOT / "schemas", description="folder of schemas")
    mappings: Path = Field(default=_ROOT / "mappings", description="folder of maps, code tables, rules and profiles")
    host: str = Field(default="127.0.0.1", description="address the partners' door listens on")
    port: int = Field(default=8700, ge=0, le=65535, description="port of the partners' door; 0 takes a free one")
    metrics_host: str = Field(default="127.0.0.1", description="address metrics are served on, to Prometheus only")
    metrics_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="port for metrics; workers of `gateway up` take those after it; unset: none",
    )
    traces_url: WebAddress | None = Field(
        default=None, description="where traces are sent, OTLP over HTTP: http://…:4318/v1/traces; unset: none"
    )
    public_url: WebAddress | None = Field(default=None, description="base URL partners sign for; unset: host and port")
    fhir_base: WebAddress = Field(
        default="https://gateway.example/fhir", description="base URL of our FHIR resources, as references name them"
    )
    log_name: str = Field(
        default="gateway.example/xlog",
        pattern=r"^[^\s+/]+(/[^\s+/]+)*$",
        description="name of the exchange log in its checkpoints: where it is published, without https://",
    )
    witnesses: Path | None = Field(
        default=None,
        description="file that names who cosigns the exchange log, and how many are enough (C2SP tlog-policy, with "
        "addresses); unset: nobody",
    )
    stamps_url: WebAddress | None = Field(
        default=None,
        description="time stamping authority (RFC 3161) that stamps checkpoints of the exchange log; unset: none",
    )
    stamps_root: Path | None = Field(
        default=None, description="file with the root certificates (PEM) that the authority's stamps must lead to"
    )
    stamps_every_s: float = Field(default=3600.0, gt=0, description="a checkpoint is stamped so often, in seconds")
    log_unwitnessed_s: float = Field(
        default=4 * 3600.0,
        gt=0,
        description="with stop-sending: so long the log may go without enough witnesses, in seconds",
    )
    log_on_breach: Literal["alert", "stop-sending"] = Field(
        default="alert",
        description="stop-sending: after that nothing is sent until enough cosign again; alert: sending goes on",
    )
    partner_urls: dict[str, str] = Field(
        default_factory=dict,
        description='URL per partner, with its path, as it is signed, JSON: {"KEIS": "http://…/…"}',
    )
    partner_networks: tuple[IPv4Network | IPv6Network, ...] = Field(
        default=(),
        description='private networks partners may be reached in, JSON: ["10.1.0.0/16"]; public addresses always may',
    )
    inbox_dir: Path | None = Field(
        default=None,
        description="folder COMWEL drops files in, moved to its done/ or err/ once answered; unset: home/from-comwel",
    )
    outbox_dir: Path | None = Field(default=None, description="folder for files to COMWEL; unset: home/to-comwel")
    attempt_timeout_s: float = Field(default=15.0, gt=0, description="one delivery attempt, in seconds")
    lease_s: float = Field(default=30.0, gt=0, description="lease of a delivery, in seconds; longer than an attempt")
    settle_s: float = Field(
        default=2.0,
        ge=0,
        description="a leg is judged when nothing was added for so long; an update waits so long for company",
    )
    keys_cached_s: float = Field(
        default=3600.0, ge=60, le=86_400,
        description="partners may keep our public keys so long, in seconds; a new one is shown longer before it signs",
    )  # fmt: skip
    business_day: Path | None = Field(
        default=None, description="file that holds the business day, in a demo's home only; unset: today"
    )
    retry_scale: float = Field(
        default=1.0, gt=0, description="factor on the waits of retries and probes; 1 in production"
    )
    deliver_batch: int = Field(default=32, ge=1, le=256, description="messages claimed at once per partner")
    poison_after: int = Field(
        default=3, ge=2, description="a message is dead when this many attempts in a row died without a result"
    )
    unit_idle_s: float = Field(
        default=60.0,
        ge=1,
        description="a transaction whose process says nothing for this long is undone by the database, in seconds",
    )
    deliver_threads: int = Field(default=4, ge=1, le=64, description="deliveries in flight per partner and process")

    env: Literal["production", "test"] = Field(default="production", description="test: failpoints may be set")
    failpoint: str = Field(
        default="", description="points at which this process dies, `name:probability|nth`; only with GATEWAY_ENV=test"
    )

    @field_validator("database_url", "owner_url")
    @classmethod
    def _an_address_of_postgresql(cls, value: str | None) -> str | None:
        try:
            conninfo_to_dict(value or "")
        except ProgrammingError:
            raise PydanticCustomError("postgresql_url", "an address is like postgresql://user@host/database") from None
        return value

    @model_validator(mode="after")
    def _only_a_test_dies_on_purpose(self) -> Settings:
        if self.failpoint and self.env != "test":
            raise PydanticCustomError("failpoint", "GATEWAY_FAILPOINT: only with GATEWAY_ENV=test")
        return self

    @field_validator("failpoint")
    @classmethod
    def _a_point_of_the_list(cls, value: str) -> str:
        failpoint.read(value)
        return value

    @field_validator("public_url")
    @classmethod
    def _paths_follow(cls, value: str | None) -> str | None:
        return value and value.rstrip("/")

    @field_validator("partner_urls")
    @classmethod
    def _signed_as_they_are_sent(cls, value: dict[str, str]) -> dict[str, str]:
        if not all(map(_ADDRESS.fullmatch, value.values())):
            raise PydanticCustomError(
                "address", "http or https, a host, a path, and nothing that is sent in another way"
            )
        return value

    @model_validator(mode="after")
    def _a_lease_outlasts_an_attempt(self) -> Settings:
        if self.lease_s < self.attempt_timeout_s + 5:
            raise PydanticCustomError(
                "lease_too_short", "GATEWAY_LEASE_S: at least 5 s more than GATEWAY_ATTEMPT_TIMEOUT_S"
            )
        return self

    def from_comwel(self) -> Path:
        """The folder for files from COMWEL."""
        return self.inbox_dir or self.home / "from-comwel"

    def to_comwel(self) -> Path:
        """The folder for files to COMWEL."""
        return self.outbox_dir or self.home / "to-comwel"


class Doubt(NamedTuple):
    """A setting that is probably not meant so: its name in capitals, a short code, and what a person should know."""

    name: str
    code: Literal["unknown", "no-folder"]
    sentence: str


def doubts(settings: Settings) -> list[Doubt]:
    """Names of ours that no setting has, and a drop folder that is none. Neither stops the gateway; never a value."""
    known = _named_texts(dict.fromkeys(Settings.model_fields, ""))
    given = {name.upper() for name in environment()}  # names count in any case
    found = [
        Doubt(name, "unknown", "no setting has this name" + "".join(f"; {near}?" for near in _nearest(name, known)))
        for name in sorted(given - known.keys())
        if name.startswith("GATEWAY_")
    ]
    if settings.inbox_dir is not None and not _is_folder(settings.inbox_dir):
        found.append(Doubt("GATEWAY_INBOX_DIR", "no-folder", "there is no such folder: nothing is taken in"))
    return found


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # somebody else's
        return False


def _nearest(name: str, known: Iterable[str]) -> list[str]:
    return get_close_matches(name, known, n=1, cutoff=0.8)


def environment(**settings: object) -> dict[str, str]:
    """The environment for a process of ours: what we were given, with these settings in place of it."""
    return {**os.environ, **_named_texts(settings)}  # noqa: TID251 - the one reader


def environment_without(setting: str) -> dict[str, str]:
    """What we were given, for a process of ours that one setting is not for."""
    hidden = f"gateway_{setting}"  # names count in any case
    return {name: value for name, value in environment().items() if name.casefold() != hidden}


def become(**settings: object) -> None:
    """Let this process, forked for it, read these settings in place of those it was given."""
    os.environ.update(_named_texts(settings))  # noqa: TID251 - the one reader


def _named_texts(settings: Mapping[str, object]) -> dict[str, str]:
    return {f"GATEWAY_{name.upper()}": _text(value) for name, value in settings.items() if value is not None}


def _text(value: object) -> str:
    return orjson.dumps(value, default=str).decode() if isinstance(value, Mapping | list | tuple) else str(value)


def read_settings(**overrides: Any) -> Settings:
    """Read the environment once. Raises SettingsInvalid naming each wrong setting, never its value."""
    try:
        return Settings(**overrides)
    except SettingsError as error:  # a value that should be JSON is not; the message names the field, never the value
        raise SettingsInvalid(f"GATEWAY_{_field_in(str(error))} (json)") from None
    except ValidationError as error:
        raise SettingsInvalid(", ".join(sorted({_named(e) for e in error.errors()}))) from None


def _field_in(message: str) -> str:
    return next((name.upper() for name in Settings.model_fields if f'"{name}"' in message), "…")


def _named(error: ErrorDetails) -> str:
    return f"GATEWAY_{str(error['loc'][0]).upper()} ({error['type']})" if error["loc"] else error["msg"]
