"""The ways in which COMWEL hands over, for the assembly to choose from."""

from __future__ import annotations

from adapters.comwel.a1_batch import A1Batch
from adapters.comwel.a6_entries import A6Entries

__all__ = ["A1Batch", "A6Entries"]
