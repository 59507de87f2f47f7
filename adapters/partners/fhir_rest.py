"""The way to FHIR-native partners (training institutes): message Bundles out, OperationOutcomes back, FHIR R4 4.0.1.

The worst issue of an OperationOutcome says what happened (http://hl7.org/fhir/R4/valueset-issue-severity.html); what
its code means is the partner's profile. Anything but an OperationOutcome has no result. The receipt is in the header.
"""

from __future__ import annotations

from typing import Any

from adapters.partners import answers
from adapters.partners.line import Failure, Line
from gateway.partners.dialect import Dialect
from gateway.ports import Answer, Outgoing, Said

_SEVERITY = {"fatal": 0, "error": 1, "warning": 2, "information": 3}


class FhirRest:
    """A PartnerChannel. Never raises for anything a partner can do; safe for several threads."""

    def __init__(self, line: Line, dialect: Dialect) -> None:
        self._line, self._dialect = line, dialect

    def send(self, message: Outgoing) -> Answer:
        """Make one attempt and read what came back."""
        heard = self._line.post(message, "application/fhir+json")
        return heard.answer() if isinstance(heard, Failure) else answers.read(heard, self._dialect, self._meaning)

    def ask(self, message: Outgoing, most: int) -> Said:
        """Bring a statement, and take the one it is answered with."""
        return self._line.ask(message, most)

    def close(self) -> None:
        """Close the kept-alive connections."""
        self._line.close()

    def _meaning(self, body: Any) -> str | None:
        issues = (
            body.get("issue") if isinstance(body, dict) and body.get("resourceType") == "OperationOutcome" else None
        )
        issues = [i for i in issues if isinstance(i, dict)] if isinstance(issues, list) else []
        if not issues:
            return None
        worst = min(issues, key=lambda issue: _SEVERITY.get(str(issue.get("severity")), 0))
        return str(self._dialect.meaning({**body, "issue": [worst]}))
