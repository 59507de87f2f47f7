"""Whoever watches the gateway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple, Protocol

from gateway.exchange_log.audit import AuditEvent


class Observer(Protocol):
    """Sees what happens, for whoever operates the gateway. Never raises, never waits, keeps nobody's data."""

    def acted(self, events: Sequence[AuditEvent]) -> None:
        """A unit was committed with these events."""
        ...

    def unproven(self, act: str, code: str) -> None:
        """A request was refused before its sender was believed; the act that is committed stands for many."""
        ...

    def held(self, act: str, seconds: float) -> None:
        """An act that only one process does at a time (`Store.alone`) was done by this one, to its end."""
        ...

    def attempted(self, partner: str, phase: str, seconds: float) -> None:
        """A partner was called; `phase` before|attempt|after."""
        ...

    def answered(self, route: str, status: int, seconds: float, mid: str | None = None) -> None:
        """A request at the partners' door was answered; `mid`: the message it says it brings."""
        ...

    def rounded(self, name: str, result: str) -> None:
        """A round of a worker has ended: done|idle|failed|broken."""
        ...

    def woken(self, task: str) -> None:
        """The broker woke a worker."""
        ...

    def working(self, name: str, because: Mapping[str, str]) -> AbstractContextManager[None]:
        """A request, a task or a round is worked on; `because`: the headers that brought it."""
        ...

    def calling(self, partner: str, mid: str) -> AbstractContextManager[Mapping[str, str]]:
        """A message is brought to a partner; gives the headers that go with it, unsigned."""
        ...

    def passed_on(self) -> Mapping[str, str]:
        """The headers for whoever goes on with what is being worked on."""
        ...


class Unobserved:
    """The `Observer` of a gateway that nobody watches."""

    def acted(self, events: Sequence[AuditEvent]) -> None: ...

    def unproven(self, act: str, code: str) -> None: ...

    def held(self, act: str, seconds: float) -> None: ...

    def attempted(self, partner: str, phase: str, seconds: float) -> None: ...

    def answered(self, route: str, status: int, seconds: float, mid: str | None = None) -> None: ...

    def rounded(self, name: str, result: str) -> None: ...

    def woken(self, task: str) -> None: ...

    def working(self, name: str, because: Mapping[str, str]) -> AbstractContextManager[None]:
        return nullcontext()

    def calling(self, partner: str, mid: str) -> AbstractContextManager[Mapping[str, str]]:
        return nullcontext({})

    def passed_on(self) -> Mapping[str, str]:
        return {}


class Reading(NamedTuple):
    """One metric as it stands: name, label names, what it says, and per set of labels a number."""

    name: str
    labels: tuple[str, ...]
    says: str
    rows: Sequence[tuple[tuple[str, ...], float]]
