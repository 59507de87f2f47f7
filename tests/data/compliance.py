"""What the law asks, and which tests hold it: `python -m tests.data.compliance` writes the table anew.

Rules: the requirements are data (`gateway/compliance/requirements.yaml`); which test proves which is said by the test
itself, `@pytest.mark.rule("R-07")`, and read from its source. Refuses nothing: `test_compliance.py` does.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "gateway" / "compliance"
PAGE = FOLDER / "README.md"


class Requirement(NamedTuple):
    """One requirement: `seen` where an auditor sees it, `open` what is not built."""

    asks: str
    law: str
    seen: str | None = None
    open: str | None = None


class Proof(NamedTuple):
    """A test that carries a mark, with the file it stands in."""

    rule: str
    file: str
    test: str


def requirements() -> dict[str, Requirement]:
    """All requirements by id. Raises TypeError for a word that the grammar does not know."""
    raw = yaml.safe_load((FOLDER / "requirements.yaml").read_text(encoding="utf-8"))
    return {rule: Requirement(**said) for rule, said in raw.items()}


@cache
def proofs() -> Sequence[Proof]:
    """Every mark in the tests, by file and place."""
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    return [proof for path in files for proof in marks(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT)))]


def marks(source: str, file: str) -> Iterator[Proof]:
    """The marks in one file. A mark on anything but a test is a `Proof` with the name of what it stands on."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.rule":
                    yield from (Proof(ast.literal_eval(rule), file, node.name) for rule in decorator.args)


def status(requirement: Requirement) -> str:
    """met, in part, or open."""
    if requirement.seen is None:
        return "open"
    return "in part" if requirement.open else "met"


def page() -> str:
    """The page: the table, and what is in it."""
    asked, proven = requirements(), _by_rule(proofs())
    count = {word: sum(status(r) == word for r in asked.values()) for word in ("met", "in part", "open")}
    said = ", ".join(f"{n} {word}" for word, n in count.items())
    rows = (_row(rule, requirement, proven.get(rule, [])) for rule, requirement in asked.items())
    head = "| | what is asked | law | state | where an auditor sees it | tests | what is open |\n" + "|---" * 7 + "|\n"
    return f"{INTRODUCTION}\n{len(asked)} requirements: {said}.\n\n{head}" + "\n".join(rows) + "\n"


INTRODUCTION = """# What the law asks, and where it is held

Made by `python -m tests.data.compliance` from [requirements.yaml](requirements.yaml) and from the marks in the tests.
A requirement without `open` that no test proves fails the build, and so does a mark for one that does not exist.
Reading the law is work of lawyers: this is our reading, for COMWEL's privacy officer to correct.

* *PIPA* is 개인정보 보호법, *decree* its 시행령, *notice* 개인정보의 안전성 확보조치 기준; other laws stand by name.
* *Comes with …* names the part of a later release that it waits for: *the console* is pages and accounts for people
  (coordinators, auditors, the privacy officer, a worker who asks); *the partners' trust* is certificates tied to
  partners, bodies encrypted for them, and 행정전자서명; *the measures of the programme* are figures over all cases,
  and the duties that hang on them.
"""


def _by_rule(found: Sequence[Proof]) -> Mapping[str, list[Proof]]:
    return {rule: [p for p in found if p.rule == rule] for rule in {p.rule for p in found}}


def _row(rule: str, requirement: Requirement, found: list[Proof]) -> str:
    tests = "<br>".join(f"[{p.test}](../../{p.file})" for p in found)
    asks, law, seen, left = requirement
    cells = (rule, asks, law, status(requirement), seen or "", tests, left or "")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.relative_to(ROOT)} is up to date\n")
