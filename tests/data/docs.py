"""What the documentation shows of the code, made from the code: `python -m tests.data.docs` writes it into the pages.

Rules: a page holds `<!-- name -->` and `<!-- /name -->`; what stands between them is made here and nowhere else, and
`test_docs.py` compares the two. Refuses pages that lack a marker.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import typer
from pydantic_core import PydanticUndefined

from gateway import errors
from gateway.config import Settings
from gateway.errors import GatewayError
from gateway.referrals.diagram import diagram
from gateway.telemetry.fields import FIELDS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "gateway" / "README.md"


def lifecycle() -> str:
    """The states of a leg, as the table of the lifecycle draws them."""
    return f"```mermaid\n{diagram()}```"


def settings_table() -> str:
    """Every setting with its default and what it is for."""
    fields = Settings.model_fields.items()
    rows = ((f"`GATEWAY_{name.upper()}`", _default(field), field.description) for name, field in fields)
    return _table(("setting", "default", "what for"), rows)


def _default(field: Any) -> str:
    value = field.default_factory() if field.default is PydanticUndefined else field.default
    if value is None:
        return "unset"
    if isinstance(value, Path) and value.is_relative_to(ROOT):
        return f"`{value.relative_to(ROOT)}/` beside the code"
    return f"`{list(value)}`" if isinstance(value, tuple) else f"`{value}`"


def error_classes() -> list[type[GatewayError]]:
    """The classes with a code of their own, in the order of the file."""
    found = (c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, GatewayError))
    return [c for c in found if "code" in vars(c)]


def errors_table() -> str:
    """Every way the gateway says no."""
    rows = ((f"`{c.code}`", c.status, c.issue, c.fault, c.sentence, c.remedy) for c in error_classes())
    return _table(("code", "status", "issue", "fault", "what is said", "what to do"), rows)


@cache
def command_line() -> Any:
    """The command line as a tree of commands, as typer builds it."""
    from gateway.cli.main import app

    return typer.main.get_command(app)


def commands_table() -> str:
    """Every command with its arguments and options; what may be left out stands in brackets."""
    return _table(("command", "what it does"), _commands(command_line(), "gateway"))


def _commands(command: Any, name: str) -> Iterator[tuple[str, str]]:
    inner = getattr(command, "commands", None)
    if inner is None or command.invoke_without_command:
        words = " ".join((name, *filter(None, map(_word, command.params))))
        yield f"`{words}`", str(command.help or "").split("\n\n", maxsplit=1)[0].replace("\n", " ")
    for child in (inner or {}).values():
        yield from _commands(child, f"{name} {child.name}")


def _word(parameter: Any) -> str | None:
    if parameter.param_type_name == "argument":
        word = parameter.name.upper()
        return word if parameter.required else f"[{word}]"
    option = next((o for o in parameter.opts if o.startswith("--")), None)
    if option in (None, "--help"):
        return None
    word = option if parameter.is_flag else f"{option} …"
    return word if parameter.required else f"[{word}]"


def log_fields_table() -> str:
    """Every field that a log line may hold."""
    return _table(("field", "what it says"), ((f"`{field.name}`", field.what) for field in FIELDS))


def _table(head: tuple[str, ...], rows: Any) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


BLOCKS: Mapping[str, Callable[[], str]] = {
    "lifecycle": lifecycle,
    "settings": settings_table,
    "errors": errors_table,
    "commands": commands_table,
    "log-fields": log_fields_table,
}
"""Marker → what stands in it, all on one page."""


def shown(page: str, name: str) -> str:
    """What a page shows between the markers of a block."""
    return _between(name).findall(page)[0]  # type: ignore[no-any-return]


def rewritten(page: str) -> str:
    """The page with every block made anew."""
    for name, make in BLOCKS.items():
        before, *rest = _between(name).split(page)
        if len(rest) != 1:
            raise SystemExit(f"the page needs <!-- {name} --> and <!-- /{name} --> once")
        page = before + make() + rest[0]
    return page


def _between(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<=<!-- {name} -->\n).*?(?=\n<!-- /{name} -->)", re.DOTALL)


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(rewritten(text), encoding="utf-8")
    sys.stdout.write(f"{PAGE.relative_to(ROOT)} is up to date\n")
