"""Where the real maps stand, and what the gateway says beside a record when it runs one."""

from __future__ import annotations

from tests.data.lock import MAPPINGS, SCHEMAS

__all__ = ["HOST", "MAPPINGS", "SCHEMAS"]

HOST = {
    "now": "2026-11-23T00:30:00Z",
    "mid": "0b6f3f0e-6f6e-4a52-9c0b-0d6f5f7d1a11",
    "base": "https://gateway.example",
    "sender": "B490001",
    "receiver": "X",
}
