"""The way to partners that take JSON over HTTP and answer in JSON (KEIS-like, KEAD-like).

Which key holds the result and which the receipt, and what each code means, is the partner's profile. This module
refuses to know any partner by name.
"""

from __future__ import annotations

from typing import Any

from adapters.partners import answers
from adapters.partners.line import Failure, Line
from gateway.partners.dialect import Dialect
from gateway.ports import Answer, Outgoing, Said


class JsonRest:
    """A PartnerChannel. Never raises for anything a partner can do; safe for several threads."""

    def __init__(self, line: Line, dialect: Dialect) -> None:
        self._line, self._dialect = line, dialect

    def send(self, message: Outgoing) -> Answer:
        """Make one attempt and read what came back."""
        heard = self._line.post(message, "application/json")
        return heard.answer() if isinstance(heard, Failure) else answers.read(heard, self._dialect, self._meaning)

    def ask(self, message: Outgoing, most: int) -> Said:
        """Bring a statement, and take the one it is answered with."""
        return self._line.ask(message, most)

    def close(self) -> None:
        """Close the kept-alive connections."""
        self._line.close()

    def _meaning(self, body: Any) -> str | None:
        return str(self._dialect.meaning(body)) if isinstance(body, dict) else None
