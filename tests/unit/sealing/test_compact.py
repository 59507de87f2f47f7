"""The compact JWS: what standards' vectors and two other libraries make of it, and what it refuses."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws as joserfc_jws
from joserfc.jwk import ECKey, OKPKey, RSAKey
from jwcrypto import jwk as jwcrypto_jwk
from jwcrypto import jws as jwcrypto_jws

from gateway.errors import KeyRefused, SealRefused, SignatureInvalid
from gateway.sealing import base64url, compact
from gateway.sealing.gate import gate
from gateway.sealing.keys import VerifyKey, find
from gateway.sealing.manifest import TYP
from tests.unit.sealing.build import ALGS, NOW, forged, key_of, record_of, ring

PAYLOAD = b'{"v":1}'
HEADER = {"alg": "ES256", "kid": "kead-2026-11-ES256", "typ": TYP}
JOSERFC: dict[str, type[ECKey | OKPKey | RSAKey]] = {"EC": ECKey, "OKP": OKPKey, "RSA": RSAKey}


def kty(alg: str) -> str:
    return {"E": "EC", "P": "RSA", "R": "RSA"}[alg[0]] if alg != "Ed25519" else "OKP"


def judge(text: str, record: VerifyKey | None = None) -> bytes:
    """What every caller does with a JWS: take it apart, find the key, verify."""
    taken = compact.read(text, typ=TYP)
    compact.verify(taken, find(ring(record or record_of("kead")), taken.kid, taken.alg, made=NOW))
    return taken.payload


# RFC 7515 A.3 and RFC 8037 A.4: key, protected header + payload, signature
VECTORS = [
    (
        {
            "kty": "EC",
            "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
            "alg": "ES256",
            "use": "sig",
        },
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0"
        "cnVlfQ",
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    ),
    (
        {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            "alg": "Ed25519",
            "use": "sig",
        },
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    ),
]


@pytest.mark.parametrize(("jwk", "signed", "signature"), VECTORS, ids=["RFC 7515 A.3", "RFC 8037 A.4"])
def test_the_signatures_of_the_rfcs_verify(jwk: dict[str, str], signed: str, signature: str) -> None:
    material = gate(jwk, algs=ALGS)
    key = VerifyKey(material.kid, material.alg, "rfc", material.public, NOW)
    key.verify_jose(base64url.decode(signature), signed.encode())
    with pytest.raises(SignatureInvalid):
        key.verify_jose(base64url.decode(signature), signed.encode() + b"A")


@pytest.mark.parametrize("alg", ALGS)
def test_joserfc_verifies_what_we_seal_and_we_verify_what_it_seals(alg: str) -> None:
    key, record = key_of("kead", alg), record_of("kead", alg)
    theirs = JOSERFC[kty(alg)].import_key(key.to_pem())
    read = joserfc_jws.deserialize_compact(compact.seal(PAYLOAD, typ=TYP, key=key), theirs, algorithms=[alg])
    assert (read.payload, read.headers()) == (PAYLOAD, {"alg": alg, "kid": key.kid, "typ": TYP})
    made = joserfc_jws.serialize_compact({"alg": alg, "kid": key.kid, "typ": TYP}, PAYLOAD, theirs, algorithms=[alg])
    assert judge(made, record) == PAYLOAD


@pytest.mark.parametrize("alg", ALGS)
def test_jwcrypto_verifies_what_we_seal_and_we_verify_what_it_seals(alg: str) -> None:
    key, record = key_of("kead", alg), record_of("kead", alg)
    theirs = jwcrypto_jwk.JWK.from_pem(key.to_pem())
    public = jwcrypto_jwk.JWK.from_pem(record.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    read = jwcrypto_jws.JWS()
    read.allowed_algs = [alg]
    read.deserialize(compact.seal(PAYLOAD, typ=TYP, key=key), public)
    assert read.payload == PAYLOAD
    made = jwcrypto_jws.JWS(PAYLOAD)
    made.allowed_algs = [alg]
    made.add_signature(theirs, alg, orjson.dumps({"alg": alg, "kid": key.kid, "typ": TYP}).decode())
    assert judge(made.serialize(compact=True), record) == PAYLOAD


def test_a_sealed_text_is_three_parts_of_exactly_our_header() -> None:
    header, payload, signature = compact.seal(PAYLOAD, typ=TYP, key=key_of("kead")).split(".")
    assert base64url.decode(header) == b'{"alg":"ES256","kid":"kead-2026-11-ES256","typ":"comwel-msg+jwt"}'
    assert base64url.decode(payload) == PAYLOAD
    assert len(base64url.decode(signature)) == 64


def good() -> str:
    return compact.seal(PAYLOAD, typ=TYP, key=key_of("kead"))


def with_header(header: bytes | dict[str, Any]) -> str:
    return forged(PAYLOAD, header, key_of("kead"))


def split(at: int, change: Any) -> str:
    parts = good().split(".")
    parts[at] = change(parts[at])
    return ".".join(parts)


def spare_bits(part: str) -> str:
    """The same octets, spelled with unused bits that are not zero."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert len(part) % 4
    return part[:-1] + alphabet[alphabet.index(part[-1]) + 1]


