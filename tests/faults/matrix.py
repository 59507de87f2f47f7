"""The rows of the fault matrix, as they are run by `make faults`: number, what happens, and the round that shows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from tests.faults import away, full_disk, hints, lines, restored, rotations, rounds, slow, visits
from tests.faults.careless import CONTROLS
from tests.faults.checker import Findings
from tests.faults.ground import Ground
from tests.faults.lines import STORM
from tests.faults.partner import Manners
from tests.faults.rotations import KEY
from tests.faults.rounds import IN, OUT, Result, until_hit
from tests.faults.sender import Habits, slowly
from tests.faults.trouble import Server, Trouble, server_of


class Row(NamedTuple):
    """One row. `run` takes the ground and how many hits are missing; `counted` names what is counted as a hit."""

    number: str
    what: str
    run: Callable[[Ground, int], Result]
    counted: str
    wanted: int | None = None  # how many hits, if not as many as for crash points


def _out(point: str, ground: Ground, hits: int) -> Result:
    act = rounds.referring if point.startswith("refer.") else rounds.outbound
    return act(ground, {point: OUT[point]}, hits, point)


def _in(point: str, ground: Ground, hits: int) -> Result:
    return rounds.inbound(ground, {point: IN[point]}, hits, point)


def _going_out(manners: Manners, weather: lines.Weather, ground: Ground, _: int, workers: int = 2) -> Result:
    return lines.outbound(ground, str(manners), manners, weather, workers=workers)[0]


def _coming_in(habits: Habits, weather: lines.Weather, ground: Ground, _: int) -> Result:
    return lines.inbound(ground, str(habits), habits, weather)[0]


def _troubled(
    way: str, acts: Callable[[Server], Sequence[Callable[[], None]]], ground: Ground, _: int, rest_s: float = 0.0
) -> Result:
    trouble = Trouble(acts(server_of(ground)), every_s=lines.RECOVERS_S + 1)  # time enough to see it recover
    if way == "out":
        return lines.outbound(ground, "trouble", trouble=trouble, rest_s=rest_s)[0]
    return lines.inbound(ground, "trouble", slowly(ground.cases), trouble=trouble)[0]


def _stops(server: Server) -> Sequence[Callable[[], None]]:
    return [partial(server.stop, 1.0)] * 10


def _freezes(server: Server) -> Sequence[Callable[[], None]]:
    return [partial(server.freeze, 20.0)]


def _reads_only(server: Server) -> Sequence[Callable[[], None]]:
    return [partial(server.read_only, 10.0)]


def _rotated(point: str, ground: Ground, hits: int) -> Result:
    """A place has room for so many keys; so one place after the other, oftener than others."""
    points = {point: KEY[point]}
    return until_hit(lambda missing: rotations.outbound(ground, points, missing, point), [point], hits)


def _beside(act: str, many: int, ground: Ground, _: int) -> Result:
    return visits.beside(ground, act, many)[0]


class Hasty(NamedTuple):
    """A round in which carelessness must show: under which letter, and in which words of the checker."""

    act: Callable[..., Result]
    letter: str
    words: str


TRIES = 3
CLAIMED = {"outbox.claimed": OUT["outbox.claimed"]}
TOGETHER = Habits(copies=10, again=0, fetch=0)
ONE_BY_ONE = Habits(copies=6, side=1, again=0, fetch=0)
RECEIVED, RECEIPTED = "was never received there", "was dead after its receipt had come"
RECEIPTS, ANSWERED = "different receipts", "was answered 500"
LATER = Habits(again=1000, again_after_s=2.5, side=40, fetch=0)
HASTY = {
    "mark-before-send": Hasty(partial(rounds.outbound, points=CLAIMED, hits=3, what="claimed"), "L", RECEIVED),
    "no-fence": Hasty(partial(rounds.overslept, what="overslept"), "L", RECEIPTED),
    "get-then-put": Hasty(
        partial(rounds.inbound, points={}, hits=0, what="ten at once", habits=TOGETHER), "D", RECEIPTS
    ),
    "no-on-conflict": Hasty(
        partial(rounds.inbound, points={}, hits=0, what="six at once", habits=ONE_BY_ONE), "X", ANSWERED
    ),
    "short-memory": Hasty(partial(rounds.inbound, points={}, hits=0, what="again, later", habits=LATER), "D", RECEIPTS),
}


def noticed(name: str, found: Result) -> bool:
    """Whether a control has shown, and as what it is."""
    said = found.findings["LDOESX".index(HASTY[name].letter)]
    return any(HASTY[name].words in sentence for sentence in said)


def careless(name: str, ground: Ground) -> Result:
    """A careless round, and another after one that says nothing: two that write at once need not meet in each."""
    found = HASTY[name].act(ground, careless=name)
    for _ in range(TRIES - 1):
        if noticed(name, found):
            break
        found = HASTY[name].act(ground, careless=name)
    return found


def _control(name: str, ground: Ground, _: int) -> Result:
    """A careless round turned round: it is wrong when nothing is found to be wrong."""
    found = careless(name, ground)
    found.hits["noticed"] += noticed(name, found)
    said = [] if noticed(name, found) else [f"{name} was not noticed: {found.findings}"]
    found.findings = Findings(said, [], [], [], [], [])
    return found


WAYS = ("out", "in")
STILL: lines.Weather = lines.CALM

ROWS = (
    *(Row("1", f"kill -9 at `{point}`", partial(_out, point), point) for point in OUT),
    *(Row("2", f"kill -9 at `{point}`", partial(_in, point), point) for point in IN),
    *(Row("1", f"kill -9 at `{point}`", partial(_rotated, point), point) for point in KEY),
    Row("3", "kill -9 at random", rounds.at_random, "killed", 200),
    Row(
        "5", "the broker's line is reset every 2 s",
        lambda ground, _: hints.reset_again_and_again(ground, 75.0), "reset", 150,
    ),
    Row("6", "PostgreSQL is stopped, out", partial(_troubled, "out", _stops, rest_s=0.5), "gone on", 10),
    Row("6", "PostgreSQL is stopped, in", partial(_troubled, "in", _stops), "gone on", 10),
    *(Row("7", f"PostgreSQL stands still, {way}", partial(_troubled, way, _freezes), "gone on", 1) for way in WAYS),
    Row(
        "7", "a worker stands still inside a transaction",
        lambda ground, _: rounds.frozen_inside(ground, "frozen inside"), "held asleep", 1,
    ),
    Row(
        "8", "PostgreSQL's disk is full", lambda ground, _: full_disk.in_a_room_of_its_own(ground.cases), "refused", 20
    ),
    Row("8", "PostgreSQL only reads", partial(_troubled, "in", _reads_only), "refused", 20),
    Row("9", "partners answer 500, 503, 429, three in ten", partial(_going_out, Manners(busy=300), STILL), "busy", 500),
    Row(
        "10", "partners take it and say nothing", partial(_going_out, Manners(deaf=300), STILL, workers=4),
        "duplicate", 200,
    ),
    Row(
        "11", "KEIS answers one byte a second", partial(_going_out, Manners(trickle=1000, only="KEIS"), STILL),
        "trickle", 200,
    ),
    Row("12", "500 callers that drip", lambda ground, _: slow.against_baseline(ground), "slow", 500),
    Row("13", "connections break on the way out", partial(_going_out, Manners(), STORM), "cut", 50),
    Row("13", "connections break on the way in", partial(_coming_in, Habits(patience_s=1.0), STORM), "cut", 50),
    Row("14", "requests in slices of 16 bytes", lambda ground, _: lines.sliced(ground)[0], "answer", 500),
    Row("15", "partners are away for 8 h", lambda ground, _: away.away(ground, 8.0)[0], "delivered", 10_000),
    Row("16", "ten copies at the same moment", partial(_coming_in, TOGETHER, STILL), "answer", 2000),
    Row("17", "letters in any order", partial(_coming_in, Habits(shuffled=True), STILL), "early", 200),
    Row("18", "the second letter of a leg never comes", lambda ground, _: visits.gapped(ground)[0], "withheld", 50),
    Row("19", "an id over other bytes", partial(_beside, "reused", 350), "forged", 1000),
    Row("20", "captured requests, again, elsewhere, later", partial(_beside, "replayed", 350), "forged", 5000),
    Row("21", "a partner's clock at the limits and beyond", partial(_beside, "skewed", 8), "beside", 200),
    Row("21", "a clock of ours jumps", lambda ground, _: visits.jumping(ground)[0], "not believed", 20),
    Row("21", "a worker's clock jumps", lambda ground, _: rounds.astray(ground), "refused to sign", 3),
    Row("22", "one bit is another", partial(_beside, "flipped", 3400), "forged", 10_000),
    Row("24", "a partner's second key is used, then revoked", partial(_beside, "revoked", 150), "forged", 400),
    Row("24", "our own key is replaced, out", lambda g, _: rotations.outbound(g, {}, 0, "our key, out"), "rotated", 10),
    Row("24", "our own key is replaced, in", lambda ground, _: rotations.inbound(ground, "our key, in"), "rotated", 10),
    Row("25", "messages that kill who tries them", lambda ground, _: rounds.poisoned(ground, 17)[0], "dead", 17),
    Row("26", "partners sign a no", partial(_going_out, Manners(rejects=150), STILL), "blocked", 200),
    Row(
        "27", "a worker sleeps longer than its lease, and writes then",
        lambda ground, _: rounds.overslept(ground, "overslept"), "written too late", 5,
    ),
    Row(
        "31", "the database is lost, and comes back from a backup",
        lambda ground, _: restored.restored(ground), "delivered", 5000,
    ),
    *(Row("32", f"control: {CONTROLS[n].says}", partial(_control, n), "noticed", 1) for n in HASTY),
)  # fmt: skip
