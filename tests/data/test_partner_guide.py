"""The partners' page is true: the request it shows verifies, and its manifest and receipt are what the code demands."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.documents.schemas import Schemas
from gateway.documents.strict_json import loads
from gateway.errors import (
    ConsentWithdrawn,
    DigestMismatch,
    DocumentInvalid,
    DocumentTooLarge,
    GapTooWide,
    GatewayError,
    IllegalMove,
    KeyRefused,
    ManifestContradicted,
    ManifestInvalid,
    MappingFailed,
    NotFresh,
    NothingSigns,
    NotYourLeg,
    OutcomeIncomplete,
    PartnerStopped,
    SameIdOtherBytes,
    SignatureInvalid,
    StoreDamaged,
    StoreUnavailable,
    TooBusy,
    UnreadableJson,
    WrongAudience,
)
from gateway.sealing import compact, http, manifest, receipts
from gateway.sealing.algorithms import ALGORITHMS, USUAL
from gateway.sealing.keys import KeyRing, from_jwk, gate_set, generate
from gateway.sealing.manifest import Manifest
from gateway.sealing.receipts import Decision

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "adapters" / "partners" / "README.md").read_text(encoding="utf-8")
BODY = (ROOT / "mappings/partners/keis/outcome-in/1.0.0/fixtures/accepted.json").read_bytes()
JWKS, MANIFEST, RECEIPT = map(loads, re.findall(rb"^```json\n(.*?)^```", PAGE.encode(), re.DOTALL | re.MULTILINE))
LINES = re.findall(r"^```http\n(.*?)\n```", PAGE, re.DOTALL | re.MULTILINE)[0].replace("\\\n", "").split("\n")
HEADERS = dict(line.split(": ", 1) for line in LINES[1:])
TARGET = f"https://{HEADERS['Host']}{LINES[0].split()[1]}"
AT = datetime.fromtimestamp(MANIFEST["iat"], UTC)
RING = KeyRing(from_jwk(jwk, "keis", AT - timedelta(days=1)) for jwk in JWKS["keys"])


def opened() -> Manifest:
    jws = HEADERS["Comwel-Message-JWS"]
    return manifest.open_sealed(jws, {"body": BODY}, keys=RING, audience="comwel", sender="keis", received=AT)


def test_the_request_of_the_page_verifies_as_the_door_verifies() -> None:
    attempt = http.verify("POST", TARGET, HEADERS, BODY, keys=RING, now=AT)
    assert (attempt.owner, attempt.mid, attempt.jws) == ("keis", opened().mid, HEADERS["Comwel-Message-JWS"])
    assert HEADERS["Content-Type"] == opened().parts[0].cty
    Schemas.load(ROOT / "schemas" / "partners").require("urn:keis:schema:outcome:1.0.0", loads(BODY))


def test_the_manifest_of_the_page_is_the_one_that_is_sealed() -> None:
    assert manifest.read(orjson.dumps(MANIFEST)) == opened()


@pytest.mark.parametrize("name", MANIFEST)
def test_a_manifest_without_one_of_the_members_is_refused(name: str) -> None:
    with pytest.raises(ManifestInvalid):
        manifest.read(orjson.dumps({member: value for member, value in MANIFEST.items() if member != name}))


def read_receipt(stated: dict[str, Any]) -> object:
    """A receipt as its form is read; the signature is anybody's."""
    return receipts.promised(compact.seal(orjson.dumps(stated), typ=receipts.TYP, key=generate()))


def test_the_receipt_of_the_page_is_about_this_request() -> None:
    assert read_receipt(RECEIPT)
    about = receipts.acknowledge(opened(), HEADERS["Comwel-Message-JWS"], Decision(RECEIPT["decision"]), AT)
    said = ("mid", "mjws_s256", "decision", "code", "iss", "aud")
    assert [RECEIPT[name] for name in said] == [getattr(about, name) for name in said]
    assert RECEIPT["parts"] == [part._asdict() for part in about.parts]


@pytest.mark.parametrize("name", [name for name in RECEIPT if name != "promise"])
def test_a_receipt_without_one_of_the_members_is_refused(name: str) -> None:
    with pytest.raises(ManifestInvalid):
        read_receipt({member: value for member, value in RECEIPT.items() if member != name})


def test_a_receipt_may_do_without_a_promise() -> None:
    assert read_receipt({name: value for name, value in RECEIPT.items() if name != "promise"}) is None


def test_the_page_names_every_member_and_the_algorithms_that_are_taken() -> None:
    for name in [*MANIFEST, *RECEIPT]:
        assert re.search(rf"^\|[^|]*`{name}`", PAGE, re.MULTILINE), name
    rows = re.findall(r"^\| `(\w+)` \| `([\w-]+)` \| (?:EC|RSA)", PAGE, re.MULTILINE)
    assert dict(rows) == {name: ALGORITHMS[name].http_name for name in USUAL}
    assert gate_set(JWKS)


UNPROVEN = (SignatureInvalid, NotFresh, KeyRefused, DigestMismatch, WrongAudience, ManifestInvalid, DocumentTooLarge)
READ = (UnreadableJson, DocumentInvalid, ManifestContradicted, MappingFailed)
RECEIPTED = (*READ, NotYourLeg, ConsentWithdrawn, IllegalMove, OutcomeIncomplete, GapTooWide)
LATER = (PartnerStopped, StoreUnavailable, TooBusy, NothingSigns, StoreDamaged)
ANSWERS = [
    (set(statuses.split()), re.findall(r"`([A-Z-]+)…?`", codes), receipt)
    for statuses, codes, receipt in re.findall(r"^\| ((?:\d{3} ?)+)\|([^|]*)\| ([^|]*) \|", PAGE, re.MULTILINE)
]


def is_named(error: type[GatewayError], codes: list[str]) -> bool:
    return any(error.code == code or (code.endswith("-") and error.code.startswith(code)) for code in codes)


@pytest.mark.parametrize("error", [*UNPROVEN, *RECEIPTED, SameIdOtherBytes, *LATER])
def test_the_page_says_of_every_refusal_with_which_status_it_comes_and_whether_there_is_a_receipt(
    error: type[GatewayError],
) -> None:
    rows = [receipt for status, codes, receipt in ANSWERS if str(error.status) in status and is_named(error, codes)]
    assert rows == ["`rejected`" if error in RECEIPTED else "none"]


def test_the_proxy_takes_a_manifest_as_long_as_the_page_says() -> None:
    proxy = (ROOT / "gateway" / "proxy" / "nginx.conf").read_text(encoding="utf-8")
    [kilobytes] = re.findall(r"large_client_header_buffers 4 (\d+)k;", proxy)
    assert f"up to {compact.MAX_LENGTH} characters" in PAGE
    assert int(kilobytes) * 1024 > compact.MAX_LENGTH + len("Comwel-Message-JWS: \r\n")