PUBLIC = {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43}
DUPLICATE = b'{"alg":"none","alg":"ES256","kid":"kead-2026-11-ES256","typ":"comwel-msg+jwt"}'
ESCAPED = b'{"alg":"ES256","\\u0061lg":"none","kid":"kead-2026-11-ES256","typ":"comwel-msg+jwt"}'
UNSIGNED = [base64url.encode(orjson.dumps({**HEADER, "alg": alg})) for alg in ("none", "None", "nOnE")]

MALFORMED = [
    ("alg none, no signature", lambda: f"{UNSIGNED[0]}.{base64url.encode(PAYLOAD)}."),
    ("alg None, no signature", lambda: f"{UNSIGNED[1]}.{base64url.encode(PAYLOAD)}."),
    ("alg nOnE, our signature", lambda: f"{UNSIGNED[2]}.{'.'.join(good().split('.')[1:])}"),
    ("alg of HMAC", lambda: with_header({**HEADER, "alg": "HS256"})),
    ("alg of another key type", lambda: with_header({**HEADER, "alg": "PS256"})),
    ("alg of another curve", lambda: with_header({**HEADER, "alg": "ES384"})),
    ("alg EdDSA", lambda: with_header({**HEADER, "alg": "EdDSA"})),
    ("alg RS256", lambda: with_header({**HEADER, "alg": "RS256"})),
    ("alg missing", lambda: with_header({"kid": HEADER["kid"], "typ": TYP})),
    ("alg null", lambda: with_header({**HEADER, "alg": None})),
    ("alg a list", lambda: with_header({**HEADER, "alg": ["ES256"]})),
    ("alg twice", lambda: with_header(DUPLICATE)),
    ("alg twice, once escaped", lambda: with_header(ESCAPED)),
    ("kid missing", lambda: with_header({"alg": "ES256", "typ": TYP})),
    ("kid empty", lambda: with_header({**HEADER, "kid": ""})),
    ("kid of nobody", lambda: with_header({**HEADER, "kid": "nobody"})),
    ("kid a number", lambda: with_header({**HEADER, "kid": 1})),
    ("kid a path", lambda: with_header({**HEADER, "kid": "../../dev/null"})),
    ("typ missing", lambda: with_header({"alg": "ES256", "kid": HEADER["kid"]})),
    ("typ JWT", lambda: with_header({**HEADER, "typ": "JWT"})),
    ("typ of a receipt", lambda: with_header({**HEADER, "typ": "comwel-receipt+jwt"})),
    ("typ in capitals", lambda: with_header({**HEADER, "typ": "COMWEL-MSG+JWT"})),
    ("typ as a media type", lambda: with_header({**HEADER, "typ": "application/comwel-msg+jwt"})),
    ("embedded jwk", lambda: with_header({**HEADER, "jwk": PUBLIC})),
    ("jku", lambda: with_header({**HEADER, "jku": "https://evil.example/jwks"})),
    ("x5u", lambda: with_header({**HEADER, "x5u": "https://evil.example/cert"})),
    ("x5c", lambda: with_header({**HEADER, "x5c": ["MII"]})),
    ("x5t#S256", lambda: with_header({**HEADER, "x5t#S256": "A" * 43})),
    ("crit b64", lambda: with_header({**HEADER, "crit": ["b64"], "b64": False})),
    ("b64 without crit", lambda: with_header({**HEADER, "b64": False})),
    ("crit unknown", lambda: with_header({**HEADER, "crit": ["exp"], "exp": 1})),
    ("crit empty", lambda: with_header({**HEADER, "crit": []})),
    ("zip", lambda: with_header({**HEADER, "zip": "DEF"})),
    ("cty", lambda: with_header({**HEADER, "cty": "json"})),
    ("header an array", lambda: with_header(b'["ES256"]')),
    ("header a string", lambda: with_header(b'"ES256"')),
    ("header empty", lambda: with_header(b"")),
    ("header not JSON", lambda: with_header(b"{alg:ES256}")),
    ("header with bytes after it", lambda: with_header(orjson.dumps(HEADER) + b"{}")),
    ("header with a BOM", lambda: with_header(b"\xef\xbb\xbf" + orjson.dumps(HEADER))),
    ("header with NaN", lambda: with_header(b'{"alg":NaN,"kid":"k","typ":"comwel-msg+jwt"}')),
    ("header nested deeply", lambda: with_header(b"[" * 4000)),
    ("header in UTF-16", lambda: with_header(orjson.dumps(HEADER).decode().encode("utf-16"))),
    ("header spare bits", lambda: split(0, spare_bits)),
    ("payload spare bits", lambda: split(1, spare_bits)),
    ("signature spare bits", lambda: split(2, spare_bits)),
    ("header padded", lambda: split(0, lambda part: part + "=")),
    ("payload padded", lambda: split(1, lambda part: part + "==")),
    ("signature padded", lambda: split(2, lambda part: part + "==")),
    ("signature in the other alphabet", lambda: split(2, lambda part: base64.b64encode(b"\xff" * 64).decode()[:86])),
    ("signature missing", lambda: split(2, lambda part: "")),
    ("signature of zeros", lambda: split(2, lambda part: base64url.encode(bytes(64)))),
    ("signature one octet longer", lambda: split(2, lambda part: base64url.encode(base64url.decode(part) + b"\0"))),
    ("signature one octet shorter", lambda: split(2, lambda part: base64url.encode(base64url.decode(part)[:-1]))),
    ("signature in DER", lambda: split(2, lambda part: base64url.encode(der(base64url.decode(part))))),
    ("payload missing", lambda: split(1, lambda part: "")),
    ("payload of another", lambda: split(1, lambda part: base64url.encode(b'{"v":2}'))),
    ("space before", lambda: " " + good()),
    ("space after", lambda: good() + " "),
    ("line break after", lambda: good() + "\n"),
    ("line break within", lambda: good()[:20] + "\n" + good()[20:]),
    ("space within", lambda: split(1, lambda part: part[:4] + " " + part[4:])),
    ("character that base64 skips", lambda: split(1, lambda part: part[:4] + "!" + part[4:])),
    ("NUL after", lambda: good() + "\0"),
    ("Korean text within", lambda: good()[:9] + "가" + good()[10:]),
    ("a lone surrogate within", lambda: good()[:9] + "\ud800" + good()[10:]),
    ("four parts", lambda: good() + ".AAAA"),
    ("five parts, like a JWE", lambda: good() + ".AAAA.AAAA"),
    ("a full stop after", lambda: good() + "."),
    ("a full stop before", lambda: "." + good()),
    ("two parts", lambda: good().rpartition(".")[0]),
    ("nothing", lambda: ""),
    ("JSON serialisation", lambda: '{"payload":"e30","protected":"e30","signature":"e30"}'),
    ("longer than any header", lambda: forged(b"1" * 8000, HEADER, key_of("kead"))),
    ("signed by another key", lambda: forged(PAYLOAD, HEADER, key_of("keis"))),
]


