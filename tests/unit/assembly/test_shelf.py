"""The shelf of public keys: what is put on it or taken off is an act, in the transaction that does it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.assembly.clocks import RealClock
from gateway.assembly.shelf import KeyShelf
from gateway.errors import KeyRefused
from gateway.ports import ActsAsked
from gateway.sealing.keys import generate, to_jwk
from gateway.store.postgres import PostgresStore

KEY = generate("keis-1")


@pytest.fixture
def shelf(postgres_store: PostgresStore) -> KeyShelf:
    return KeyShelf(postgres_store, RealClock())


def acts(shelf: KeyShelf) -> list[tuple[str, str, str | None]]:
    with shelf.store.unit() as unit:
        return [(one.event.act, one.event.actor, one.event.partner) for one in unit.events(ActsAsked())]


@pytest.mark.rule("R-22")
def test_a_key_that_is_new_is_an_act_and_one_that_is_known_is_none(shelf: KeyShelf) -> None:
    for _ in range(2):
        shelf.add("KEIS", to_jwk(KEY), by="kim.0417")
    shelf.add("comwel", to_jwk(generate("comwel-1")))
    assert acts(shelf) == [("key.added", "kim.0417", "KEIS"), ("key.added", "gateway", None)]


def test_the_name_of_another_key_is_not_registered_and_not_said_to_be(shelf: KeyShelf) -> None:
    shelf.add("keis", to_jwk(KEY))
    with pytest.raises(KeyRefused, match="another key has this kid"):
        shelf.add("keis", to_jwk(generate("keis-1")))
    assert shelf.jwks("keis") == {"keys": [to_jwk(KEY)]}
    assert len(acts(shelf)) == 1


def test_a_revoked_key_does_not_come_back(shelf: KeyShelf) -> None:
    shelf.add("keis", to_jwk(KEY))
    shelf.revoke("keis", "keis-1")
    with pytest.raises(KeyRefused, match="revoked"):
        shelf.add("keis", to_jwk(KEY))
    assert len(acts(shelf)) == 2


def test_the_same_key_in_other_words_is_the_same_key(shelf: KeyShelf) -> None:
    shelf.add("keis", to_jwk(KEY))
    said = {name: value for name, value in to_jwk(KEY).items() if name != "use"} | {"key_ops": ["verify"]}
    shelf.add("keis", said)
    assert len(acts(shelf)) == 1


def test_the_act_names_the_key_by_its_thumbprint_whatever_its_kid(shelf: KeyShelf) -> None:
    shelf.add("keis", to_jwk(KEY))
    shelf.add("keis", to_jwk(KEY) | {"kid": "또 다른 이름".encode().hex()})
    with shelf.store.unit() as unit:
        first, second = (one.event.subject or "" for one in unit.events(ActsAsked(partner="KEIS")))
    assert first == second
    assert first.startswith("keis/sha256-")


def test_a_key_without_a_kid_is_refused_for_no_signature_could_name_it(shelf: KeyShelf) -> None:
    nameless = {name: value for name, value in to_jwk(KEY).items() if name != "kid"}
    with pytest.raises(KeyRefused) as refusal:
        shelf.add("keis", nameless)
    assert refusal.value.place.field == "keys/0/kid"
    assert acts(shelf) == []


@pytest.mark.rule("R-22")
def test_a_revoked_key_is_believed_no_more_and_that_is_an_act(shelf: KeyShelf) -> None:
    shelf.add("keis", to_jwk(KEY))
    now = shelf.clock.now()
    assert shelf.finder("KEIS")("keis-1", now).kid == "keis-1"
    shelf.revoke("KEIS", "keis-1", by="kim.0417")
    with pytest.raises(KeyRefused, match="revoked"):
        shelf.finder("KEIS")("keis-1", now + timedelta(seconds=1))
    assert acts(shelf)[1:] == [("key.revoked", "kim.0417", "KEIS")]


@pytest.mark.parametrize(("owner", "kid"), [("keis", "keis-2"), ("kead", "keis-1")])
def test_what_is_not_there_is_not_revoked(shelf: KeyShelf, owner: str, kid: str) -> None:
    shelf.add("keis", to_jwk(KEY))
    with pytest.raises(KeyRefused, match="no such key"):
        shelf.revoke(owner, kid)
    assert len(acts(shelf)) == 1


def test_a_key_is_revoked_once(shelf: KeyShelf) -> None:
    shelf.add("keis", to_jwk(KEY))
    shelf.revoke("keis", "keis-1")
    with pytest.raises(KeyRefused, match="already"):
        shelf.revoke("keis", "keis-1")
    assert len(acts(shelf)) == 2
