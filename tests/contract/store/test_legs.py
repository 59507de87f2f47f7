"""What every store must do with referrals and their legs."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from gateway.errors import Interfered
from gateway.ports import CaseChange, Store
from tests.contract.store.build import DAY, EVENT, NOW, case, leg, request_row


def test_numbers_of_a_day_are_given_out_once(store: Store) -> None:
    with store.unit() as unit:
        assert list(unit.legs.next_numbers(DAY, 3)) == [1, 2, 3]
        assert list(unit.legs.next_numbers(DAY, 2)) == [4, 5]
        assert list(unit.legs.next_numbers(date(2026, 11, 24), 1)) == [1]


def test_a_leg_that_somebody_else_changed_is_not_overwritten(store: Store) -> None:
    with store.unit() as unit:
        unit.legs.add([request_row()], [leg()])
        read = unit.legs.get(leg().ref_no)
        assert read == leg()
        unit.legs.save(read._replace(status="accepted", state="accepted|accepted", business="accepted"))
        again = unit.legs.get(leg().ref_no)
        assert again is not None
        assert (again.version, again.status, again.services) == (2, "accepted", ("01", "02"))
        with pytest.raises(Interfered):
            unit.legs.save(read)


def test_some_of_many_legs_that_somebody_else_changed_save_none_of_them(store: Store) -> None:
    legs = [leg(n, case_no=f"2026000100{n:04d}") for n in (1, 2, 3)]
    with store.unit() as unit:
        unit.legs.add([request_row()], legs)
        unit.legs.save(legs[1])
        unit.commit(EVENT)
    with pytest.raises(Interfered), store.unit() as unit:
        unit.legs.save(*(one._replace(status="accepted") for one in legs))
    with store.unit() as unit:
        found = unit.legs.many([one.ref_no for one in legs])
        assert [(one.status, one.version) for one in found.values()] == [("requested", n) for n in (1, 2, 1)]


def test_the_legs_of_cases_come_by_their_numbers(store: Store) -> None:
    with store.unit() as unit:
        unit.legs.add([request_row()], [leg(2, partner="KEAD"), leg(), leg(3, case_no="20260001000002")])
        assert [one.ref_no for one in unit.legs.of_cases([leg().case_no])] == [leg(1).ref_no, leg(2).ref_no]
        found = unit.legs.of_cases(["20260001000002", leg().case_no, "20260001000003"])
        assert [one.ref_no for one in found] == [leg(n).ref_no for n in (1, 2, 3)]
        assert unit.legs.of_cases([]) == []


def test_a_changed_leg_is_untracked_until_it_is_judged(store: Store) -> None:
    with store.unit() as unit:
        unit.legs.add([request_row()], [leg()])
        assert unit.legs.untracked(5, NOW - timedelta(seconds=1), DAY) == []
        found = unit.legs.untracked(5, NOW, DAY)
        assert [x.ref_no for x in found] == [leg().ref_no]
        unit.legs.mark_tracked(found, {})
        assert unit.legs.untracked(5, NOW, date.max) == []
        unit.legs.save(unit.legs.many([leg().ref_no])[leg().ref_no])
        assert len(unit.legs.untracked(5, NOW, DAY)) == 1


def test_a_judged_leg_is_judged_again_on_its_day(store: Store) -> None:
    tomorrow, before = DAY + timedelta(days=1), NOW - timedelta(seconds=1)
    with store.unit() as unit:
        unit.legs.add([request_row()], [leg(1), leg(2, partner="KEAD")])
        found = unit.legs.untracked(5, NOW, DAY)
        unit.legs.mark_tracked(found, {leg(1).ref_no: tomorrow})
        assert unit.legs.untracked(5, NOW, DAY) == []
        again = unit.legs.untracked(5, before, tomorrow)
        assert [(x.ref_no, x.tracked, x.version) for x in again] == [(leg(1).ref_no, 1, 1)]
        unit.legs.save(again[0])
        assert unit.legs.untracked(5, before, tomorrow) == []  # it has changed, and waits until that has settled
        unit.legs.mark_tracked(unit.legs.untracked(5, NOW, tomorrow), {})
        assert unit.legs.untracked(5, NOW, tomorrow) == []


@pytest.mark.parametrize(
    ("change", "called_back"),
    [
        ({}, False),
        ({"barred": True}, True),
        ({"version": 2}, True),
        ({"unserved": "KEAD KEIS", "judged": 1}, True),
        ({"unserved": "KEAD TRN", "judged": 1}, False),
        ({"unserved": "KEIS", "judged": 0}, False),
    ],
)
def test_open_legs_of_cases_that_may_not_be_served_are_called_back(
    store: Store, change: dict[str, object], called_back: bool
) -> None:
    with store.unit() as unit:
        unit.cases.save([CaseChange(case(1, **change), "I", None)])
        legs = [
            leg(1),
            leg(2, partner="KEAD", business="consent-withdrawn"),
            leg(3, partner="TRN", status="entered-in-error"),
        ]
        unit.legs.add([request_row()], legs)
        assert [x.ref_no for x, _ in unit.legs.to_withdraw(9)] == ([leg(1).ref_no] if called_back else [])


@pytest.mark.parametrize("status", ["completed", "failed", "rejected", "cancelled", "entered-in-error", "on-hold"])
@pytest.mark.parametrize("business", ["closed-placed", "consent-withdrawn"])
@pytest.mark.parametrize("looked_before", [False, True])
def test_legs_that_have_ended_are_looked_at_once_for_each_revision_until_the_consent_is_withdrawn(
    store: Store, status: str, business: str, looked_before: bool
) -> None:
    mine, other, number = case(1, barred=True), case(2, barred=True), leg(1).ref_no
    found = [number] if status != "entered-in-error" and business != "consent-withdrawn" else []
    ended = status != "on-hold"
    with store.unit() as unit:
        unit.cases.save([CaseChange(mine, "I", None), CaseChange(other, "I", None)])
        legs = [leg(1, status=status, business=business), leg(2, case_no=other.case_no)]
        unit.legs.add([request_row()], legs)
        if looked_before:  # and of whom nobody has to be called back was kept
            unit.legs.mark_recalled({number: -1})
            seen = [x.ref_no for x, _ in unit.legs.to_withdraw(9)]
            assert seen == ([leg(2).ref_no] if ended else [*found, leg(2).ref_no]), (
                "to look in vain is not to call back"
            )
            unit.cases.save([CaseChange(mine._replace(revision=2), "U", None)])
        for _ in range(2):
            assert [x.ref_no for x, _ in unit.legs.to_withdraw(9)] == [*found, leg(2).ref_no]
        unit.legs.mark_recalled({number: -2})
        assert [x.ref_no for x, _ in unit.legs.to_withdraw(9)] == [*([] if ended else found), leg(2).ref_no]
        unit.legs.mark_recalled({number: 0})
        unit.legs.look_again()
        assert [x.ref_no for x, _ in unit.legs.to_withdraw(9)] == [*found, leg(2).ref_no]


def test_a_leg_is_called_back_once_for_each_revision_of_its_case(store: Store) -> None:
    barred = case(1, barred=True)
    with store.unit() as unit:
        unit.cases.save([CaseChange(barred, "I", None)])
        unit.legs.add([request_row()], [leg(1), leg(2, partner="KEAD")])
        unit.legs.mark_recalled({leg(1).ref_no: 1})
        assert [x.ref_no for x, _ in unit.legs.to_withdraw(9)] == [leg(2).ref_no]
        unit.legs.mark_recalled({})
        unit.cases.save([CaseChange(barred._replace(revision=2), "U", None)])
        assert [x.ref_no for x, _ in unit.legs.to_withdraw(9)] == [leg(1).ref_no, leg(2).ref_no]
        assert unit.legs.get(leg(1).ref_no) == leg(1)


@pytest.mark.parametrize("change", [{"barred": True}, {"version": 2}, {"unserved": "KEIS", "judged": 2}])
def test_a_leg_is_called_back_whenever_its_case_changes_in_its_life(store: Store, change: dict[str, object]) -> None:
    changed = case(1, **change)._replace(revision=2)
    with store.unit() as unit:
        unit.cases.save([CaseChange(case(1), "I", None)])
        unit.legs.add([request_row()], [leg(1), leg(2, partner="KEAD", business="consent-withdrawn")])
        assert unit.legs.to_withdraw(9) == []
        unit.cases.save([CaseChange(changed, "U", None)])
        assert [x.ref_no for x, _ in unit.legs.to_withdraw(9)] == [leg(1).ref_no]
        unit.legs.mark_recalled({leg(1).ref_no: 2})
        assert unit.legs.to_withdraw(9) == []
        unit.cases.save([CaseChange(changed._replace(revision=3, judged=3), "U", None)])
        asked = leg(1)._replace(business="cancellation-requested")
        unit.legs.save(asked)
        assert [x.ref_no for x, _ in unit.legs.to_withdraw(9)] == [leg(1).ref_no], "perhaps for another reason"
        unit.legs.mark_recalled({leg(1).ref_no: -3})
        assert unit.legs.to_withdraw(9) == []
        unit.legs.save(asked._replace(business=None, version=2))
        assert [x.ref_no for x, _ in unit.legs.to_withdraw(9)] == [leg(1).ref_no], "it works on, and was never told"


def test_a_leg_is_called_back_when_its_case_is_only_judged_otherwise(store: Store) -> None:
    with store.unit() as unit:
        unit.cases.save([CaseChange(case(1, judged=1), "I", None)])
        unit.legs.add([request_row()], [leg(1)])
        unit.cases.note([case(1, judged=1, unserved="KEIS")])
        assert [x.ref_no for x, _ in unit.legs.to_withdraw(9)] == [leg(1).ref_no]


@pytest.mark.parametrize(
    ("saved", "change"),
    [
        (True, {"barred": True}),
        (True, {"version": 2}),
        (True, {"unserved": "KEAD KEIS", "judged": 2}),
        (False, {"barred": True}),
        (False, {"unserved": "KEAD KEIS"}),
    ],
)
def test_a_leg_is_called_back_although_nobody_had_to_be_while_its_case_was_as_before(
    store: Store, saved: bool, change: dict[str, object]
) -> None:
    before, other = case(1, unserved="KEAD", judged=1), case(2, barred=True)
    others = leg(2, case_no=other.case_no)
    with store.unit() as unit:
        unit.cases.save([CaseChange(row, "I", None) for row in (before, other)])
        unit.legs.add([request_row()], [leg(1), others])
        assert unit.legs.to_withdraw(9) == [(others, other)]
        unit.legs.save(others._replace(status="cancelled", business="consent-withdrawn"))
        unit.cases.note([before, other])
        assert unit.legs.to_withdraw(9) == []
        changed = before._replace(**change)  # type: ignore[arg-type]
        if saved:
            unit.cases.save([CaseChange(changed._replace(revision=2), "U", None)])
        else:
            unit.cases.note([changed])
        assert [x.ref_no for x, _ in unit.legs.to_withdraw(9)] == [leg(1).ref_no]


def test_requests_that_have_a_status_already_are_not_given_it_again(store: Store) -> None:
    no = request_row().request_no
    with store.unit() as unit:
        unit.legs.add([request_row()], [leg()])
        given = [unit.legs.end_requests(one) for one in ({no: "revoked"}, {no: "revoked"}, {no: "completed"}, {})]
    assert given == [{no}, set(), {no}, set()]
