"""The way to FHIR-native partners (training institutes): message Bundles out, OperationOutcomes back, FHIR R4 4.0.1.

The worst issue of an OperationOutcome says what happened (http://hl7.org/fhir/R4/valueset-issue-severity.html); what
its code means is the partner's profile. Anything but an OperationOutcome has no result. The receipt is in the header.
"""

from __future__ import annotations

from typing import Any

from adapters.partners.rest import Rest

_SEVERITY = {"fatal": 0, "error": 1, "warning": 2, "information": 3}


class FhirRest(Rest):
    """The result is that of the worst issue."""

    accepts = "application/fhir+json"

    def _meaning(self, body: Any) -> str | None:
        issues = (
            body.get("issue") if isinstance(body, dict) and body.get("resourceType") == "OperationOutcome" else None
        )
        issues = [i for i in issues if isinstance(i, dict)] if isinstance(issues, list) else []
        if not issues:
            return None
        worst = min(issues, key=lambda issue: _SEVERITY.get(str(issue.get("severity")), 0))
        return str(self._dialect.meaning({**body, "issue": [worst]}))
