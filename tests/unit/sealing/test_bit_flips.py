"""Not one changed byte is accepted: anywhere in the body, the message, the receipt or a signature header."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import SealRefused
from gateway.sealing.http import verify
from gateway.sealing.manifest import open_sealed
from gateway.sealing.receipts import check, make
from tests.unit.sealing.build import BODY, MID, NOW, URL, key_of, receipt_of, request_of, ring, sealed

JWS = sealed()
HEADERS = request_of(JWS)
RECEIPT = make(receipt_of(JWS), key_of("kead"))


class Change(NamedTuple):
    """One byte of a text, replaced, removed or doubled; always a change."""

    at: int
    by: int  # 0 removes, 256 doubles, anything else is XORed onto the byte

    def of(self, raw: bytes) -> bytes:
        at = self.at % len(raw)
        byte = raw[at : at + 1]
        middle = b"" if self.by == 0 else byte * 2 if self.by == 256 else bytes([byte[0] ^ self.by])
        return raw[:at] + middle + raw[at + 1 :]


changes = st.builds(Change, st.integers(0, 4096), st.integers(0, 256))


def accepted(headers: dict[str, str], body: bytes) -> bool:
    """What the door does: the attempt is proven and the message believed, or it is refused."""
    attempt = verify("POST", URL, headers, body, keys=ring(), now=NOW)
    manifest = open_sealed(
        attempt.jws, {"body": body}, keys=ring(), audience="kead", sender=attempt.owner, received=NOW
    )
    return manifest.mid == attempt.mid


def test_the_unchanged_request_and_receipt_are_accepted() -> None:
    assert accepted(HEADERS, BODY)
    assert check(RECEIPT, keys=ring(), expected_mid=MID, sent_jws=JWS, received=NOW)


@settings(max_examples=60, deadline=None)
@given(changes)
def test_a_body_with_a_changed_byte_is_refused(change: Change) -> None:
    body = change.of(BODY)
    with pytest.raises(SealRefused):
        accepted(HEADERS, body)
    with pytest.raises(SealRefused):
        open_sealed(JWS, {"body": body}, keys=ring(), audience="kead", received=NOW)


@settings(max_examples=120, deadline=None)
@given(changes)
def test_a_message_with_a_changed_byte_is_refused(change: Change) -> None:
    jws = change.of(JWS.encode()).decode("latin-1")
    with pytest.raises(SealRefused):
        open_sealed(jws, {"body": BODY}, keys=ring(), audience="kead", received=NOW)


@pytest.mark.rule("R-24")
@settings(max_examples=60, deadline=None)
@given(changes)
def test_a_receipt_with_a_changed_byte_is_refused(change: Change) -> None:
    with pytest.raises(SealRefused):
        check(change.of(RECEIPT.encode()).decode("latin-1"), keys=ring(), expected_mid=MID, sent_jws=JWS, received=NOW)


@settings(max_examples=240, deadline=None)
@given(st.sampled_from(sorted(HEADERS)), changes)
def test_a_header_with_a_changed_byte_is_refused(name: str, change: Change) -> None:
    value = change.of(HEADERS[name].encode()).decode("latin-1")
    if value.strip(" \t") == HEADERS[name]:
        return  # space around a value is not part of it (RFC 9110 §5.5)
    with pytest.raises(SealRefused):
        accepted({**HEADERS, name: value}, BODY)
