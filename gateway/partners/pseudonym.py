"""Names that only one partner knows: the worker's id and the case's id towards that partner (R-03).

Rules: an id is HMAC-SHA256 under a secret key over purpose, partner code and COMWEL's own key, cut to 130 bits; two
partners' ids cannot be linked without the key, and the key of COMWEL's person cannot be computed back.
Another key makes other ids; a leg keeps the one it was made with, and is known by it for as long as there is the leg.
These names stay personal data (PIPA 2①1나): keep the keys as "additional information". It refuses short keys.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from gateway.errors import SettingsInvalid

_LENGTH = 26  # base32 characters: 130 bits


def partner_person_id(key: bytes, code: str, person_key: str) -> str:
    """`P<code>-<26 base32>` for the partner with that two-character code ("KE"). `key`: 32 bytes or more."""
    return f"P{code}-{_pseudonym(key, 'person', code, person_key)}"


def pairwise_case(key: bytes, code: str, case_no: str) -> str:
    """`C<code>-<26 base32>`: the case as the manifests to this one partner name it."""
    return f"C{code}-{_pseudonym(key, 'case', code, case_no)}"


def pairwise_consent(key: bytes, code: str, consent_no: str) -> str:
    """`C<code>-<26 base32>`: the consent as this one partner knows it. COMWEL's own number would link two partners."""
    return f"C{code}-{_pseudonym(key, 'consent', code, consent_no)}"


def _pseudonym(key: bytes, purpose: str, code: str, subject: str) -> str:
    if len(key) < hashlib.sha256().digest_size:
        raise SettingsInvalid("the pseudonym key is shorter than 32 bytes")
    said = "\x1f".join(("comwel-referral-gateway", purpose, code, subject)).encode()
    return base64.b32encode(hmac.digest(key, said, "sha256")).decode("ascii")[:_LENGTH]
