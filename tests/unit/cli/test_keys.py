"""`gateway key add`: a file that is no good is refused before anything is opened, and the place in it is named."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from gateway.cli.keys import MOMENT, app
from gateway.cli.main import app as everything
from gateway.errors import KeyRefused
from gateway.sealing.keys import generate, to_jwk

GOOD = to_jwk(generate("keis-1"))
NAMELESS = {name: value for name, value in to_jwk(generate()).items() if name != "kid"}


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ({"keys": [NAMELESS]}, "keys/0/kid"),
        ({"keys": [GOOD, NAMELESS]}, "keys/1/kid"),
        ({"keys": [GOOD, None]}, "keys/1/kty"),
        ({"keys": []}, "keys"),
        ({"keys": GOOD}, "keys"),
        ([GOOD], "keys"),
    ],
)
def test_a_file_with_a_key_that_is_no_good_is_refused_as_a_whole(
    content: Any, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("GATEWAY_HOME", str(tmp_path / "home"))
    file = tmp_path / "jwks.json"
    file.write_bytes(orjson.dumps(content))
    refused = CliRunner().invoke(app, ["add", "keis", str(file)]).exception
    assert isinstance(refused, KeyRefused)
    assert refused.place.field == place
    assert str(refused).startswith(f"SEAL-KEY [{place}]")


@pytest.mark.parametrize("owner", ["comwel", "kies", "no such"])
def test_only_a_partner_has_its_keys_added(
    owner: str, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_DATABASE_URL", database)
    monkeypatch.setenv("GATEWAY_HOME", str(tmp_path / "home"))
    file = tmp_path / "jwks.json"
    file.write_bytes(orjson.dumps({"keys": [GOOD]}))
    refused = CliRunner().invoke(app, ["add", owner, str(file)]).exception
    assert isinstance(refused, KeyRefused)
    assert "no partner of ours has this name; keys of our own come by `gateway key rotate`" in str(refused)
    ours, theirs = (CliRunner().invoke(app, ["list", name]) for name in ("comwel", "kies"))
    assert [key["kid"] for key in orjson.loads(ours.stdout)["keys"]] == ["comwel-1"]
    assert (theirs.exit_code, theirs.stdout) == (2, "")


def test_a_partners_keys_are_added_in_any_case(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_DATABASE_URL", database)
    monkeypatch.setenv("GATEWAY_HOME", str(tmp_path / "home"))
    file = tmp_path / "jwks.json"
    file.write_bytes(orjson.dumps({"keys": [GOOD]}))
    assert CliRunner().invoke(app, ["add", "Keis", str(file)]).stdout == "keis: key keis-1 is registered\n"


@pytest.mark.parametrize("lost", [False, True], ids=["leaked", "lost"])
def test_when_our_key_has_leaked_or_is_lost_it_is_revoked_and_another_one_signs_at_once(
    lost: bool, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_DATABASE_URL", database)
    monkeypatch.setenv("GATEWAY_HOME", str(tmp_path / "home"))
    assert CliRunner().invoke(app, ["list", "comwel"]).exit_code == 0
    if lost:
        (tmp_path / "home" / "keys" / "comwel-1.pem").unlink()
    commands = (
        (app, ["revoke", "comwel", "comwel-1", "--by", "kim.0417"]),
        (app, ["list", "comwel"]),
        (app, ["rotate", "--by", "kim.0417", "--from", f"{datetime.now(UTC):{MOMENT}}"]),  # noqa: TID251 - by the clock
        (everything, ["partner", "list"]),
        (app, ["list", "comwel"]),
    )
    done = [CliRunner().invoke(one, words) for one, words in commands]
    assert [result.exception for result in done] == [None] * len(commands)
    shown = [[key["kid"] for key in orjson.loads(done[n].stdout)["keys"]] for n in (1, -1)]
    assert shown == [[], ["comwel-2"]]


def test_what_is_no_json_is_no_key_set(tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    file.write_text("{")
    assert isinstance(CliRunner().invoke(app, ["add", "keis", str(file)]).exception, KeyRefused)
