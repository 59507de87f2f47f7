"""The business day of a demo is one file that all its processes read; nobody else ever does."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from gateway.assembly.clocks import DEMO, DayFile, RealClock, clock_of
from gateway.config import Settings
from gateway.errors import SettingsInvalid

DAY = date(2027, 3, 1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    DayFile(tmp_path / "day").set_today(DAY)
    (tmp_path / DEMO).touch()
    return Settings(home=tmp_path, business_day=tmp_path / "day")


def test_a_day_that_one_process_sets_is_the_day_of_another(settings: Settings) -> None:
    here = clock_of(settings)
    assert here.today() == DAY
    command = f"""
from datetime import date; from pathlib import Path; from gateway.assembly.clocks import DayFile
DayFile(Path({str(settings.business_day)!r})).set_today(date(2027, 3, 8))"""
    subprocess.run([sys.executable, "-c", command], check=True)
    assert here.today() == date(2027, 3, 8)


def test_it_is_nine_in_the_morning_in_korea_while_protocol_time_is_real(settings: Settings) -> None:
    clock = clock_of(settings)
    assert clock.business_now() == datetime(2027, 3, 1, tzinfo=UTC)
    assert abs((clock.now() - RealClock().now()).total_seconds()) < 5


def test_without_the_setting_time_is_real(tmp_path: Path) -> None:
    assert type(clock_of(Settings(home=tmp_path))) is RealClock


def test_a_home_that_is_no_demos_has_no_business_day_of_its_own(settings: Settings) -> None:
    (settings.home / DEMO).unlink()
    with pytest.raises(SettingsInvalid, match="only a demo's home"):
        clock_of(settings)


@pytest.mark.parametrize("content", ["", "tomorrow", "2027-02-30"])
def test_a_file_that_holds_no_day_is_refused_at_the_start(settings: Settings, content: str) -> None:
    assert settings.business_day
    settings.business_day.write_text(content)
    with pytest.raises(SettingsInvalid, match="GATEWAY_BUSINESS_DAY"):
        clock_of(settings)
