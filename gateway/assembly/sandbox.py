"""What a demo needs besides the gateway: nights of synthetic files, pretend partners, a witness of our own.

Rules: the code of partners and witness is imported where it is asked for, so that real work never loads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from pathlib import Path

from adapters.comwel import synthetic
from gateway.assembly.books import Books
from gateway.config import Settings
from gateway.documents.strict_json import dumps
from gateway.journey.world import US
from gateway.sealing.keys import to_jwk
from gateway.store.keyfiles import own_key


def make_night(folder: Path, cases: int, seed: int, base: date) -> None:
    """Write a synthetic night of COMWEL's files into a folder, with its expected verdicts."""
    synthetic.write_night(folder, cases, seed, base)


def be_pretend_partner(options: Sequence[str]) -> int:
    """Be one of the pretend partners until stopped; see `adapters.partners.pretend`."""
    from adapters.partners.pretend.__main__ import main  # noqa: PLC0415 - for a demo only

    return main(list(options))


def be_witness(options: Sequence[str]) -> int:
    """Be our own witness until stopped; see `adapters.witnesses.own`."""
    from adapters.witnesses.own.__main__ import main  # noqa: PLC0415 - for a demo only

    return main(options)


def witness_vkey(home: Path, name: str) -> str:
    """The public key of our own witness, made on first use."""
    from adapters.witnesses.own.home import signer  # noqa: PLC0415 - for a demo only

    return signer(home, name).verifier.vkey


def introduce(settings: Settings, books: Books, partner: str, home: Path) -> None:
    """Give a pretend partner our public keys and register its own, before it starts."""
    from adapters.partners.pretend.keyring import own_key as theirs  # noqa: PLC0415 - for a demo only

    home.mkdir(parents=True, exist_ok=True)
    books.shelf.first(partial(own_key, settings.home / "keys"))
    (home / "gateway.jwks.json").write_bytes(dumps(books.shelf.jwks(US)))
    books.shelf.add(partner, to_jwk(theirs(home, partner.lower())))
