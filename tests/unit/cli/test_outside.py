"""What OpenSSL says of a published log, and that we do not speak for it."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.cli import outside
from gateway.exchange_log import policy
from gateway.exchange_log.note import COSIGNATURE
from tests.unit.exchange_log.growing import Growing
from tests.unit.exchange_log.test_note import signer

KEY, COSIGNER, OTHER = (
    signer(),
    signer("witness.example/w1", COSIGNATURE, 2),
    signer("witness.example/w1", COSIGNATURE, 8),
)
LOG = Growing(KEY)
AT = datetime(2026, 11, 25, 10, 0, 0, tzinfo=UTC)
TEXT = LOG.head(13).text
ONE = policy.parse(f"witness w1 {COSIGNER.verifier.vkey}\nquorum w1\n")
NOBODY = policy.parse("quorum none\n")


def published(folder: Path, witnessed: str | None, trusted: policy.Policy = ONE) -> Path:
    (folder / "policy").write_text(trusted.text(KEY.verifier))
    (folder / "checkpoint").write_text(LOG.note(14))
    if witnessed:
        (folder / "witnessed").write_text(witnessed)
    return folder


def test_openssl_finds_the_log_and_its_witness_and_says_which_openssl_it_is(tmp_path: Path) -> None:
    heard = outside.ask(published(tmp_path, LOG.note(13) + COSIGNER.sign(TEXT, AT)))
    assert heard
    assert (heard.problems, heard.checkpoint) == ([], LOG.head(13))
    assert str(heard).startswith("OpenSSL 3.")
    assert str(heard).endswith(
        f"says: the checkpoint of 13 leaves is signed by {KEY.name} and cosigned by witness.example/w1 at "
        "2026-11-25 10:00:00 UTC"
    )


def test_without_witnesses_it_checks_the_newest_checkpoint(tmp_path: Path) -> None:
    heard = outside.ask(published(tmp_path, None, NOBODY))
    assert heard
    assert (heard.checkpoint.size, heard.signed, heard.problems) == (14, [f"signed by {KEY.name}"], [])


WRONG = {
    "a log that signed something else": LOG.note(13).replace("\n13\n", "\n12\n") + COSIGNER.sign(TEXT, AT),
    "a cosignature over another checkpoint": LOG.note(13) + COSIGNER.sign(LOG.head(12).text, AT),
    "a cosignature of a stranger": LOG.note(13) + OTHER.sign(TEXT, AT),
    "no cosignature": LOG.note(13),
}


@pytest.mark.parametrize("witnessed", WRONG.values(), ids=WRONG)
def test_what_does_not_hold_is_a_problem(witnessed: str, tmp_path: Path) -> None:
    heard = outside.ask(published(tmp_path, witnessed))
    assert heard
    assert heard.problems


def test_where_there_is_no_openssl_nobody_speaks_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert outside.ask(published(tmp_path, LOG.note(13))) is None


def test_an_openssl_that_does_not_answer_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "openssl"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o700)
    monkeypatch.setattr(shutil, "which", lambda _: str(slow))
    monkeypatch.setattr(outside, "PATIENCE_S", 0.1)
    heard = outside.ask(published(tmp_path, LOG.note(13) + COSIGNER.sign(TEXT, AT)))
    assert heard
    assert (heard.signed, len(heard.problems)) == ([], 1)
    assert "has not answered" in heard.problems[0]
