"""Service hours: when a partner takes messages, on the wall clock of its calendar, holidays left out."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import Settings
from gateway.delivery.hours import Calendar, OpeningHours, load_all
from gateway.errors import DataFileInvalid

SCHEMAS = Settings().schemas
FOLDER = Settings().mappings / "rules" / "calendar"
KST = ZoneInfo("Asia/Seoul")
KOREA = load_all(FOLDER, SCHEMAS)["KR"]
OFFICE = OpeningHours(frozenset(range(5)), time(8), time(20), KOREA)


def kst(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=KST)


@pytest.mark.parametrize(
    ("at", "next_open"),
    [
        ("2026-11-25 08:00", "2026-11-25 08:00"),  # a Wednesday, as they open
        ("2026-11-25 19:59", "2026-11-25 19:59"),
        ("2026-11-25 20:00", "2026-11-26 08:00"),  # as they close
        ("2026-11-25 07:59", "2026-11-25 08:00"),
        ("2026-11-27 20:00", "2026-11-30 08:00"),  # over a weekend
        ("2026-02-13 20:00", "2026-02-19 08:00"),  # Seollal: Friday evening to Thursday
        ("2026-09-23 20:00", "2026-09-28 08:00"),  # Chuseok, and the weekend in it
        ("2026-08-14 20:00", "2026-08-18 08:00"),  # a Saturday holiday has its Monday
        ("2026-06-03 10:00", "2026-06-04 08:00"),  # people vote
        ("2026-12-31 23:59", "2027-01-04 08:00"),
    ],
)
def test_a_message_waits_until_they_open(at: str, next_open: str) -> None:
    assert OFFICE.next_open(kst(at)) == kst(next_open)


INSTANTS = st.datetimes(datetime(2026, 1, 1), datetime(2028, 6, 1), timezones=st.just(UTC))  # noqa: DTZ001 - as it asks
HOURS = st.builds(
    lambda days, opens, minutes: OpeningHours(
        days, time(*divmod(opens, 60)), time(*divmod(min(opens + minutes, 1439), 60)), KOREA
    ),
    st.frozensets(st.integers(0, 6), min_size=1),
    st.integers(0, 1438),
    st.integers(1, 1439),
)


@given(HOURS, INSTANTS)
def test_the_next_opening_is_open_and_not_before(hours: OpeningHours, at: datetime) -> None:
    found = hours.next_open(at)
    local = found.astimezone(KST)
    assert found >= at
    assert hours.next_open(found) == found
    assert local.weekday() in hours.days
    assert local.date() not in KOREA.holidays
    assert hours.opens <= local.time() < hours.closes


@given(HOURS, INSTANTS, st.integers(1, 10_000))
def test_nothing_between_is_open(hours: OpeningHours, at: datetime, share: int) -> None:
    found = hours.next_open(at)
    if found > at:
        between = at + (found - at) * share / 10_001
        assert hours.next_open(between) == found


def test_an_hour_that_the_wall_clock_has_twice_is_read_off_the_wall() -> None:
    berlin = Calendar("DE", ZoneInfo("Europe/Berlin"), date(2026, 12, 31), {})
    hours = OpeningHours(frozenset(range(7)), time(2, 30), time(4), berlin)
    summer_ends = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)
    assert hours.next_open(summer_ends).astimezone(berlin.zone).time() == time(2, 30)
    assert hours.next_open(summer_ends) - summer_ends == timedelta(minutes=30)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("Asia/Seoul", "Asia/Soeul", "no such zone"),
        ('"2026-12-25"', '"2036-12-25"', "not between"),
        ('"2026-12-25"', '"2026-12-32"', "date"),
        ('until: "2027-12-31"', 'until: "2026-12-31"', "not between"),
        ("calendar: KR-2026.1", "calendar: KR-2026.2", "another name"),
    ],
)
def test_a_calendar_that_cannot_be_right_is_refused(old: str, new: str, says: str, tmp_path: Path) -> None:
    text = (FOLDER / "KR-2026.1.yaml").read_text("utf-8")
    assert old in text
    path = tmp_path / "KR-2026.1.yaml"
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(DataFileInvalid, match=says):
        Calendar.load(path, SCHEMAS)


def test_the_newest_file_of_a_calendar_counts(tmp_path: Path) -> None:
    text = (FOLDER / "KR-2026.1.yaml").read_text("utf-8")
    for name in ("KR-2026.1", "KR-2026.2", "KR-2026.10", "DE-2026.1"):
        changed = text.replace("KR-2026.1", name).replace("기독탄신일", name)
        (tmp_path / f"{name}.yaml").write_text(changed, "utf-8")
    found = load_all(tmp_path, SCHEMAS)
    assert {c.id: c.holidays[date(2026, 12, 25)] for c in found.values()} == {"KR": "KR-2026.10", "DE": "DE-2026.1"}
