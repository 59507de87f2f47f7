"""Bundles to be judged: a clean one of a case that came through, and what forgers make of it.

A forger has the files; the worst also has the key of the log, and makes the list anew when he is done (`relisted`).
"""

from __future__ import annotations

import io
import os
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZIP_STORED, ZipFile

import orjson
import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.partners.pretend.scripts import Kind
from gateway.assembly.clocks import RealClock, uuid7
from gateway.assembly.shelf import KeyShelf
from gateway.exchange_log import leaf, note, proof, tree
from gateway.exchange_log.checkpoint import Checkpoint
from gateway.exchange_log.note import COSIGNATURE, LOG, Signer, Verifier
from gateway.exchange_log.policy import parse
from gateway.journey.activate import activate
from gateway.journey.evidence import evidence
from gateway.ports import ActsAsked
from gateway.sealing import base64url, compact, http
from gateway.sealing.keys import to_jwk
from gateway.sealing.receipts import TYP, promised
from gateway.store.exchange_log import ExchangeLog
from gateway.store.keyfiles import log_key
from gateway.store.postgres import PostgresStore
from gateway.store.witnesses import Witnesses
from tests.conftest import LOG_NAME, TEMPLATE, home_folder, in_database, leaves
from tests.journey.world import PARTNERS, Scene, a_case, key_of, make_scene

WITNESS = Signer("witness.example/w1", COSIGNATURE, Ed25519PrivateKey.generate())
POLICY = f"witness w1 {WITNESS.verifier.vkey}\nquorum w1\n"
"""Whom to believe, as an auditor has it from the witness himself."""
W1, W2 = (Signer(f"w{n}", COSIGNATURE, Ed25519PrivateKey.generate()).verifier.vkey for n in (1, 2))
UNMEANT = {
    "nothing": "",
    "no quorum": f"witness w1 {W1}\n",
    "a word misspelt": f"witness w1 {W1}\nqourum w1\n",
    "nobody by that name": "quorum w1\n",
    "two quorums": f"witness w1 {W1}\nquorum w1\nquorum none\n",
    "a key that is not whole": f"witness w1 {W1[:-4]}AAA=\nquorum w1\n",
    "one key under two names": f"witness w1 {W1}\nwitness w2 {W1}\ngroup g 2 w1 w2\nquorum g\n",
    "one name for two keys": f"witness w1 {W1}\nwitness w1 {W2}\nquorum w1\n",
    "a member twice in a group": f"witness w1 {W1}\ngroup g 2 w1 w1\nquorum g\n",
    "a member of two groups": f"witness w1 {W1}\ngroup g any w1\ngroup h any w1\nquorum h\n",
    "a group of none": f"witness w1 {W1}\ngroup g 0 w1\nquorum g\n",
    "a number that is none": f"witness w1 {W1}\ngroup g most w1\nquorum g\n",
    "a group in itself": f"witness w1 {W1}\ngroup g 1 g w1\nquorum g\n",
    "a group of nobody": "group g all\nquorum g\n",
    "the key of a log": f"witness log {Verifier('log', LOG, bytes(range(32))).vkey}\nquorum log\n",
}
"""Policies that say nothing, or something that nobody can mean."""
SOME_TIME = datetime.fromisoformat("2026-11-25T12:00:00+09:00")
Files = dict[str, bytes]


class Place(NamedTuple):
    """A gateway with its log, on a database of its own."""

    scene: Scene
    log: ExchangeLog
    keys: Path

    def make(self, asked: ActsAsked, **more: Any) -> bytes:
        return evidence(self.scene.world, self.log, asked, by="kim.0417", purpose="audit", **more)

    def signer(self, origin: str) -> Signer:
        return Signer(origin, LOG, log_key(self.keys, origin.rpartition("/")[2]))

    def cosign(self) -> None:
        """The witness that the policy asks for signs the newest head."""
        with self.log.reading() as books:
            newest = books.execute("select size, note from xlog_checkpoint order by size desc limit 1").fetchone()
        assert newest
        size, text = newest
        line = WITNESS.sign(note.split(text)[0], self.scene.clock.now())
        with self.scene.store.transaction() as books:
            row = (size, WITNESS.verifier.vkey, line)
            books.execute("insert into xlog_cosig (shard, size, witness, line, at) values (1, %s, %s, %s, now())", row)


