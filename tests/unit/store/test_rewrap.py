"""Another secret for the vault: every key of a case is wrapped with it, work goes on, and whoever dies is followed."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap

from gateway.assembly.books import next_secret, open_books, replace_secret
from gateway.assembly.clocks import uuid7
from gateway.config import Settings
from gateway.errors import SecretRefused, SettingsInvalid
from gateway.ports import ActsAsked, CaseChange, QuarantinedRow
from gateway.store.keyfiles import later_secrets, vault_secret
from gateway.store.leaves import Leaves
from gateway.store.postgres import PostgresStore
from gateway.store.rewrap import BATCH, rewrap
from gateway.store.vault import Vault
from tests.conftest import LOG_NAME
from tests.contract.store.build import EVENT, case, file, message

FIRST, SECOND = bytes(32), bytes(range(32))
WORDS = "홍길동 010-1234-5678".encode()


class Died(Exception):
    """What a test puts in the place of kill -9."""


@dataclass
class Machine:
    """A process with the secrets of its machine, on a database that others share."""

    database: str
    secrets: dict[int, bytes]

    def __post_init__(self) -> None:
        self.store = PostgresStore(
            self.database, Leaves(Vault(FIRST, os.urandom, lambda: dict(self.secrets)), uuid7, LOG_NAME), most=4
        )

    def write(self, *numbers: int) -> None:
        """A message each about these cases, and an act."""
        with self.store.unit() as unit:
            unit.outbox.enqueue([message(n, n, case_no=_case(n), body=WORDS) for n in numbers])
            unit.commit(*(replace(EVENT, case_no=_case(n)) for n in numbers))

    def read(self, *numbers: int) -> bool:
        """Whether all of them can be read as they were written."""
        with self.store.unit() as unit:
            found = [unit.outbox.find_message(message(n).mid) for n in numbers]
        return all(one and one.body == WORDS for one in found)


def _case(n: int) -> str:
    return f"2026000100{n:04d}"


@pytest.fixture
def here(database: str) -> Iterator[Machine]:
    found = Machine(database, {2: SECOND})
    yield found
    found.store.close()


@pytest.fixture
def there(database: str) -> Iterator[Machine]:
    found = Machine(database, {})
    yield found
    found.store.close()


def keys(database: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database) as connection:
        return connection.execute("select secret, wrapped, content from vault_key order by case_no").fetchall()


def acts(machine: Machine) -> list[tuple[str, str | None, int | None]]:
    with machine.store.unit() as unit:
        kept = [one.event for one in unit.events(ActsAsked()) if one.event.act.startswith("secret.")]
    return [(e.act, e.subject, (e.counts or {}).get("keys")) for e in kept]


def test_every_key_is_wrapped_with_the_new_secret_and_both_are_acts(here: Machine) -> None:
    here.write(1, 2, 3)
    assert rewrap(here.store, "kim.0417") == 3
    for secret, wrapped, content in keys(here.database):
        assert secret == 2
        assert len(aes_key_unwrap(SECOND, wrapped)) == len(aes_key_unwrap(SECOND, content)) == 32
    assert here.read(1, 2, 3)
    assert acts(here) == [("secret.replaced", "vault-2", None), ("secret.rewrapped", "vault-2", 3)]


def test_what_is_new_is_wrapped_with_it_at_once_also_where_the_secret_came_later(here: Machine, there: Machine) -> None:
    there.write(1)
    rewrap(here.store, "kim.0417")
    with pytest.raises(SettingsInvalid, match=r"vault-2.secret|vault.secret"):
        there.read(1)
    with pytest.raises(SettingsInvalid, match=r"vault-2.secret is not on this machine"):
        there.write(2)
    there.secrets[2] = SECOND
    assert there.read(1)
    there.write(2)
    assert [secret for secret, *_ in keys(here.database)] == [2, 2]
    assert here.read(1, 2)


def test_a_key_that_was_destroyed_stays_destroyed(here: Machine) -> None:
    here.write(1, 2)
    with psycopg.connect(here.database) as owner:
        owner.execute("update vault_key set content = null where case_no = %s", (_case(1),))
    rewrap(here.store, "kim.0417")
    assert [content is None for _, _, content in keys(here.database)] == [True, False]
    assert here.read(2)


def test_acts_and_content_of_no_case_are_read_as_before(here: Machine) -> None:
    aside = QuarantinedRow(file().file_id, 1, None, "E-ENC", None, WORDS, "0" * 64)
    with here.store.unit() as unit:
        unit.handovers.add(file(), [aside])
        unit.commit(EVENT)
    here.write(1)
    rewrap(here.store, "kim.0417")
    with here.store.unit() as unit:
        assert unit.handovers.quarantined(file().file_id) == [aside]
    assert here.store.vault.of_no_case == Vault(FIRST, os.urandom).of_no_case


@pytest.mark.parametrize("after", [1, 2, 3])
def test_who_dies_after_any_commit_is_followed_by_who_is_asked_again(here: Machine, after: int) -> None:
    many = BATCH + 5
    here.write(*range(1, many + 1))
    left = iter([None] * (after - 1))

    def die() -> None:
        try:
            next(left)
        except StopIteration:
            raise Died from None

    with pytest.raises(Died):
        rewrap(here.store, "kim.0417", die)
    assert here.read(1, many)
    done = sum(secret == 2 for secret, *_ in keys(here.database))
    assert done == [0, BATCH, many][after - 1]
    assert rewrap(here.store, "lee.0519") == many - done
    assert {secret for secret, *_ in keys(here.database)} == {2}
    assert here.read(1, many)
    assert [act for act, *_ in acts(here)] == ["secret.replaced", "secret.rewrapped"]


def test_whoever_was_told_the_old_number_ends_before_the_new_one_counts(here: Machine, there: Machine) -> None:
    asked, done = threading.Event(), threading.Event()

    def slow() -> None:
        with there.store.unit() as unit:
            unit.outbox.enqueue([message(1, 1, case_no=_case(1), body=WORDS)])
            asked.set()
            done.wait(1.2)  # longer than the change waits for the first time
            unit.commit(replace(EVENT, case_no=_case(1)))

    writer = threading.Thread(target=slow)
    writer.start()
    asked.wait(5)
    assert rewrap(here.store, "kim.0417") == 1
    writer.join()
    assert [secret for secret, *_ in keys(here.database)] == [2]


def test_without_the_next_secret_nothing_begins_and_of_two_one_does_it(here: Machine, there: Machine) -> None:
    here.write(1)
    with pytest.raises(SettingsInvalid, match=r"vault-2\.secret is not on this machine"):
        rewrap(there.store, "kim.0417")
    with here.store.alone("rewrap"), pytest.raises(SecretRefused, match="somebody else"):
        rewrap(here.store, "kim.0417")
    assert acts(here) == []
    assert [secret for secret, *_ in keys(here.database)] == [1]


def test_a_third_one_follows_the_second(here: Machine) -> None:
    here.write(1)
    rewrap(here.store, "kim.0417")
    here.secrets[3] = b"3" * 32
    here.write(2)
    assert rewrap(here.store, "kim.0417") == 2
    assert {secret for secret, *_ in keys(here.database)} == {3}
    assert here.read(1, 2)


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_next_secret_is_made_once_as_a_file_that_nobody_else_reads(database: str, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, database_url=database)
    with open_books(settings) as books:
        path = next_secret(settings, books)
        made = path.read_bytes()
        assert (path.name, len(made), path.stat().st_mode & 0o777) == ("vault-2.secret", 32, 0o600)
        assert next_secret(settings, books).read_bytes() == made
        replace_secret(books, "kim.0417")
        assert next_secret(settings, books).name == "vault-3.secret"
    assert later_secrets(tmp_path / "keys").keys() == {2, 3}


def test_a_first_secret_that_was_lost_is_not_made_again_beside_a_later_one(tmp_path: Path) -> None:
    vault_secret(tmp_path, os.urandom, 2)
    with pytest.raises(SettingsInvalid, match=r"vault.secret is missing"):
        vault_secret(tmp_path, os.urandom)


def test_a_case_that_came_before_any_message_has_its_key_wrapped_anew_as_well(here: Machine) -> None:
    with here.store.unit() as unit:
        unit.cases.save([CaseChange(case(1), "I", None)])
        unit.commit(EVENT)
    assert rewrap(here.store, "kim.0417") >= 1
    assert {secret for secret, *_ in keys(here.database)} == {2}
