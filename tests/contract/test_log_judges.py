"""A log that a journey wrote, judged by tools that nobody here wrote: Go's sumdb, made for Go's own module log, reads
checkpoint, cosignature, tiles and proofs; OpenSSL checks the signature. Both also refuse what they must refuse."""

from __future__ import annotations

import os
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import NamedTuple

import psycopg
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from adapters.witnesses.own import home as home_of_witness
from adapters.witnesses.own.memory import Memory
from adapters.witnesses.own.witness import Witness
from gateway.assembly import assemble
from gateway.assembly.sandbox import make_night
from gateway.config import Settings
from gateway.exchange_log import note, proof, tree
from gateway.exchange_log.checkpoint import open_checkpoint
from gateway.exchange_log.note import Verifier
from gateway.exchange_log.tiles import hashes_of
from gateway.exchange_log.witnessing import Submission
from gateway.journey.explain import explain
from gateway.journey.intake import take_in
from gateway.journey.refer import refer
from gateway.journey.screen import screen_cases
from tests.conftest import ROOT, TEMPLATE, home_folder, in_database
from tests.journey.world import TODAY, knowledge

JUDGE = ROOT / ".venv" / "log-judge"
PROVEN = 200
AT = datetime(2026, 11, 25, tzinfo=UTC)


class Published(NamedTuple):
    """A log as strangers see it, an older checkpoint that one of them kept, and the leaves an auditor was given."""

    folder: Path
    older: Path
    leaves: list[bytes]

    @property
    def vkey(self) -> str:
        return (self.folder / "log.vkey").read_text().strip()


@pytest.fixture(scope="module")
def journey(postgres: str) -> Iterator[Published]:
    """A night of 150 cases up to its referrals, and what people then read about them."""
    name = f"log_judges{os.getpid()}"
    with home_folder() as home, psycopg.connect(postgres, autocommit=True) as server:
        server.execute(f"create database {name} template {TEMPLATE}")
        url = in_database(postgres, name)
        make_night(home / "night", 150, 1, TODAY)
        with assemble(Settings(database_url=url, home=home / "gateway"), knowledge=knowledge()) as gateway:
            take_in(gateway.world, home / "night")
            screen_cases(gateway.world)
            gateway.log.catch_up()
            folder = gateway.log.publisher.folder / gateway.log.head().folder
            older = Path(shutil.copy(folder / "checkpoint", home / "kept"))
            while refer(gateway.world):
                gateway.log.round()
            with gateway.store.unit() as unit:
                mids = [exchange["mid"] for exchange in unit.outbox.report()]
            for mid in islice(cycle(mids), 400):
                explain(gateway.world, mid, by="kim.0417")
            gateway.log.catch_up()
        with psycopg.connect(url) as books:
            leaves = [raw for (raw,) in books.execute("select leaf from xlog_entry order by idx")]
        yield Published(folder, older, leaves)
        server.execute(f"drop database {name} with (force)")


@pytest.fixture
def seen(journey: Published, tmp_path: Path) -> Published:
    """A copy, to be spoiled."""
    shutil.copytree(journey.folder, tmp_path / "log")
    return journey._replace(folder=tmp_path / "log")


def judged(
    log: Published, vkey: str, told: list[tuple[int, bytes]], *witnesses: Verifier
) -> subprocess.CompletedProcess[str]:
    said = [*(f"cosigned={w.vkey}" for w in witnesses), *(f"{index}={leaf.decode()}" for index, leaf in told)]
    return asked(log, said, vkey)


