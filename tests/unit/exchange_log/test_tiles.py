"""Tiles: paths as C2SP spells them, and a growing tree whose tiles always say what a naive tree says."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import ProofInvalid
from gateway.exchange_log import tiles, tree
from gateway.exchange_log.tiles import Edge, Tile, new_tiles, parse_path, right_edge
from tests.unit.exchange_log.test_tree import naive, numbered


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 1234067), "tile/0/x001/x234/067"),
        (Tile(0, 273, 112), "tile/0/273.p/112"),
        (Tile(1, 1000, 1), "tile/1/x001/000.p/1"),
        (Tile(63, 5), "tile/63/005"),
    ],
)
def test_a_tile_has_the_path_of_the_specification(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert parse_path(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/0", "tile/00/000", "tile/64/000", "tile/0/x000/001", "tile/0/001/002", "tile/0/000.p/0",
        "tile/0/000.p/256", "tile/0/000.p/01", "tile/entries/000", "tile/0/../000", "tile/0/000/", "tile/0/x00a/001",
        "checkpoint", "", "tile/0/٠٠٠", "tile/-1/000", "/tile/0/000", "tile/0/000.p/",
    ],
)  # fmt: skip
def test_nothing_else_is_a_path(path: str) -> None:
    assert parse_path(path) is None


def test_the_example_of_the_specification() -> None:
    found = list(new_tiles(0, 70_000))
    assert sum(t.level == 0 and t.full for t in found) == 273
    assert [t for t in found if not t.full] == [Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert list(right_edge(256)) == [Tile(1, 0, 1)]


class Shelf(dict[Tile, bytes]):
    """Tiles as a log keeps them: the widest version of each."""

    def put(self, grown: list[tuple[Tile, bytes]]) -> None:
        for tile, data in grown:
            for old in [t for t in self if (t.level, t.n) == (tile.level, tile.n)]:
                assert old.width < tile.width
                assert data.startswith(self.pop(old))
            self[tile] = data

    def read(self, tile: Tile) -> bytes:
        widest = next(data for t, data in self.items() if (t.level, t.n) == (tile.level, tile.n))
        return widest[: tile.width * 32]


@given(st.lists(st.integers(0, 400), min_size=1, max_size=6), st.data())
@settings(deadline=None, max_examples=30)
def test_a_tree_that_grows_in_steps_is_the_tree_of_all_its_leaves(steps: list[int], data: st.DataObject) -> None:
    shelf, edge, leaves = Shelf(), Edge(), numbered(sum(steps))
    for step in steps:
        batch = leaves[edge.size : edge.size + step]
        shelf.put(edge.extend(map(tree.leaf_hash, batch)))
        assert edge.root() == naive(leaves[: edge.size])
        assert Edge.read(edge.size, shelf.read).root() == edge.root()
    if edge.size:
        size = data.draw(st.integers(1, edge.size))
        index = data.draw(st.integers(0, size - 1))
        hashes, top = tiles.hashes_of(size, shelf.read), naive(leaves[:size])
        assert tree.root(size, hashes) == top
        tree.check_inclusion(tree.leaf_hash(leaves[index]), index, size, tree.prove_inclusion(index, size, hashes), top)
        whole = tiles.hashes_of(edge.size, shelf.read)
        proof = tree.prove_consistency(size, edge.size, whole)
        tree.check_consistency(size, top, edge.size, edge.root(), proof)


def test_three_levels_of_tiles_hang_together() -> None:
    shelf, edge = Shelf(), Edge()
    shelf.put(edge.extend(map(tree.leaf_hash, numbered(65_536 + 300))))
    assert {t.level for t in shelf} == {0, 1, 2}
    hashes = tiles.hashes_of(edge.size, shelf.read)
    assert hashes(16, 0) == shelf.read(Tile(2, 0, 1))
    assert tree.root(edge.size, hashes) == edge.root()


def test_a_tile_of_another_width_is_refused() -> None:
    with pytest.raises(ProofInvalid, match=r"tile/0/000\.p/3 has 64 bytes, not 96"):
        tiles.split(Tile(0, 0, 3), bytes(64))


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_a_bundle_holds_its_entries(leaves: list[bytes]) -> None:
    assert tiles.unpack(tiles.pack(leaves)) == leaves


@pytest.mark.parametrize("spoiled", [b"\x00", b"\x00\x05abcd", b"\x00\x01a\xff"])
def test_a_truncated_bundle_is_refused(spoiled: bytes) -> None:
    with pytest.raises(ProofInvalid):
        tiles.unpack(spoiled)
