"""Where references of a Bundle lead: to an entry, outside, or nowhere.

Rules, in order:
1. a `fullUrl` of an entry: the type of that entry must be a target that the element allows;
2. `#id`: a contained resource of the same resource (`#` alone: the resource that contains it);
3. `urn:uuid:` and `urn:oid:` lead to entries only, so anything else is dangling;
4. an absolute address is outside the Bundle, says its type, and is allowed;
5. a relative `Type/id` is an entry with that type and id; in a searchset, a history, a batch or a transaction, and in a
   resource that comes alone, it may also be on the server that holds them;
6. a condition (`Type?…`) is for batch and transaction only.

It refuses to fetch anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from gateway.documents.fhir.findings import DANGLING, WRONG_TARGET

Json = Mapping[str, Any]
_CLOSED = frozenset({"message", "collection", "document"})
_CONDITIONAL = frozenset({"batch", "transaction"})
_RESTFUL = re.compile(
    r"^(https?://[^\s?#]+/)?([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(/_history/[A-Za-z0-9\-.]{1,64})?$"
)
_ANY = "Resource"


class Around(NamedTuple):
    """What references of one Bundle (or of a resource that comes alone) can lead to."""

    entries: Mapping[str, str]  # fullUrl → type
    relative: Mapping[str, str]  # Type/id → type
    closed: bool
    conditional: bool


ALONE = Around({}, {}, False, False)


def entries(bundle: Json) -> list[tuple[Any, dict[str, Any]]]:
    """`fullUrl` (or None) and resource of every entry that holds one; of a Bundle whose form nobody has judged yet."""
    listed = bundle.get("entry")
    found: list[tuple[Any, dict[str, Any]]] = []
    for entry in listed if isinstance(listed, list) else ():
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict) and isinstance(resource.get("resourceType"), str):
            found.append((entry.get("fullUrl"), resource))
    return found


def around(bundle: Json, held: Iterable[tuple[Any, Json]]) -> Around:
    """Look once at the entries of a Bundle that hold a resource (see `entries`)."""
    urls: dict[str, str] = {}
    relative: dict[str, str] = {}
    for url, resource in held:
        kind = resource["resourceType"]
        if "id" in resource:
            relative[f"{kind}/{resource['id']}"] = kind
        if isinstance(url, str):
            urls[url] = kind
            found = _RESTFUL.match(url) if url.startswith("http") else None
            if found is not None:
                relative[f"{found[2]}/{found[3]}"] = kind
    kind = str(bundle.get("type"))
    return Around(urls, relative, kind in _CLOSED, kind in _CONDITIONAL)


def full_url_fits(url: str, resource: Json) -> bool:
    """Does an entry's `fullUrl` agree with the resource? An address ends with its type and id; a urn says nothing."""
    if url.startswith(("urn:uuid:", "urn:oid:")):
        return True
    found = _RESTFUL.match(url)
    if found is None or found[1] is None or found[4]:
        return url.startswith(("http://", "https://")) and found is None and "id" not in resource
    return bool(found[2] == resource["resourceType"] and resource.get("id", found[3]) == found[3])


def trouble(
    text: str, targets: frozenset[str], places: Around, contained: Mapping[str, str], known: frozenset[str]
) -> tuple[str, str] | None:
    """What is wrong with a reference that is not just the `fullUrl` of a fitting entry: code and sentence, or None."""
    kind = places.entries.get(text) or _inside(text, places, contained)
    if kind is not None:
        return None if fits(kind, targets, known) else _wrong(kind, targets)
    found = _RESTFUL.match(text)
    if found is not None and not fits(found[2], targets, known):
        return _wrong(found[2], targets)
    return (DANGLING, _nowhere(text)) if _dangles(text, found, places) else None


def kind_of(text: str, places: Around) -> str | None:
    """The type of resource that a reference leads to, as far as it shows."""
    found = _RESTFUL.match(text)
    return places.entries.get(text) or (found[2] if found is not None else None)


def _inside(text: str, places: Around, contained: Mapping[str, str]) -> str | None:
    if text.startswith("#"):
        return contained.get(text)
    found = _RESTFUL.match(text)
    if found is None or found[1] is not None:
        return None
    return places.relative.get(f"{found[2]}/{found[3]}")


def _dangles(text: str, found: re.Match[str] | None, places: Around) -> bool:
    if text.startswith(("#", "urn:")):
        return True
    if found is None:
        return not places.conditional
    return places.closed and found[1] is None


def fits(kind: str, targets: frozenset[str], known: frozenset[str]) -> bool:
    """May a reference with these targets lead to a resource of this type?"""
    return kind in targets or (kind in known and (_ANY in targets or not targets))


def _wrong(kind: str, targets: frozenset[str]) -> tuple[str, str]:
    shown = kind if kind.isalpha() else "that"
    return WRONG_TARGET, f"leads to {shown}, allowed is {', '.join(sorted(targets)) or 'any resource type of R4'}"


def _nowhere(text: str) -> str:
    if text.startswith("#"):
        return "no contained resource has this id"
    return "no entry of the Bundle has this fullUrl" if text.startswith("urn:") else "no entry is meant by it"
