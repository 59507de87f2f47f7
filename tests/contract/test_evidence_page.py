"""The page that is in every bundle, in a real browser: it says what the script says, word for word, and asks nobody."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import orjson
import pytest

from gateway.exchange_log.bundle import ENCLOSED
from gateway.exchange_log.evidence import verify
from gateway.ports import ActsAsked
from tests.conftest import ROOT
from tests.contract.browser import Page, browser
from tests.contract.bundles import (
    FORGERIES,
    OTHER_ARCHIVES,
    POLICY,
    UNMEANT,
    Clean,
    Forgery,
    Place,
    forged,
    packed,
    relisted,
    rewritten,
    unlogged,
    with_parts_in_another_order,
)

PAGE = ROOT / "gateway" / "exchange_log" / "evidence" / "verify.html"
ENGLISH, KOREAN = 0, 1


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("browser")) as found:
        found.open(PAGE)
        yield found


def shown(
    page: Page, raw: bytes, folder: Path, *vkeys: str, policy: str | None = None, lang: int = KOREAN
) -> list[str]:
    """The lines on the page after somebody chose this bundle, and what stands below them."""
    file = folder / f"RX-{sha256(raw).hexdigest()[:8]}.zip"
    file.write_bytes(raw)
    page.evaluate(f"document.getElementById('vkey').value = {orjson.dumps(chr(10).join(vkeys)).decode()}")
    page.evaluate(f"document.getElementById('policy').value = {orjson.dumps(policy or '').decode()}")
    page.evaluate("document.getElementById('end').textContent = ''")
    page.choose("#file", file)
    page.until("document.getElementById('end').textContent !== ''")
    if page.evaluate("document.documentElement.lang") != ("en", "ko")[lang]:
        page.evaluate("document.getElementById('lang').click()")
    return list(page.evaluate("[...document.querySelectorAll('#said li, #end')].map(e => e.textContent)"))


def said(raw: bytes, *vkeys: str, policy: str | None = None, lang: int = KOREAN) -> list[str]:
    """What the script says."""
    found = list(verify.verify(raw, list(vkeys), policy))
    return [*(one.line(lang) for one in found), verify.ENDS[all(one.state != "no" for one in found)][lang]]


@pytest.mark.rule("R-14")
@pytest.mark.parametrize("lang", [ENGLISH, KOREAN], ids=["in English", "in Korean"])
def test_a_bundle_in_order_is_said_to_be_in_order(page: Page, bundle: Clean, tmp_path: Path, lang: int) -> None:
    lines = shown(page, bundle.raw, tmp_path, bundle.vkey, policy=POLICY, lang=lang)
    assert [line[:2] for line in lines[:-1]] == ["ok"] * len(verify.CHECK)
    assert lines == said(bundle.raw, bundle.vkey, policy=POLICY, lang=lang)


@pytest.mark.parametrize("one", FORGERIES, ids=lambda one: one.name)
def test_what_a_forger_did_is_said_in_the_words_of_the_script(
    page: Page, bundle: Clean, tmp_path: Path, one: Forgery
) -> None:
    raw = forged(one, bundle)
    lines = shown(page, raw, tmp_path, bundle.vkey, policy=POLICY)
    assert {line.split()[1].rstrip(":") for line in lines if line.startswith("NO")} == one.noticed
    assert lines == said(raw, bundle.vkey, policy=POLICY)


@pytest.mark.parametrize("policy", [POLICY, None, "quorum none"], ids=["given", "not given", "asks for nobody"])
@pytest.mark.parametrize("lang", [ENGLISH, KOREAN], ids=["in English", "in Korean"])
def test_a_history_made_anew_and_cosigned_by_an_accomplice_is_never_said_to_be_witnessed(
    page: Page, bundle: Clean, tmp_path: Path, policy: str | None, lang: int
) -> None:
    raw = rewritten(bundle)
    lines = shown(page, raw, tmp_path, bundle.vkey, policy=policy, lang=lang)
    marks = {line.split()[1]: line[:2] for line in lines[:-1]}
    assert [check for check, mark in marks.items() if mark != "ok"] == ["witnesses:"]
    assert lines == said(raw, bundle.vkey, policy=policy, lang=lang)


@pytest.mark.parametrize("name", [*UNMEANT][1:])
def test_a_policy_that_nobody_can_mean_is_refused_in_the_words_of_the_script(
    page: Page, bundle: Clean, tmp_path: Path, name: str
) -> None:
    lines = shown(page, bundle.raw, tmp_path, bundle.vkey, policy=UNMEANT[name])
    assert [line.split()[1] for line in lines if line.startswith("NO")] == ["witnesses:"]
    assert lines == said(bundle.raw, bundle.vkey, policy=UNMEANT[name])


def test_what_is_missing_for_a_reason_is_said_in_the_words_of_the_script(
    page: Page, here: Place, bundle: Clean, tmp_path: Path
) -> None:
    raw = here.make(ActsAsked(partner="KEAD"))
    assert shown(page, raw, tmp_path) == said(raw)


@pytest.mark.parametrize("raw", [b"", b"PK", b"\0" * 100], ids=["nothing", "a beginning", "zeros"])
def test_what_is_no_bundle_is_refused(page: Page, tmp_path: Path, raw: bytes) -> None:
    assert shown(page, raw, tmp_path) == said(raw)


@pytest.mark.parametrize("other", OTHER_ARCHIVES)
def test_an_archive_that_two_tools_could_read_differently_is_refused(
    page: Page, bundle: Clean, tmp_path: Path, other: str
) -> None:
    raw = OTHER_ARCHIVES[other](bundle.raw)
    lines = shown(page, raw, tmp_path, bundle.vkey, policy=POLICY)
    assert [line.split()[:2] for line in lines[:-1]] == [["NO", "files:"]]
    assert lines == said(raw, bundle.vkey, policy=POLICY)


def test_a_message_without_its_leaf_and_a_receipt_in_other_words_are_told_as_the_script_tells_them(
    page: Page, bundle: Clean, tmp_path: Path
) -> None:
    for raw, notes in (
        (packed(unlogged(bundle.files, bundle.signer)), ["bytes:"]),
        (packed(relisted(with_parts_in_another_order(bundle.files), bundle.signer)), []),
    ):
        lines = shown(page, raw, tmp_path, bundle.vkey, policy=POLICY)
        assert [line.split()[1] for line in lines[:-1] if not line.startswith("ok")] == notes
        assert lines == said(raw, bundle.vkey, policy=POLICY)


def test_the_page_asked_nobody_for_anything_and_nothing_went_wrong(page: Page, bundle: Clean, tmp_path: Path) -> None:
    shown(page, bundle.raw, tmp_path)
    page.evaluate("fetch('https://example.com/').catch(() => {})")
    page.evaluate("document.body.append(Object.assign(new Image(), {src: 'https://example.com/x.png'}))")
    assert {url for url in page.requested if not url.startswith("https://example.com")} == {PAGE.as_uri()}
    complaints = [one for one in page.complaints if "example.com" not in one]
    assert complaints == []
    assert all("Content Security Policy" in one for one in page.complaints)


def test_only_the_script_and_the_style_that_were_written_may_run() -> None:
    html = PAGE.read_text(encoding="utf-8")
    for tag in ("script", "style"):
        [text] = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digest = base64.b64encode(sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in html, f"the policy of the page must name sha256-{digest}"
    assert "default-src 'none'" in html
    assert not re.search(r"(src|href)=", html)


def test_page_and_script_are_in_every_bundle_as_they_are_here(bundle: Clean) -> None:
    assert {name: bundle.files[name] for name in ENCLOSED} == {n: (PAGE.parent / n).read_bytes() for n in ENCLOSED}
    assert PAGE.name in ENCLOSED
