"""The key gate: one row per way in which a key may be unfit, and with them the kinds of Wycheproof's JWK tests."""

from __future__ import annotations

from functools import cache
from math import prod
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gateway.errors import KeyRefused
from gateway.sealing import base64url
from gateway.sealing.algorithms import USUAL
from gateway.sealing.gate import gate, gate_set, has_roca_fingerprint, public_members, thumbprint
from gateway.sealing.keys import generate, to_jwk
from tests.unit.sealing.build import ALGS, key_of

PRIMES = [p for p in range(3, 168) if all(p % q for q in range(2, p))]


def jwk(like: str = "ES256", /, **changes: Any) -> dict[str, Any]:
    """A fit JWK with changes; a change to None takes the member away."""
    whole = {**to_jwk(key_of("kead", like)), **changes}
    return {name: value for name, value in whole.items() if value is not None}


def uint(value: int) -> str:
    return base64url.encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def roca_modulus(bits: int = 3072) -> int:
    """A number that carries the fingerprint: a power of 65537 modulo the product of all the primes."""
    m = prod(PRIMES)
    n = ((1 << (bits - 1)) // m) * m + m + pow(65537, 12345, m)
    return n if n % 2 else n + m


def coprime_modulus(bits: int) -> int:
    """A number of `bits` bits without small factor and without the fingerprint; nobody needs its factors."""
    n = (1 << (bits - 1)) + 1
    while any(n % p == 0 for p in PRIMES) or has_roca_fingerprint(n):
        n += 2
    return n


@cache
def numbers_of(curve: str) -> dict[str, str]:
    """x and y of a key on a curve that we do not take."""
    made = {"P-521": ec.SECP521R1, "secp256k1": ec.SECP256K1}[curve]
    point = ec.generate_private_key(made()).public_key().public_numbers()
    size = (made().key_size + 7) // 8
    return {"x": base64url.encode(point.x.to_bytes(size, "big")), "y": base64url.encode(point.y.to_bytes(size, "big"))}


def of_order(y: int, sign: int = 0) -> str:
    return base64url.encode((y | sign << 255).to_bytes(32, "little"))


P = 2**255 - 19
Y8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
X, Y, N = jwk()["x"], jwk()["y"], jwk("PS256")["n"]

UNFIT = [
    # what is wrong                         the key                                                       the member
    ("symmetric", {"kty": "oct", "k": "AAAA", "alg": "HS256", "use": "sig"}, "kty"),
    ("symmetric, short", {"kty": "oct", "k": "AA", "alg": "HS256", "use": "sig"}, "kty"),
    ("symmetric, empty", {"kty": "oct", "k": "", "alg": "HS256", "use": "sig"}, "kty"),
    ("symmetric, for AES-GCM", {"kty": "oct", "k": "AAAA", "alg": "A256GCM", "use": "sig"}, "kty"),
    ("symmetric, for AES-KW", {"kty": "oct", "k": "AAAA", "alg": "A256KW", "use": "sig"}, "kty"),
    ("symmetric under an EC alg", {"kty": "oct", "k": "AAAA", "alg": "ES256", "use": "sig"}, "kty"),
    ("RSA of 1024 bits", jwk("PS256", n=uint(coprime_modulus(1024))), "n"),
    ("RSA of 2048 bits, new", jwk("PS256", n=uint(coprime_modulus(2048))), "n"),
    ("RSA of 3071 bits", jwk("PS256", n=uint(coprime_modulus(3071))), "n"),
    ("RSA of 8193 bits", jwk("PS256", n=uint(coprime_modulus(8193))), "n"),
    ("RSA with the ROCA fingerprint", jwk("PS256", n=uint(roca_modulus())), "n"),
    ("RSA, even modulus", jwk("PS256", n=uint(coprime_modulus(3072) + 1)), "n"),
    ("RSA, modulus divisible by 167", jwk("PS256", n=uint(coprime_modulus(3072) * 167)), "n"),
    ("RSA with e = 1", jwk("PS256", e="AQ"), "e"),
    ("RSA with e = 3", jwk("PS256", e="Aw"), "e"),
    ("RSA with e = 65539", jwk("PS256", e=uint(65539)), "e"),
    ("RSA, leading zeros in n", jwk("PS256", n=base64url.encode(b"\0" + base64url.decode(N))), "n"),
    ("RSA, leading zeros in e", jwk("PS256", e="AAEAAQ"), "e"),
    ("RSA without n", jwk("PS256", n=None), "n"),
    ("RSA with a private exponent", jwk("PS256", d="AQAB"), "d"),
    ("RSA with a prime", jwk("PS256", p="AQAB"), "p"),
    ("RSA with the other prime", jwk("PS256", q="AQAB"), "q"),
    ("RSA with a CRT coefficient", jwk("PS256", qi="AQAB"), "qi"),
    ("RSA with more primes", jwk("PS256", oth=[]), "oth"),
    ("RS256 without leave", jwk("RS256"), "alg"),
    ("RSA for encryption", jwk("PS256", alg="RSA1_5", use="enc"), "alg"),
    ("an alg that is none", jwk(alg="none"), "alg"),
    ("an alg of HMAC on an EC key", jwk(alg="HS256"), "alg"),
    ("an alg that is misspelt", jwk(alg="ES521"), "alg"),
    ("an alg that does not exist", jwk(alg="ES224"), "alg"),
    ("an alg in lower case", jwk(alg="es256"), "alg"),
    ("an alg that is a list", jwk(alg=["ES256"]), "alg"),
    ("no alg", jwk(alg=None), "alg"),
    ("the deprecated name EdDSA", jwk("Ed25519", alg="EdDSA"), "alg"),
    ("Ed25519 without leave", jwk("Ed25519"), "alg"),
    ("neither use nor key_ops", jwk(use=None), "use"),
    ("use for encryption", jwk(use="enc"), "use"),
    ("use unknown", jwk(use="signature"), "use"),
    ("key_ops of a private key", jwk(key_ops=["sign"]), "key_ops"),
    ("key_ops with something more", jwk(key_ops=["verify", "encrypt"]), "key_ops"),
    ("key_ops empty", jwk(key_ops=[]), "key_ops"),
    ("key_ops twice the same", jwk(key_ops=["verify", "verify"]), "key_ops"),
    ("key_ops right, use wrong", jwk(key_ops=["verify"], use="enc"), "use"),
    ("P-256 under ES384", jwk(alg="ES384"), "crv"),
    ("P-384 under ES256", jwk("ES384", alg="ES256"), "crv"),
    ("P-256 numbers said to be P-384", jwk(alg="ES384", crv="P-384"), "x"),
    ("P-521", jwk(alg="ES512", crv="P-521", **numbers_of("P-521")), "alg"),
    ("secp256k1", jwk(alg="ES256K", crv="secp256k1", **numbers_of("secp256k1")), "alg"),
    ("secp256k1 numbers said to be P-256", jwk(**numbers_of("secp256k1")), "kty"),
    ("kty of another family", jwk(kty="RSA"), "kty"),
    ("kty missing", jwk(kty=None), "kty"),
    ("kty in lower case", jwk(kty="ec"), "kty"),
    ("crv missing", jwk(crv=None), "crv"),
    ("crv on an RSA key", jwk("PS256", crv="P-256"), "crv"),
    ("a point off the curve", jwk(y=X), "kty"),
    ("a point with y missing", jwk(y=None), "y"),
    ("a point that is all zeros", jwk(x="A" * 43, y="A" * 43), "kty"),
    ("x as a number", jwk(x=12345), "x"),
    ("x empty", jwk(x=""), "x"),
    ("x with padding", jwk(x=X + "="), "x"),
    ("x with white space", jwk(x=X + "\n"), "x"),
    ("x in the other alphabet", jwk(x="+" + X[1:]), "x"),
    ("x too short", jwk(x=X[:40]), "x"),
    ("x with a leading zero octet", jwk(x=base64url.encode(b"\0" + base64url.decode(X))), "x"),
    ("x missing", jwk(x=None), "x"),
    ("x with a length that is no base64", jwk(x=X[:41]), "x"),
    ("x with Korean text", jwk(x="가" * 43), "x"),
    ("an EC key with its private number", jwk(d=Y), "d"),
    ("a kid that is empty", jwk(kid=""), "kid"),
    ("a kid with a quote", jwk(kid='a"b'), "kid"),
    ("a kid with a line break", jwk(kid="a\nb"), "kid"),
    ("a kid of 129 characters", jwk(kid="k" * 129), "kid"),
    ("a kid that is a number", jwk(kid=7), "kid"),
    ("no key at all", {}, "alg"),
    ("text instead of a key", "ES256", "kty"),
]

SMALL_ORDER = [
    ("order 1", of_order(1)),
    ("order 2", of_order(P - 1)),
    ("order 4", of_order(0)),
    ("order 4, other sign", of_order(0, 1)),
    ("order 8", of_order(Y8)),
    ("order 8, other sign", of_order(Y8, 1)),
    ("order 8, other y", of_order(P - Y8)),
    ("order 1, not reduced", of_order(P + 1)),
    ("order 4, not reduced", of_order(P)),
]


@pytest.mark.rule("R-22")
@pytest.mark.parametrize(("key", "member"), [row[1:] for row in UNFIT], ids=[row[0] for row in UNFIT])
def test_an_unfit_key_is_refused_and_the_member_named(key: Any, member: str) -> None:
    with pytest.raises(KeyRefused) as refusal:
        gate(key)
    assert refusal.value.place.field == member


def test_the_table_of_unfit_keys_covers_at_least_the_kinds_of_wycheproof() -> None:
    assert len(UNFIT) >= 26
    assert len({name for name, _, _ in UNFIT}) == len(UNFIT)


@pytest.mark.parametrize("x", [row[1] for row in SMALL_ORDER], ids=[row[0] for row in SMALL_ORDER])
def test_an_ed25519_point_of_small_order_is_refused(x: str) -> None:
    with pytest.raises(KeyRefused, match="small order"):
        gate(jwk("Ed25519", x=x), algs={"Ed25519"})


def test_the_small_orders_of_the_table_are_really_small() -> None:
    d = -121665 * pow(121666, -1, P) % P

    def x_of(y: int) -> int | None:
        square = (y * y - 1) * pow(d * y * y + 1, -1, P) % P
        for root in (pow(square, (P + 3) // 8, P), pow(square, (P + 3) // 8, P) * pow(2, (P - 1) // 4, P) % P):
            if root * root % P == square:
                return root
        return None

    def add(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
        t = d * a[0] * b[0] * a[1] * b[1] % P
        x = (a[0] * b[1] + a[1] * b[0]) * pow(1 + t, -1, P) % P
        return x, (a[1] * b[1] + a[0] * b[0]) * pow(1 - t, -1, P) % P

    for y in (0, 1, P - 1, Y8, P - Y8):
        x = x_of(y)
        assert x is not None
        point = (x, y)
        for _ in range(3):
            point = add(point, point)
        assert point == (0, 1), "eight times the point is the neutral element"


@pytest.mark.parametrize("alg", ALGS)
def test_a_fit_key_of_every_algorithm_passes(alg: str) -> None:
    found = gate(jwk(alg), algs=ALGS)
    assert (found.alg, found.kid, found.use) == (alg, f"kead-2026-11-{alg}", "sig")
    assert public_members(found.public) == public_members(key_of("kead", alg).private.public_key())


@pytest.mark.parametrize(
    "changes",
    [
        {"key_ops": ["verify"]},
        {"key_ops": ["verify"], "use": None},
        {"x5c": ["…"], "x5u": "https://evil.example/"},
        {"nbf": 0},
    ],
)
def test_a_fit_key_may_say_so_in_other_words_and_carry_more(changes: dict[str, Any]) -> None:
    assert gate(jwk(**changes)).alg == "ES256"


def test_an_rsa_key_of_2048_bits_passes_only_if_it_was_in_use_before() -> None:
    old = jwk("PS256", n=uint(coprime_modulus(2048)))
    assert gate(old, existing=True).alg == "PS256"
    with pytest.raises(KeyRefused):
        gate(jwk("PS256", n=uint(coprime_modulus(2047))), existing=True)


def test_a_set_passes_in_its_order() -> None:
    found = gate_set({"keys": [jwk("PS256"), jwk()]})
    assert [material.alg for material in found] == ["PS256", "ES256"]


BAD_SETS = [
    ("empty", {"keys": []}),
    ("no keys", {}),
    ("keys not a list", {"keys": jwk()}),
    ("a bare key", jwk()),
    ("text", "keys"),
    ("symmetric among asymmetric", {"keys": [jwk(), {"kty": "oct", "k": "AAAA", "alg": "HS256", "use": "sig"}]}),
    ("only symmetric", {"keys": [{"kty": "oct", "k": "AAAA", "alg": "HS256", "use": "sig"}]}),
    ("two keys, one kid", {"keys": [jwk(kid="1"), jwk("PS256", kid="1")]}),
    ("the same key twice", {"keys": [jwk(kid=None), jwk(kid=None)]}),
    ("a key without kid", {"keys": [jwk("PS256"), jwk(kid=None)]}),
    ("one good, one bad", {"keys": [jwk(), jwk("PS256", e="Aw")]}),
    ("seventeen keys", {"keys": [jwk(kid=str(number)) for number in range(17)]}),
    ("null among the keys", {"keys": [jwk(), None]}),
]


@pytest.mark.parametrize("jwks", [row[1] for row in BAD_SETS], ids=[row[0] for row in BAD_SETS])
def test_a_bad_set_is_refused_as_a_whole(jwks: Any) -> None:
    with pytest.raises(KeyRefused):
        gate_set(jwks)


def test_a_mixed_set_is_refused_for_being_mixed_whichever_key_comes_first() -> None:
    symmetric = {"kty": "oct", "k": "AAAA", "alg": "HS256", "use": "sig"}
    for keys in ([jwk(), symmetric], [symmetric, jwk()]):
        with pytest.raises(KeyRefused, match="mix"):
            gate_set({"keys": keys})


@pytest.mark.parametrize(("changes", "member"), [({"e": "Aw"}, "e"), ({"kid": None}, "kid"), ({"kid": 7}, "kid")])
def test_a_bad_key_in_a_set_is_named_by_its_place(changes: dict[str, Any], member: str) -> None:
    with pytest.raises(KeyRefused) as refusal:
        gate_set({"keys": [jwk(), jwk("PS256", **changes)]})
    assert refusal.value.place.field == f"keys/1/{member}"


def test_the_roca_fingerprint_is_found_and_is_not_found_in_honest_keys() -> None:
    assert has_roca_fingerprint(roca_modulus())
    with pytest.raises(KeyRefused, match="ROCA"):
        gate(jwk("PS256", n=uint(roca_modulus())))
    honest = rsa.generate_private_key(65537, 2048).public_key().public_numbers().n
    assert not has_roca_fingerprint(honest)
    assert not has_roca_fingerprint(roca_modulus() + 2)


def test_thumbprints_are_those_of_the_rfcs() -> None:
    rfc_7638 = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknj"
        "hMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQ"
        "vRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzK"
        "nqDKgw"
    )
    assert thumbprint({"kty": "RSA", "n": rfc_7638, "e": "AQAB", "alg": "RS256"}) == (
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    )
    rfc_8037 = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert thumbprint(rfc_8037) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@pytest.mark.parametrize("alg", ALGS)
def test_a_key_without_kid_is_named_by_its_thumbprint(alg: str) -> None:
    key = generate(alg=alg) if alg not in {"PS256", "RS256"} else key_of("kead", alg)
    found = gate({**to_jwk(key), "kid": thumbprint(to_jwk(key))}, algs=ALGS)
    nameless = {name: value for name, value in to_jwk(key).items() if name != "kid"}
    assert gate(nameless, algs=ALGS).kid == found.kid == thumbprint(found.public)


def test_a_thumbprint_of_a_symmetric_key_is_refused() -> None:
    with pytest.raises(KeyRefused):
        thumbprint({"kty": "oct", "k": "AAAA"})


def test_no_partner_gets_ed25519_or_rs256_by_default() -> None:
    assert {"ES256", "ES384", "PS256"} == USUAL
