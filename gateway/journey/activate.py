"""Activate: what the gateway goes by — maps, rules, partners — is on record before anything is done by it.

Rules: whoever starts compares the data it has loaded with what the log last said, and what differs is one act each,
with name and digest. So for every message there is an act that says by which map it was made, and since when. Rules
that lie ready for a later day are among them, for nobody starts again on it: their file says from when they count.
Refuses to judge what changed: that a change is permitted says `mappings/lock.json`, and a person.
"""

from __future__ import annotations

from gateway.exchange_log.audit import AuditEvent
from gateway.exchange_log.named import named
from gateway.journey.world import World

PURPOSE = "configuration"
ALONE = "activate"
ACTS = {
    ("map", True): "map.activated",
    ("map", False): "map.ended",
    ("rules", True): "rules.activated",
    ("rules", False): "rules.ended",
    ("partner", True): "partner.activated",
    ("partner", False): "partner.ended",
}


def activate(world: World) -> int:
    """Keep what is in force now and was not, or is not any more; returns how many acts. Nothing while another does."""
    # 1 what is loaded, and what the log says is in force
    # 2 one act for everything that ended or began, in the order of names
    loaded = {(kind, named(name, digest)) for (kind, name), digest in world.know.in_force.items()}  # 1
    began = {act: kind for (kind, begins), act in ACTS.items() if begins}
    with world.store.alone(ALONE) as mine, world.store.unit() as unit:
        last = {kept.event.subject or "": kept.event.act for kept in unit.named(list(ACTS.values()))}
        known = {(began[act], subject) for subject, act in last.items() if act in began}
        changed = [_act(world, *one, begins=False) for one in sorted(known - loaded)]
        changed += [_act(world, *one, begins=True) for one in sorted(loaded - known)]
        if mine and changed:  # 2
            unit.commit(*changed)
            return len(changed)
    return 0


def _act(world: World, kind: str, subject: str, *, begins: bool) -> AuditEvent:
    partner = subject.partition("/")[0] if kind == "partner" else None
    return world.event(ACTS[kind, begins], PURPOSE, subject=subject, partner=partner)
