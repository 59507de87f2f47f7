"""Our witness, held against the conversation of C2SP tlog-witness, line by line of its text."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.witnesses.own.memory import Cosigned, Memory
from adapters.witnesses.own.witness import Answer, Witness
from gateway.exchange_log import note, witnessing
from gateway.exchange_log.checkpoint import Checkpoint, open_checkpoint
from gateway.exchange_log.note import COSIGNATURE, LOG
from gateway.exchange_log.tree import EMPTY_ROOT
from gateway.exchange_log.witnessing import Submission
from tests.unit.exchange_log.growing import Growing
from tests.unit.exchange_log.test_note import signer

ORIGIN, NAME = "gateway.example/xlog/2026", "witness.example/w1"
KEY, OTHER_KEY, COSIGNER = signer(ORIGIN), signer(ORIGIN, seed=9), signer(NAME, COSIGNATURE, 2)
NOW = datetime(2026, 11, 25, 10, 0, 0, 700_000, UTC)
OURS, FORKED = Growing(KEY), Growing(KEY, "another leaf", fork=5)


class Watch:
    """A clock that somebody sets."""

    at = NOW

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    found = Memory(tmp_path / "cosigned.db")
    yield found
    found.close()


@pytest.fixture
def witness(memory: Memory, watch: Watch) -> Witness:
    return Witness(COSIGNER, memory, lambda: {ORIGIN: KEY.verifier}, watch)


@pytest.fixture
def seen(witness: Witness) -> Witness:
    """A witness that has cosigned eight leaves."""
    assert witness.add_checkpoint(OURS.submission(0, 8).to_bytes()).status == 200
    return witness


def tell(witness: Witness, submission: Submission) -> Answer:
    return witness.add_checkpoint(submission.to_bytes())


# ── what it says ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_log_that_only_grew_is_cosigned_with_the_time(seen: Witness, watch: Watch) -> None:
    watch.at = NOW + timedelta(minutes=1)
    said = tell(seen, OURS.submission(8, 13))
    opened = open_checkpoint(OURS.note(13) + said.body, KEY.verifier, (COSIGNER.verifier,))
    assert (said.status, opened.checkpoint) == (200, OURS.head(13))
    assert [s.at for s in opened.note.of(COSIGNATURE)] == [watch.at.replace(microsecond=0)]


def extended(text: str) -> str:
    return note.write(f"{text}an extension\n", [KEY.sign(f"{text}an extension\n")])


SAME = OURS.submission(8, 13)
EMPTY = Checkpoint(ORIGIN, 0, bytes(32))
CONVERSATION: dict[str, tuple[Submission, int, str | None]] = {
    # what is submitted to a witness of 8 leaves         the submission                               status  answer
    "a log that grew":                                   (SAME,                                           200, None),
    "the same head again":                               (OURS.submission(8, 8),                          200, None),
    "signatures of strangers beside the log's":          (SAME._replace(checkpoint=SAME.checkpoint + OTHER_KEY.sign(
                                                          OURS.head(13).text)),                           200, None),
    "a log that nobody told it about":                   (Growing(signer("other.example/log")).submission(8, 13),
                                                                                                          404, None),
    "no signature of the log":                           (Growing(OTHER_KEY).submission(8, 13),           403, None),
    "a signature of the log over other leaves":          (SAME._replace(checkpoint=note.write(OURS.head(13).text,
                                                          [KEY.sign(OURS.head(12).text)])),               403, None),
    "a cosignature key in place of the log's":           (SAME._replace(checkpoint=note.write(OURS.head(13).text, [
                                                          COSIGNER.sign(OURS.head(13).text, NOW)])),      403, None),
    "an old size above the new one":                     (OURS.submission(0, 3)._replace(old=8),          400, None),
    "extension lines, for which it could not vouch":     (SAME._replace(checkpoint=extended(OURS.head(13).text)),
                                                                                                          400, None),
    "no note at all":                                    (SAME._replace(checkpoint="hello\n"),            400, None),
    "a size that no tree has":                           (SAME._replace(checkpoint=Checkpoint(ORIGIN, 1 << 63, bytes(
                                                          32)).sign(KEY)),                                400, None),
    "from nothing, as who has forgotten":                (OURS.submission(0, 13),                         409, "8\n"),
    "from a size it has not seen":                       (OURS.submission(9, 13),                         409, "8\n"),
    "a smaller log, as after a restore":                 (OURS.submission(5, 6),                          409, "8\n"),
    "the empty log, after it had leaves":                (Submission(0, [], EMPTY._replace(root=EMPTY_ROOT).sign(KEY)),
                                                                                                          409, "8\n"),
    "no proof":                                          (SAME._replace(proof=[]),                        422, None),
    "a proof of something else":                         (SAME._replace(proof=OURS.submission(7, 13).proof), 422, None),
    "a proof with a hash too many":                      (SAME._replace(proof=[*SAME.proof, bytes(32)]),  422, None),
    "another root for the same size":                    (FORKED.submission(8, 8),                        422, None),
    "a proof where nothing has grown":                   (OURS.submission(8, 8)._replace(proof=[bytes(32)]), 422, None),
    "a fork":                                            (FORKED.submission(8, 13),                       422, None),
}  # fmt: skip


@pytest.mark.parametrize(("submission", "status", "body"), CONVERSATION.values(), ids=CONVERSATION)
def test_the_conversation_of_the_specification(
    submission: Submission, status: int, body: str | None, seen: Witness, memory: Memory
) -> None:
    before = memory.latest(ORIGIN)
    said = tell(seen, submission)
    assert said.status == status
    assert body is None or (said.body, said.media_type) == (body, "text/x.tlog.size")
    assert (status == 200) or memory.latest(ORIGIN) == before


@pytest.mark.parametrize(
    ("submission", "status"),
    [
        (OURS.submission(0, 8), 200),
        (Submission(0, [], EMPTY._replace(root=EMPTY_ROOT).sign(KEY)), 200),
        (Submission(0, [], EMPTY.sign(KEY)), 422),
        (OURS.submission(0, 8)._replace(proof=[bytes(32)]), 422),
        (OURS.submission(5, 8), 409),
    ],
)
def test_the_first_checkpoint_of_a_log_follows_nothing(submission: Submission, status: int, witness: Witness) -> None:
    said = tell(witness, submission)
    assert (said.status, said.body if status == 409 else "") == (status, "0\n" if status == 409 else "")


NOT_SUBMISSIONS = [
    b"", b"old 8\n", b"\xff", b"old 08\n\nx\n",
    "old 0\n\nlog\n8\né\n\n— log AAAAAAAA\n".encode(),
]  # fmt: skip


@pytest.mark.parametrize("body", NOT_SUBMISSIONS)
def test_what_is_no_submission_is_told_so(body: bytes, seen: Witness) -> None:
    assert seen.add_checkpoint(body).status == 400


def test_it_shows_the_newest_checkpoint_with_both_signatures_and_no_others(seen: Witness) -> None:
    tell(seen, SAME._replace(checkpoint=SAME.checkpoint + OTHER_KEY.sign(OURS.head(13).text)))
    shown = seen.checkpoint(witnessing.latest(ORIGIN).partition("/")[0])
    opened = open_checkpoint(shown.body, KEY.verifier, (COSIGNER.verifier,))
    assert (opened.checkpoint, {s.by.kind for s in opened.note.signatures}) == (OURS.head(13), {LOG, COSIGNATURE})
    assert shown.body.count("— ") == 2
    assert seen.checkpoint("0" * 64).status == 404


# ── what it never does ───────────────────────────────────────────────────────────────────────────────────────────────
def test_two_heads_that_no_proof_joins_are_kept_side_by_side_as_evidence(seen: Witness, memory: Memory) -> None:
    for _ in range(2):
        tell(seen, FORKED.submission(8, 8))
    [(forked, beside)] = memory.evidence()
    assert open_checkpoint(forked, KEY.verifier).checkpoint == FORKED.head(8)
    assert open_checkpoint(beside, KEY.verifier, (COSIGNER.verifier,)).checkpoint == OURS.head(8)


def test_evidence_does_not_fill_the_disk(seen: Witness, memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1003):
        memory.keep_evidence(Cosigned(ORIGIN, number, bytes(32), "a note", 0), "another")
    assert len(memory.evidence()) == 1000


def test_it_says_nothing_while_its_clock_is_behind_what_it_said_last(seen: Witness, watch: Watch) -> None:
    watch.at = NOW - timedelta(seconds=2)
    assert tell(seen, SAME).status == 503
    watch.at = NOW
    assert tell(seen, SAME).status == 200


BACK: dict[str, Callable[[Cosigned], Cosigned]] = {
    "a smaller size": lambda c: c._replace(size=7),
    "another root": lambda c: c._replace(root=bytes(32)),
    "an earlier time": lambda c: c._replace(at=c.at - 1),
}


@pytest.mark.parametrize("back", BACK.values(), ids=BACK)
def test_the_file_itself_never_goes_back(back: Callable[[Cosigned], Cosigned], seen: Witness, memory: Memory) -> None:
    now = memory.latest(ORIGIN)
    assert now
    with pytest.raises(sqlite3.IntegrityError, match="never goes back"), memory.deciding():
        memory.remember(back(now))
    assert memory.latest(ORIGIN) == now


def test_the_file_forgets_nothing(seen: Witness, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "cosigned.db") as owner, pytest.raises(sqlite3.IntegrityError, match="forgets"):
        owner.execute("delete from cosigned")
    owner.close()


def test_what_it_cosigned_is_remembered_after_a_restart(seen: Witness, tmp_path: Path) -> None:
    again = Memory(tmp_path / "cosigned.db")
    said = Witness(COSIGNER, again, lambda: {ORIGIN: KEY.verifier}, Watch()).add_checkpoint(
        OURS.submission(0, 13).to_bytes()
    )
    again.close()
    assert (said.status, said.body) == (409, "8\n")


def test_of_many_who_ask_at_once_from_two_processes_each_size_is_cosigned_by_one_root(
    seen: Witness, tmp_path: Path
) -> None:
    other = Memory(tmp_path / "cosigned.db")
    beside = Witness(COSIGNER, other, lambda: {ORIGIN: KEY.verifier}, Watch())
    logs = [(w, log.submission(8, size)) for w in (seen, beside) for log in (OURS, FORKED) for size in (9, 10, 11, 12)]
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda one: tell(*one).status, logs))
    other.close()
    assert said.count(200) == 1
    assert set(said) <= {200, 409, 422}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 12), st.integers(0, 12), st.booleans()), min_size=1, max_size=12)
)
def test_whatever_it_is_told_it_never_cosigns_two_roots_for_a_size_and_never_goes_back(
    asked: list[tuple[bool, int, int, bool]],
) -> None:
    memory = Memory(Path(":memory:"))
    witness = Witness(COSIGNER, memory, lambda: {ORIGIN: KEY.verifier}, Watch())
    cosigned: list[Checkpoint] = []
    for forked, old, size, honest in asked:
        log = FORKED if forked else OURS
        right = log.submission(min(old, size), size)._replace(old=old)
        told = right if honest else right._replace(proof=[bytes(32)])
        if tell(witness, told).status == 200:
            cosigned.append(log.head(size))
    memory.close()
    sizes = [head.size for head in cosigned]
    assert sizes == sorted(sizes)
    assert len({head.size for head in cosigned}) == len(set(cosigned))
