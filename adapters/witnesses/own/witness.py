"""The witness itself: a submission in, a cosignature out, or the reason why not, as C2SP tlog-witness numbers them.

Rules: it cosigns a log that only grew since the last time, and the same head again, with a new time. What it decided is
on the disk before the cosignature leaves the process. Refuses a second root for a size, a step back, a checkpoint with
extension lines (it could not vouch for them), and to date a cosignature before the one it gave last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import structlog

from adapters.witnesses.own.memory import Cosigned, Memory
from gateway.errors import NoteInvalid, ProofInvalid
from gateway.exchange_log import checkpoint as checkpoints
from gateway.exchange_log import note, witnessing
from gateway.exchange_log.checkpoint import Checkpoint
from gateway.exchange_log.note import Signer, Verifier
from gateway.exchange_log.tree import EMPTY_ROOT, check_consistency
from gateway.exchange_log.witnessing import SIZE_TYPE, Submission

TEXT = "text/plain; charset=utf-8"
log = structlog.get_logger()


class Answer(NamedTuple):
    """What is answered over HTTP."""

    status: int
    body: str = ""
    media_type: str = TEXT


class Witness:
    """Cosigns with `signer`. `logs()` gives the key of each log, by its origin; `now()` is aware."""

    def __init__(
        self, signer: Signer, memory: Memory, logs: Callable[[], Mapping[str, Verifier]], now: Callable[[], datetime]
    ) -> None:
        self._signer, self._memory, self._logs, self._now = signer, memory, logs, now

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer a submission."""
        # 1 is it one                                            or 400
        # 2 of a log that we watch                               or 404
        # 3 signed by its key, and no line of that key is wrong  or 403
        # 4 not smaller than what it says it follows             or 400
        # 5 following what we cosigned last                      or 409, with that size
        # 6 the same log, grown                                  or 422, kept as evidence
        # 7 remembered, and then cosigned
        try:
            asked = witnessing.read(body)  # 1
            said = checkpoints.parse(note.split(asked.checkpoint)[0])
        except NoteInvalid as error:
            return Answer(400, f"{error.detail}\n")
        key = self._logs().get(said.origin)
        if key is None:
            return Answer(404, "no log that this witness watches\n")  # 2
        try:
            checkpoints.open_checkpoint(asked.checkpoint, key)  # 3
        except NoteInvalid as error:
            return Answer(403, f"{error.detail}\n")
        if asked.old > said.size:
            return Answer(400, "the old size is larger than the checkpoint\n")  # 4
        with self._memory.deciding() as memory:
            return self._decide(memory, asked, said, key)

    def _decide(self, memory: Memory, asked: Submission, said: Checkpoint, key: Verifier) -> Answer:
        before = memory.latest(said.origin)
        size, root = (before.size, before.root) if before else (0, EMPTY_ROOT)
        if asked.old != size:
            return Answer(409, f"{size}\n", SIZE_TYPE)  # 5
        at = int(self._now().timestamp())
        log_note = note.write(said.text, note.lines_of(asked.checkpoint, key))
        try:
            _must_have_grown(size, root, said, asked)  # 6
        except ProofInvalid as error:
            memory.keep_evidence(Cosigned(*said, log_note, at), before.note if before else "")
            log.warning("witness.refused", subject=said.origin, counts={"leaves": said.size, "cosigned": size})
            return Answer(422, f"{error.detail}\n")
        if before and at < before.at:
            return Answer(503, "this witness's clock was set back\n")
        line = self._signer.sign(said.text, datetime.fromtimestamp(at, UTC))
        memory.remember(Cosigned(*said, log_note + line, at))  # 7
        return Answer(200, line)

    def checkpoint(self, origin_hash: str) -> Answer:
        """The newest checkpoint of a log that was cosigned, with both signatures; `origin_hash` names the log."""
        path = f"{origin_hash}/checkpoint"
        origin = next((origin for origin in self._logs() if witnessing.latest(origin) == path), "")
        found = self._memory.latest(origin)
        return Answer(200, found.note) if found else Answer(404)


def _must_have_grown(size: int, root: bytes, said: Checkpoint, asked: Submission) -> None:
    """Raises ProofInvalid. An empty tree has one root, and needs no proof to grow."""
    if said.size == 0 and said.root != EMPTY_ROOT:
        raise ProofInvalid("the empty tree has another root")
    check_consistency(size, root, said.size, said.root, asked.proof)
