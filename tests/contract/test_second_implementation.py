"""A partner needs nothing of ours: jwcrypto and plain OpenSSL verify what we seal, and we verify what they seal."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from pathlib import Path

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS

from gateway.sealing import lists, manifest, receipts
from gateway.sealing.keys import to_jwk
from tests.unit.sealing.build import BODY, MID, NOW, key_of, manifest_of, receipt_of, record_of, ring, sealed, stated
from tests.unit.sealing.test_lists import a_list


def openssl(*arguments: str | Path) -> bytes:
    return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=20).stdout


def unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def by_jwcrypto(owner: str, typ: str, payload: bytes) -> str:
    """What a partner with jwcrypto seals."""
    private = JWK.from_pem(key_of(owner).to_pem())
    made = JWS(payload)
    made.add_signature(private, "ES256", orjson.dumps({"typ": typ, "kid": key_of(owner).kid, "alg": "ES256"}).decode())
    return str(made.serialize(compact=True))


def read_by_jwcrypto(text: str, owner: str) -> bytes:
    """What a partner with jwcrypto and our published JWK reads."""
    found = JWS()
    found.deserialize(text, JWK(**to_jwk(record_of(owner))))
    return bytes(found.payload)


def test_jwcrypto_reads_our_manifest_and_finds_the_body_in_it() -> None:
    payload = orjson.loads(read_by_jwcrypto(sealed(), "comwel"))
    assert unpadded(payload["parts"][0]["s256"]) == hashlib.sha256(BODY).digest()


def test_jwcrypto_reads_our_receipt() -> None:
    sent = sealed()
    payload = orjson.loads(read_by_jwcrypto(receipts.make(receipt_of(sent), key_of("kead")), "kead"))
    assert unpadded(payload["mjws_s256"]) == hashlib.sha256(sent.encode()).digest()


def test_jwcrypto_reads_our_reconciliation_list() -> None:
    ours = lists.make(a_list(), key_of("comwel"))
    payload = orjson.loads(read_by_jwcrypto(ours, "comwel"))
    assert [line.split(" ")[0] for line in payload["entries"]] == sorted(entry.mid for entry in a_list().entries)
    assert payload["counts"] == {"in": 1, "out": 3}


def test_we_check_a_reconciliation_list_that_jwcrypto_sealed() -> None:
    ours = lists.make(a_list(), key_of("comwel"))
    members = {**stated(ours), "iss": "kead", "aud": "comwel", "answers": lists.digest_list(ours)}
    text = by_jwcrypto("kead", lists.TYP, orjson.dumps(members))
    found = lists.check(text, keys=ring(), author="kead", audience="comwel", answers=ours, received=NOW)
    assert found.entries == a_list().entries


def test_we_open_a_manifest_that_jwcrypto_sealed() -> None:
    members = {**stated(sealed()), "iss": "kead", "aud": "comwel", "type": "outcome.reported"}
    text = by_jwcrypto("kead", "comwel-msg+jwt", orjson.dumps(members))
    opened = manifest.open_sealed(text, {"body": BODY}, keys=ring(), audience="comwel", sender="kead", received=NOW)
    assert opened == manifest_of(iss="kead", aud="comwel", type="outcome.reported")


def test_we_check_a_receipt_that_jwcrypto_sealed() -> None:
    sent = sealed()
    members = stated(receipts.make(receipt_of(sent), key_of("kead")))
    text = by_jwcrypto("kead", "comwel-receipt+jwt", orjson.dumps(members))
    found = receipts.check(text, keys=ring(), expected_mid=MID, sent_jws=sent, received=NOW)
    assert found == receipt_of(sent)


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    place = tmp_path / "comwel.pem"
    place.write_bytes(record_of("comwel").public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return place


def test_openssl_verifies_our_manifest(tmp_path: Path, pem: Path) -> None:
    signed, _, signature = sealed().rpartition(".")
    raw = unpadded(signature)
    (tmp_path / "signed").write_text(signed)
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    (tmp_path / "signature").write_bytes(der)
    verify = ("dgst", "-sha256", "-verify", pem, "-signature", tmp_path / "signature", tmp_path / "signed")
    assert openssl(*verify) == b"Verified OK\n"
    (tmp_path / "signed").write_text(signed + "A")
    with pytest.raises(subprocess.CalledProcessError):
        openssl(*verify)


def test_we_open_a_manifest_that_openssl_sealed(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(key_of("comwel").to_pem())
    signed, _, _ = sealed().rpartition(".")
    (tmp_path / "signed").write_text(signed)
    openssl("dgst", "-sha256", "-sign", tmp_path / "key.pem", "-out", tmp_path / "signature", tmp_path / "signed")
    r, s = decode_dss_signature((tmp_path / "signature").read_bytes())
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    text = f"{signed}.{base64.urlsafe_b64encode(raw).rstrip(b'=').decode()}"
    opened = manifest.open_sealed(text, {"body": BODY}, keys=ring(), audience="kead", received=NOW)
    assert opened == manifest_of()
