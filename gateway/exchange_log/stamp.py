"""Time stamps of checkpoints by an outside authority (RFC 3161): a head was there at a time that is not our clock's.

Rules: the stamp is over the exact bytes of the note as the log signed it (SHA-256), asked for with a nonce and with the
authority's certificate, and it must lead to a root that we were given from elsewhere. Anybody checks it with
`openssl ts -verify -data stamped -in stamped.tsr -CAfile root.pem`.
Refuses a stamp that is not granted, of other bytes, of another request, by another authority, or of another time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography.x509 import Certificate
from rfc3161_client import (
    HashAlgorithm,
    TimeStampRequest,
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from gateway.errors import StampInvalid

APART = timedelta(seconds=60)
"""So far the authority's clock and the database's may be apart."""


def ask(note: str) -> TimeStampRequest:
    """A request for a stamp of this note; `as_bytes` is what is sent (application/timestamp-query)."""
    return TimestampRequestBuilder().data(note.encode()).hash_algorithm(HashAlgorithm.SHA256).build()


def check(response: bytes, note: str, roots: Sequence[Certificate], nonce: int | None = None) -> datetime:
    """When the authority saw this note. `nonce`: of the request, if it is at hand. Raises StampInvalid."""
    if not roots:
        raise StampInvalid("no root to believe it by")
    verifier = VerifierBuilder(roots=list(roots), nonce=nonce).build()
    try:
        stamp = decode_timestamp_response(response)
        verifier.verify_message(stamp, note.encode())
        seen: datetime = stamp.tst_info.gen_time
    except VerificationError as error:
        raise StampInvalid(str(error).splitlines()[0]) from None
    except ValueError:
        raise StampInvalid("not a time stamp") from None
    return seen
