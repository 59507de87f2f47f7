"""The table of a run: what it says, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from tests.bench import table
from tests.bench.figure import Figure, Floor

FAST = Figure("maps", "/s", (900.0, 1100.0, 1000.0), target=800.0, floor=Floor("bare", 4000.0))
SLOW = Figure("maps, on a busy day", "/s", (700.0, 790.0, 710.0), target=800.0)
SMALL = Figure("memory", "MB", (299.5,), target=300.0, at_most=True)
TOLD = Figure("by the way", "µs", (0.0421,))
MACHINE = {"processor": "one", "cores": "2"}
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


def test_a_figure_is_the_median_of_its_rounds_with_their_spread_and_its_share_of_the_floor() -> None:
    assert table.row(FAST) == ("maps", "1,000 /s", "900 … 1,100", "≥ 800", "yes", "bare: 4,000", "0.25")


def test_a_missed_target_says_so() -> None:
    assert table.row(SLOW)[4] == "**no**"


def test_a_target_may_be_a_ceiling() -> None:
    assert table.row(SMALL)[3:5] == ("≤ 300", "yes")
    assert table.row(Figure("memory", "MB", (300.1,), target=300.0, at_most=True))[4] == "**no**"


def test_a_figure_without_a_target_is_only_told() -> None:
    assert table.row(TOLD) == ("by the way", "0.0421 µs", "0.0421 … 0.0421", "", "", "", "")


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (1234567.8, "1,234,568"), (99.96, "100"), (42.04, "42"), (0.12345, "0.123")]
)
def test_numbers_have_three_digits_or_their_thousands_apart(value: float, text: str) -> None:
    assert table.number(value) == text


def test_the_table_is_aligned_and_the_machine_is_named() -> None:
    lines = table.render([FAST, SLOW, SMALL, TOLD], MACHINE, 61.4).splitlines()
    assert lines[:3] == ["- processor: one", "- cores: 2", "- the whole run: 61 s"]
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 6
    assert len({len(line) for line in rows}) == 1


def test_only_what_is_between_the_markers_is_written(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text(f"# Before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    for text in ("new\n", "newer\n"):
        table.write(page, "bench", text)
        assert page.read_text(encoding="utf-8") == f"# Before\n{BEGIN}\n\n{text}\n{END}\nafter\n"


@pytest.mark.parametrize("text", ["", BEGIN, f"{END}{BEGIN}", f"{BEGIN}{END}{END}"])
def test_a_page_without_its_two_markers_is_left_alone(tmp_path: Path, text: str) -> None:
    page = tmp_path / "README.md"
    page.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="no place"):
        table.write(page, "bench", "new")
    assert page.read_text(encoding="utf-8") == text


def test_the_json_of_a_run_gives_the_same_figures_back(tmp_path: Path) -> None:
    table.write_json(tmp_path / "run.json", [FAST, TOLD], MACHINE, 61.44)
    run = orjson.loads((tmp_path / "run.json").read_bytes())
    assert (run["machine"], run["seconds"]) == (MACHINE, 61.4)
    assert [Figure.read(f) for f in run["figures"]] == [FAST, TOLD]


@pytest.mark.parametrize("name", ["bench", "year"])
def test_the_page_has_its_place_for_the_table(name: str) -> None:
    page = (Path(table.__file__).parent / "README.md").read_text(encoding="utf-8")
    assert [page.count(f"<!-- {name}: {mark} -->") for mark in ("begin", "end")] == [1, 1]