def asked(log: Published, said: list[str], vkey: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [str(JUDGE), str(log.folder), vkey or log.vkey, str(log.older), *said]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def drawn(log: Published) -> list[tuple[int, bytes]]:
    return Random(1).sample(list(enumerate(log.leaves)), PROVEN)


def test_gos_own_log_reader_proves_two_hundred_leaves_and_that_the_log_only_grew(journey: Published) -> None:
    said = judged(journey, journey.vkey, drawn(journey))
    assert said.returncode == 0, said.stdout
    size, older = len(journey.leaves), int(journey.older.read_text().split("\n")[1])
    assert f"{size} leaves" in said.stdout
    assert f"begins with {older}, {PROVEN} leaves proven" in said.stdout
    assert 1 < older < size


def test_go_refuses_a_leaf_that_was_edited(journey: Published) -> None:
    index, leaf = drawn(journey)[0]
    said = judged(journey, journey.vkey, [(index, leaf.replace(b'"done"', b'"refused"'))])
    assert (said.returncode, "refused" in said.stdout) == (1, True)


def test_go_refuses_a_hash_that_was_changed_in_a_tile(seen: Published) -> None:
    tile = seen.folder / "tile/0/000"
    tile.write_bytes(bytes([tile.read_bytes()[0] ^ 1]) + tile.read_bytes()[1:])
    assert judged(seen, seen.vkey, drawn(seen)).returncode == 1


def test_go_refuses_another_key_and_another_checkpoint(seen: Published) -> None:
    other = Verifier(Verifier.parse(seen.vkey).name, note.LOG, bytes(range(32)))
    assert judged(seen, other.vkey, []).returncode == 1
    checkpoint = seen.folder / "checkpoint"
    checkpoint.write_text(checkpoint.read_text().replace(f"\n{len(seen.leaves)}\n", f"\n{len(seen.leaves) - 1}\n"))
    assert judged(seen, seen.vkey, []).returncode == 1


def test_go_finds_a_leaf_that_a_receipt_promised_by_its_hash_alone(journey: Published, tmp_path: Path) -> None:
    head = open_checkpoint((journey.folder / "checkpoint").read_text(), Verifier.parse(journey.vkey)).checkpoint
    hashes = hashes_of(head.size, lambda tile: (journey.folder / tile.path).read_bytes())
    note_, told = (journey.folder / "checkpoint").read_text(), []
    for index, leaf in drawn(journey)[:20]:
        file = tmp_path / f"{index}.tlog-proof"
        file.write_text(proof.write(None, index, tree.prove_inclusion(index, head.size, hashes), note_))
        told.append((file, tree.leaf_hash(leaf)))
    said = asked(journey, [f"promised={file}={b64encode(hash_).decode()}" for file, hash_ in told])
    assert (said.returncode, "20 promises kept" in said.stdout) == (0, True)
    (file, _), (_, other) = told[:2]
    said = asked(journey, [f"promised={file}={b64encode(other).decode()}"])
    assert (said.returncode, "refused" in said.stdout) == (1, True)


def cosigned(log: Published, home: Path) -> Verifier:
    """Let a witness of ours cosign what is published; returns its key."""
    log_key, cosigner = Verifier.parse(log.vkey), home_of_witness.signer(home, "witness.example/w1")
    with closing(Memory(home / "cosigned.db")) as memory:
        witness = Witness(cosigner, memory, lambda: {log_key.name: log_key}, lambda: AT)
        checkpoint = log.folder / "checkpoint"
        said = witness.add_checkpoint(Submission(0, [], checkpoint.read_text()).to_bytes())
    assert said.status == 200
    checkpoint.write_text(checkpoint.read_text() + said.body)
    return cosigner.verifier


def test_go_reads_the_cosignature_of_our_witness_beside_the_signature_of_the_log(
    seen: Published, tmp_path: Path
) -> None:
    witness = cosigned(seen, tmp_path / "witness")
    said = judged(seen, seen.vkey, drawn(seen)[:3], witness)
    assert (said.returncode, "3 leaves proven, 1 witnesses" in said.stdout) == (0, True)


def test_go_refuses_a_cosignature_that_is_missing_of_another_key_or_over_another_root(
    seen: Published, tmp_path: Path
) -> None:
    without = (seen.folder / "checkpoint").read_text()
    witness = cosigned(seen, tmp_path / "witness")
    other = home_of_witness.signer(tmp_path / "other", witness.name)
    text = without.partition("\n\n")[0]
    elsewhere = other._replace(private=home_of_witness.signer(tmp_path / "witness", witness.name).private)
    forged = without + elsewhere.sign(f"{text}x\n", AT)
    for checkpoint, trusted in (
        (without, witness),
        ((seen.folder / "checkpoint").read_text(), other.verifier),
        (forged, witness),
    ):
        (seen.folder / "checkpoint").write_text(checkpoint)
        assert judged(seen, seen.vkey, [], trusted).returncode == 1


@pytest.mark.parametrize("tampered", [False, True])
def test_openssl_checks_the_signature_of_the_published_checkpoint(
    journey: Published, tmp_path: Path, tampered: bool
) -> None:
    text, [(_, _, signed)] = note.split((journey.folder / "checkpoint").read_text())
    public = Ed25519PublicKey.from_public_bytes(Verifier.parse(journey.vkey).public)
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "key.pem").write_bytes(pem)
    (tmp_path / "text").write_text(text.replace("\n", "\n1", 1) if tampered else text)
    (tmp_path / "signature").write_bytes(signed)
    command = ("openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin", "-in", "text")
    said = subprocess.run([*command, "-sigfile", "signature"], cwd=tmp_path, capture_output=True, check=False)
    assert (said.returncode == 0) is not tampered
