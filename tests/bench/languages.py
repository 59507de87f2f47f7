"""The map of 77 values and 12 entries in the languages a user would take instead of ours, rule by rule.

Rules: each language says every rule of `bench_gwmap.py` as its manual shows it; where it has no code tables they come
with the input, or as a chain of conditions. The text is the document itself with expressions where values stand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.bench.bench_gwmap import KINDS, SEX, SYS

Language = Mapping[str, Callable[[str], str]]


def _chain(field: str, table: Mapping[str, str]) -> str:
    """A code table where the language has none."""
    made = "{}"
    for code, to in table.items():
        made = f"iif({field}='{code}','{to}',{made})"
    return made


# rule → the value of a field as the language says it, where JSON has a value
JSONATA: Language = {
    "copy": lambda f: f"s.{f}",
    "concat": lambda f: f'"{f}/" & s.{f}',
    "ymd": lambda f: f'$substring(s.{f},0,4) & "-" & $substring(s.{f},4,2) & "-" & $substring(s.{f},6,2)',
    "sex": lambda f: f"$lookup(sex, s.{f})",
    "kind": lambda f: f"$lookup(kind, s.{f})",
    "phone": lambda f: f'"+82-10-" & $substring(s.{f},3,4) & "-" & $substring(s.{f},7)',
    "now": lambda _: "p.now",
    "base": lambda path: f'p.base & "{path}" & s.f00',
}
LIQUID: Language = {
    "copy": lambda f: f'"{{{{ s.{f} }}}}"',
    "concat": lambda f: f'"{f}/{{{{ s.{f} }}}}"',
    "ymd": lambda f: '"' + "-".join(f"{{{{ s.{f} | slice: {a}, {n} }}}}" for a, n in ((0, 4), (4, 2), (6, 2))) + '"',
    "sex": lambda f: f'"{{{{ sex[s.{f}] }}}}"',
    "kind": lambda f: f'"{{{{ kind[s.{f}] }}}}"',
    "phone": lambda f: f'"+82-10-{{{{ s.{f} | slice: 3, 4 }}}}-{{{{ s.{f} | slice: 7, 4 }}}}"',
    "now": lambda _: '"{{ p.now }}"',
    "base": lambda path: f'"{{{{ p.base }}}}{path}{{{{ s.f00 }}}}"',
}
FHIRPATH: Language = {
    "copy": lambda f: f'"{{{{ {f} }}}}"',
    "concat": lambda f: f'"{f}/{{{{ {f} }}}}"',
    "ymd": lambda f: '"' + "-".join(f"{{{{ {f}.substring({a},{n}) }}}}" for a, n in ((0, 4), (4, 2), (6, 2))) + '"',
    "sex": lambda f: f'"{{{{ {_chain(f, SEX)} }}}}"',
    "kind": lambda f: f'"{{{{ {_chain(f, KINDS)} }}}}"',
    "phone": lambda f: f'"+82-10-{{{{ {f}.substring(3,4) }}}}-{{{{ {f}.substring(7) }}}}"',
    "now": lambda _: '"{{ %p.now }}"',
    "base": lambda path: f'"{{{{ %p.base }}}}{path}{{{{ f00 }}}}"',
}


def text(say: Language) -> str:
    """The whole map in one language: JSON with expressions where values stand."""
    entries = ",".join(_entry(say, number) for number in range(12))
    return f'{{"resourceType":"Bundle","type":"collection","timestamp":{say["now"]("")},"entry":[{entries}]}}'


def _entry(say: Language, number: int) -> str:
    a, b, c, d, e, f = (f"f{number * 6 + i:02d}" for i in range(6))
    extra = ""
    if number == 0:
        values = (say["sex"]("sex"), say["phone"]("tel"), *(say["copy"](n) for n in ("alias", "note", "old")))
        extra = "".join(f',"x{i}":[{{"system":"{SYS}x","value":{v}}}]' for i, v in enumerate(values))
    return (
        f'{{"fullUrl":{say["base"](f"/R{number}/")},"resource":{{"resourceType":"R{number}",'
        f'"identifier":[{{"use":"official","system":"{SYS}sid/a","value":{say["copy"](a)}}}],'
        f'"name":[{{"text":{say["copy"](b)}}}],'
        f'"subject":{{"reference":{say["base"]("/Patient/")},"display":{say["concat"](c)}}},'
        f'"period":{{"start":{say["ymd"](d)}}},"status":{say["sex"](e)},'
        f'"code":{{"coding":[{{"system":"{SYS}kind","code":{say["kind"](f)}}}]}}{extra}}}}}'
    )