@contextmanager
def place(postgres: str, name: str, *, witnessed: bool = True) -> Iterator[Place]:
    """A gateway that has its keys and knows its maps, and has done nothing yet; its policy asks for a witness."""
    with home_folder() as home, psycopg.connect(postgres, autocommit=True) as server:
        database = f"{name}{os.getpid()}"
        server.execute(f"create database {database} template {TEMPLATE}")
        store = PostgresStore(in_database(postgres, database), leaves())
        found = Place(make_scene(store, home), None, home / "keys")  # type: ignore[arg-type]
        asks = parse(POLICY)
        log = ExchangeLog(
            store, home / "xlog", LOG_NAME, found.signer, uuid7, Witnesses(store, asks if witnessed else None)
        )
        shelf = KeyShelf(store, RealClock())
        for owner in ("comwel", *PARTNERS):
            shelf.add(owner, to_jwk(key_of(owner)))
        activate(found.scene.world)
        log.round()
        yield found._replace(log=log)
        store.close()
        server.execute(f"drop database {database} with (force)")


class Clean(NamedTuple):
    """A bundle in order: three referrals of a case with their receipts, and an answer of a partner."""

    raw: bytes
    vkey: str
    signer: Signer

    @property
    def files(self) -> Files:
        return unpacked(self.raw)


def clean(here: Place) -> Clean:
    """A bundle of a whole case, with content, whose log grew meanwhile and was witnessed."""
    legs = here.scene.referred(a_case(1), a_case(2))
    here.log.round()
    here.scene.say(legs["KEIS"], Kind.ACCEPT, 1)
    here.log.catch_up()
    here.cosign()
    made = here.make(ActsAsked(case_no=legs["KEIS"].case_no), content=True)
    head = here.log.head()
    return Clean(made, head.vkey, here.signer(head.origin))


