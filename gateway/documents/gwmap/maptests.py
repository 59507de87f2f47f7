"""Tests beside a map: data only (`tests/*.yaml`, `golden/*.json`), run by S12 and by `gateway map test`.

A test takes a source file, changes it by JSON Patch (RFC 6902: add, remove, replace), maps it with parameters, and
expects a golden document, values at paths, absent or present paths, or issues. Paths read as targets do:
`Bundle.entry[0].resource.gender`, `body.refNo`.

It refuses test files that break their grammar (`schemas/meta/maptest-1.json`), and paths out of the folder of the map.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.documents import strict_json
from gateway.documents.gwmap import world
from gateway.documents.gwmap.compiled import CompiledMap
from gateway.documents.gwmap.fast import copied
from gateway.documents.gwmap.header import TEST_META
from gateway.documents.gwmap.model import Finding, Issue, RecordNotMapped, Severity
from gateway.documents.gwmap.yaml_subset import YNode
from gateway.errors import DocumentRefused

if TYPE_CHECKING:
    from gateway.documents.gwmap.catalogue import Catalogue
    from gateway.documents.schemas import Schemas

_GONE = object()
_STEP = re.compile(r"([^.\[\]]+)|\[([0-9]+)\]")


@dataclass(frozen=True, slots=True)
class TestResult:
    """One test: passed, or what was wrong (one sentence each)."""

    __test__ = False  # not a test case of pytest
    name: str
    file: str
    line: int
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.failures

    def __str__(self) -> str:
        said = "ok" if self.passed else "FAILED: " + "; ".join(self.failures)
        return f"{self.file}:{self.line}: {self.name}: {said}"


class UnusableError(Exception):
    """A test cannot be run; says why."""


def run_tests(catalogue: Catalogue, pin: str) -> tuple[TestResult, ...]:
    """Run all tests beside one map."""
    folder = catalogue.folder(pin)
    found: list[TestResult] = []
    for path in sorted((folder / "tests").glob("*.yaml")):
        found += _file(path, folder, catalogue.get(pin), catalogue.schemas)
    return tuple(found)


def findings(catalogue: Catalogue, pin: str) -> list[Finding]:
    """S12: failing tests are errors; a map without tests is warned of."""
    results = run_tests(catalogue, pin)
    if not results:
        where = f"{catalogue.folder(pin).relative_to(catalogue.folder(pin).parents[0])}"
        said = f"map '{pin}' has no tests beside it"
        return [Finding(_shown(catalogue.folder(pin) / "map.yaml"), 1, "S12", Severity.WARNING, said, "", where)]
    return [
        Finding(r.file, r.line, "S12", Severity.ERROR, f"test '{r.name}' fails: {'; '.join(r.failures)}")
        for r in results
        if not r.passed
    ]


def _shown(path: Path) -> str:
    parts = path.parts
    start = len(parts) - 1 - parts[::-1].index("mappings") if "mappings" in parts else 0
    return "/".join(parts[start:])


def _file(path: Path, folder: Path, map_: CompiledMap, schemas: Schemas) -> Iterator[TestResult]:
    shown = _shown(path)
    broken: list[Finding] = []
    node = world.read(path, shown, broken)
    if node is None:
        yield TestResult(path.name, shown, broken[0].line, (broken[0].text,))
        return
    wrong = schemas.check(TEST_META, node.plain())
    if wrong:
        yield TestResult(path.name, shown, node.line, tuple(str(w) for w in wrong))
        return
    for one in _tests(node):
        test = one.plain()
        yield TestResult(test["test"], shown, one.line, tuple(_failures(test, folder, map_)))


def _tests(node: YNode) -> list[YNode]:
    found: list[YNode] = node.value["tests"].value if "tests" in node.value else [node]
    return found


def _failures(test: Mapping[str, Any], folder: Path, map_: CompiledMap) -> Iterator[str]:
    if "map" in test and test["map"] != map_.pin:
        yield f"is written for {test['map']}, not for {map_.pin}"
        return
    try:
        source = patched(_json(folder, test["given"]["base"]), test["given"].get("patch", []))
        document, issues = _mapped(map_, source, test["given"].get("params", {}))
        yield from _expected(test, document, issues, folder, map_)
    except UnusableError as error:
        yield str(error)


def _json(folder: Path, name: str) -> Any:
    path = (folder / name).resolve()
    roots = [folder.resolve(), folder.resolve().parents[0], folder.resolve().parents[1]]
    if not any(path.is_relative_to(root) for root in roots) or not path.exists():
        raise UnusableError(f"there is no file {name}")
    try:
        return strict_json.loads(path.read_bytes())
    except DocumentRefused as error:
        raise UnusableError(f"{name}: {error.detail}") from None


def _mapped(map_: CompiledMap, source: Any, params: Mapping[str, Any]) -> tuple[Any, tuple[Issue, ...]]:
    try:
        mapped = map_.apply(source, params)
    except RecordNotMapped as error:
        return None, error.issues
    return mapped.document, mapped.issues


def _expected(
    test: Mapping[str, Any], document: Any, issues: tuple[Issue, ...], folder: Path, map_: CompiledMap
) -> Iterator[str]:
    if "expectIssues" in test:
        yield from _issues(test["expectIssues"], issues)
    elif document is None:
        yield from (str(i) for i in issues if i.severity is Severity.ERROR)
        return
    expect = test.get("expect", {})
    root = map_.header.root
    for path, value in expect.get("equals", {}).items():
        found = at(document, path, root)
        if found is _GONE:
            yield f"{path} is absent"
        elif found != value or isinstance(found, bool) != isinstance(value, bool):
            yield f"{path} is {found!r}, expected {value!r}"
    yield from (
        f"{p} is there, expected absent" for p in expect.get("absent", []) if at(document, p, root) is not _GONE
    )
    yield from (f"{p} is absent" for p in expect.get("present", []) if at(document, p, root) is _GONE)
    if "golden" in expect:
        yield from differences(_json(folder, expect["golden"]), document, root)


def _issues(expected: list[Mapping[str, str]], issues: tuple[Issue, ...]) -> Iterator[str]:
    for want in expected:
        if not any(_is(want, issue) for issue in issues):
            yield f"no issue {dict(want)}"
    if not expected and issues:
        yield f"issues were not expected: {issues[0]}"


def _is(want: Mapping[str, str], issue: Issue) -> bool:
    return (
        want["code"] == issue.detail
        and want.get("severity", issue.severity) == issue.severity
        and want.get("source", issue.source) == issue.source
        and issue.target.endswith(want.get("target", "").lstrip("…"))
    )


def at(document: Any, path: str, root: str) -> Any:
    """What stands at a target path; a private marker when nothing does."""
    steps = _STEP.findall(path)
    if steps and root and steps[0][0] == root:
        steps = steps[1:]
    for name, index in steps:
        try:
            document = document[name] if name else document[int(index)]
        except (KeyError, IndexError, TypeError):
            return _GONE
    return document


def differences(golden: Any, document: Any, path: str) -> Iterator[str]:
    """Where two documents differ, at most one sentence a place."""
    if isinstance(golden, dict) and isinstance(document, dict):
        for name in golden | document:
            place = f"{path}.{name}" if path else name
            if name not in document or name not in golden:
                yield f"{place} is {'absent' if name not in document else 'there, the golden document lacks it'}"
            else:
                yield from differences(golden[name], document[name], place)
    elif isinstance(golden, list) and isinstance(document, list):
        if len(golden) != len(document):
            yield f"{path} has {len(document)} items, the golden document {len(golden)}"
        for index, (a, b) in enumerate(zip(golden, document, strict=False)):
            yield from differences(a, b, f"{path}[{index}]")
    elif golden != document or isinstance(golden, bool) != isinstance(document, bool):
        yield f"{path} differs from the golden document"


def patched(source: Any, operations: list[Mapping[str, Any]]) -> Any:
    """A copy of `source` with JSON Patch operations add, remove, replace (RFC 6902) done."""
    out = copied(source)
    for operation in operations:
        _patch(out, operation)
    return out


def _patch(out: Any, operation: Mapping[str, Any]) -> None:
    *way, last = [p.replace("~1", "/").replace("~0", "~") for p in operation["path"].split("/")[1:]]
    try:
        for part in way:
            out = out[int(part)] if isinstance(out, list) else out[part]
        if isinstance(out, list):
            _patch_list(out, last, operation)
        elif operation["op"] == "remove":
            del out[last]
        elif operation["op"] == "replace" and last not in out:
            raise KeyError(last)
        else:
            out[last] = operation["value"]
    except (KeyError, IndexError, ValueError, TypeError):
        raise UnusableError(f"the patch {operation['op']} {operation['path']} cannot be done") from None


def _patch_list(out: list[Any], last: str, operation: Mapping[str, Any]) -> None:
    index = len(out) if last == "-" else int(last)
    if operation["op"] == "add":
        out.insert(index, operation["value"])
    elif operation["op"] == "remove":
        del out[index]
    else:
        out[index] = operation["value"]
