"""Settings: read once, wrong ones are named, and no value is ever shown."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from gateway.config import Settings, doubts, read_settings
from gateway.errors import SettingsInvalid


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"GATEWAY_{name.upper()}", raising=False)


def test_without_any_setting_it_works_on_one_machine() -> None:
    settings = read_settings()
    assert settings.database_url is None
    assert settings.host == "127.0.0.1"
    assert (settings.schemas / "comwel" / "dictionary.csv").is_file()
    assert (settings.mappings / "partners").is_dir()


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PORT", "0")
    monkeypatch.setenv("GATEWAY_PARTNER_URLS", '{"KEIS": "http://keis.example/messages"}')
    settings = read_settings()
    assert settings.port == 0
    assert settings.partner_urls == {"KEIS": "http://keis.example/messages"}


@pytest.mark.parametrize(
    "path", ["", "in", "v1/in.json", "a..b/.well-known/in", "in?to=rehab&v=1", "%EC%B7%A8/in", "a//b"]
)
def test_a_partners_address_is_sent_to_the_letter_as_it_is_written_and_signed(path: str) -> None:
    [url] = read_settings(partner_urls={"KEIS": f"https://keis.example/{path}"}).partner_urls.values()
    sent = httpx2.URL(url)
    assert f"https://keis.example{sent.raw_path.decode()}" == str(sent) == url


def test_paths_follow_our_public_url_whether_it_ends_in_a_slash_or_not() -> None:
    for said in ("https://gateway.example/in", "https://gateway.example/in/"):
        assert read_settings(public_url=said).public_url == "https://gateway.example/in"


def test_what_the_caller_says_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PORT", "9000")
    assert read_settings(port=9001).port == 9001


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("PORT", "70000"),
        ("PORT", "the-usual-one"),
        ("ATTEMPT_TIMEOUT_S", "0"),
        ("LEASE_S", "-1"),
        ("RETRY_SCALE", "0"),
        ("DELIVER_BATCH", "257"),
        ("DELIVER_THREADS", "65"),
        ("PARTNER_URLS", '["a-secret-place"]'),
        ("PARTNER_URLS", '{"KEIS": "a-secret-place"}'),
        ("PUBLIC_URL", "gateway.comwel"),
        ("TRACES_URL", "collector:4318"),
        ("FHIR_BASE", "fhir"),
        ("BROKER_URL", "a-secret-place:6379"),
        ("DATABASE_URL", "a-secret-place"),
        ("OWNER_URL", "postgres//owner:a-secret@place"),
        ("PARTNER_URLS", '{"KEIS": "https://keis.example"}'),
        ("PARTNER_URLS", '{"KEIS": "https://keis.example/취업"}'),
        ("PARTNER_URLS", '{"KEIS": "https://keis.example/a/../in"}'),
        ("PARTNER_URLS", '{"KEIS": "https://keis.example/./in"}'),
        ("PARTNER_URLS", '{"KEIS": "https://keis.example/in/.."}'),
        ("PARTNER_URLS", '{"KEIS": "https://keis.example/in#there"}'),
        ("PARTNER_URLS", '{"KEIS": "https://keis.example?in"}'),
        ("PARTNER_URLS", '{"KEIS": "https://kim@keis.example/in"}'),
        ("PARTNER_URLS", '{"KEIS": "ftp://keis.example/in"}'),
        ("PARTNER_URLS", '{"KEIS": "https://취업.example/in"}'),
        ("PARTNER_URLS", '{"KEIS": "https://keis.example/' + "in/" * 999 + '"}'),
        ("PUBLIC_URL", "gateway.example"),
    ],
)
def test_a_wrong_setting_is_named_and_its_value_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, wrong: str
) -> None:
    monkeypatch.setenv(f"GATEWAY_{name}", wrong)
    with pytest.raises(SettingsInvalid) as caught:
        read_settings()
    assert f"GATEWAY_{name}" in str(caught.value)
    assert wrong not in str(caught.value)
    assert caught.value.__cause__ is None


def test_all_wrong_settings_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PORT", "x")
    monkeypatch.setenv("GATEWAY_LEASE_S", "x")
    with pytest.raises(SettingsInvalid, match=r"GATEWAY_LEASE_S .*GATEWAY_PORT "):
        read_settings()


def test_a_setting_that_does_not_exist_is_refused() -> None:
    with pytest.raises(SettingsInvalid, match="GATEWAY_COLOUR"):
        read_settings(colour="blue")


def test_a_name_that_no_setting_has_and_a_drop_folder_that_is_none_are_doubtful(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GATEWAY_PARTNER_URL", "secret")
    monkeypatch.setenv("Gateway_Colour", "secret")
    monkeypatch.setenv("GATEWAY_PORT", "8700")
    file = tmp_path / "file"
    file.touch()
    for inbox in (tmp_path / "nowhere", file, file / "below"):
        found = {doubt.name: doubt for doubt in doubts(read_settings(inbox_dir=inbox))}
        assert {name: doubt.code for name, doubt in found.items() if "_TEST_" not in name} == {
            "GATEWAY_COLOUR": "unknown", "GATEWAY_INBOX_DIR": "no-folder", "GATEWAY_PARTNER_URL": "unknown"
        }  # fmt: skip
        assert found["GATEWAY_PARTNER_URL"].sentence == "no setting has this name; GATEWAY_PARTNER_URLS?"
        assert "secret" not in repr(found)
    assert "GATEWAY_INBOX_DIR" not in {d.name for d in doubts(read_settings(inbox_dir=tmp_path))}
    assert "GATEWAY_INBOX_DIR" not in {d.name for d in doubts(read_settings())}


def test_settings_do_not_change_once_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        read_settings().port = 1  # type: ignore[misc]


def test_files_to_comwel_go_below_home_unless_said_otherwise() -> None:
    assert read_settings(home=Path("h")).to_comwel() == Path("h/to-comwel")
    assert read_settings(outbox_dir=Path("o")).to_comwel() == Path("o")


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_says_what_it_is_for(name: str) -> None:
    assert Settings.model_fields[name].description
