"""Content at rest: sealed under the key of its case, bound to its place, gone with its key."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from gateway.assembly.clocks import uuid7
from gateway.errors import SettingsInvalid, StoreDamaged
from gateway.ports import CaseChange, QuarantinedRow
from gateway.store.leaves import Leaves
from gateway.store.postgres import PostgresStore
from gateway.store.sealed import ALL, MARK, is_sealed
from gateway.store.vault import Vault
from tests.conftest import LOG_NAME
from tests.contract.store.build import EVENT, case, file, finish, leg, message, request_row
from tests.unsealed import SEALED, Unsealed

WORDS = "홍길동 010-1234-5678".encode()
Owner = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def owner(postgres_store: PostgresStore) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    with psycopg.connect(str(postgres_store._pool.conninfo), autocommit=True) as connection:
        yield connection


def keep(store: PostgresStore, **more: Any) -> None:
    """One message of one case."""
    with store.unit() as unit:
        unit.legs.add([request_row()], [leg()])
        unit.outbox.enqueue([message(body=WORDS, **more)])
        unit.commit(EVENT)


def body(store: PostgresStore) -> bytes:
    with store.unit() as unit:
        found = unit.outbox.find_message(message().mid)
    assert found is not None
    return found.body


def test_a_second_reader_opens_what_we_sealed_by_its_description(postgres_store: PostgresStore, owner: Owner) -> None:
    keep(postgres_store)
    ((stored,),) = owner.execute("select body from message")
    assert stored.startswith(MARK)
    assert WORDS not in stored
    row = message()._asdict() | {"body": stored}
    [opened] = Unsealed(str(postgres_store._pool.conninfo)).rows("message", [row])
    assert opened["body"] == WORDS


def test_what_repeats_itself_takes_less_room_sealed(postgres_store: PostgresStore, owner: Owner) -> None:
    with postgres_store.unit() as unit:
        unit.outbox.enqueue([message(body=WORDS * 100)])
        unit.commit(EVENT)
    assert body(postgres_store) == WORDS * 100
    ((many,),) = owner.execute("select octet_length(body) from message")
    assert many < len(WORDS) * 10


def test_the_same_words_are_never_sealed_alike(postgres_store: PostgresStore, owner: Owner) -> None:
    with postgres_store.unit() as unit:
        unit.outbox.enqueue([message(n, n, body=WORDS) for n in (1, 2, 3)])
        unit.commit(EVENT)
    assert len({body[12:] for (body,) in owner.execute("select body from message")}) == 3


def test_the_second_reader_and_the_gateway_name_the_same_columns() -> None:
    assert {kind.table: (kind.place, tuple(kind.columns)) for kind in ALL} == SEALED


def test_every_column_of_bytes_is_sealed_or_says_nothing_of_a_person(owner: Owner) -> None:
    public = {
        "message.body_sha256", "message.jws", "inbox.jws_sha256", "vault_key.wrapped", "vault_key.content",
        "xlog_pending.leaf", "xlog_entry.leaf", "xlog_head.root", "xlog_checkpoint.root", "xlog_tile.data",
        "xlog_stamp.response",
    }  # fmt: skip
    columns = owner.execute(
        "select table_name || '.' || column_name from information_schema.columns"
        " where table_schema = 'public' and data_type = 'bytea'"
    )
    sealed = {f"{kind.table}.{column}" for kind in ALL for column in kind.columns}
    assert {name for (name,) in columns} - public == sealed


MOVES: dict[str, str] = {
    "to another message of the case": "update message m set body = o.body from message o"
    " where m.mid <> o.mid and m.case_no = o.case_no",
    "to another column": "update message set body = fhir",
    "with a changed byte": "update message set body = set_byte(body, 40, get_byte(body, 40) # 1)",
    "with a byte too few": "update message set body = substr(body, 1, octet_length(body) - 1)",
}


@pytest.mark.parametrize("move", MOVES)
def test_what_was_moved_or_changed_is_not_opened(move: str, postgres_store: PostgresStore, owner: Owner) -> None:
    keep(postgres_store)
    with postgres_store.unit() as unit:
        unit.outbox.enqueue([message(2, 2)])
        unit.commit(EVENT)
    owner.execute("alter table message disable trigger user")
    owner.execute(MOVES[move].encode())
    with pytest.raises(StoreDamaged, match=r"message\|body"):
        body(postgres_store)


def test_the_cipher_of_another_case_says_what_destroyed_content_says(
    postgres_store: PostgresStore, owner: Owner
) -> None:
    keep(postgres_store)
    with postgres_store.unit() as unit:
        unit.outbox.enqueue([message(2, 1, case_no="20260001000002", body=b"other")])
        unit.commit(EVENT)
    owner.execute("alter table message disable trigger user")
    owner.execute("update message m set body = o.body from message o where m.mid <> o.mid")
    assert body(postgres_store) == b""


def test_without_its_key_nothing_of_a_case_is_left_and_another_keeps_its_own(
    postgres_store: PostgresStore, owner: Owner
) -> None:
    keep(postgres_store)
    with postgres_store.unit() as unit:
        unit.cases.save([CaseChange(case(n, record=WORDS), "I", None) for n in (1, 2)])
        unit.commit(EVENT)
    owner.execute("update vault_key set content = null where case_no = %s", (case().case_no,))
    assert body(postgres_store) == b""
    with postgres_store.unit() as unit:
        found = unit.cases.look([case(n).case_no for n in (1, 2)])
        assert [(row.facts, row.record) for row in found.values()] == [(None, None), (b"{}", WORDS)]
        assert unit.cases.records([case().case_no]) == {}


def test_a_case_that_comes_again_after_its_end_has_another_key(postgres_store: PostgresStore, owner: Owner) -> None:
    keep(postgres_store)
    owner.execute("update vault_key set content = null, destroyed_at = now()")
    for scope in (None, "KEIS"):
        seq = 2 if scope is None else 3
        with postgres_store.unit(scope) as unit:
            unit.outbox.enqueue([message(seq, seq, body=WORDS)])
            unit.commit(replace(EVENT, partner=scope))
        with postgres_store.unit(scope) as unit:
            again = unit.outbox.find_message(message(seq).mid)
            assert again is not None
            assert again.body == WORDS
        owner.execute("update vault_key set content = null")
    assert body(postgres_store) == b""


def test_what_belongs_to_no_case_is_sealed_too(postgres_store: PostgresStore, owner: Owner) -> None:
    aside = QuarantinedRow(file().file_id, 1, None, "E-ENC", None, WORDS, "0" * 64)
    with postgres_store.unit() as unit:
        unit.handovers.add(file(), [aside])
        unit.commit(EVENT)
    ((raw,),) = owner.execute("select raw from quarantined_record")
    assert is_sealed(raw)
    with postgres_store.unit() as unit:
        assert unit.handovers.quarantined(file().file_id) == [aside]


def test_the_key_that_a_head_is_sealed_with_comes_with_those_of_the_acts(
    postgres_store: PostgresStore, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    execute = psycopg.Cursor.execute

    def counted(self: psycopg.Cursor[Any], query: Any, *more: Any, **named: Any) -> Any:
        asked.append(str(query))
        return execute(self, query, *more, **named)

    keep(postgres_store)
    with postgres_store.unit() as unit:
        [claim] = unit.outbox.claim("KEIS", "w", 9, 30.0)
        unit.commit(EVENT)
    sent = finish(message().mid, claim.fence, "delivered")
    monkeypatch.setattr(psycopg.Cursor, "execute", counted)
    with postgres_store.unit() as unit:
        headed = sent.attempt._replace(head=WORDS, case_no=message().case_no)
        unit.outbox.finish([sent._replace(attempt=headed)])
        unit.commit(replace(EVENT, case_no=message().case_no))
    assert len([query for query in asked if "vault_key" in query]) == 1
    assert [is_sealed(head) for (head,) in owner.execute("select head from attempt")] == [True]


def test_with_the_secret_of_another_vault_nothing_is_opened(postgres_store: PostgresStore, database: str) -> None:
    keep(postgres_store)
    stranger = PostgresStore(database, Leaves(Vault(os.urandom(32), os.urandom), uuid7, LOG_NAME))
    with pytest.raises(SettingsInvalid, match="vault"):
        body(stranger)
    stranger.close()


def test_what_the_release_before_wrote_is_read_as_it_is(postgres_store: PostgresStore, owner: Owner) -> None:
    owner.execute("update vault_state set sealing = false")
    keep(postgres_store)
    assert owner.execute("select body from message").fetchone() == (WORDS,)
    assert body(postgres_store) == WORDS
    owner.execute("update vault_state set sealing = true")
    with postgres_store.unit() as unit:
        unit.outbox.enqueue([message(2, 2, body=WORDS)])
        unit.commit(EVENT)
    assert body(postgres_store) == WORDS
    assert [is_sealed(b) for (b,) in owner.execute("select body from message order by seq")] == [False, True]
