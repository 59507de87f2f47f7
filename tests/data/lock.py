"""What is in force never changes under its name: digests in `mappings/lock.json`, added by `python -m tests.data.lock`.

Rules: every map that is active or was, every code table, fragment, rule file and measure stands in the lock. A map's
digest names what it does (comments are free), with the schemas, tables and fragments it is made of; a file's digest its
bytes. Refuses to lock again what has changed; `--anew` does, for the days before a first release.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from gateway import datafile
from gateway.documents.gwmap import Catalogue

ROOT = Path(__file__).resolve().parents[2]
MAPPINGS, SCHEMAS = ROOT / "mappings", ROOT / "schemas"
LOCK = MAPPINGS / "lock.json"
DOC = "Digests of what is in force or was: it never changes again under its name. tests/data/lock.py adds what is new."
INSTEAD = {
    "maps": "copy its folder to the next version (`gateway map diff` says which number), with new versions of the"
    " schemas, code tables and fragments that must change with it",
    "conceptmaps": "copy it to the next version, change that one, and pin it in a new version of the maps",
    "fragments": "give the changed fragment a new name, and use it in a new version of the maps",
    "rules": "make a new version, in a file of its own",
    "measures": "make a new version, in a file of its own",
}

Digests: TypeAlias = Mapping[str, Mapping[str, str]]  # kind → name → digest


def locked() -> Digests:
    """What the lock holds."""
    held = json.JSONDecoder().decode(LOCK.read_text("utf-8"))
    return {kind: held.get(kind, {}) for kind in INSTEAD}


def standing(mappings: Path = MAPPINGS) -> Digests:
    """What stands in the folder now, drafts left out."""
    found = Catalogue.load(mappings, SCHEMAS)
    maps = {pin: found.get(pin) for pin in found.pins()}
    files = {kind: sorted((mappings / kind).rglob("*.yaml")) for kind in ("fragments", "rules", "measures")}
    return {
        "maps": {pin: m.digest for pin, m in maps.items() if m.header.status != "draft"},
        "conceptmaps": {pin.rpartition("/")[2]: found.tables.get(pin).digest for pin in sorted(found.tables.pins())},
    } | {
        kind: {p.relative_to(mappings / kind).as_posix(): datafile.digest(p) for p in paths if _in_force(p)}
        for kind, paths in files.items()
    }


def _in_force(path: Path) -> bool:
    """Feeds (how many coordinators there are) come and go; a draft may still change."""
    return path.parent.name != "caseload" and datafile.read(path).get("status") != "draft"


def refusals(held: Digests, now: Digests) -> list[str]:
    """One sentence for everything locked that is another, or gone."""
    return [
        f"{kind}/{name} is in force and {'has changed' if name in now[kind] else 'is gone'}: undo that, then {instead}"
        for kind, instead in INSTEAD.items()
        for name, digest in held[kind].items()
        if now[kind].get(name) != digest
    ]


def unlocked(held: Digests, now: Digests) -> list[str]:
    """What is in force and not yet locked."""
    return [f"{kind}/{name}" for kind in INSTEAD for name in now[kind] if name not in held[kind]]


def main(anew: bool) -> int:
    """Write the lock."""
    now = standing()
    wrong = [] if anew else refusals(locked(), now)
    if not wrong:
        LOCK.write_text(json.dumps({"$doc": DOC, **now}, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write("\n".join(wrong or [f"{LOCK.relative_to(ROOT)} is up to date"]) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main("--anew" in sys.argv))
