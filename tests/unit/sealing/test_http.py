"""HTTP signatures: the fixed profile against the RFC's vectors, against a library both ways, and against forgers."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from http_message_signatures import (
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
    algorithms,
)
from http_message_signatures.structures import CaseInsensitiveDict

from gateway.errors import DigestMismatch, KeyRefused, NotFresh, SealRefused, SignatureInvalid
from gateway.sealing.gate import gate
from gateway.sealing.http import LONGEST_TARGET, LONGEST_TYPE, Attempt, content_digest, head_of, sign, verify
from gateway.sealing.keys import SigningKey, VerifyKey
from tests.unit.sealing.build import ALGS, BODY, MID, NONCE, NOW, URL, key_of, record_of, request_of, ring, sealed

JWS = sealed()
LIBRARY = {
    "ES256": algorithms.ECDSA_P256_SHA256,
    "ES384": algorithms.ECDSA_P384_SHA384,
    "Ed25519": algorithms.ED25519,
    "PS256": algorithms.RSA_PSS_SHA512,
    "RS256": algorithms.RSA_V1_5_SHA256,
}
COMPONENTS = ["@method", "@target-uri", "content-type", "content-digest", "idempotency-key", "comwel-message-jws"]


def verified(headers: dict[str, str], **changes: Any) -> Attempt:
    arguments = {"method": "POST", "target_uri": URL, "body": BODY, "keys": ring(), "now": NOW, **changes}
    method, target_uri, body = (arguments.pop(name) for name in ("method", "target_uri", "body"))
    return verify(method, target_uri, headers, body, **arguments)


def test_a_signed_request_is_verified() -> None:
    headers = request_of(JWS)
    head = head_of("POST", URL, headers)
    assert verified(headers) == Attempt(key_of("comwel").kid, "comwel", NOW, NONCE, MID, JWS, head)


def test_the_headers_are_as_the_partner_guide_shows_them() -> None:
    headers = request_of(JWS)
    assert list(headers) == [
        *("Content-Type", "Content-Digest", "Idempotency-Key", "Comwel-Message-JWS", "Signature-Input", "Signature"),
    ]
    assert headers["Signature-Input"] == (
        'sig1=("@method" "@target-uri" "content-type" "content-digest" "idempotency-key" "comwel-message-jws")'
        f';created=1795478706;expires=1795479006;nonce="{NONCE}";keyid="comwel-2026-11-ES256"'
        ';alg="ecdsa-p256-sha256";tag="comwel-v1"'
    )


def test_header_names_may_come_in_any_case_and_values_with_space_around() -> None:
    headers = {name.upper(): f" {value}\t" for name, value in request_of(JWS).items()}
    assert verified({**headers, "Host": "evil.example", "X-Request-Id": "1"}).owner == "comwel"


def test_a_digest_is_that_of_the_rfcs() -> None:
    assert content_digest(b'{"hello": "world"}') == "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"
    assert content_digest(b'{"hello": "world"}\n') == "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"


# RFC 9421 B.2.4 and B.2.6: the key of B.1, the signature base, the signature
VECTORS = [
    (
        {
            "kty": "EC",
            "crv": "P-256",
            "x": "qIVYZVLCrPZHGHjP17CTW0_-D9Lfw0EkjqF7xB4FivA",
            "y": "Mc4nN9LTDOBhfoUeg8Ye9WedFRhnZXZJA12Qp0zZ6F0",
            "alg": "ES256",
            "use": "sig",
        },
        [
            '"@status": 200',
            '"content-type": application/json',
            '"content-digest": sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41Q'
            "JgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:",
            '"content-length": 23',
            '"@signature-params": ("@status" "content-type" "content-digest" "content-length")'
            ';created=1618884473;keyid="test-key-ecc-p256"',
        ],
        "wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==",
    ),
    (
        {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs",
            "alg": "Ed25519",
            "use": "sig",
        },
        [
            '"date": Tue, 20 Apr 2021 02:07:55 GMT',
            '"@method": POST',
            '"@path": /foo',
            '"@authority": example.com',
            '"content-type": application/json',
            '"content-length": 18',
            '"@signature-params": ("date" "@method" "@path" "@authority" "content-type" "content-length")'
            ';created=1618884473;keyid="test-key-ed25519"',
        ],
        "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==",
    ),
]


@pytest.mark.parametrize(("jwk", "base", "signature"), VECTORS, ids=["RFC 9421 B.2.4", "RFC 9421 B.2.6"])
def test_the_signatures_of_the_rfc_verify(jwk: dict[str, str], base: list[str], signature: str) -> None:
    found = gate(jwk, algs=ALGS)
    key = VerifyKey(found.kid, found.alg, "rfc", found.public, NOW)
    key.verify_http(b64decode(signature), "\n".join(base).encode())
    with pytest.raises(SignatureInvalid):
        key.verify_http(b64decode(signature), "\n".join([*base, ""]).encode())


class Message:
    """A request as the library wants it."""

    def __init__(self, headers: dict[str, str]) -> None:
        self.method, self.url, self.headers = "POST", URL, CaseInsensitiveDict(headers)  # type: ignore[no-untyped-call]


class Resolver(HTTPSignatureKeyResolver):
    """Finds the one key of a test, for the library."""

    def __init__(self, key: SigningKey) -> None:
        self.key = key

    def resolve_public_key(self, key_id: str) -> Any:
        public = self.key.private.public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def resolve_private_key(self, key_id: str) -> Any:
        return self.key.to_pem()


@pytest.mark.parametrize("alg", ALGS)
def test_the_library_verifies_what_we_sign(alg: str, time_of_test: datetime) -> None:
    key = key_of("comwel", alg)
    message = Message(request_of(JWS, key, created=time_of_test))
    verifier = HTTPMessageVerifier(signature_algorithm=LIBRARY[alg], key_resolver=Resolver(key))
    (result,) = verifier.verify(
        message, expect_tag="comwel-v1", expect_label="sig1", require_components=COMPONENTS, body=BODY
    )
    assert result.parameters["keyid"] == key.kid
    assert result.parameters["nonce"] == NONCE


@pytest.mark.parametrize("alg", ALGS)
def test_we_verify_what_the_library_signs(alg: str) -> None:
    key = key_of("comwel", alg)
    message = Message(
        {
            "Content-Type": "application/fhir+json",
            "Content-Digest": content_digest(BODY),
            "Idempotency-Key": MID,
            "Comwel-Message-JWS": JWS,
        }
    )
    HTTPMessageSigner(signature_algorithm=LIBRARY[alg], key_resolver=Resolver(key)).sign(
        message,
        key_id=key.kid,
        created=NOW,
        expires=NOW + timedelta(seconds=120),
        nonce=NONCE,
        label="sig1",
        tag="comwel-v1",
        covered_component_ids=COMPONENTS,
        body=BODY,
        use_existing_digest=True,
    )
    found = verified(dict(message.headers), keys=ring(record_of("comwel", alg)))
    head = head_of("POST", URL, message.headers)
    assert found == Attempt(key.kid, "comwel", NOW, NONCE, MID, JWS, head)


@pytest.fixture
def time_of_test() -> datetime:
    """The library reads the clock itself, so its own direction needs the real time."""
    from datetime import UTC

    return datetime.now(UTC)  # noqa: TID251


FRESH = [
    # created, seconds from now                  fresh
    (-301, False),
    (-300.001, False),
    (-300, True),
    (-299, True),
    (-61, True),
    (0, True),
    (59, True),
    (60, True),
    (60.001, False),
    (61, False),
    (301, False),
]


@pytest.mark.parametrize(("created", "fresh"), FRESH)
def test_freshness_ends_exactly_at_its_limits(created: float, fresh: bool) -> None:
    headers = request_of(JWS)
    now = NOW - timedelta(seconds=created)
    if fresh:
        assert verified(headers, now=now).created == NOW
    else:
        with pytest.raises(NotFresh, match="step 3"):
            verified(headers, now=now)


def replaced(name: str, old: str, new: str) -> dict[str, str]:
    headers = request_of(JWS)
    assert old in headers[name]
    return {**headers, name: headers[name].replace(old, new)}


def without(name: str) -> dict[str, str]:
    return {other: value for other, value in request_of(JWS).items() if other != name}


def signed_as(text: str) -> dict[str, str]:
    """A request whose `Signature-Input` says `text` and is correctly signed for it: only the profile can refuse it."""
    from base64 import b64encode

    from gateway.sealing import http

    headers = request_of(JWS)
    fields = {name.lower(): value for name, value in headers.items()}
    base = http._base("POST", URL, fields, text.removeprefix("sig1="))
    signature = b64encode(key_of("comwel").sign_http(base)).decode()
    return {**headers, "Signature-Input": text, "Signature": f"sig1=:{signature}:"}


GOOD_INPUT = request_of(JWS)["Signature-Input"]
EXPIRES = [
    # expires, seconds from created              how long after creation it comes     accepted
    (300, 300, True),
    (301, 0, False),
    (1, 1, True),
    (1, 1.001, False),
    (120, 121, False),
    (0, 0, False),
    (-1, 0, False),
]


@pytest.mark.parametrize(("lifetime", "after", "accepted"), EXPIRES)
def test_a_signature_ends_when_it_says_and_never_later_than_300_s(lifetime: int, after: float, accepted: bool) -> None:
    headers = signed_as(GOOD_INPUT.replace("expires=1795479006", f"expires={1795478706 + lifetime}"))
    if accepted:
        assert verified(headers, now=NOW + timedelta(seconds=after))
    else:
        with pytest.raises(NotFresh, match="step 3"):
            verified(headers, now=NOW + timedelta(seconds=after))


INPUTS = [
    ("another label", GOOD_INPUT.replace("sig1=", "sig2=")),
    ("two signatures", f"{GOOD_INPUT}, {GOOD_INPUT.replace('sig1', 'sig2')}"),
    ("no body digest", GOOD_INPUT.replace(' "content-digest"', "")),
    ("no message", GOOD_INPUT.replace(' "comwel-message-jws"', "")),
    ("another order", GOOD_INPUT.replace('"@method" "@target-uri"', '"@target-uri" "@method"')),
    ("one component more", GOOD_INPUT.replace('"@method"', '"@method" "@authority"')),
    ("a component twice", GOOD_INPUT.replace('"@method"', '"@method" "@method"')),
    ("@path instead of @target-uri", GOOD_INPUT.replace("@target-uri", "@path")),
    ("a component with a parameter", GOOD_INPUT.replace('"content-type"', '"content-type";sf')),
    ("no components", "sig1=()" + GOOD_INPUT[GOOD_INPUT.index(")") + 1 :]),
    ("no created", GOOD_INPUT.replace(";created=1795478706", "")),
    ("no expires", GOOD_INPUT.replace(";expires=1795479006", "")),
    ("no nonce", GOOD_INPUT.replace(f';nonce="{NONCE}"', "")),
    ("no alg", GOOD_INPUT.replace(';alg="ecdsa-p256-sha256"', "")),
    ("no tag", GOOD_INPUT.replace(';tag="comwel-v1"', "")),
    ("another tag", GOOD_INPUT.replace("comwel-v1", "comwel-v2")),
    ("another alg", GOOD_INPUT.replace("ecdsa-p256-sha256", "rsa-pss-sha512")),
    ("alg of a shared secret", GOOD_INPUT.replace("ecdsa-p256-sha256", "hmac-sha256")),
    ("a JOSE alg", GOOD_INPUT.replace("ecdsa-p256-sha256", "ES256")),
    ("a short nonce", GOOD_INPUT.replace(NONCE, NONCE[:21])),
    ("a long nonce", GOOD_INPUT.replace(NONCE, "A" * 89)),
    ("an empty nonce", GOOD_INPUT.replace(NONCE, "")),
    ("a nonce of other characters", GOOD_INPUT.replace(NONCE, "~" * 22)),
    ("an unknown parameter", GOOD_INPUT + ";extra=1795478706"),
    ("created twice", GOOD_INPUT.replace(";expires", ";created=1795478706;expires")),
    ("nonce twice", GOOD_INPUT + f';nonce="{NONCE}"'),
    ("created as text", GOOD_INPUT.replace("created=1795478706", 'created="1795478706"')),
    ("created as a fraction", GOOD_INPUT.replace("created=1795478706", "created=1795478706.0")),
    ("created with a sign", GOOD_INPUT.replace("created=1795478706", "created=-1795478706")),
    ("created of eleven digits", GOOD_INPUT.replace("created=1795478706", "created=11795478706")),
    ("tag as a number", GOOD_INPUT.replace('tag="comwel-v1"', "tag=1795478706")),
    ("an empty keyid", GOOD_INPUT.replace("comwel-2026-11-ES256", "")),
    ("a keyid of nobody", GOOD_INPUT.replace("comwel-2026-11-ES256", "nobody")),
    ("a space before a parameter", GOOD_INPUT.replace(";created", "; created")),
    ("two spaces between components", GOOD_INPUT.replace('" "', '"  "', 1)),
    ("something after", GOOD_INPUT + " "),
    ("a line break after", GOOD_INPUT + "\n"),
]


@pytest.mark.parametrize("text", [row[1] for row in INPUTS], ids=[row[0] for row in INPUTS])
def test_any_other_profile_is_refused_although_its_signature_holds(text: str) -> None:
    headers = signed_as(text)
    headers["Signature-Input"] = f"{text}\N{NO-BREAK SPACE}" if text.endswith((" ", "\n")) else text
    with pytest.raises((SignatureInvalid, KeyRefused), match=r"step [24]"):
        verified(headers)


def test_the_unchanged_request_of_that_table_is_accepted() -> None:
    assert verified(signed_as(GOOD_INPUT))
    reordered = GOOD_INPUT.replace(';tag="comwel-v1"', "").replace(";created", ';tag="comwel-v1";created')
    assert verified(signed_as(reordered)), "the order of parameters is the signer's"


SIGNATURE = request_of(JWS)["Signature"]
FORGERIES = [
    (1, lambda: verified(without("Signature"))),
    (1, lambda: verified(without("Signature-Input"))),
    (1, lambda: verified(without("Content-Digest"))),
    (1, lambda: verified(without("Content-Type"))),
    (1, lambda: verified(without("Idempotency-Key"))),
    (1, lambda: verified(without("Comwel-Message-JWS"))),
    (1, lambda: verified({**request_of(JWS), "content-digest": content_digest(b"other")})),
    (1, lambda: verified({**request_of(JWS), "SIGNATURE": SIGNATURE})),
    (2, lambda: verified(replaced("Signature", "sig1=", "sig2="))),
    (2, lambda: verified(replaced("Signature", "=:", "="))),
    (2, lambda: verified({**request_of(JWS), "Signature": "sig1=::"})),
    (2, lambda: verified({**request_of(JWS), "Signature": "sig1=:AAA:"})),
    (2, lambda: verified({**request_of(JWS), "Signature": "sig1=:AB==:"})),
    (2, lambda: verified({**request_of(JWS), "Signature": "sig1=:가나다라:"})),
    (2, lambda: verified({**request_of(JWS), "Signature": SIGNATURE + ", " + SIGNATURE})),
    (2, lambda: verified({**request_of(JWS), "Signature": SIGNATURE + ";x=1"})),
    (4, lambda: verified(request_of(JWS), keys=ring(record_of("kead")))),
    (4, lambda: verified(request_of(JWS), keys=ring(record_of("comwel", revoked_at=NOW)))),
    (4, lambda: verified(request_of(JWS), keys=ring(record_of("comwel", not_after=NOW)))),
    (4, lambda: verified(request_of(JWS), keys=lambda kid, at: record_of("kead"))),
    (5, lambda: verified(request_of(JWS), body=BODY + b"\n")),
    (5, lambda: verified(request_of(JWS), body=b"")),
    (5, lambda: verified(replaced("Content-Digest", "sha-256", "sha-512"))),
    (5, lambda: verified(replaced("Content-Digest", "sha-256", "SHA-256"))),
    (5, lambda: verified({**request_of(JWS), "Content-Digest": content_digest(BODY) + ", " + content_digest(BODY)})),
    (6, lambda: verified(request_of(JWS), method="PUT")),
    (6, lambda: verified(request_of(JWS), method="post")),
    (6, lambda: verified(request_of(JWS), method="POST\n")),
    (6, lambda: verified(request_of(JWS), target_uri=URL + "/")),
    (6, lambda: verified(request_of(JWS), target_uri=URL + "?a=1")),
    (6, lambda: verified(request_of(JWS), target_uri=URL.replace("https", "http"))),
    (6, lambda: verified(request_of(JWS), target_uri=URL.replace("kead", "keis"))),
    (6, lambda: verified(request_of(JWS), target_uri=URL.replace("kead", "KEAD"))),
    (6, lambda: verified(request_of(JWS), target_uri=URL + '\n"@method": POST')),
    (6, lambda: verified(request_of(JWS), target_uri=URL + "/홍길동")),
    (6, lambda: verified(replaced("Content-Type", "fhir+json", "json"))),
    (6, lambda: verified(replaced("Content-Type", "fhir+json", "fhir+json; charset=utf-8"))),
    (6, lambda: verified(replaced("Content-Type", "fhir+json", "fhir+json\nX: y"))),
    (6, lambda: verified(replaced("Content-Type", "fhir+json", "fhir+json가"))),
    (6, lambda: verified(replaced("Idempotency-Key", MID, MID.replace("0", "1")))),
    (6, lambda: verified({**request_of(JWS), "Comwel-Message-JWS": sealed()})),
    (6, lambda: verified({**request_of(JWS), "Comwel-Message-JWS": ""})),
    (6, lambda: verified({**request_of(JWS), "Signature": request_of(JWS, key_of("kead"))["Signature"]})),
    (6, lambda: verified({**request_of(JWS), "Signature": request_of(JWS, nonce=NONCE[::-1])["Signature"]})),
    (
        6,
        lambda: verified({**request_of(JWS), "Signature-Input": request_of(JWS, nonce=NONCE[::-1])["Signature-Input"]}),
    ),
    (6, lambda: verified(request_of(JWS), keys=ring(replace(record_of("kead"), kid=key_of("comwel").kid)))),
]


@pytest.mark.parametrize(("step", "attempt"), FORGERIES)
def test_a_changed_request_is_refused_and_the_step_named(step: int, attempt: Any) -> None:
    with pytest.raises(SealRefused) as refused:
        attempt()
    assert refused.value.detail.startswith(f"step {step}, ")
    if step == 5:
        assert isinstance(refused.value, DigestMismatch)


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "short"},
        {"nonce": "가" * 22},
        {"method": "post"},
        {"target_uri": "/v1/referrals"},
        {"target_uri": "https://kead.example/a b"},
        {"content_type": "text/plain\r\nX: y"},
        {"content_type": ""},
        {"mid": "a\nb"},
        {"jws": "홍길동"},
    ],
)
def test_nothing_is_signed_that_would_not_be_verified(changes: dict[str, Any]) -> None:
    arguments = {
        "method": "POST",
        "target_uri": URL,
        "content_type": "application/json",
        "body": BODY,
        "mid": MID,
        "jws": JWS,
        "key": key_of("comwel"),
        "created": NOW,
        "nonce": NONCE,
        **changes,
    }
    with pytest.raises(SignatureInvalid):
        sign(**arguments)


@pytest.mark.parametrize("place", ["target", "content type"])
def test_a_head_that_is_too_long_to_be_kept_is_neither_signed_nor_believed(place: str) -> None:
    target = URL + "?" + "x" * (LONGEST_TARGET - len(URL) - 1)
    content_type = "a/" + "b" * (LONGEST_TYPE - 2)

    def signed(**more: str) -> dict[str, str]:
        said = {"target_uri": target, "content_type": content_type} | more
        return sign("POST", body=BODY, mid=MID, jws=JWS, key=key_of("comwel"), created=NOW, nonce=NONCE, **said)

    assert verified(signed(), target_uri=target).head.target_uri == target
    longer = {"target": {"target_uri": target + "x"}, "content type": {"content_type": content_type + "b"}}[place]
    with pytest.raises(SignatureInvalid):
        signed(**longer)
    headers = signed() | ({"Content-Type": content_type + "b"} if place == "content type" else {})
    with pytest.raises(SignatureInvalid, match=r"longer|too long"):
        verified(headers, target_uri=longer.get("target_uri", target))
