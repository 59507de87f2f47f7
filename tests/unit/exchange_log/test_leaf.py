"""Leaves: one way to write them, nothing personal in them, and commitments that say nothing without the key."""

from __future__ import annotations

import ast
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
import rfc8785
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import Settings
from gateway.documents.schemas import Schemas
from gateway.errors import LeafInvalid
from gateway.exchange_log import leaf
from gateway.exchange_log.audit import AuditEvent
from gateway.exchange_log.leaf import (
    ACTS,
    LOG_ACTS,
    Leaf,
    commit_body,
    commit_event,
    event_key,
    read,
    read_closely,
    stream_of,
)

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = "urn:comwel:schema:log-leaf:1.0.0"
AT = datetime(2026, 11, 23, 14, 2, 11, 302_000, tzinfo=UTC)
ID = "0190b0a0-7c3e-7d5a-9a3e-1c2d3e4f5a6b"
KEY = bytes(range(32))
PLAIN = Leaf("delivery.attempted", AT, ID, "KEAD", 4127, mid=ID, subj=ID, event="x" * 43)
EVENT = AuditEvent(
    act="handover.taken", actor="gateway", purpose="intake", case_no="20260000000123", ref_no="R20261123-0000042",
    subject="RHB_CASE.dat", counts={"records": 3, "I": 2},
)  # fmt: skip


@pytest.fixture(scope="module")
def schemas() -> Schemas:
    return Schemas.load(Settings().schemas)


@pytest.mark.parametrize(
    "one",
    [
        PLAIN,
        PLAIN._replace(mid=None, subj=None),
        PLAIN._replace(verdict="refused", code="E-CONSENT", body="y" * 43),
        Leaf(
            "log.opened", AT, ID, "log", 1, previous="gateway.example/2025\n1\nroot=\n\n— gateway.example/2025 AAAA\n"
        ),
    ],
)
def test_a_leaf_is_canonical_keeps_to_its_schema_and_can_be_read_back(one: Leaf, schemas: Schemas) -> None:
    raw = one.to_bytes()
    assert raw == rfc8785.dumps(orjson.loads(raw))
    assert schemas.check(SCHEMA, orjson.loads(raw)) == ()
    assert read(raw) == one


@pytest.mark.parametrize(
    "change",
    [
        {"name": "홍길동"}, {"caseNo": "20260000000123"}, {"refNo": "R20261123-0000042"}, {"ip": "10.0.0.1"},
        {"act": "something.else"}, {"act": None}, {"seq": 0}, {"seq": "1"}, {"seq": True}, {"v": 2}, {"v": None},
        {"at": "2026-13-01T00:00:00.000Z"}, {"at": "2026-11-23T14:02:11Z"}, {"stream": "keis"}, {"event": None},
        {"event": "short"}, {"event": 1}, {"verdict": "maybe"}, {"subj": "20260000000123"}, {"code": "two words"},
        {"code": "x" * 121}, {"act": "log.opened"}, {"stream": "log"}, {"previous": "x" * 3001}, {"id": None},
    ],
)  # fmt: skip
def test_what_is_not_exactly_a_leaf_is_refused_by_us_and_by_the_schema(
    change: dict[str, Any], schemas: Schemas
) -> None:
    said = {k: v for k, v in {**orjson.loads(PLAIN.to_bytes()), **change}.items() if v is not None}
    with pytest.raises(LeafInvalid):
        read(rfc8785.dumps(said))
    assert schemas.check(SCHEMA, said) != ()


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'"x"', b"\xff"])
def test_what_is_no_object_is_no_leaf(raw: bytes) -> None:
    with pytest.raises(LeafInvalid):
        read(raw)


@pytest.mark.parametrize("edit", [lambda r: r + b" ", lambda r: r.replace(b',"v":1', b', "v":1'), lambda r: r[::-1]])
def test_a_leaf_has_one_spelling(edit: Any) -> None:
    with pytest.raises(LeafInvalid):
        read(edit(PLAIN.to_bytes()))


_EDITS = st.tuples(
    st.integers(0, 400), st.sampled_from([b"", b" ", b'"', b"\\", b",", b"0", b"a", b"\n", b"\xc3\xa9", b"null"])
)