def unpacked(raw: bytes) -> Files:
    with ZipFile(io.BytesIO(raw)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(files: Mapping[str, bytes]) -> bytes:
    written = io.BytesIO()
    with ZipFile(written, "w", ZIP_STORED) as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return written.getvalue()


def relisted(files: Files, signer: Signer, **changed: Any) -> Files:
    """The list made anew over what the files are now, and signed with the key of the log."""
    listed = files.keys() - {"manifest.json", "manifest.sig"}
    said = orjson.loads(files["manifest.json"]) | changed
    said["files"] = {path: sha256(files[path]).hexdigest() for path in listed}
    list_ = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
    text = f"evidence-bundle/v1\n{signer.name}\n{b64encode(sha256(list_).digest()).decode()}\n"
    return files | {"manifest.json": list_, "manifest.sig": note.write(text, [signer.sign(text)]).encode()}


# ── what forgers do ──────────────────────────────────────────────────────────────────────────────────────────────────
def some(files: Files, ending: str, n: int = 0) -> str:
    """The nth file with this ending."""
    return [path for path in sorted(files) if path.endswith(ending)][n]


def act_of(files: Files, kind: bytes) -> str:
    """An act of this kind."""
    return next(path for path in sorted(files) if path.endswith(".act.json") and kind in files[path])


def edited(files: Files, path: str, old: bytes, new: bytes) -> Files:
    assert old in files[path]
    return files | {path: files[path].replace(old, new, 1)}


def swapped(files: Files, one: str, other: str) -> Files:
    return files | {one: files[other], other: files[one]}


def without(files: Files, path: str) -> Files:
    return {name: data for name, data in files.items() if name != path}


def signed_by_another(files: Files, path: str) -> Files:
    text, [(name, _, _), *_] = note.split(files[path].decode())
    stranger = Signer(name, LOG, Ed25519PrivateKey.generate())
    return files | {path: note.write(text, [stranger.sign(text)]).encode()}


def other_root(files: Files) -> Files:
    """The head of a log with other leaves, under the right key's name: its signature is not over this."""
    path = some(files, "/checkpoint")
    lines = files[path].decode().split("\n")
    lines[2] = b64encode(secrets.token_bytes(32)).decode()
    return files | {path: "\n".join(lines).encode()}


def hash_changed(files: Files) -> Files:
    path = some(files, ".tlog-proof")
    lines = files[path].decode().split("\n")
    lines[3] = b64encode(bytes(32)).decode()
    return files | {path: "\n".join(lines).encode()}


def forged_cosignature(files: Files) -> Files:
    """The witness's name and key id, over nothing he has signed."""
    path = some(files, "/checkpoint")
    text, lines = note.split(files[path].decode())
    forged = Signer(WITNESS.name, COSIGNATURE, Ed25519PrivateKey.generate()).sign(text, SOME_TIME)
    raw = b64decode(forged.split(" ")[2])
    line = f"— {WITNESS.name} {b64encode(WITNESS.verifier.key_id + raw[4:]).decode()}\n"
    kept = [
        f"— {name} {b64encode(number + signed).decode()}\n" for name, number, signed in lines if name != WITNESS.name
    ]
    forged_note = note.write(text, [*kept, line])
    return _in_proofs(files | {path: forged_note.encode()}, files[path], forged_note.encode())


def _in_proofs(files: Files, old: bytes, new: bytes) -> Files:
    return {path: data.replace(old, new) if path.endswith(".tlog-proof") else data for path, data in files.items()}


def without_cosignature(files: Files) -> Files:
    path = some(files, "/checkpoint")
    text, lines = note.split(files[path].decode())
    [line] = [f"— {n} {b64encode(number + raw).decode()}\n" for n, number, raw in lines if n != WITNESS.name]
    return _in_proofs(files | {path: note.write(text, [line]).encode()}, files[path], note.write(text, [line]).encode())


def key_of_a_stranger(files: Files) -> Files:
    """The public key of a partner replaced by one of ours: what it sealed would be ours to seal."""
    path = next(p for p in sorted(files) if p.startswith("keys/keis/"))
    record = orjson.loads(files[path])
    record["jwk"] = to_jwk(key_of("mallory")) | {"kid": record["jwk"]["kid"]}
    return files | {path: orjson.dumps(record)}


def promising(files: Files, **changed: Any) -> Files:
    """Our own receipt made anew, with another promise, signed with our key."""
    path = next(p for p in sorted(files) if p.endswith("/receipt.jws") and promised(files[p].decode()))
    said = orjson.loads(base64url.decode(files[path].decode().split(".")[1]))
    said["promise"] |= changed
    return files | {path: compact.seal(orjson.dumps(said), typ=TYP, key=key_of("comwel")).encode()}


def with_parts_in_another_order(files: Files) -> Files:
    """A receipt as another implementation writes it: the members of its parts in another order, signed all the same."""
    path = next(p for p in sorted(files) if p.endswith("/receipt.jws") and not promised(files[p].decode()))
    said = orjson.loads(base64url.decode(files[path].decode().split(".")[1]))
    said["parts"] = [dict(reversed(part.items())) for part in said["parts"]]
    return files | {path: compact.seal(orjson.dumps(said), typ=TYP, key=key_of(said["iss"])).encode()}


def unlogged(files: Files, signer: Signer) -> Files:
    """A message of ours without the act that brought it about, as if that had no place in the log yet."""
    [path, *_] = [path for path in sorted(files) if path.endswith(".act.json") and b"referral.prepared" in files[path]]
    act, mid = path[len("acts/") : -len(".act.json")], orjson.loads(files[path])["mid"]
    said = orjson.loads(files["manifest.json"])
    acts = [one for one in said["acts"] if one["id"] != act]
    absent = [*said["absent"], {"what": "leaf", "of": mid, "why": "not-open"}]
    rest = {name: data for name, data in files.items() if not name.startswith(f"acts/{act}.")}
    return relisted(rest, signer, acts=acts, absent=absent)


def introduced_by_nobody(files: Files) -> Files:
    """The act that introduced a key taken out, and a reason for it that is none."""
    path = act_of(files, b"key.added")
    act, subject = path[len("acts/") : -len(".act.json")], orjson.loads(files[path])["subject"]
    said = orjson.loads(files["manifest.json"])
    said["acts"] = [one for one in said["acts"] if one["id"] != act]
    said["absent"] = [*said["absent"], {"what": "act", "of": subject, "why": "not-asked-for"}]
    rest = {name: data for name, data in files.items() if not name.startswith(f"acts/{act}.")}
    return rest | {"manifest.json": orjson.dumps(said)}


def heads_of(files: Files, sender: bytes) -> list[str]:
    """The heads of requests that this sender has signed."""
    return [path for path in sorted(files) if "/http/" in path and b'keyid=\\"' + sender in files[path]]


def two_heads(files: Files) -> tuple[str, str]:
    """Heads of two messages of ours."""
    first, second, *_ = heads_of(files, b"comwel")
    return first, second


def head_with(files: Files, old: bytes, new: bytes, sender: bytes = b"comwel") -> Files:
    return edited(files, heads_of(files, sender)[0], old, new)


def head_without(files: Files, *fields: str, sender: bytes = b"comwel") -> Files:
    """A head whose signature somebody has taken off."""
    path = heads_of(files, sender)[0]
    told = orjson.loads(files[path])
    for name in fields:
        del told["request"]["headers"][name]
    return files | {path: orjson.dumps(told)}


def head_by(files: Files, owner: str, **changed: Any) -> Files:
    """The head of a request of ours, signed anew and as it should be, by somebody else or for another body."""
    path = heads_of(files, b"comwel")[0]
    told = orjson.loads(files[path])["request"]
    said: dict[str, Any] = {"body": files[path.partition("/http/")[0] + "/body"], "key": key_of(owner)} | changed
    headers = http.sign(
        "POST", told["target"], told["headers"]["content-type"], said["body"], told["headers"]["idempotency-key"],
        told["headers"]["comwel-message-jws"], key=said["key"], created=_signed_at(told), nonce="A" * 22,
    )  # fmt: skip
    told["headers"] = {name.lower(): value for name, value in headers.items()}
    return files | {path: orjson.dumps({"request": told, "answer": None})}


def _signed_at(request: Mapping[str, Any]) -> datetime:
    created = request["headers"]["signature-input"].partition(";created=")[2].partition(";")[0]
    return datetime.fromtimestamp(int(created), UTC)


def unheard_of(files: Files) -> Files:
    """A head taken out of the bundle and of its list, which does not say that it is missing."""
    path = heads_of(files, b"comwel")[0]
    name = f'"{path}"'.encode()
    return without(edited(files, "manifest.json", b'"requests":[' + name + b"]", b'"requests":[]'), path)


class Forgery(NamedTuple):
    """What a forger did, with the key of the log or without, and the checks that notice."""

    name: str
    forge: Callable[[Files], Files]
    with_key: bool
    noticed: frozenset[str]


def forgery(name: str, forge: Callable[[Files], Files], *noticed: str, with_key: bool = True) -> Forgery:
    return Forgery(name, forge, with_key, frozenset(noticed))


FORGERIES = (
    forgery("a message edited", lambda f: edited(f, some(f, "/body"), b"2026", b"2027"), "bytes"),
    forgery("a leaf edited", lambda f: edited(f, some(f, ".leaf.json"), b'"done"', b'"DONE"'), "leaves"),
    forgery("an act edited", lambda f: edited(f, act_of(f, b"delivery.attempted"), b'"done"', b'"refused"'), "acts"),
    forgery("an act that introduced a key edited", lambda f: edited(f, act_of(f, b"key.added"), b"gateway", b"forger"),
            "acts", "keys"),
    forgery("two proofs swapped", lambda f: swapped(f, some(f, ".tlog-proof"), some(f, ".tlog-proof", 1)), "leaves"),
    forgery("a hash of a proof changed", hash_changed, "leaves"),
    forgery("a head signed with another key", lambda f: signed_by_another(f, some(f, "/checkpoint")),
            "checkpoint", "growth", "leaves", "witnesses"),
    forgery("a head of other leaves", other_root, "checkpoint", "growth", "leaves", "witnesses"),
    forgery("a head cut short", lambda f: f | {some(f, "/checkpoint"): f[some(f, "/checkpoint")][:-20]},
            "checkpoint", "growth", "leaves", "witnesses"),
    forgery("an empty line in the growth", lambda f: f | {some(f, "/consistency"): f[some(f, "/consistency")] + b"\n"},
            "growth"),
    forgery("a key that no act introduced", introduced_by_nobody, "keys"),
    forgery("growth from another log", lambda f: f | {some(f, "/consistency"): b""}, "growth"),
    forgery("a receipt of another message", lambda f: swapped(f, some(f, "/receipt.jws"), some(f, "/receipt.jws", 1)),
            "receipts"),
    forgery("a promise of a leaf that is nowhere", lambda f: promising(f, leaf="A" * 43), "promises"),
    forgery("a promise of another number", lambda f: promising(f, seq=4127), "promises"),
    forgery("a promise of another log", lambda f: promising(f, log="other.example/xlog"), "promises"),
    forgery("the seal of another message", lambda f: swapped(f, some(f, "/manifest.jws"), some(f, "/manifest.jws", 1)),
            "messages", "bytes", "requests", "receipts", "maps"),
    forgery("a partner's key exchanged", key_of_a_stranger, "keys", "messages", "requests", "receipts"),
    forgery("a head with another target", lambda f: head_with(f, b'"target":"http', b'"target":"https'), "requests"),
    forgery("a head with another method", lambda f: head_with(f, b'"POST"', b'"PUT"'), "requests"),
    forgery("a head with another time", lambda f: head_with(f, b";created=1", b";created=2"), "requests"),
    forgery("a partner's head with another nonce", lambda f: head_with(f, b'nonce=\\"', b'nonce=\\"A', b"keis"),
            "requests"),
    forgery("a head with a line more", lambda f: head_with(f, b'"idempotency-key":"', b'"idempotency-key":"a\\n'),
            "requests"),
    forgery("the head of another message", lambda f: swapped(f, *two_heads(f)), "requests"),
    forgery("the signature of a head taken off", lambda f: head_without(f, "signature", "signature-input"), "requests"),
    forgery("the signature of a partner's head taken off", lambda f: head_without(f, "signature", sender=b"keis"),
            "requests"),
    forgery("a head signed with a stranger's key", lambda f: head_by(f, "mallory"), "requests"),
    forgery("a head signed with a partner's key", lambda f: head_by(f, "keis"), "requests"),
    forgery("a head for other bytes", lambda f: head_by(f, "comwel", body=b"{}"), "requests"),
    forgery("a head taken out, and not said to be missing", unheard_of, "requests"),
    forgery("a forged cosignature", forged_cosignature, "witnesses"),
    forgery("the cosignature taken away", without_cosignature, "witnesses"),
    forgery("a file missing", lambda f: without(f, some(f, "/receipt.jws")), "files", "receipts", with_key=False),
    forgery("a file added", lambda f: f | {"messages/more": b"more"}, "files", with_key=False),
    forgery("a file added under a name that every object has", lambda f: f | {"constructor": b"more"}, "files",
            with_key=False),
    forgery("a message edited, the list as it was", lambda f: edited(f, some(f, "/body"), b"2026", b"2027"),
            "files", "bytes", with_key=False),
    forgery("the list altered", lambda f: edited(f, "manifest.json", b'"content":true', b'"content":null'),
            "list", with_key=False),
    forgery("the key of the log exchanged", lambda f: edited(f, some(f, "/log.vkey"), b"+A", b"+B"),
            "list", "log-key", "checkpoint", "growth", "leaves"),
)  # fmt: skip


OTHER_ARCHIVES: dict[str, Callable[[bytes], bytes]] = {
    "something before it": lambda raw: b"x" + raw,
    "something behind it": lambda raw: raw + b"x",
    "a comment": lambda raw: raw[:-2] + b"\x01\x00x",
    "another end behind it": lambda raw: raw + raw[-22:],
    "an entry that is not in the directory": lambda raw: _with_directory_at(b"PK\x03\x04" + bytes(26) + raw, 30),
    "an entry that is said to be encrypted": lambda raw: _with_flag(raw, 1),
    "an entry with its sizes behind it": lambda raw: _with_flag(raw, 8),
    "one entry fewer in its directory": lambda raw: raw[:-12] + bytes([raw[-12] - 1]) + raw[-11:],
}
"""The same files in archives that readers of ZIP files read differently."""


def _with_flag(raw: bytes, flag: int) -> bytes:
    at = int.from_bytes(raw[-6:-2], "little") + 8
    return raw[:6] + bytes([flag]) + raw[7:at] + bytes([flag]) + raw[at + 1 :]


def _with_directory_at(raw: bytes, later: int) -> bytes:
    return raw[:-6] + (int.from_bytes(raw[-6:-2], "little") + later).to_bytes(4, "little") + raw[-2:]


def forged(one: Forgery, bundle: Clean) -> bytes:
    files = one.forge(bundle.files)
    assert files != bundle.files
    return packed(relisted(files, bundle.signer) if one.with_key else files)


def rewritten(bundle: Clean) -> bytes:
    """History made anew with the stolen key of the log: another act, another tree, and a witness who saw only that."""
    files = edited(bundle.files, act_of(bundle.files, b"delivery.attempted"), b'"gateway"', b'"mallory"')
    acts = [act["id"] for act in orjson.loads(files["manifest.json"])["acts"]]
    files |= {f"acts/{act}.leaf.json": _committed_anew(files, act) for act in acts if f"acts/{act}.key" in files}
    leaves_ = [files[f"acts/{act}.leaf.json"] for act in acts]
    hashes = _hashes([tree.leaf_hash(one) for one in leaves_])
    earlier, now = (Checkpoint(bundle.signer.name, n, tree.root(n, hashes)) for n in (1, len(acts)))
    accomplice = Signer(WITNESS.name, COSIGNATURE, Ed25519PrivateKey.generate())
    signed = now.sign(bundle.signer) + accomplice.sign(now.text, SOME_TIME)
    joined = tree.prove_consistency(1, len(acts), hashes)
    log = some(files, "/checkpoint").removesuffix("/checkpoint")
    files |= {
        f"{log}/checkpoint": signed.encode(),
        f"{log}/earlier": earlier.sign(bundle.signer).encode(),
        f"{log}/consistency": "".join(f"{b64encode(one).decode()}\n" for one in joined).encode(),
        f"{log}/policy": POLICY.replace(WITNESS.verifier.vkey, accomplice.verifier.vkey).encode(),
    }
    for n, act in enumerate(acts):
        path = tree.prove_inclusion(n, len(acts), hashes)
        files[f"acts/{act}.tlog-proof"] = proof.write(leaves_[n], n, path, signed).encode()
    return packed(relisted(files, bundle.signer))


def _committed_anew(files: Files, act: str) -> bytes:
    """The leaf of an act as it would have been, had the act been the one in the bundle."""
    commitment = leaf.commit_event(b64decode(files[f"acts/{act}.key"]), files[f"acts/{act}.act.json"])
    return leaf.read(files[f"acts/{act}.leaf.json"])._replace(event=commitment).to_bytes()


def _hashes(leaf_hashes: list[bytes]) -> tree.Hashes:
    """The hashes of a tree that is kept nowhere."""
    return lambda level, index: tree.fold(leaf_hashes[index << level : (index + 1) << level])
