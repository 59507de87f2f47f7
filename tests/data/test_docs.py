"""The documentation is true: what it shows is made from the code, and what it names exists."""

from __future__ import annotations

import ast
import os
import re
import shlex
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import psycopg
import pytest

from tests.data import docs

ROOT = docs.ROOT
HIDDEN = {"node_modules", "__pycache__"}


def files(*endings: str) -> list[Path]:
    """Every file of the repository with one of these endings (hidden and made folders left out)."""
    found: list[Path] = []
    for folder, inner, names in os.walk(ROOT):
        inner[:] = [n for n in inner if n == ".ci" or not (n.startswith(".") or n in HIDDEN or n.endswith(".egg-info"))]
        found += [Path(folder, name) for name in names if name.endswith(endings)]
    return sorted(found)


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


PAGES = files(".md")
TEXTS = [*files(".md", ".py", ".yaml", ".json", ".sql", ".csv", ".toml", ".svg", ".mjs", ".lock"), ROOT / "Makefile"]
MODULES = [p for p in files(".py") if p.relative_to(ROOT).parts[0] in ("gateway", "adapters")]
RECORDS = sorted((ROOT / "gateway" / "decisions").glob("*.md"))


# ── what is made from the code ───────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("name", docs.BLOCKS)
def test_the_page_shows_what_the_code_makes(name: str) -> None:
    said = docs.shown(docs.PAGE.read_text(encoding="utf-8"), name)
    assert said == docs.BLOCKS[name](), "run: python -m tests.data.docs"


def test_a_page_without_a_marker_is_refused() -> None:
    with pytest.raises(SystemExit, match="lifecycle"):
        docs.rewritten("no marker here")


