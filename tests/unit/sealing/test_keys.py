"""Key records and the ring: whose key, for what, and when."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, x25519

from gateway.errors import KeyRefused, SignatureInvalid
from gateway.sealing.keys import KeyRing, SigningKey, VerifyKey, find, from_jwk, generate, to_jwk
from tests.keys import public_half
from tests.unit.sealing.build import ALGS, LATER, NOW, key_of, record_of, ring

SECOND = timedelta(seconds=1)
START = NOW - timedelta(days=30)


@pytest.mark.parametrize("alg", ALGS)
def test_what_a_key_signs_its_record_verifies(alg: str) -> None:
    key, record = key_of("kead", alg), record_of("kead", alg)
    record.verify_jose(key.sign_jose(b"message"), b"message")
    record.verify_http(key.sign_http(b"message"), b"message")
    for wrong in (b"", b"\0" * 64, key.sign_jose(b"another message")):
        with pytest.raises(SignatureInvalid):
            record.verify_jose(wrong, b"message")


@pytest.mark.parametrize("alg", ["ES256", "ES384"])
def test_an_ecdsa_signature_has_one_length(alg: str) -> None:
    key, record = key_of("kead", alg), record_of("kead", alg)
    signature = key.sign_jose(b"message")
    assert len(signature) == {"ES256": 64, "ES384": 96}[alg]
    half = len(signature) // 2
    r, s = signature[:half], signature[half:]
    for wrong in (signature + b"\0", signature[:-1], b"\0" + r + b"\0" + s, r + bytes(half), bytes(half) + s):
        with pytest.raises(SignatureInvalid):
            record.verify_jose(wrong, b"message")


def test_an_ecdsa_signature_with_its_zeros_left_out_is_refused() -> None:
    key, record = key_of("kead"), record_of("kead")
    signature = next(made for made in iter(lambda: key.sign_jose(b"message"), b"") if made[32] == 0)
    record.verify_jose(signature, b"message")
    with pytest.raises(SignatureInvalid):
        record.verify_jose(signature[:32] + signature[33:], b"message")


@pytest.mark.parametrize("r", [0, 1, -1, "n-1", "n"])
@pytest.mark.parametrize("s", [0, 1, -1, "n-1", "n"])
def test_an_ecdsa_signature_of_edge_numbers_verifies_nothing(r: int | str, s: int | str) -> None:
    n = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    number = {0: 0, 1: 1, -1: 2**256 - 1, "n-1": n - 1, "n": n}
    with pytest.raises(SignatureInvalid):
        record_of("kead").verify_jose(number[r].to_bytes(32, "big") + number[s].to_bytes(32, "big"), b"message")


PERIOD = [
    # how far from where                              usable
    (START - SECOND, "not valid yet"),
    (START, None),
    (LATER - SECOND, None),
    (LATER, "no longer valid"),
    (LATER + SECOND, "no longer valid"),
]


@pytest.mark.parametrize(("at", "why"), PERIOD)
def test_a_key_counts_from_its_first_to_before_its_last_moment(at: datetime, why: str | None) -> None:
    keys = ring()
    if why is None:
        assert keys.find("kead-2026-11-ES256", at).owner == "kead"
    else:
        with pytest.raises(KeyRefused, match=why):
            keys("kead-2026-11-ES256", at)


def test_a_key_without_end_counts_until_it_is_revoked() -> None:
    record = record_of("kead", not_after=None)
    record.usable(LATER + timedelta(days=9999))
    revoked = replace(record, revoked_at=NOW)
    revoked.usable(NOW - SECOND)
    for at in (NOW, NOW + SECOND):
        with pytest.raises(KeyRefused, match="revoked"):
            revoked.usable(at)


def test_a_revoked_key_is_not_believed_even_when_the_signature_is_dated_back() -> None:
    keys = ring(record_of("kead", revoked_at=NOW))
    when = {"made": NOW - timedelta(hours=1)}
    assert find(keys, "kead-2026-11-ES256", "ES256", **when)
    assert find(keys, "kead-2026-11-ES256", "ES256", **when, received=NOW - SECOND)
    with pytest.raises(KeyRefused, match="revoked"):
        find(keys, "kead-2026-11-ES256", "ES256", **when, received=NOW)


@pytest.mark.rule("R-22")
def test_a_rotated_key_is_still_believed_for_messages_it_sealed_in_its_time() -> None:
    keys = ring(record_of("kead", not_after=NOW))
    assert find(keys, "kead-2026-11-ES256", "ES256", made=NOW - SECOND, received=NOW + timedelta(days=7))
    with pytest.raises(KeyRefused, match="no longer valid"):
        find(keys, "kead-2026-11-ES256", "ES256", made=NOW, received=NOW + timedelta(days=7))


@pytest.mark.rule("R-22")
def test_the_algorithm_is_the_records_not_the_messages() -> None:
    with pytest.raises(KeyRefused, match="alg"):
        find(ring(), "kead-2026-11-ES256", "PS256", made=NOW)


def test_a_finder_that_gives_another_key_or_an_old_one_is_not_trusted() -> None:
    with pytest.raises(KeyRefused, match="another key"):
        find(lambda kid, at: record_of("kead"), "keis-2026-11-ES256", "ES256", made=NOW)
    with pytest.raises(KeyRefused, match="no longer"):
        find(lambda kid, at: record_of("kead"), "kead-2026-11-ES256", "ES256", made=LATER)


def test_an_unknown_kid_is_refused() -> None:
    with pytest.raises(KeyRefused, match="no such key"):
        ring().find("nobody", NOW)
    with pytest.raises(KeyRefused, match="no such key"):
        ring().of("keis")("kead-2026-11-ES256", NOW)


def test_two_owners_may_use_the_same_kid_but_only_a_bound_ring_finds_it() -> None:
    kead = public_half(generate("key-1"), "kead", START)
    keis = public_half(generate("key-1"), "keis", START)
    keys = ring(kead, keis)
    assert keys.of("kead")("key-1", NOW) is kead
    assert keys.of("keis")("key-1", NOW) is keis
    with pytest.raises(KeyRefused, match="several owners"):
        keys.find("key-1", NOW)


def test_one_owner_cannot_use_a_kid_twice() -> None:
    with pytest.raises(KeyRefused, match="same kid"):
        KeyRing(public_half(generate("key-1"), "kead", START) for _ in range(2))


def test_rs256_ends_at_its_legacy_date_and_needs_one() -> None:
    record = record_of("kead", "RS256", legacy_until=NOW)
    record.usable(NOW - SECOND)
    with pytest.raises(KeyRefused, match="no longer"):
        record.usable(NOW)
    with pytest.raises(KeyRefused, match="legacy_until"):
        public_half(key_of("kead", "RS256"), "kead", START)
    with pytest.raises(KeyRefused, match="legacy_until"):
        record_of("kead", "ES256", legacy_until=LATER)


@pytest.mark.parametrize("alg", ALGS)
def test_a_key_comes_back_from_its_jwk(alg: str) -> None:
    record = record_of("kead", alg)
    legacy = LATER if alg == "RS256" else None
    assert from_jwk(to_jwk(record), "kead", START, LATER, algs=ALGS, legacy_until=legacy) == record
    assert to_jwk(key_of("kead", alg)) == to_jwk(record)
    assert not {"d", "p", "q"} & to_jwk(record).keys()


@pytest.mark.parametrize("password", [None, b"correct horse"])
def test_a_private_key_comes_back_from_its_pem(password: bytes | None) -> None:
    key = key_of("kead")
    back = SigningKey.from_pem(key.kid, key.alg, key.to_pem(password), password)
    assert to_jwk(back) == to_jwk(key)
    record_of("kead").verify_jose(back.sign_jose(b"x"), b"x")


@pytest.mark.parametrize("pem", [b"", b"-----BEGIN PRIVATE KEY-----\n\n-----END PRIVATE KEY-----\n", None])
def test_a_pem_that_holds_no_signing_key_is_refused(pem: bytes | None) -> None:
    if pem is None:
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        other = x25519.X25519PrivateKey.generate()
        pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(KeyRefused):
        SigningKey.from_pem("k", "ES256", pem)


def test_a_locked_pem_without_its_password_is_refused() -> None:
    locked = key_of("kead").to_pem(b"correct horse")
    for password in (None, b"wrong"):
        with pytest.raises(KeyRefused):
            SigningKey.from_pem("k", "ES256", locked, password)


def test_a_key_must_fit_its_algorithm_and_its_name() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    for kid, alg in [("k", "ES384"), ("k", "PS256"), ("k", "none"), ("k", "HS256"), ("", "ES256"), ("a b", "ES256")]:
        with pytest.raises(KeyRefused):
            SigningKey(kid, alg, private)
        with pytest.raises(KeyRefused):
            VerifyKey(kid, alg, "kead", private.public_key(), START)
    with pytest.raises(KeyRefused):
        SigningKey("k", "ES256", ec.generate_private_key(ec.SECP256K1()))
    with pytest.raises(KeyRefused):
        generate("k", "none")


def test_a_private_key_does_not_show() -> None:
    assert "private" not in repr(key_of("kead"))
    assert "public" not in repr(record_of("kead"))


def test_a_key_for_encryption_verifies_no_signature() -> None:
    with pytest.raises(KeyRefused, match="not for signatures"):
        record_of("kead", use="enc").usable(NOW)
