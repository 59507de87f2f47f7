"""What the mapping engine says: findings at load, issues at run time, lineage and explanations.

Rules: a finding carries the code of the check (S1 to S13), file, line, sentence, hint and target; an issue carries the
codes of FHIR (`OperationOutcome.issue.code`) and of the engine (`MAP-*`). Both print as one line an analyst can act on.

It refuses to hold values of persons: `masked` is the only way a value enters a text, and only codes pass it whole.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from gateway.errors import MappingFailed, Place

FNLIB = {"monthsBetween": 2, "date": 3, "toDecimal": 4}
"""Functions that changed, and in which version of the library: one number more for each change, or a map that uses two
of them would not tell. All others are as in version 1. Part of the digest of every map that uses them."""


class Severity(StrEnum):
    """As in FHIR `issue-severity`, without `fatal`."""

    ERROR = "error"
    WARNING = "warning"
    INFORMATION = "information"


class At(NamedTuple):
    """Where something is written: file as shown to people, line from 1, column from 1."""

    file: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One result of a static check. `code` S1…S13; an error keeps the map from becoming active."""

    file: str
    line: int
    code: str
    severity: Severity
    text: str
    hint: str = ""
    target: str = ""

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        target = f" [target {self.target}]" if self.target else ""
        note = "" if self.severity is Severity.ERROR else f"{self.severity}: "
        return f"{self.file}:{self.line}: {note}{self.text}{hint}{target}"


class Issue(NamedTuple):
    """One thing that happened to one target element of one record.

    `code` is a FHIR issue type, `detail` one of MAP-MISSING, MAP-VALUE, MAP-UNMAPPED, MAP-TARGET, MAP-LIMIT.
    """

    severity: Severity
    code: str
    detail: str
    text: str
    target: str = ""
    rule: str = ""
    map: str = ""
    at: str = ""
    source: str = ""

    def __str__(self) -> str:
        return f"{self.at} rule {self.rule}: {self.text}" + (f" (needed for {self.target})" if self.target else "")


class Mapped(NamedTuple):
    """The document a map made, with what it left out on purpose, and the document's bytes as they are handed on."""

    document: Any
    issues: tuple[Issue, ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where one target element comes from. `guards` decide whether it is written, `sources` what is written."""

    target: str
    sources: tuple[str, ...]
    guards: tuple[str, ...]
    rule: str
    at: str
    expr: str
    via: tuple[str, ...]
    tables: tuple[str, ...]

    def __str__(self) -> str:
        what = ", ".join(self.sources) or "constant"
        via = f" via {', '.join(self.via)}" if self.via else ""
        tables = f" by {', '.join(self.tables)}" if self.tables else ""
        return f"{self.target} <- {what}{via}{tables}  ({self.at} rule {self.rule})"


class SourceValue(NamedTuple):
    """A source path with what stood there; `value` is masked unless it is a code."""

    path: str
    value: Any
    masked: bool


@dataclass(frozen=True, slots=True)
class Explained:
    """Why one target element is, or is not, in the document.

    `status`: written, omitted-empty, omitted-guard(expr), omitted-unmatched, error.
    """

    target: str
    status: str
    rule: str
    at: str
    expr: str
    sources: tuple[SourceValue, ...] = ()
    via: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()

    def __str__(self) -> str:
        sources = ", ".join(f"{s.path}={s.value}" for s in self.sources)
        return f"{self.target}: {self.status} by {self.rule} ({self.at}) {self.expr}" + (
            f" [{sources}]" * bool(sources)
        )


class LeafError(Exception):
    """A leaf cannot be computed. Inside the engine only; it leaves as an `Issue`."""

    def __init__(self, detail: str, text: str, path: str = "") -> None:
        super().__init__(text)
        self.detail, self.text, self.path = detail, text, path


class UnfitError(ValueError):
    """Raised by functions of the library: why a value is not what it should be, in words without the value."""


ISSUE_CODES = {
    "MAP-MISSING": "required",
    "MAP-VALUE": "value",
    "MAP-UNMAPPED": "code-invalid",
    "MAP-TARGET": "structure",
    "MAP-LIMIT": "too-costly",
}


class RecordNotMapped(MappingFailed):
    """One record cannot be mapped; `issues` holds every reason at once."""

    def __init__(self, issues: tuple[Issue, ...]) -> None:
        self.issues = issues
        worst = [i for i in issues if i.severity is Severity.ERROR]
        super().__init__("; ".join(map(str, worst[:20])), place=Place(field=worst[0].target if worst else None))


_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,5}\Z")


def masked(value: Any, known: Iterable[str] | None = None) -> str:
    """A value as it may be printed: whole if a known code, four digits of a number, stars otherwise."""
    text = str(value)
    if known is not None and text in known:
        return text
    if text.isdigit() and len(text) >= 8:
        return text[:4] + "****"
    return "*" * min(len(text), 8)


def printable_code(value: Any, known: Iterable[str]) -> str:
    """A code may be printed if it is listed, or short enough that it can hardly be anything else."""
    text = str(value)
    return text if text in known or _CODE.match(text) else masked(text)


def a(kind: object) -> str:
    """The kind with its article."""
    return f"{'an' if str(kind)[:1] in 'aeiouAEIO' else 'a'} {kind}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The hint for a misspelt name, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean '{close[0]}'?" if close else ""
