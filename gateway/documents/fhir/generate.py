"""Generates `schemas/fhir/r4` from the official FHIR definitions. Runs in development only:

    python -m gateway.documents.fhir.generate <unpacked package> schemas/fhir

The same package gives the same bytes (sorted names, gzip without a time stamp), so `git diff` shows what changed.
It refuses to fetch anything.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path
from typing import Any

import orjson

from gateway.documents.fhir import definitions, profiles, strict
from gateway.documents.fhir.table import Table


def main(arguments: list[str]) -> None:
    """`<package dir> <schemas/fhir>`."""
    package, out = Path(arguments[0]), Path(arguments[1])
    table = definitions.table(definitions.Package(package))
    _write_gzip(out / "r4" / "elements.json.gz", table)
    for name, schema in strict.schemas(Table(table)).items():
        _write(out / "r4" / "strict" / f"{name}.json", schema)
    _write(out / "r4" / "profiles.json", profiles.compile_profiles(out / "profiles", out / "code-systems"))


def _write(path: Path, document: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def _write_gzip(path: Path, document: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(orjson.dumps(document), compresslevel=9, mtime=0))


if __name__ == "__main__":
    main(sys.argv[1:])