# ── what the pages name ──────────────────────────────────────────────────────────────────────────────────────────────
def blocks_in(page: Path) -> Iterator[str]:
    """Every line of the blocks that a page shows for a shell, indented ones too."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    for language, block in re.findall(r"^ *```(\w*)\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE):
        if language in ("", "sh", "bash", "console"):
            yield from (line.strip().removeprefix("$ ") for line in block.splitlines())


def spans_in(page: Path) -> Iterator[str]:
    """Every piece of code in the sentences of a page."""
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    yield from re.findall(r"`([^`\n]+)`", text)


def code_in(page: Path) -> Iterator[str]:
    """Every line of code a page shows: blocks of a shell, and code spans."""
    yield from blocks_in(page)
    yield from spans_in(page)


def commands_in(lines: Iterator[str], name: str) -> Iterator[list[str]]:
    """The words after `name` in every command of that name."""
    for line in lines:
        lexer = shlex.shlex(
            re.sub(r"<[a-z -]+>", "X", line).translate({ord("…"): "X", ord("["): None, ord("]"): None}),
            posix=True,
            punctuation_chars="|>&;()",
        )
        lexer.whitespace_split = True
        try:
            words = list(lexer)
        except ValueError:
            continue
        for end, group in groupby(words, key=lambda word: set(word) <= set("|>&;()·")):
            command = [w.removeprefix(".venv/bin/") for w in group]
            while command and re.fullmatch(r"[A-Z_]+=.*", command[0]):
                command.pop(0)
            if not end and command[:1] == [name]:
                yield command[1:]


def command_of(words: list[str]) -> tuple[Any, list[str]]:
    """The command that is meant, and the words behind its name."""
    command: Any = docs.command_line()
    rest = list(words)
    while rest and rest[0] in getattr(command, "commands", {}):
        command = command.commands[rest.pop(0)]
    return command, rest


def missing_in(words: list[str]) -> list[str]:
    """Options that the command asks for and that are not there."""
    command, rest = command_of(words)
    there = {word.partition("=")[0] for word in rest}
    return [p.name for p in command.params if p.param_type_name == "option" and p.required and not there & set(p.opts)]


def refusal_of(words: list[str]) -> str | None:
    """Why the command line would not know these words, or None."""
    command, rest = command_of(words)
    options = {o: p for p in command.params for o in p.opts if p.param_type_name == "option"}
    room = sum(p.param_type_name == "argument" for p in command.params)
    while rest:
        word, given, _ = rest.pop(0).partition("=")
        if word in options:
            rest = rest if given or options[word].is_flag else rest[1:]
        elif word.startswith("-"):
            if word != "--help":
                return f"no option {word}"
        elif (room := room - 1) < 0:
            return f"no room for {word}"
    return None


@pytest.mark.parametrize("page", PAGES, ids=short)
def test_every_command_a_page_names_is_one(page: Path) -> None:
    wrong = [(words, why) for words in commands_in(code_in(page), "gateway") if (why := refusal_of(words))]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=short)
def test_every_command_in_a_block_can_be_typed_as_it_stands(page: Path) -> None:
    wrong = [(words, why) for words in commands_in(blocks_in(page), "gateway") if (why := missing_in(words))]
    assert wrong == []


def test_commands_are_found_wherever_a_page_shows_them() -> None:
    lines = ["A=1 gateway up && make down", "one=$(gateway status cases | grep x)", "gateway partner list  # why"]
    assert list(commands_in(iter(lines), "gateway")) == [["up"], ["status", "cases"], ["partner", "list"]]
    runbook = list(commands_in(blocks_in(ROOT / "gateway" / "operations" / "README.md"), "gateway"))
    assert ["work", "list", "--by", "kim.0417"] in runbook


def test_a_command_that_does_not_exist_is_found_out() -> None:
    assert refusal_of(["status", "cases", "--xml"]) == "no option --xml"
    assert refusal_of(["teleport"]) == "no room for teleport"
    assert refusal_of(["status", "cases", "now"]) == "no room for now"
    assert refusal_of(["demo", "--cases", "50", "--json"]) is None
    assert missing_in(["log", "review", "--month", "2026-11"]) == ["by"]


def test_what_a_command_asks_for_stands_without_brackets() -> None:
    shown = docs.commands_table()
    assert "| `gateway retention hold CASE_NO --by … --reason …` |" in shown
    assert "| `gateway key revoke OWNER KID [--by …]` |" in shown
    assert "| `gateway up [--workers …] [--foreground] [--pretend] [--seed …]` |" in shown


def unexplained_words(command: Any, name: str) -> Iterator[str]:
    """Arguments and options of a command, and of those below it, that do not say what they are for."""
    for child in getattr(command, "commands", {}).values():
        yield from unexplained_words(child, f"{name} {child.name}")
    if not command.help:
        yield name
    yield from (f"{name} {parameter.name}" for parameter in command.params if not getattr(parameter, "help", None))


def test_every_word_of_every_command_says_what_it_is_for() -> None:
    assert list(unexplained_words(docs.command_line(), "gateway")) == []


@pytest.mark.parametrize("page", PAGES, ids=short)
def test_every_make_target_a_page_names_is_one(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    variables = set(re.findall(r"^([A-Z]+) \?=", makefile, re.MULTILINE))
    for words in commands_in(code_in(page), "make"):
        for word in words:
            name, given, _ = word.partition("=")
            assert name in (variables if given else targets), f"make {word}"


def slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower().replace("`", "")).replace(" ", "-")


def links_of(page: Path) -> list[str]:
    """Where a page leads within the repository."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    links = [*re.findall(r"\]\(([^)\s]+)\)", text), *re.findall(r'(?:src|href|srcset)="([^"]+)"', text)]
    return [link for link in links if not re.match(r"[a-z]+:", link)]


@pytest.mark.parametrize("page", PAGES, ids=short)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for link in links_of(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{short(page)} links to {link}"
        if anchor and target.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in map(slug, headings), f"{short(page)} links to {link}"


def places_of(page: Path) -> list[str]:
    """What a page names of the repository."""
    places = re.compile(r"(?:gateway|adapters|schemas|mappings|tests|\.ci)/[\w./-]+")
    return [span for span in code_in(page) if places.fullmatch(span)]


@pytest.mark.parametrize("page", PAGES, ids=short)
def test_every_place_a_page_names_is_there(page: Path) -> None:
    for span in places_of(page):
        assert (ROOT / span).exists(), f"{short(page)} names {span}"


def test_links_places_and_targets_are_found_on_the_pages() -> None:
    assert sum(len(links_of(page)) for page in PAGES) > 300
    assert sum(len(places_of(page)) for page in PAGES) > 100
    assert sum(len(list(commands_in(code_in(page), "make"))) for page in PAGES) > 50


def test_every_page_that_is_named_anywhere_is_there() -> None:
    there = {p.name for p in PAGES}
    named = {
        (short(p), name)
        for p in TEXTS
        for name in re.findall(r"\b[\w-]+(?:\.[\w-]+)*\.md\b", p.read_text(encoding="utf-8"))
    }
    assert sorted((path, name) for path, name in named if name not in there) == []


def test_the_picture_is_drawn_without_anything_from_outside() -> None:
    picture = ET.fromstring((ROOT / "gateway" / "flow.svg").read_text(encoding="utf-8"))  # noqa: S314 - our own file
    names = {child.tag.rpartition("}")[2] for child in picture}
    assert {"title", "desc", "style"} <= names
    assert not [e for e in picture.iter() for a in e.attrib if a.rpartition("}")[2] == "href"]


# ── decision records ─────────────────────────────────────────────────────────────────────────────────────────────────
SECTIONS = ["Context", "Decision", "What we chose not to have", "Consequences"]


@pytest.mark.parametrize("record", RECORDS, ids=lambda p: p.stem)
def test_a_decision_record_is_short_and_has_its_sections(record: Path) -> None:
    text = record.read_text(encoding="utf-8")
    assert text.startswith(f"# {record.stem[:4]} ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert len(text.splitlines()) <= 40


def test_decision_records_count_without_gaps_and_the_page_lists_them_all() -> None:
    assert [int(r.stem[:4]) for r in RECORDS] == list(range(1, len(RECORDS) + 1))
    listed = docs.PAGE.read_text(encoding="utf-8").partition("\n## Decisions\n")[2]
    assert re.findall(r"\[(\d{4}) [^]]+\]\(decisions/(\1\S*)\)", listed) == [(r.name[:4], r.name) for r in RECORDS]


# ── words that do not belong here ────────────────────────────────────────────────────────────────────────────────────
FOREIGN = re.compile(
    r"(?<![\w.])/(?:work|home|root|Users|mnt)/\w"  # a path of somebody's machine
    r"|(?:pypi|pythonhosted|npmjs|npmmirror|goproxy|crates|rubygems|maven)\.(?:org|com|io|net)\b"  # a registry
    r"|proxy\.golang|registry\.npm",
    re.IGNORECASE,
)


def test_no_file_names_a_machine_or_a_registry() -> None:
    found = [(short(p), m.group()) for p in TEXTS for m in FOREIGN.finditer(p.read_text(encoding="utf-8"))]
    assert found == []


EMPTY_WORDS = {"util", "utils", "helper", "helpers", "common", "manager", "service", "handler"}


def words_of(name: str) -> set[str]:
    return {w.lower() for w in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def names_in(path: Path) -> Iterator[str]:
    """The names of a module, its folders, functions and classes."""
    yield from path.relative_to(ROOT).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name


def test_no_name_is_an_empty_word() -> None:
    assert [(short(p), name) for p in MODULES for name in names_in(p) if words_of(name) & EMPTY_WORDS] == []


def test_an_empty_word_is_found_out() -> None:
    assert words_of("CaseManager") & words_of("case_manager") & EMPTY_WORDS
    assert not words_of("contextmanager_of_services") & EMPTY_WORDS


# ── packages say what they hold ──────────────────────────────────────────────────────────────────────────────────────
def listed(package: Path) -> list[str]:
    """The modules that the docstring of a package names, a line each."""
    said = ast.get_docstring(ast.parse(package.read_text(encoding="utf-8"))) or ""
    return re.findall(r"^([a-z]\w*)/? {2,}\S", said, re.MULTILINE)


PACKAGES = [p for p in MODULES if p.name == "__init__.py" and listed(p)]


@pytest.mark.parametrize("package", PACKAGES, ids=short)
def test_a_package_that_lists_its_modules_lists_each_of_them_once(package: Path) -> None:
    modules = {path.stem for path in package.parent.glob("*.py")} - {"__init__"}
    packages = {path.parent.name for path in package.parent.glob("*/__init__.py")}
    assert sorted(listed(package)) == sorted(modules | packages)


def test_the_verbs_the_store_and_the_commands_list_their_modules() -> None:
    assert {"gateway/journey", "gateway/store", "gateway/cli"} <= {short(p.parent) for p in PACKAGES}


# ── the database explains itself ─────────────────────────────────────────────────────────────────────────────────────
TABLES = """
select oid, relname, obj_description(oid, 'pg_class') from pg_class
where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v') and relname <> 'alembic_version'
"""
BARE_COLUMNS = """
select c.relname || '.' || a.attname from pg_attribute a join pg_class c on c.oid = a.attrelid
where c.oid = any(%s) and a.attnum > 0 and not a.attisdropped and col_description(c.oid, a.attnum) is null
"""


def unexplained(database: str) -> list[str]:
    """Tables and columns without a comment."""
    with psycopg.connect(database) as connection:
        tables = connection.execute(TABLES).fetchall()
        columns = connection.execute(BARE_COLUMNS, ([oid for oid, _, _ in tables],)).fetchall()
    assert tables
    return sorted([name for _, name, comment in tables if not comment] + [name for (name,) in columns])


def test_every_table_and_column_has_a_comment(database: str) -> None:
    assert unexplained(database) == []


def test_a_column_without_a_comment_is_found_out(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("alter table leg add column forgotten text")
    assert unexplained(database) == ["leg.forgotten"]
