"""Witnesses without a socket: our own, near; and one that says what a test wants."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

from adapters.witnesses.own.witness import Witness
from gateway.ports import WitnessAnswer


class Near:
    """A WitnessChannel to a witness in this process."""

    def __init__(self, witness: Witness) -> None:
        self.witness = witness
        self.asked = 0

    def add_checkpoint(self, submission: bytes) -> WitnessAnswer:
        """See `WitnessChannel`."""
        self.asked += 1
        said = self.witness.add_checkpoint(submission)
        return WitnessAnswer(said.status, said.body)

    def latest(self, origin: str) -> WitnessAnswer:
        """See `WitnessChannel`."""
        said = self.witness.checkpoint(sha256(origin.encode()).hexdigest())
        return WitnessAnswer(said.status, said.body)

    def close(self) -> None:
        """See `WitnessChannel`."""


class Told:
    """A WitnessChannel that answers a submission with `says(submission)`, and shows `shows`."""

    def __init__(self, says: Callable[[bytes], WitnessAnswer], shows: WitnessAnswer | None = None) -> None:
        self.says, self.shows = says, shows or WitnessAnswer(404)
        self.asked = 0

    def add_checkpoint(self, submission: bytes) -> WitnessAnswer:
        """See `WitnessChannel`."""
        self.asked += 1
        return self.says(submission)

    def latest(self, origin: str) -> WitnessAnswer:
        """See `WitnessChannel`."""
        return self.shows

    def close(self) -> None:
        """See `WitnessChannel`."""
