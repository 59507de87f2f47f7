"""Ways of reaching partners, one file per way, and pretend partners for the demo, the sandbox and the tests.

egress      the guarded connection under every way: who may be connected to, how long, how much
line        one attempt over HTTP: exact bytes out, an answer or the phase of the failure back
answers     how a partner's answer is read, as its profile says
rest        what all ways over HTTP have in common
json_rest   JSON over HTTP (KEIS-like, KEAD-like)
fhir_rest   FHIR messages over HTTP (training institutes)
pretend/    real HTTP servers that play partners
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from adapters.partners.egress import Network
from adapters.partners.fhir_rest import FhirRest
from adapters.partners.json_rest import JsonRest
from adapters.partners.line import Line
from gateway.errors import DataFileInvalid
from gateway.partners.dialect import Dialect
from gateway.partners.profile import Profile
from gateway.ports import PartnerChannel

WAYS: Mapping[str, Callable[[Line, Dialect], PartnerChannel]] = {"json-rest": JsonRest, "fhir-rest": FhirRest}


def channel_for(profile: Profile, *, attempt_s: float, networks: Sequence[Network]) -> PartnerChannel:
    """The channel a partner's profile asks for; `networks`: where it may be reached besides public addresses."""
    if profile.adapter not in WAYS:
        raise DataFileInvalid(f"partner {profile.id}: there is no way of reaching partners called {profile.adapter}")
    line = Line(
        min(attempt_s, profile.delivery.attempt_timeout_s), networks, connections=profile.delivery.max_in_flight
    )
    return WAYS[profile.adapter](line, profile.response)
