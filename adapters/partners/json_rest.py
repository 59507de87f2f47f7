"""The way to partners that take JSON over HTTP and answer in JSON (KEIS-like, KEAD-like).

Which key holds the result and which the receipt, and what each code means, is the partner's profile. This module
refuses to know any partner by name.
"""

from __future__ import annotations

from typing import Any

from adapters.partners.rest import Rest


class JsonRest(Rest):
    """Any object may hold the result."""

    accepts = "application/json"

    def _meaning(self, body: Any) -> str | None:
        return str(self._dialect.meaning(body)) if isinstance(body, dict) else None
