"""Notes, checkpoints and cosignatures: the examples of the C2SP texts, and everything that must not be believed."""

from __future__ import annotations

import subprocess
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gateway.errors import NoteInvalid
from gateway.exchange_log import note
from gateway.exchange_log.checkpoint import Checkpoint, open_checkpoint, parse
from gateway.exchange_log.note import COSIGNATURE, LOG, Signer, Verifier, open_note

EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE_NOTE = (
    "This is an example message.\n\n— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
ORIGIN = "gateway.example/exchange-log/2026"
AT = datetime(2026, 11, 25, 10, 0, 0, tzinfo=UTC)
HEAD = Checkpoint(ORIGIN, 70_000, bytes(range(32)))


def signer(name: str = ORIGIN, kind: int = LOG, seed: int = 1) -> Signer:
    return Signer(name, kind, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


LOG_KEY, WITNESS, OTHER = signer(), signer("witness.example/w1", COSIGNATURE, 2), signer(seed=3)


def test_the_example_of_the_specification_opens() -> None:
    opened = open_note(EXAMPLE_NOTE, [Verifier.parse(EXAMPLE_KEY)])
    assert opened.text == "This is an example message.\n"
    assert opened.signatures[0].by.vkey == EXAMPLE_KEY


@pytest.mark.parametrize(
    "vkey",
    [
        EXAMPLE_KEY.replace("530d903a", "530d903b"),
        EXAMPLE_KEY.replace("foo", "bar"),
        EXAMPLE_KEY[:-4],
        EXAMPLE_KEY.replace("+Aek", "+Auk"),
        "+".join(EXAMPLE_KEY.split("+")[:2]),
        "two words+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "",
    ],
)
def test_a_key_that_does_not_fit_its_own_id_is_refused(vkey: str) -> None:
    with pytest.raises(NoteInvalid):
        Verifier.parse(vkey)


def test_a_key_survives_being_written_down() -> None:
    for key in (LOG_KEY.verifier, WITNESS.verifier):
        assert Verifier.parse(key.vkey) == key


def test_a_checkpoint_is_three_lines_signed_by_the_key_named_like_the_log() -> None:
    signed = HEAD.sign(LOG_KEY)
    assert signed.startswith(f"{ORIGIN}\n70000\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n\n— {ORIGIN} ")
    assert open_checkpoint(signed, LOG_KEY.verifier).checkpoint == HEAD


def test_a_cosignature_says_when() -> None:
    signed = HEAD.sign(LOG_KEY) + WITNESS.sign(HEAD.text, AT)
    opened = open_checkpoint(signed, LOG_KEY.verifier, (WITNESS.verifier,))
    assert [(s.by.name, s.at) for s in opened.note.of(COSIGNATURE)] == [("witness.example/w1", AT)]


def test_the_message_of_a_cosignature_is_that_of_the_specification() -> None:
    line = WITNESS.sign("example.com/behind-the-sofa\n20852163\nroot\n", datetime.fromtimestamp(1679315147, UTC))
    _, [(_, _, signed)] = note.split(f"x\n\n{line}")
    message = b"cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\nroot\n"
    assert signed[:8] == (1679315147).to_bytes(8, "big")
    Ed25519PublicKey.from_public_bytes(WITNESS.verifier.public).verify(signed[8:], message)


def test_lines_of_unknown_keys_are_ignored() -> None:
    signed = note.write(HEAD.text, [OTHER.sign(HEAD.text), LOG_KEY.sign(HEAD.text), WITNESS.sign(HEAD.text, AT)])
    assert len(open_checkpoint(signed, LOG_KEY.verifier).note.signatures) == 1


def test_one_wrong_line_of_a_known_key_condemns_the_note() -> None:
    forged = HEAD.sign(LOG_KEY) + WITNESS.sign(HEAD._replace(size=69_999).text, AT)
    with pytest.raises(NoteInvalid, match=r"witness\.example/w1 does not hold"):
        open_checkpoint(forged, LOG_KEY.verifier, (WITNESS.verifier,))


def test_a_cosignature_cannot_be_dated_otherwise() -> None:
    line = WITNESS.sign(HEAD.text, AT)
    _, [(name, key_id, signed)] = note.split(f"x\n\n{line}")
    later = b64encode(key_id + (int(AT.timestamp()) + 60).to_bytes(8, "big") + signed[8:]).decode()
    with pytest.raises(NoteInvalid):
        open_checkpoint(f"{HEAD.sign(LOG_KEY)}— {name} {later}\n", LOG_KEY.verifier, (WITNESS.verifier,))


@pytest.mark.parametrize(
    "wrong",
    [
        HEAD.sign(OTHER),  # the right name, another key
        HEAD._replace(origin="gateway.example/other").sign(LOG_KEY),  # the right key, another log
        note.write(HEAD.text, [WITNESS.sign(HEAD.text, AT)]),  # a witness, but not the log itself
        HEAD.sign(LOG_KEY).replace("70000", "70001"),
        note.write(HEAD.text + "an extension\n", [LOG_KEY.sign(HEAD.text + "an extension\n")]),
    ],
)
def test_what_the_log_did_not_sign_is_not_its_checkpoint(wrong: str) -> None:
    with pytest.raises(NoteInvalid):
        open_checkpoint(wrong, LOG_KEY.verifier, (WITNESS.verifier,))


@pytest.mark.parametrize(
    "malformed",
    [
        "",
        "text\n",
        "text\n\n",
        "text\n\n— name AAAAAAAA",
        "text\n\n- name AAAAAAAA\n",
        "text\n\n— name  AAAAAAAA\n",
        "text\n\n— name AAAA\n",
        "text\n\n— name not-base64\n",
        "te\x00xt\n\n— name AAAAAAAA\n",
        "text\r\n\n— name AAAAAAAA\n",
        "text\n\n" + "— name AAAAAAAA\n" * 65,
        "x" * 70_000 + "\n\n— name AAAAAAAA\n",
    ],
)
def test_a_malformed_note_is_refused(malformed: str) -> None:
    with pytest.raises(NoteInvalid):
        note.split(malformed)


@pytest.mark.parametrize("size", ["", "-1", "007", "1e3", "٣", "9" * 20])
def test_a_size_has_one_spelling(size: str) -> None:
    with pytest.raises(NoteInvalid):
        parse(HEAD.text.replace("70000", size))


def test_the_root_has_one_spelling() -> None:
    with pytest.raises(NoteInvalid):
        parse(HEAD.text.replace("Hh8=", "Hh9="))  # other unused bits, the same bytes


@pytest.mark.parametrize("tampered", [False, True])
def test_openssl_agrees_about_the_signature_of_a_checkpoint(tmp_path: Path, tampered: bool) -> None:
    text, [(_, _, signed)] = note.split(HEAD.sign(LOG_KEY))
    public = LOG_KEY.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (tmp_path / "key.pem").write_bytes(public)
    (tmp_path / "text").write_text(text.replace("70000", "70001") if tampered else text)
    (tmp_path / "signature").write_bytes(signed)
    command = [
        "openssl",
        "pkeyutl",
        "-verify",
        "-pubin",
        "-inkey",
        "key.pem",
        "-rawin",
        "-in",
        "text",
        "-sigfile",
        "signature",
    ]
    said = subprocess.run(
        [*command, "-sigfile", "signature"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ("Signature Verified Successfully" in said.stdout, said.returncode == 0) == (not tampered, not tampered)
