"""What every store must do with public keys."""

from __future__ import annotations

from datetime import timedelta

from gateway.ports import KeyRow, Store
from tests.contract.store.build import EVENT, NOW


def key_row(owner: str = "keis", kid: str = "k-1") -> KeyRow:
    return KeyRow(owner, kid, {"kty": "EC", "kid": kid}, NOW, NOW + timedelta(days=1), None)


def test_a_kid_names_one_key_of_its_owner_for_ever(store: Store) -> None:
    with store.unit() as unit:
        assert unit.keys.add(key_row())
        assert not unit.keys.add(key_row()._replace(jwk={"kty": "RSA", "kid": "k-1"}))
        assert unit.keys.add(key_row("kead"))
        unit.commit(EVENT)
    with store.unit() as unit:
        assert unit.keys.of("keis") == [key_row()]


def test_a_key_is_revoked_once(store: Store) -> None:
    with store.unit() as unit:
        unit.keys.add(key_row())
        assert not unit.keys.revoke("keis", "k-2", NOW)
        assert not unit.keys.revoke("kead", "k-1", NOW)
        assert unit.keys.revoke("keis", "k-1", NOW)
        assert not unit.keys.revoke("keis", "k-1", NOW + timedelta(hours=1))
        unit.commit(EVENT)
    with store.unit() as unit:
        assert [key.revoked_at for key in unit.keys.of("keis")] == [NOW]


def test_a_key_that_has_not_begun_begins_at_another_moment_and_is_valid_before_it(store: Store) -> None:
    later, sooner = NOW + timedelta(hours=12), NOW - timedelta(hours=12)
    with store.unit() as unit:
        unit.keys.add(key_row("comwel")._replace(signs_from=NOW + timedelta(hours=1)))
        unit.keys.schedule("comwel", "k-1", later, not_before=later - timedelta(minutes=5))
        assert unit.keys.of("comwel") == [key_row("comwel")._replace(signs_from=later)]  # no less than it was
        unit.keys.schedule("comwel", "k-1", sooner, not_before=sooner - timedelta(minutes=5))
        unit.commit(EVENT)
    with store.unit() as unit:
        [row] = unit.keys.of("comwel")
        assert (row.signs_from, row.not_before) == (sooner, sooner - timedelta(minutes=5))
        assert row.not_after == key_row().not_after
        unit.keys.turn("comwel")
        unit.keys.schedule("comwel", "k-1", later, not_before=sooner - timedelta(days=1))
        assert unit.keys.of("comwel") == [row]


def test_a_unit_for_one_partner_knows_its_keys_only(store: Store) -> None:
    with store.unit() as unit:
        for owner in ("keis", "kead"):
            unit.keys.add(key_row(owner))
        unit.commit(EVENT)
    with store.unit("KEIS") as unit:
        assert [unit.keys.of("keis"), unit.keys.of("kead")] == [[key_row()], []]
        assert not unit.keys.revoke("kead", "k-1", NOW)