@given(edits=st.lists(_EDITS, max_size=3), code=st.sampled_from([None, "E-LB", "a/b|c+1"]), long=st.booleans())
def test_at_a_glance_a_leaf_is_what_it_is_field_by_field(
    edits: list[tuple[int, bytes]], code: str | None, long: bool
) -> None:
    raw = PLAIN._replace(code=code, body="y" * 43 if long else None, seq=2**53 - 1 if long else 7).to_bytes()
    for at, put in edits:
        raw = raw[:at] + put + raw[at + 1 :]
    said: list[Leaf | str] = []
    for way in (read, read_closely):
        try:
            said.append(way(raw))
        except LeafInvalid as error:
            said.append(error.detail)
    assert said[0] == said[1]


def test_two_names_that_are_one_are_refused() -> None:
    with pytest.raises(LeafInvalid):
        read(PLAIN.to_bytes().replace(b'"seq":4127', b'"seq":1,"seq":4127'))


def test_the_list_of_acts_is_that_of_the_schema(schemas: Schemas) -> None:
    document = orjson.loads((Settings().schemas / "comwel/log-leaf/1.0.0.json").read_bytes())
    assert document["properties"]["act"]["enum"] == sorted(ACTS)


def test_every_act_that_the_code_commits_is_in_the_list() -> None:
    said = {act for path in (ROOT / "gateway").rglob("*.py") for act in _acts(ast.parse(path.read_text("utf-8")))}
    assert said == ACTS - LOG_ACTS


def _acts(tree: ast.AST) -> set[str]:
    """The literals that become acts: the first text of `….event(…)` and `_event(…)`, `act=`, a table `ACTS`."""
    found = set[str]()
    for table in (node for node in ast.walk(tree) if isinstance(node, ast.Assign)):
        if isinstance(table.value, ast.Dict) and [getattr(t, "id", "") for t in table.targets] == ["ACTS"]:
            found |= {str(v.value) for v in table.value.values if isinstance(v, ast.Constant)}
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        given = [*call.args[:2], *(k.value for k in call.keywords if k.arg == "act")]
        texts = [a.value for a in given if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        if name in ("event", "_event", "AuditEvent"):
            found.update(text for text in texts if "." in text)
    return found


def test_an_act_is_counted_with_its_partner_or_as_a_reading_or_as_our_own() -> None:
    assert stream_of(AuditEvent("delivery.attempted", "gateway", "x", partner="KEIS")) == "KEIS"
    assert stream_of(AuditEvent("message.explained", "officer-1", "x")) == "access"
    assert stream_of(AuditEvent("cases.screened", "gateway", "x")) == "system"


def test_the_statement_is_canonical_and_keeps_to_the_schema_of_events(schemas: Schemas) -> None:
    said = orjson.loads(EVENT.statement(AT))
    assert EVENT.statement(AT) == rfc8785.dumps(said)
    assert said["counts"] == [{"of": "I", "number": 2}, {"of": "records", "number": 3}]
    assert schemas.check("urn:comwel:schema:audit-event:1.0.0", {**said, "id": 1}) == ()


def test_the_key_of_a_commitment_is_hkdf_of_the_key_of_the_case() -> None:
    theirs = HKDF(SHA256(), 32, None, b"exchange-log " + ID.encode()).derive(KEY)
    assert event_key(KEY, ID) == theirs


@given(st.binary(max_size=64), st.binary(max_size=64))
def test_commitments_tell_bytes_keys_and_purposes_apart(one: bytes, other: bytes) -> None:
    commitments = {commit_event(KEY, one), commit_body(KEY, one), commit_event(KEY[::-1], one)}
    assert len(commitments) == 3
    assert (commit_event(KEY, one) == commit_event(KEY, other)) is (one == other)


def test_a_leaf_of_the_longest_kind_is_far_below_the_limit() -> None:
    longest = PLAIN._replace(seq=2**53 - 1, verdict="refused", code="x" * 120, body="y" * 43)
    assert len(longest.to_bytes()) < 700 < leaf.LONGEST
