"""Whom to believe (C2SP tlog-policy): the keys of logs and witnesses, and how many witnesses are enough.

    log <vkey> [<url>]
    witness <name> <vkey> [<url>]
    group <name> all|any|<k> <member>…
    quorum <name>|none

Rules: names are defined above the line that uses them, each is a member once, one quorum. Refuses duplicate keys, which
would let one party count twice.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from gateway.errors import NoteInvalid
from gateway.exchange_log.note import COSIGNATURE, LOG, Verifier

NOBODY = "none"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness: its key, and where it takes checkpoints."""

    name: str
    key: Verifier
    url: str | None = None


@dataclass(slots=True)
class Policy:
    """A policy that was read."""

    logs: list[Verifier] = field(default_factory=list)
    witnesses: dict[str, Witness] = field(default_factory=dict)
    groups: dict[str, tuple[int, tuple[str, ...]]] = field(default_factory=dict)
    quorum: str | None = None

    def text(self, log: Verifier) -> str:
        """The policy for one log, as whoever verifies reads it: keys only, no addresses."""
        witnesses = (f"witness {one.name} {one.key.vkey}" for one in self.witnesses.values())
        groups = (f"group {name} {needed} {' '.join(members)}" for name, (needed, members) in self.groups.items())
        return "\n".join([f"log {log.vkey}", *witnesses, *groups, f"quorum {self.quorum}", ""])

    def enough(self, cosigned: Collection[Verifier]) -> bool:
        """Whether these witnesses are a quorum."""
        return self.quorum == NOBODY or self._stands(str(self.quorum), cosigned)

    def _stands(self, name: str, cosigned: Collection[Verifier]) -> bool:
        if name in self.witnesses:
            return self.witnesses[name].key in cosigned
        needed, members = self.groups[name]
        return sum(self._stands(member, cosigned) for member in members) >= needed


def parse(text: str) -> Policy:
    """Read a policy file. Raises NoteInvalid naming the line."""
    policy, members = Policy(), set[str]()
    if _CONTROL.search(text):
        raise NoteInvalid("policy: control characters")
    for number, line in enumerate(text.split("\n"), 1):
        words = line.replace("\t", " ").split(" ")
        words = [word for word in words if word]
        if words and not words[0].startswith("#") and not _take(policy, members, words):
            raise NoteInvalid(f"policy line {number}")
    if policy.quorum is None:
        raise NoteInvalid("policy: no quorum")
    return policy


def _take(policy: Policy, members: set[str], words: list[str]) -> bool:
    match words:
        case ["log", vkey, *url] if len(url) < 2:
            return _add_log(policy, Verifier.parse(vkey))
        case ["witness", name, vkey, *url] if len(url) < 2:
            return _add_witness(policy, Witness(name, Verifier.parse(vkey), url[0] if url else None))
        case ["group", name, needed, *of] if of:
            return _add_group(policy, members, name, needed, of)
        case ["quorum", name] if policy.quorum is None and (name == NOBODY or _defined(policy, name)):
            policy.quorum = name
            return True
    return False


def _add_log(policy: Policy, key: Verifier) -> bool:
    if key.kind != LOG or any(key.public == known.public for known in policy.logs):
        return False
    policy.logs.append(key)
    return True


def _add_witness(policy: Policy, witness: Witness) -> bool:
    known = any(witness.key.public == other.key.public for other in policy.witnesses.values())
    if known or witness.key.kind != COSIGNATURE or _defined(policy, witness.name) or witness.name == NOBODY:
        return False
    policy.witnesses[witness.name] = witness
    return True


def _add_group(policy: Policy, members: set[str], name: str, needed: str, of: list[str]) -> bool:
    given = int(needed) if re.fullmatch("[0-9]{1,4}", needed, re.ASCII) else 0
    number = {"all": len(of), "any": 1}.get(needed, given)
    unknown = any(not _defined(policy, member) or member in members for member in of) or len(set(of)) < len(of)
    if unknown or not 1 <= number <= len(of) or _defined(policy, name) or name == NOBODY:
        return False
    policy.groups[name] = (number, tuple(of))
    members.update(of)
    return True


def _defined(policy: Policy, name: str) -> bool:
    return name in policy.witnesses or name in policy.groups
