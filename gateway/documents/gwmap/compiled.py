"""A compiled map: source in, document out, or every reason why not.

Rules: the fast program runs first; whenever it fails or leaves something out on purpose, the slow one runs once more
over the same record and says everything at once. Both are deterministic and pure: the same source and parameters give
the same document. `digest` names the expanded map, its schemas, code tables and function library.

It refuses to be changed, and it refuses to be handed parameters that it did not declare.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.documents import strict_json
from gateway.documents.gwmap import fast, limits
from gateway.documents.gwmap.frame import NOTES, RUN_ERRORS, SOURCE, STEPS, Expr, Frame, Run
from gateway.documents.gwmap.functions import iso
from gateway.documents.gwmap.header import Header
from gateway.documents.gwmap.model import (
    ISSUE_CODES,
    At,
    Explained,
    Issue,
    LeafError,
    Lineage,
    Mapped,
    RecordNotMapped,
    Severity,
)
from gateway.documents.gwmap.plan import PChoice, Plan, PLeaf, PLoop, below
from gateway.documents.gwmap.trace import Trace, Watch


@dataclass(frozen=True, slots=True)
class Param:
    """One declared parameter and its slot."""

    name: str
    slot: int
    optional: bool


@dataclass(frozen=True, slots=True)
class Let:
    """One let, its slot and its expression."""

    name: str
    slot: int
    expr: Expr
    at: At
    written: str


class CompiledMap:
    """A map ready to run. `id`, `version`, `digest` (`sha256:…`) identify it for ever."""

    def __init__(
        self,
        header: Header,
        digest: str,
        *,
        plan: Plan,
        params: tuple[Param, ...],
        lets: tuple[Let, ...],
        slots: int,
        lineage: tuple[Lineage, ...],
        watch: Watch,
    ) -> None:
        self.header, self.digest = header, digest
        self.id, self.version, self.pin = header.id, header.version, header.pin
        self._plan, self._params, self._lets, self._lineage, self._watch = plan, params, lets, lineage, watch
        self._frame: Frame = [None] * slots
        self._frame[STEPS] = 0
        self._names = frozenset(p.name for p in params)
        self._required = frozenset(p.name for p in params if not p.optional)
        self._compute: tuple[tuple[int, Run], ...] = tuple((let.slot, let.expr.run) for let in lets)
        self._program = fast.program(plan)

    def __repr__(self) -> str:
        return f"CompiledMap({self.pin}, {self.digest[:15]})"

    def apply(self, source: Mapping[str, Any], params: Mapping[str, Any]) -> Mapped:
        """Map one record. Raises `RecordNotMapped` (a `MappingFailed`) with all its `issues`."""
        frame = self._ready(source, params)
        notes: list[Any] = frame[NOTES]
        try:
            for slot, run in self._compute:
                frame[slot] = run(frame)
            document = self._program(frame)
            body = _written(document)
        except RUN_ERRORS:
            return self._slow(source, params)
        if notes or document is None:
            return self._slow(source, params)
        return Mapped(document, (), body)

    def explain(self, source: Mapping[str, Any], params: Mapping[str, Any]) -> tuple[Explained, ...]:
        """Why each target element is, or is not, in the document of this record. Values are masked."""
        trace = Trace(self.pin, self._watch)
        self._walk(trace, self._ready(source, params))
        return tuple(trace.explained)

    def lineage(self) -> tuple[Lineage, ...]:
        """Where each target element comes from, without data."""
        return self._lineage

    def wording(self) -> Iterator[tuple[str, str]]:
        """What decides beside the target elements, by its place and as it is written: guards, loops, lets, the head."""
        for part in below(self._plan):
            match part:
                case PChoice(target=target, written=written):
                    yield f"$if of {target}", written
                case PLoop(target=target, written=written, criteria=criteria):
                    yield f"$for of {target}", f"{written} where {criteria}" if criteria else written
        yield from ((f"let {let.name}", let.written) for let in self._lets)
        for section in ("maps", "params", "policy"):
            words: Mapping[str, str] = getattr(self.header, section)
            yield from ((f"{section}.{name}", text) for name, text in words.items())
        yield "source", self.header.source
        yield "target", self.header.target_schema or f"FHIR {self.header.target_fhir}"

    # ── frames ────────────────────────────────────────────────────────────────────────────────────────────────────────
    def _ready(self, source: Mapping[str, Any], params: Mapping[str, Any]) -> Frame:
        if not (params.keys() <= self._names and self._required <= params.keys()):
            raise RecordNotMapped(self._wrong_params(params))
        frame = self._frame.copy()
        frame[SOURCE], frame[NOTES] = source, []
        for param in self._params:
            frame[param.slot] = iso(params.get(param.name))
        return frame

    def _wrong_params(self, params: Mapping[str, Any]) -> tuple[Issue, ...]:
        found = [f"parameter '{n}' is not given" for n in sorted(self._required - params.keys())]
        found += [f"parameter '{n}' is not declared" for n in sorted(params.keys() - self._names)]
        return tuple(self._issue("MAP-MISSING", text) for text in found)

    def _issue(self, detail: str, text: str) -> Issue:
        return Issue(Severity.ERROR, ISSUE_CODES[detail], detail, text, self.header.root, "", self.pin, self.pin)

    # ── the slow program ──────────────────────────────────────────────────────────────────────────────────────────────
    def _slow(self, source: Mapping[str, Any], params: Mapping[str, Any]) -> Mapped:
        trace = Trace(self.pin)
        document = self._walk(trace, self._ready(source, params))
        if not trace.failed() and document is None:
            trace.issues.append(self._issue("MAP-MISSING", "the record holds nothing this map writes"))
        if trace.failed():
            raise RecordNotMapped(tuple(trace.issues))
        try:
            return Mapped(document, tuple(trace.issues), _written(document))
        except LeafError as error:
            raise RecordNotMapped((*trace.issues, self._issue(error.detail, error.text))) from None

    def _walk(self, trace: Trace, frame: Frame) -> Any:
        for let in self._lets:
            frame[NOTES] = []
            try:
                if not let.expr.via & trace.failed_lets:
                    frame[let.slot] = let.expr.run(frame)
                else:
                    trace.failed_lets.add(let.name)
            except RUN_ERRORS as error:
                trace.failed_lets.add(let.name)
                trace.error(error, self._needing(let.name), f"let {let.name}", let.at, let.written)
            trace.notes(frame[NOTES], self._needing(let.name), f"let {let.name}", let.at)
        try:
            document = trace.walk(self._plan, frame, self.header.root)
        except LeafError as error:  # the limit of steps
            trace.error(error, self.header.root, "map", At(self.pin, 1), "")
            return None
        return document

    def _needing(self, let: str) -> str:
        """The first target that a let is for."""
        return next((line.target for line in self._lineage if let in line.via), f"let {let}")


def _written(document: Any) -> bytes:
    """The document's bytes. Raises `LeafError` for one that is no JSON, or more than anybody should get."""
    try:
        body = strict_json.dumps(document)
    except orjson.JSONEncodeError:
        raise LeafError("MAP-VALUE", "the document holds a value that is beyond JSON") from None
    if len(body) > limits.OUTPUT_BYTES:
        raise LeafError("MAP-LIMIT", f"the document is larger than {limits.OUTPUT_BYTES} bytes")
    return body


def watched(plan: Plan, readers: Mapping[str, tuple[str, Run, frozenset[str] | None]]) -> Watch:
    """For each leaf the sources that an explanation shows."""
    leaves = [p for p in below(plan) if isinstance(p, PLeaf)]
    return {p.rule: tuple(readers[s] for s in sorted(p.expr.sources()) if s in readers) for p in leaves}
