"""Unproven: what was refused before its sender was believed, counted until an act of the books stands for it.

Rules: every such refusal counts at once, for whoever watches. For each partner and reason one act a minute is kept, and
says for how many requests it stands: for the first at once; for those of the minute behind it when that is over, or
when the door closes. Refuses to remember anything else of them: whoever knocks without end fills nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.exchange_log.leaf import TAKES
from gateway.ports import Observer, Unobserved

ACT = TAKES
EVERY = timedelta(minutes=1)
Keep = Callable[[str | None, str, int], None]
"""Keeps an act: whose requests were refused (None: of nobody we know), why, and how many. Raises when it cannot."""


@dataclass(slots=True)
class _Tally:
    """How many requests no act stands for yet, and when the last act was kept."""

    many: int = 0
    kept: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        return bool(self.many) and (self.kept is None or now - self.kept >= EVERY)


@dataclass(slots=True)
class Unproven:
    """The counts of one process; for several threads."""

    observer: Observer = field(default_factory=Unobserved)
    _tallies: dict[tuple[str | None, str], _Tally] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, partner: str | None, code: str) -> None:
        """One more request was refused; `code` is of our own list, and `partner` one of ours or None."""
        self.observer.unproven(ACT, code)
        with self._lock:
            self._tallies.setdefault((partner, code), _Tally()).many += 1

    def is_due(self, now: datetime) -> bool:
        """Whether there is an act to be kept now."""
        with self._lock:
            return any(one.is_due(now) for one in self._tallies.values())

    def keep(self, keep: Keep, now: datetime, *, everything: bool = False) -> None:
        """Keep the acts that are due, or all that wait. What cannot be kept is due the next time."""
        with self._lock:
            keys = [key for key, one in self._tallies.items() if one.is_due(now) or (everything and one.many)]
        for key in keys:
            self._keep_one(key, keep, now)

    def _keep_one(self, key: tuple[str | None, str], keep: Keep, now: datetime) -> None:
        with self._lock:
            tally = self._tallies[key]
            many, kept = tally.many, tally.kept
            tally.many, tally.kept = 0, now
        if not many:
            return  # another thread was faster
        try:
            keep(*key, many)
        except BaseException:
            with self._lock:
                tally.many, tally.kept = tally.many + many, kept
            raise