def der(signature: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    return encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))


@pytest.mark.parametrize("make", [row[1] for row in MALFORMED], ids=[row[0] for row in MALFORMED])
def test_a_malformed_or_misleading_jws_is_refused(make: Any) -> None:
    with pytest.raises(SealRefused):
        judge(make())


def test_the_unchanged_jws_of_that_table_is_accepted() -> None:
    assert judge(good()) == PAYLOAD
    assert judge(with_header(HEADER)) == PAYLOAD
    spaced = b' { "typ" : "comwel-msg+jwt",\r\n\t"kid":"kead-2026-11-ES256", "alg":"\\u0045S256" } '
    assert judge(with_header(spaced)) == PAYLOAD, "JSON may be spaced, ordered and escaped as its author likes"


def test_an_rsa_key_is_not_talked_into_another_padding() -> None:
    key, record = key_of("kead", "PS256"), record_of("kead", "PS256")
    rs256 = key_of("kead", "RS256").__class__(key.kid, "RS256", key.private)
    for header_alg, signer in (("RS256", rs256), ("PS256", rs256), ("RS256", key)):
        text = forged(PAYLOAD, {"alg": header_alg, "kid": key.kid, "typ": TYP}, signer)
        with pytest.raises((KeyRefused, SignatureInvalid)):
            judge(text, record)


def test_no_refusal_repeats_what_the_sender_wrote() -> None:
    secret = "900101-1234567"
    for text in (
        with_header({**HEADER, secret: secret}),
        with_header({**HEADER, "kid": secret}),
        with_header({**HEADER, "typ": secret}),
        f"{secret}.{secret}.{secret}",
    ):
        with pytest.raises(SealRefused) as refusal:
            judge(text)
        assert secret not in str(refusal.value)
