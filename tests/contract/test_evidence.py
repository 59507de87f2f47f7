"""Evidence, judged by those who do not trust us: `verify.py` in an environment that has nothing but `cryptography`.

What is in a bundle, what is not, and that making one is an act; then forgers, and by which check each is noticed.
"""

from __future__ import annotations

import subprocess
import tracemalloc
from base64 import b64decode
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import orjson
import psycopg
import pytest
from cryptography.x509 import load_pem_x509_certificates

from adapters.partners.pretend.scripts import Kind
from gateway.errors import NothingProven, TooMuchAsked
from gateway.exchange_log.evidence import verify
from gateway.exchange_log.note import LOG, Verifier
from gateway.journey import evidence
from gateway.journey.destroy import destroy
from gateway.journey.provenance import provenance
from gateway.ports import ActsAsked
from gateway.store.stamps import Stamps
from tests.conftest import ROOT
from tests.contract.bundles import (
    FORGERIES,
    OTHER_ARCHIVES,
    POLICY,
    UNMEANT,
    W2,
    Clean,
    Forgery,
    Place,
    forged,
    packed,
    place,
    relisted,
    rewritten,
    unlogged,
    unpacked,
    with_parts_in_another_order,
)
from tests.fakes.authority import Authority, openssl
from tests.journey.test_destroy import DUE_FROM, close
from tests.journey.world import DAY, HEAD, Scene, a_case, letter, words_of

AUDITOR = ROOT / ".venv" / "auditor" / "bin" / "python"
SCRIPT = ROOT / "gateway" / "exchange_log" / "evidence" / "verify.py"
UNKNOWN = "019abd00-0000-7000-9000-00000000ffff"


@pytest.fixture
def alone(postgres: str) -> Iterator[Place]:
    """A place of one test's own."""
    with place(postgres, "evidence_alone", witnessed=False) as found:
        yield found


def judged(raw: bytes, folder: Path, *words: str) -> tuple[int, dict[str, str]]:
    """What the auditor's Python says: its exit code, and what stands before each check."""
    (folder / "RX.zip").write_bytes(raw)
    command = [str(AUDITOR), "-I", str(SCRIPT), str(folder / "RX.zip"), *words]
    said = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert said.stderr == ""
    lines = [line.split(maxsplit=2) for line in said.stdout.split("\n\n")[0].splitlines()]
    return said.returncode, {name.rstrip(":"): mark for mark, name, _ in lines}


def with_all(bundle: Clean, folder: Path, policy: str = POLICY) -> tuple[str, ...]:
    """What an auditor was given from elsewhere: the key of the log, and whom to believe as a witness."""
    (folder / "policy").write_text(policy)
    return "--vkey", bundle.vkey, "--policy", str(folder / "policy")


def listed(raw: bytes) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(unpacked(raw)["manifest.json"])
    return found


def lacking(raw: bytes) -> set[tuple[str, str]]:
    return {(one["what"], one["why"]) for one in listed(raw)["absent"]}


def failed(raw: bytes, vkey: str, policy: str | None = None) -> set[str]:
    return {said.check for said in verify.verify(raw, [vkey], policy) if said.state == "no"}


