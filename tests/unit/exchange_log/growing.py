"""A log in memory that only grows, for whoever has to judge one."""

from __future__ import annotations

from gateway.exchange_log import tree
from gateway.exchange_log.checkpoint import Checkpoint
from gateway.exchange_log.note import Signer
from gateway.exchange_log.tiles import Edge, Tile, hashes_of, split
from gateway.exchange_log.witnessing import Submission


class Growing:
    """As many leaves as somebody asks for; two logs with different `words` have no leaf in common from `fork` on."""

    def __init__(self, signer: Signer, words: str = "leaf", fork: int = 0) -> None:
        self.signer, self._words, self._fork = signer, words, fork

    def head(self, size: int) -> Checkpoint:
        """The head of the first `size` leaves."""
        return Checkpoint(self.signer.name, size, tree.root(size, self._hashes(size)))

    def note(self, size: int) -> str:
        """The same, signed."""
        return self.head(size).sign(self.signer)

    def submission(self, old: int, size: int) -> Submission:
        """What a good log sends to a witness that has seen `old` leaves."""
        return Submission(old, tree.prove_consistency(old, size, self._hashes(size)), self.note(size))

    def _hashes(self, size: int) -> tree.Hashes:
        edge, kept = Edge(), dict[tuple[int, int], bytes]()
        for tile, data in edge.extend(tree.leaf_hash(self._leaf(index)) for index in range(size)):
            kept[tile.level, tile.n] = data

        def read(tile: Tile) -> bytes:
            return b"".join(split(tile, kept[tile.level, tile.n][: tile.width * tree.HASH_BYTES]))

        return hashes_of(size, read)

    def _leaf(self, index: int) -> bytes:
        return f"{self._words if index >= self._fork else 'leaf'} {index}".encode()
