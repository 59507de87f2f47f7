"""What all ways over HTTP have in common: post a message, and read the answer as the partner's profile says.

Rules: never raises for anything a partner can do. A way of its own says only of which media type its messages are, and
what a parsed answer says happened.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from adapters.partners import answers
from adapters.partners.line import Failure, Line
from gateway.partners.dialect import Dialect
from gateway.ports import Answer, Outgoing, Said


class Rest(ABC):
    """A PartnerChannel; safe for several threads."""

    accepts: ClassVar[str]
    """The media type of the answers that are asked for."""

    def __init__(self, line: Line, dialect: Dialect) -> None:
        self._line, self._dialect = line, dialect

    @abstractmethod
    def _meaning(self, body: Any) -> str | None:
        """What a parsed body says happened; see `answers.Meaning`."""

    def send(self, message: Outgoing) -> Answer:
        """Make one attempt and read what came back."""
        heard = self._line.post(message, self.accepts)
        return heard.answer() if isinstance(heard, Failure) else answers.read(heard, self._dialect, self._meaning)

    def ask(self, message: Outgoing, most: int) -> Said:
        """Bring a statement, and take the one it is answered with."""
        return self._line.ask(message, most)

    def close(self) -> None:
        """Close the kept-alive connections."""
        self._line.close()