# ── the auditor ──────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_auditor_has_nothing_of_ours() -> None:
    code = "import importlib.metadata as m; print(*sorted(d.name for d in m.distributions()))"
    said = subprocess.run([str(AUDITOR), "-I", "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert set(said.stdout.split()) <= {"cffi", "cryptography", "pip", "pycparser", "setuptools", "typing_extensions"}


@pytest.mark.rule("R-14", "R-18")
def test_a_bundle_in_order_is_said_to_be_in_order(bundle: Clean, tmp_path: Path) -> None:
    code, said = judged(bundle.raw, tmp_path, *with_all(bundle, tmp_path))
    assert (code, said) == (0, dict.fromkeys(verify.CHECK, "ok"))


def test_it_is_said_in_korean_too(bundle: Clean) -> None:
    lines = [said.line(1) for said in verify.verify(bundle.raw, [bundle.vkey])]
    assert lines[0].startswith("ok  files: 모든 파일이 목록과 같고, 빠지거나 더해진 파일이 없다 — ")
    words = {**verify.CHECKS, **verify.REASONS, **verify.NOTES}
    assert all(english.count("{}") == korean.count("{}") for english, korean in words.values())


def test_without_a_key_from_elsewhere_it_says_that_nothing_was_compared(bundle: Clean, tmp_path: Path) -> None:
    code, said = judged(bundle.raw, tmp_path)
    assert (code, said["log-key"]) == (0, "--")


def test_a_log_of_somebody_else_is_noticed_with_the_key_one_was_given(bundle: Clean, tmp_path: Path) -> None:
    other = Verifier(bundle.signer.name, LOG, bytes(range(32)))
    code, said = judged(bundle.raw, tmp_path, "--vkey", other.vkey)
    assert (code, [check for check, mark in said.items() if mark == "NO"]) == (1, ["log-key"])


@pytest.mark.parametrize("one", FORGERIES, ids=lambda one: one.name)
def test_what_a_forger_did_is_noticed_by_the_check_that_should(one: Forgery, bundle: Clean, tmp_path: Path) -> None:
    code, said = judged(forged(one, bundle), tmp_path, *with_all(bundle, tmp_path))
    assert code == 1
    assert {check for check, mark in said.items() if mark == "NO"} == one.noticed


def test_a_history_made_anew_and_cosigned_by_an_accomplice_is_noticed_with_the_witnesses_one_was_given(
    bundle: Clean, tmp_path: Path
) -> None:
    code, said = judged(rewritten(bundle), tmp_path, *with_all(bundle, tmp_path))
    assert (code, said) == (1, dict.fromkeys(verify.CHECK, "ok") | {"witnesses": "NO"})


@pytest.mark.parametrize("made", [lambda b: b.raw, rewritten], ids=["in order", "made anew"])
def test_without_witnesses_from_elsewhere_those_of_the_bundle_are_never_enough(
    bundle: Clean, made: Callable[[Clean], bytes], tmp_path: Path
) -> None:
    code, said = judged(made(bundle), tmp_path, "--vkey", bundle.vkey)
    assert (code, said) == (0, dict.fromkeys(verify.CHECK, "ok") | {"witnesses": "--"})


def test_a_bundle_of_no_log_has_no_witnesses_and_not_the_key_one_was_given(bundle: Clean, tmp_path: Path) -> None:
    code, said = judged(packed(relisted(bundle.files, bundle.signer, logs=[])), tmp_path, *with_all(bundle, tmp_path))
    assert said["witnesses"] == "--"
    stranger = Verifier(bundle.signer.name, LOG, bytes(range(32)))
    raw = packed(relisted(bundle.files, bundle.signer, logs=[], acts=[]))
    code, said = judged(raw, tmp_path, "--vkey", stranger.vkey)
    assert (code, said["log-key"]) == (1, "NO")


@pytest.mark.parametrize("policy", UNMEANT.values(), ids=UNMEANT)
def test_a_policy_that_nobody_can_mean_is_refused(bundle: Clean, policy: str) -> None:
    [said] = [one for one in verify.verify(bundle.raw, [bundle.vkey], policy) if one.check == "witnesses"]
    assert (said.state, said.why) == ("no", "form")


def test_of_a_group_as_many_must_have_signed_as_the_policy_says(bundle: Clean) -> None:
    ours, stranger = POLICY.split()[2], W2
    keys = f"log {bundle.vkey}\n# whom we asked\nwitness ours {ours} https://w1.example\nwitness other {stranger}\n"
    assert failed(bundle.raw, bundle.vkey, f"{keys}\ngroup one any ours other\nquorum one\n") == set()
    assert failed(bundle.raw, bundle.vkey, f"{keys}\ngroup both all ours other\nquorum both\n") == {"witnesses"}
    assert failed(bundle.raw, bundle.vkey, f"{keys}\ngroup two 2 ours other\nquorum two\n") == {"witnesses"}


@pytest.mark.parametrize("raw", [b"", b"PK", b"\0" * 100], ids=["nothing", "a beginning", "zeros"])
def test_what_is_no_bundle_is_refused(raw: bytes, tmp_path: Path) -> None:
    assert judged(raw, tmp_path) == (1, {"files": "NO"})


@pytest.mark.parametrize("other", OTHER_ARCHIVES)
def test_an_archive_that_two_tools_could_read_differently_is_refused(bundle: Clean, tmp_path: Path, other: str) -> None:
    raw = OTHER_ARCHIVES[other](bundle.raw)
    assert judged(raw, tmp_path, *with_all(bundle, tmp_path)) == (1, {"files": "NO"})


def test_a_message_whose_leaf_is_not_there_is_never_said_to_have_the_bytes_of_it(bundle: Clean, tmp_path: Path) -> None:
    code, said = judged(packed(unlogged(bundle.files, bundle.signer)), tmp_path, *with_all(bundle, tmp_path))
    assert (code, said) == (0, dict.fromkeys(verify.CHECK, "ok") | {"bytes": "--"})


def test_a_receipt_that_another_implementation_wrote_in_another_order_is_no_other_receipt(bundle: Clean) -> None:
    raw = packed(relisted(with_parts_in_another_order(bundle.files), bundle.signer))
    assert failed(raw, bundle.vkey, POLICY) == set()


def test_more_files_than_every_reader_of_zip_files_reads_are_refused(
    here: Place, bundle: Clean, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zipfile.ZIP_FILECOUNT_LIMIT", 20)
    with pytest.raises(TooMuchAsked, match="65535 files"):
        here.make(ActsAsked(mid=listed(bundle.raw)["messages"][0]["mid"]))


def test_a_bundle_with_any_byte_changed_is_refused_or_says_the_same(bundle: Clean) -> None:
    random, said, refused = Random(1), list(verify.verify(bundle.raw, [bundle.vkey], POLICY)), 0
    for at in random.sample(range(len(bundle.raw)), 60):
        changed = bundle.raw[:at] + bytes([bundle.raw[at] ^ 1 << random.randrange(8)]) + bundle.raw[at + 1 :]
        if failed(changed, bundle.vkey, POLICY):
            refused += 1
        else:  # the date of an entry, say
            assert unpacked(changed) == bundle.files
            assert list(verify.verify(changed, [bundle.vkey], POLICY)) == said
    assert refused > 40


def test_files_that_say_nonsense_are_refused_not_stumbled_over(bundle: Clean) -> None:
    folders = ("logs/", "acts/", "messages/", "keys/", "manifest")
    paths = [path for path in bundle.files if path.startswith(folders) and "explanation" not in path]
    assert {path.partition("/")[0] for path in paths} >= {"logs", "acts", "messages", "keys"}
    for path in paths:
        for nonsense in (b"", b"\xff", b"[]", b"{}", b"[" * 10_000):
            assert failed(packed(bundle.files | {path: nonsense}), bundle.vkey), path


def test_a_bundle_holds_the_first_stamp_that_covers_its_acts_and_openssl_verifies_it(
    alone: Place, tmp_path: Path
) -> None:
    authority = Authority(tmp_path / "tsa")
    roots = load_pem_x509_certificates(authority.root.read_bytes())
    stamps = Stamps(alone.scene.store, alone.log.publisher.folder, roots, authority.stamp, timedelta(0))
    stamps.round()  # before anything was done about the case
    legs = alone.scene.referred(a_case(1))
    asked = ActsAsked(case_no=legs["KEIS"].case_no)
    alone.log.catch_up()
    assert not [path for path in unpacked(alone.make(asked)) if "stamped" in path]
    stamps.round()
    raw = alone.make(asked)
    files = unpacked(raw)
    for name in ("stamped", "stamped.tsr"):
        (tmp_path / name).write_bytes(files[f"logs/{alone.log.head().folder}/{name}"])
    words = ("ts", "-verify", "-data", "stamped", "-in", "stamped.tsr", "-CAfile", str(authority.root))
    assert openssl(tmp_path, *words).returncode == 0
    assert failed(raw, alone.log.head().vkey) == set()


# ── what is in it ────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_same_is_asked_and_the_log_stands_still_the_same_bytes_come(here: Place, bundle: Clean) -> None:
    asked = ActsAsked(mid=listed(bundle.raw)["messages"][0]["mid"])
    assert here.make(asked) == here.make(asked)


@pytest.mark.rule("R-12")
def test_who_makes_a_bundle_is_kept_with_purpose_and_whether_he_has_the_messages(here: Place, bundle: Clean) -> None:
    mid = listed(bundle.raw)["messages"][0]["mid"]
    for content in (False, True):
        here.make(ActsAsked(mid=mid), content=content)
        made = here.scene.events()[-1]
        assert (made["act"], made["actor"], made["purpose"], made["mid"]) == ("bundle.made", "kim.0417", "audit", mid)
        assert made["subject"] == ("with-content" if content else "without-content")
        assert (made["counts"]["messages"], made["counts"]["cases"]) == (1, 1)
    with pytest.raises(NothingProven):
        here.make(ActsAsked(mid=UNKNOWN))
    assert here.scene.events()[-1]["mid"] == UNKNOWN


def test_a_bundle_of_an_exchange_holds_its_acts_and_what_they_rest_on(here: Place, bundle: Clean) -> None:
    mid = next(one["mid"] for one in listed(bundle.raw)["messages"] if one["to"] == "kead")
    files = unpacked(here.make(ActsAsked(mid=mid)))
    acts = [orjson.loads(data) for path, data in files.items() if path.endswith(".act.json")]
    about = {act["act"] for act in acts if act.get("mid") == mid}
    assert about == {"referral.prepared", "delivery.attempted"}
    rests = {act["act"]: act["subject"].partition("/sha256-")[0] for act in acts if act.get("mid") != mid}
    assert rests["map.activated"] == "kead-referral-out|1.0.0"
    assert rests["partner.activated"] == "KEAD"
    assert rests.keys() == {"key.added", "map.activated", "partner.activated", "rules.activated"}
    explained = orjson.loads(files[f"messages/{mid}/explanation.json"])
    assert (explained["sameMap"], explained["sameBytes"]) == (True, True)
    assert {name for line in explained["lines"] for name in line} == {
        "target", "status", "rule", "at", "expr", "via", "tables", "sources"
    }  # fmt: skip


@pytest.mark.rule("R-02")
def test_without_content_nothing_in_it_is_personal(here: Place, bundle: Clean) -> None:
    case = a_case(1)
    raw = here.make(ActsAsked(case_no=case.case_no))
    everything = b"\n".join(unpacked(raw).values()).decode("utf-8", "replace")
    assert [word for word in words_of(case) if word in everything] == []
    assert lacking(raw) - {("act", "not-in-the-tree-yet")} == {("body", "not-asked-for")}
    assert [said.check for said in verify.verify(raw, [bundle.vkey], POLICY) if said.state == "note"] == ["bytes"]
    with_it = b"\n".join(bundle.files.values()).decode("utf-8", "replace")
    assert str(case.values["korNm"]) in with_it


@pytest.mark.rule("R-24")
def test_the_head_of_every_request_is_in_it_and_what_came_back(bundle: Clean) -> None:
    said = [(one["from"], path) for one in listed(bundle.raw)["messages"] for path in one["requests"]]
    assert sorted(sender for sender, _ in said) == ["comwel", "comwel", "comwel", "keis"]
    answers = {sender: orjson.loads(bundle.files[path])["answer"] for sender, path in said}
    assert answers == {"comwel": {"status": 200, "headers": dict(HEAD)}, "keis": {"status": 200, "headers": {}}}


def test_a_period_and_a_partner_bound_it(here: Place, bundle: Clean) -> None:
    whole = listed(here.make(ActsAsked()))
    kead = listed(here.make(ActsAsked(partner="KEAD")))
    assert {one["to"] for one in kead["messages"]} == {"kead"}
    assert len(kead["acts"]) < len(whole["acts"])
    with pytest.raises(NothingProven):
        here.make(ActsAsked(since=here.scene.clock.now().replace(year=2040)))


def test_more_than_a_bundle_holds_is_refused_and_nothing_is_kept(
    here: Place, bundle: Clean, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(here.scene.events())
    monkeypatch.setattr(evidence, "MOST", 3)
    with pytest.raises(TooMuchAsked):
        here.make(ActsAsked())
    assert len(here.scene.events()) == before


MANY = """
    insert into audit_event (event_id, at, act, actor, purpose, verdict, partner)
    select gen_random_uuid(), now(), 'line.opened', 'gateway', 'operation', 'done', 'KEIS'
    from generate_series(1, 20000)"""


def test_of_more_than_a_bundle_holds_and_of_acts_it_is_not_about_few_are_read(
    alone: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = close(alone.scene)
    scene.clock.day = DUE_FROM
    destroy(scene.world)
    alone.log.catch_up()
    mid = scene.rows("message")[0]["mid"]
    alone.make(ActsAsked(mid=mid))
    with _attacker(scene) as books:
        books.execute(MANY)
    assert _needed(lambda: alone.make(ActsAsked(mid=mid))) < 3_000_000  # destroyed: its act is looked for since then
    monkeypatch.setattr(evidence, "MOST", 100)
    for asked in (ActsAsked(), ActsAsked(partner="KEIS")):
        assert _needed(lambda: _refused(alone, asked)) < 1_000_000  # noqa: B023 - it is called here


def _refused(place: Place, asked: ActsAsked) -> None:
    with pytest.raises(TooMuchAsked):
        place.make(asked)


def _needed(do: Callable[[], object]) -> int:
    """The bytes that were in use at once."""
    tracemalloc.start()
    try:
        do()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_an_act_that_has_no_place_yet_is_said_to_be_missing(alone: Place) -> None:
    legs = alone.scene.refer(a_case())
    alone.log.catch_up()
    alone.scene.deliver()
    raw = alone.make(ActsAsked(case_no=legs["KEIS"].case_no))
    assert ("act", "not-in-the-tree-yet") in lacking(raw)
    assert failed(raw, alone.log.head().vkey) == set()


def test_a_partner_that_uses_an_id_of_ours_raises_no_alarm_and_each_message_is_told_as_itself(alone: Place) -> None:
    scene, log = alone.scene, alone.log
    leg = scene.referred(a_case())["KEIS"]
    [ours] = [m for m in scene.rows("message") if m["ref_no"] == leg.ref_no]
    theirs = letter(leg, Kind.ACCEPT, 1, mid=ours["mid"])
    assert scene.hear(theirs).status == 200
    log.catch_up()
    assert list(log.findings()) == []

    now = scene.clock.now()
    assert log.stretch("KEIS", now - DAY, now + DAY).messages_gone == ()
    raw = alone.make(ActsAsked(case_no=leg.case_no), content=True)
    assert failed(raw, log.head().vkey) == set()
    assert ("message", "another-has-its-id") in lacking(raw)
    assert unpacked(raw)[f"messages/{ours['mid']}/body"] == ours["body"]
    told = provenance(scene.world, ActsAsked(partner="KEIS"), by="kim.0417", purpose="audit")
    seals = [b64decode(one["signature"][0]["data"]).decode() for one in told]
    assert len(set(seals)) == len(seals) == 2
    assert ours["jws"] in seals

    with scene.store.unit() as unit:
        found = [unit.outbox.find_message(ours["mid"], direction=way) for way in ("out", "in", None)]
    assert [one and one.body for one in found] == [ours["body"], theirs.body, ours["body"]]


@pytest.mark.parametrize("partner", ["KEIS", "KEAD"])
def test_of_two_partners_that_use_one_id_each_is_told_with_its_own_receipt(alone: Place, partner: str) -> None:
    legs = alone.scene.referred(a_case(1), a_case(2))
    for one in ("KEIS", "KEAD"):
        assert alone.scene.hear(letter(legs[one], Kind.ACCEPT, 1, mid=UNKNOWN)).status == 200
    alone.log.catch_up()
    raw = alone.make(ActsAsked(mid=UNKNOWN, partner=partner), content=True)
    assert [one["from"] for one in listed(raw)["messages"]] == [partner.lower()]
    assert failed(raw, alone.log.head().vkey) == set()


def test_proofs_lead_to_the_head_that_was_witnessed_while_it_holds_the_acts(here: Place, bundle: Clean) -> None:
    mid = listed(bundle.raw)["messages"][0]["mid"]
    before = unpacked(here.make(ActsAsked(mid=mid)))
    here.log.catch_up()
    after = unpacked(here.make(ActsAsked(mid=mid)))
    [head] = [path for path in before if path.endswith("/checkpoint")]
    assert here.log.head().size > int(after[head].split(b"\n")[1])
    assert after[head] == before[head]
    assert failed(here.make(ActsAsked()), bundle.vkey, POLICY) == {
        "witnesses"
    }  # the newest acts are under a head of our own
    here.cosign()
    assert failed(here.make(ActsAsked(mid=mid)), bundle.vkey, POLICY) == set()


# ── what may not or can no longer be in it ───────────────────────────────────────────────────────────────────────────
NUMBERS = {"as it is": b"800101-1234567", "as JSON may write it": b'{"memo": "\\u0038\\u0030\\u0030101-1234567"}'}


@pytest.mark.rule("R-01")
@pytest.mark.parametrize("written", NUMBERS)
def test_a_message_that_holds_a_resident_registration_number_is_not_passed_on(alone: Place, written: str) -> None:
    body = NUMBERS[written]
    legs = alone.scene.referred(a_case())
    alone.log.catch_up()
    with _attacker(alone.scene) as books:
        books.execute("update message set body = %s where partner = 'KEIS'", (body,))  # in the clear, and wrong
    raw = alone.make(ActsAsked(case_no=legs["KEIS"].case_no), content=True)
    assert ("body", "holds-a-resident-number") in lacking(raw)
    assert all(body not in data for data in unpacked(raw).values())


@pytest.mark.rule("R-01")
def test_a_head_that_holds_a_resident_registration_number_is_not_passed_on(alone: Place) -> None:
    legs = alone.scene.referred(a_case())
    alone.log.catch_up()
    with _attacker(alone.scene) as books:
        told = '["POST","https://keis.example/?800101-1234567","a/b","sig1=()","sig1=::",200,[]]'
        books.execute("update attempt set head = %s where partner = 'KEIS'", (told.encode(),))  # in the clear
    raw = alone.make(ActsAsked(case_no=legs["KEIS"].case_no))
    assert ("http", "holds-a-resident-number") in lacking(raw)
    assert all(b"800101" not in data for data in unpacked(raw).values())
    assert failed(raw, alone.log.head().vkey) == set()


def test_heads_from_before_they_were_kept_are_said_to_be_missing(alone: Place) -> None:
    legs = alone.scene.referred(a_case())
    alone.scene.say(legs["KEIS"], Kind.ACCEPT, 1)
    alone.log.catch_up()
    with _attacker(alone.scene) as books:
        books.execute("update attempt set head = null where partner <> 'KEAD'")
        books.execute("update message set head = null")
    raw = alone.make(ActsAsked(case_no=legs["KEIS"].case_no))
    assert [one["why"] for one in listed(raw)["absent"] if one["what"] == "http"] == ["not-kept"] * 3
    [said] = [one for one in verify.verify(raw, [alone.log.head().vkey]) if one.check == "requests"]
    assert (said.state, said.why, said.of) == ("note", "absent", ("1", "3"))


@pytest.mark.rule("R-30")
def test_of_what_was_destroyed_the_act_of_destruction_is_in_it_and_every_proof_holds(alone: Place) -> None:
    scene = close(alone.scene)
    scene.clock.day = DUE_FROM
    destroy(scene.world)
    alone.log.catch_up()
    raw = alone.make(ActsAsked(case_no=a_case().case_no), content=True)
    acts = [orjson.loads(data) for path, data in unpacked(raw).items() if path.endswith(".act.json")]
    assert [act["counts"] for act in acts if act["act"] == "records.destroyed"] == [[{"number": 1, "of": "destroyed"}]]
    assert {("body", "destroyed"), ("explanation", "destroyed"), ("http", "destroyed")} <= lacking(raw)
    assert not [path for path in unpacked(raw) if "/http/" in path]
    assert failed(raw, alone.log.head().vkey) == set()


@pytest.mark.rule("R-30")
def test_of_a_case_whose_key_is_gone_the_leaves_stand_and_say_nothing(alone: Place) -> None:
    legs = alone.scene.referred(a_case())
    alone.log.catch_up()
    with _attacker(alone.scene) as books:
        books.execute("delete from vault_key")
    raw = alone.make(ActsAsked(case_no=legs["KEIS"].case_no))
    notes = {said.check for said in verify.verify(raw, [alone.log.head().vkey]) if said.state == "note"}
    assert ("statement", "key-destroyed") in lacking(raw)
    assert "acts" in notes
    assert failed(raw, alone.log.head().vkey) == set()


def test_a_key_from_before_keys_were_acts_is_said_to_have_none(alone: Place) -> None:
    legs = alone.scene.referred(a_case())
    with _attacker(alone.scene) as books:
        books.execute("delete from audit_event where act = 'key.added' and partner = 'KEIS'")
    alone.log.catch_up()
    raw = alone.make(ActsAsked(case_no=legs["KEIS"].case_no))
    assert ("act", "key.added") in lacking(raw)
    found = {said.check: said.state for said in verify.verify(raw, [alone.log.head().vkey])}
    assert found["keys"] == "note"


def _attacker(scene: Scene) -> psycopg.Connection[Any]:
    """The owner of the database, past every guard-rail."""
    options = "-c app.partner=* -c session_replication_role=replica"
    return psycopg.connect(scene.store._pool.conninfo, options=options)
