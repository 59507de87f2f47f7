"""A numbered step of a verification, so that a refusal says how far it came.

    with Step(3, "the key"):
        key = find(...)          # KeyRefused("...") leaves as KeyRefused("step 3, the key: ...")

It names refusals of the seal only. Anything else (a database that is away, a bug) passes through untouched.
"""

from __future__ import annotations

from types import TracebackType

from gateway.errors import SealRefused


class Step:
    """Names itself in the detail of every SealRefused that leaves its block; class and place stay."""

    __slots__ = ("number", "what")

    def __init__(self, number: int, what: str) -> None:
        self.number = number
        self.what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if isinstance(error, SealRefused):
            raise type(error)(f"step {self.number}, {self.what}: {error.detail}", place=error.place) from error
