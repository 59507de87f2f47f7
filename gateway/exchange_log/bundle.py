"""An evidence bundle as a file: what strangers need to check acts and messages without us, in one ZIP.

    README.ko.md README.en.md verify.py verify.html     how to check it, with which words
    manifest.json manifest.sig                          the list of everything below; a note of the log over its digest
    logs/<year>/checkpoint log.vkey policy earlier consistency
    acts/<id>.leaf.json .tlog-proof .act.json .key      the leaf, its proof, the act, the key that opens this leaf alone
    messages/<mid>/manifest.jws receipt.jws body explanation.json http/<n>.json
    keys/<owner>/<n>.json                               public keys with their validity

Rules: the same content is the same bytes: stored, not compressed, one date, files in order, nothing between them. Both
readers take no other ZIP, or one tool could see another bundle than the next. What is not there and might be expected
is in the list, with the reason. Refuses to hold two files of one name, and more than every reader of ZIP files reads.
"""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, LargeZipFile, ZipFile, ZipInfo

import orjson

from gateway.errors import TooMuchAsked

VERSION = 1
LIST, SIGNATURE = "manifest.json", "manifest.sig"
ENCLOSED = ("README.ko.md", "README.en.md", "verify.py", "verify.html")
_FIRST = "evidence-bundle/v1"
_DATE = (1980, 1, 1, 0, 0, 0)
_FOLDER = Path(__file__).parent / "evidence"


def bundle(files: Mapping[str, bytes], said: Mapping[str, Any], origin: str, sign: Callable[[str], str]) -> bytes:
    """The bundle of these files; `said` is what its list says of them, `sign` makes a note of the log `origin`.

    Raises TooMuchAsked.
    """
    whole = {**{name: (_FOLDER / name).read_bytes() for name in ENCLOSED}, **files}
    listed = {path: sha256(data).hexdigest() for path, data in whole.items()}
    list_ = json({"v": VERSION, **said, "files": listed})
    text = f"{_FIRST}\n{origin}\n{b64encode(sha256(list_).digest()).decode()}\n"
    try:
        return _zip({**whole, LIST: list_, SIGNATURE: sign(text).encode()})
    except LargeZipFile:
        raise TooMuchAsked("a bundle holds up to 65535 files and 2 GiB") from None


def json(value: Any) -> bytes:
    """RFC 8785: one way to write it."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _zip(files: Mapping[str, bytes]) -> bytes:
    written = io.BytesIO()
    with ZipFile(written, "w", ZIP_STORED, allowZip64=False) as archive:
        for path in sorted(files):
            entry = ZipInfo(path, _DATE)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, files[path])
    return written.getvalue()
