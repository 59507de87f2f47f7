"""The tree as tiles (C2SP tlog-tiles), 256 hashes each: at level 0 those of leaves, above those of whole tiles below.

    tile/0/x001/234.p/112    level 0, tile 1234, its first 112 hashes: the rightmost tile is partial
    tile/entries/x001/234    the leaves themselves, each behind its length in two bytes

Rules: a tile only grows; a full one never changes. Its path has one spelling. Refuses tiles that do not have exactly
the width they should have.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from gateway.errors import ProofInvalid
from gateway.exchange_log.tree import EMPTY_ROOT, HASH_BYTES, Hashes, fold, node_hash

HEIGHT = 8
WIDTH = 1 << HEIGHT
_PATH = re.compile(r"tile/(?:0|[1-9][0-9]?)/(?:x[0-9]{3}/){0,6}[0-9]{3}(?:\.p/[1-9][0-9]{0,2})?", re.ASCII)


class Tile(NamedTuple):
    """Which tile, and how many of its hashes."""

    level: int
    n: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Its path below the prefix of the log."""
        return f"tile/{self.level}/{_numbered(self.n, self.width)}"

    @property
    def bundle(self) -> str:
        """The path of the entries below it; level 0 only."""
        return f"tile/entries/{_numbered(self.n, self.width)}"

    @property
    def full(self) -> bool:
        """Whether it will never change again."""
        return self.width == WIDTH


def parse_path(path: str) -> Tile | None:
    """The tile of a path of hashes, None when it is not the spelling of one."""
    if not _PATH.fullmatch(path):
        return None
    level, rest = path.removeprefix("tile/").split("/", 1)
    number, _, width = rest.partition(".p/")
    tile = Tile(int(level), int(re.sub("[x/]", "", number)), int(width) if width else WIDTH)
    return tile if tile.path == path and tile.level < 64 and (tile.width < WIDTH or not width) else None


def _numbered(index: int, width: int) -> str:
    groups = [f"{index % 1000:03d}"]
    while index := index // 1000:
        groups.insert(0, f"x{index % 1000:03d}")
    return "/".join(groups) + ("" if width == WIDTH else f".p/{width}")


def right_edge(size: int) -> Iterator[Tile]:
    """The rightmost tile of each level of a tree of `size` leaves, where it is partial."""
    level = 0
    while size:
        if size % WIDTH:
            yield Tile(level, size // WIDTH, size % WIDTH)
        size, level = size // WIDTH, level + 1


def new_tiles(old: int, new: int) -> Iterator[Tile]:
    """The tiles that a tree of `new` leaves has and one of `old` has not; nothing partial but the right edge."""
    level = 0
    while new:
        for index in range(old // WIDTH, new // WIDTH):
            yield Tile(level, index)
        if new % WIDTH and new != old:
            yield Tile(level, new // WIDTH, new % WIDTH)
        old, new, level = old // WIDTH, new // WIDTH, level + 1


class Edge:
    """The right edge of a growing tree: for each level the hashes that do not fill a tile yet."""

    def __init__(self, size: int = 0, levels: Sequence[Sequence[bytes]] = ()) -> None:
        self.size = size
        self.levels = [list(level) for level in levels]

    @classmethod
    def read(cls, size: int, read: Callable[[Tile], bytes]) -> Edge:
        """The edge of a tree of `size` leaves, from its tiles."""
        edge = cls(size, [[] for _ in range(_levels(size))])
        for tile in right_edge(size):
            edge.levels[tile.level] = split(tile, read(tile))
        return edge

    def extend(self, leaf_hashes: Iterable[bytes]) -> list[tuple[Tile, bytes]]:
        """Append leaves; returns every tile that is new or wider, with its bytes."""
        old, new, filled = self.size, list(leaf_hashes), dict[Tile, bytes]()
        level, first = 0, old // WIDTH
        self.size += len(new)
        while new:
            if level == len(self.levels):
                self.levels.append([])
            row = self.levels[level] + new
            whole = [row[at : at + WIDTH] for at in range(0, len(row) - WIDTH + 1, WIDTH)]
            filled.update((Tile(level, n), b"".join(one)) for n, one in enumerate(whole, first))
            self.levels[level] = row[len(whole) * WIDTH :]
            level, first, new = level + 1, first // WIDTH, [fold(one) for one in whole]
        partial = {tile: b"".join(self.levels[tile.level]) for tile in right_edge(self.size)}
        return [(tile, filled.get(tile) or partial[tile]) for tile in new_tiles(old, self.size)]

    def root(self) -> bytes:
        """The root of the whole tree: its peaks, folded from the right."""
        found: bytes | None = None
        for row in self.levels:
            for peak in _peaks(row):
                found = peak if found is None else node_hash(peak, found)
        return EMPTY_ROOT if found is None else found


def _levels(size: int) -> int:
    count = 0
    while size:
        size, count = size // WIDTH, count + 1
    return count


def _peaks(row: Sequence[bytes]) -> Iterator[bytes]:
    """The roots of the largest complete subtrees of a partial tile, the rightmost first."""
    high = len(row)
    while high:
        width = high & -high
        yield fold(row[high - width : high])
        high -= width


def split(tile: Tile, data: bytes) -> list[bytes]:
    """The hashes of a tile. Raises ProofInvalid unless there are as many as there should be."""
    if len(data) != tile.width * HASH_BYTES:
        raise ProofInvalid(f"{tile.path} has {len(data)} bytes, not {tile.width * HASH_BYTES}")
    return [data[i : i + HASH_BYTES] for i in range(0, len(data), HASH_BYTES)]


def hashes_of(size: int, read: Callable[[Tile], bytes]) -> Hashes:
    """The complete subtrees of a tree of `size` leaves, read from its tiles, each tile once."""
    known: dict[Tile, list[bytes]] = {}

    def find(level: int, index: int) -> bytes:
        tile_level, height = divmod(level, HEIGHT)
        first = index << height
        count = size >> HEIGHT * tile_level
        tile = Tile(tile_level, first // WIDTH, min(WIDTH, count - first // WIDTH * WIDTH))
        if tile not in known:
            known[tile] = split(tile, read(tile))
        at = first % WIDTH
        return fold(known[tile][at : at + (1 << height)])

    return find


def pack(leaves: Iterable[bytes]) -> bytes:
    """An entry bundle: each leaf behind its length."""
    return b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves)


def unpack(bundle: bytes) -> list[bytes]:
    """The leaves of an entry bundle. Raises ProofInvalid when it ends in the middle of one."""
    leaves, at = [], 0
    while at < len(bundle):
        end = at + 2 + int.from_bytes(bundle[at : at + 2], "big")
        if end > len(bundle) or at + 2 > len(bundle):
            raise ProofInvalid("the bundle ends in the middle of an entry")
        leaves.append(bundle[at + 2 : end])
        at = end
    return leaves
