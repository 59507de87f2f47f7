"""How fast sealing is, against the floor of pyca alone. Run: `python -m tests.bench.bench_sealing`."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.sealing import http, manifest, receipts
from gateway.sealing.manifest import digest_part
from tests.unit.sealing.build import MID, NONCE, NOW, URL, key_of, manifest_of, ring

BODY = b'{"resourceType":"Bundle"}'.ljust(3841)


def run(seconds: float = 0.5) -> dict[str, int]:
    """Return operations per second on one core; each is timed for `seconds`. Bodies have 3,841 octets."""
    keys, key = ring(), key_of("comwel")
    stated = manifest_of(parts=(digest_part("body", "application/fhir+json", BODY),))
    jws = manifest.seal(stated, key)
    answer = receipts.acknowledge(stated, jws, receipts.Decision.ACCEPTED, NOW, inbox_seq=41)
    receipt = receipts.make(answer, key_of("kead"))
    request = ("POST", URL, "application/fhir+json", BODY, MID, jws)
    headers = http.sign(*request, key=key, created=NOW, nonce=NONCE)
    scheme = ec.ECDSA(hashes.SHA256())
    raw = key.private.sign(jws.encode(), scheme)  # type: ignore[call-arg, arg-type]
    public = key.private.public_key()

    def seal() -> None:
        part = digest_part("body", "application/fhir+json", BODY)
        manifest.seal(manifest_of(parts=(part,)), key)

    work: dict[str, Callable[[], object]] = {
        "floor: pyca ES256 sign": lambda: key.private.sign(jws.encode(), scheme),  # type: ignore[call-arg, arg-type]
        "floor: pyca ES256 verify": lambda: public.verify(raw, jws.encode(), scheme),  # type: ignore[call-arg, arg-type]
        "manifest seal, with body digest": seal,
        "manifest open, with body digest": lambda: manifest.open_sealed(
            jws, {"body": BODY}, keys=keys, audience="kead", sender="comwel", received=NOW
        ),
        "receipt make": lambda: receipts.make(answer, key_of("kead")),
        "receipt check": lambda: receipts.check(receipt, keys=keys, expected_mid=MID, sent_jws=jws, received=NOW),
        "http sign": lambda: http.sign(*request, key=key, created=NOW, nonce=NONCE),
        "http verify": lambda: http.verify("POST", URL, headers, BODY, keys=keys, now=NOW),
    }
    return {name: _per_second(act, seconds) for name, act in work.items()}


def _per_second(act: Callable[[], object], seconds: float) -> int:
    for _ in range(20):
        act()
    count, start = 0, perf_counter()
    while (spent := perf_counter() - start) < seconds:
        for _ in range(50):
            act()
        count += 50
    return round(count / spent)


if __name__ == "__main__":
    for name, rate in run().items():
        print(f"{name:34} {rate:>8,}/s {1e6 / rate:8.1f} µs")
