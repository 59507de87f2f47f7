"""Ways to witnesses of the exchange log."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class WitnessAnswer(NamedTuple):
    """What a witness answered; without a status it did not."""

    status: int | None
    body: str = ""


class WitnessChannel(Protocol):
    """A way to one witness of the exchange log. Never raises for anything a witness can do."""

    def add_checkpoint(self, submission: bytes) -> WitnessAnswer:
        """Ask for a cosignature (C2SP tlog-witness)."""
        ...

    def latest(self, origin: str) -> WitnessAnswer:
        """The newest checkpoint of a log that the witness has cosigned."""
        ...

    def close(self) -> None: ...
