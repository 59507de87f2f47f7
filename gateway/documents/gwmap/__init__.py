"""`gwmap`: YAML templates shaped like the target, FHIRPath at the leaves, closures at run time.

    text --yaml_subset--> nodes --template/parser--> rules --plan/expressions/fitting--> plan --fast--> closures
                                                                                           \\--trace--> issues, why

Maps are data of analysts: they are checked before they may run (S1 to S13), they are pure, bounded and deterministic,
and they can say where every element comes from. Nothing here evaluates Python text.
"""

from gateway.documents.gwmap.catalogue import Catalogue, MapsRefused, check, check_file
from gateway.documents.gwmap.compiled import CompiledMap
from gateway.documents.gwmap.diff import Diff, diff
from gateway.documents.gwmap.maptests import TestResult, run_tests
from gateway.documents.gwmap.model import Explained, Finding, Issue, Lineage, Mapped, RecordNotMapped, Severity

__all__ = [
    "Catalogue",
    "CompiledMap",
    "Diff",
    "Explained",
    "Finding",
    "Issue",
    "Lineage",
    "Mapped",
    "MapsRefused",
    "RecordNotMapped",
    "Severity",
    "TestResult",
    "check",
    "check_file",
    "diff",
    "run_tests",
]
