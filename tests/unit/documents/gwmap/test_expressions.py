"""Expressions: reading, precedence, meaning, and refusals an analyst understands."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.documents.gwmap.parser import ExpressionError, parse
from gateway.documents.gwmap.syntax import text

CANONICAL = [
    ("a or b and c", "(a or (b and c))"),
    ("a and b = c", "(a and (b = c))"),
    ("a = b in c", "((a = b) in c)"),
    ("a < 1 + 2 * 3", "(a < (1 + (2 * 3)))"),
    ("1 - 2 - 3", "((1 - 2) - 3)"),
    ("a & b & 'c'", "(a & b & 'c')"),
    ("-a.b", "(-a.b)"),
    ("a.b(1, on: %c)[0].d", "a.b(1, on: %c)[0].d"),
    ("`x y`.first()", "`x y`.first()"),
    ("iif({}.exists(), true, {})", "iif({}.exists(), true, {})"),
    ("$this = 'it\\'s'", "($this = 'it\\'s')"),
    ("'\\u00e9\\n'", "'é\n'"),
    ("7 div 2 mod 3", "((7 div 2) mod 3)"),
    ("장애.first()", None),
]


@pytest.mark.parametrize(("source", "canonical"), CANONICAL)
def test_an_expression_has_one_canonical_text(source: str, canonical: str | None) -> None:
    if canonical is None:
        with pytest.raises(ExpressionError, match="not part of the expression language"):
            parse(source)
        return
    assert text(parse(source)) == canonical
    assert text(parse(text(parse(source)))) == canonical


REFUSED = [
    ("a.", 3, "name was expected"),
    ("a b", 3, "'b' was not expected"),
    ("(a", 3, "'\\)' was expected, 'the end'"),
    ("a | b", 3, "'|' is not part"),
    ("a as b", 3, "'as' was not expected"),
    ("is", 1, "'is' cannot stand here"),
    ("a[x]", 3, "position"),
    ("a[1.5]", 3, "position"),
    ("f(a: 1, 2)", 10, "without a name come first"),
    ("'abc", 1, "''' is not part"),
    ("'\\q'", 1, "not an escape"),
    ("a.f(,)", 5, "a value was expected"),
    ("__class__", None, None),
    ("(" * 30 + "a" + ")" * 30, 25, "nested deeper"),
    ("a" + ".b" * 30, 1, "nested deeper"),
    ("'" + "x" * 600 + "'", 1, "longer than 500"),
    ("", 1, "a value was expected, 'the end'"),
]


@pytest.mark.parametrize(("source", "column", "why"), REFUSED)
def test_what_cannot_be_read_is_refused_with_its_column(source: str, column: int | None, why: str | None) -> None:
    if column is None:
        assert text(parse(source))  # readable; refused later because no schema has such a field
        return
    with pytest.raises(ExpressionError, match=why) as caught:
        parse(source)
    assert caught.value.column == column


MEANING: list[tuple[str, Any]] = [
    ("name", "남궁민수"),
    ("coordinator.tel", "0521112222"),
    ("phone", ["01012345678", "0212345678"]),
    ("phone.first()", "01012345678"),
    ("phone.last()", "0212345678"),
    ("phone[1]", "0212345678"),
    ("phone[7]", None),
    ("phone.join(' / ')", "01012345678 / 0212345678"),
    ("phone.count()", 2),
    ("diagnoses.code", ["S62.6", "M54.5"]),
    ("diagnoses.parts", ["09", "08"]),
    ("diagnoses.where(role = 'main').code.first()", "S62.6"),
    ("diagnoses.where(parts.exists()).count()", 1),
    ("diagnoses.exists(role = 'sub')", True),
    ("diagnoses.all(role = 'main')", False),
    ("diagnoses.select(role & ':' & code)", ["main:S62.6", "sub:M54.5"]),
    ("diagnoses.where(role = 'main').single().code", "S62.6"),
    ("diagnoses.where(code = %context.name).exists()", False),
    ("phone.where($this.startsWith('02'))", ["0212345678"]),
    ("coordinator.where(no = 'J1').name", "김담당"),
    ("iif(alive, 'Y', 'N')", "Y"),
    ("iif(alive.not(), 'Y')", None),
    ("months > 6 and months <= 7", True),
    ("months + 1", 8),
    ("months / 2", 3.5),
    ("8 / months / 0", None),
    ("months div 2", 3),
    ("-months mod 4", -3),
    ("hours * 100", 3750.0),
    ("(hours * 100).toInteger()", 3750),
    ("0.1 + 0.2", 0.3),
    ("name & '님'", "남궁민수님"),
    ("'a' + name.length().toString()", "a4"),
    ("name.substring(0, 2)", "남궁"),
    ("name.substring(9)", None),
    ("birth.ymd()", "1980-02-29"),
    ("born.toYmd()", "19800229"),
    ("born.date('yyyy.MM')", "1980.02"),
    ("%now.date('yyyyMMddHHmmss', 'Asia/Seoul')", "20261123100203"),
    ("%now.date('yyyy-MM-dd\\'T\\'HH:mm:ssXXX', 'Asia/Seoul')", "2026-11-23T10:02:03+09:00"),
    ("born.age(%now.date('yyyy-MM-dd', 'Asia/Seoul'))", 46),
    ("monthsBetween(born, '1980-04-28')", 1),
    ("phone.phone()", ["+82-10-1234-5678", "+82-2-1234-5678"]),
    ("phone.first().krPhone()", "010-1234-5678"),
    ("'+82 10-1234-5678'.krPhone()", "010-1234-5678"),
    ("'7'.pad(3)", "007"),
    ("ref('Patient', caseNo)", "Patient/20260000000123"),
    ("ref('Patient', caseNo).key()", "20260000000123"),
    ("caseNo.uuid5('person')", "7820e9c1-5577-544c-88c1-47b81814d230"),
    ("sex in ('1')", True),
    ("months.toString()", "7"),
    ("alive.toString()", "true"),
    ("'Y'.toBoolean()", True),
    ("'202611230930'.ymdhm('Asia/Seoul')", "2026-11-23T09:30:00+09:00"),
    ("'abc'.upper().indexOf('C')", 2),
    ("'a-b'.replace('-', '')", "ab"),
    ("' x '.trim()", "x"),
    ("'1248100998'.bizNo()", "1248100998"),
    ("{}", None),
    ("{} = 1", None),
    ("months.exists() and {}.exists()", False),
    ("({} = 1) or alive", True),
    ("({} = 1) and (1 = 2)", False),
    ("({} = 1) and alive", None),
    ("1 in {}", False),
    ("{} in diagnoses.code", None),
]


@pytest.mark.parametrize(("source", "value"), MEANING)
def test_an_expression_means_what_fhirpath_and_the_function_table_say(
    workshop: Any, record: dict[str, Any], source: str, value: Any
) -> None:
    compiled = workshop.compiled(
        f"x: {{y: {json.dumps('=' + source)}}}\nz: =%now", head="params: {now: instant}\n" + ALL_IGNORED
    )
    found = compiled.apply(record, {"now": "2026-11-23T01:02:03Z"}).document.get("x", {}).get("y")
    assert (found, type(found)) == (value, type(value))


ALL_IGNORED = "ignored: {caseNo: why so, name: why so, birth: why so, born: why so, sex: why so, phone: why so, " \
    "months: why so, hours: why so, alive: why so, coordinator: why so, diagnoses: why so}"  # fmt: skip

WRONG = [
    ("nam", "S3", "source field 'nam' does not exist in the schema urn:t:case:1 (did you mean 'name'?) [target y]"),
    ("coordinator.nme", "S3", "source field 'coordinator.nme' does not exist"),
    ("name.x", "S3", "'name' is a string and has no field 'x'"),
    (
        "diagnoses.where(rol = 'main')",
        "S3",
        "'diagnoses.rol' does not exist in the schema urn:t:case:1 (did you mean 'role'?)",
    ),
    ("phone & 'x'", "S4", "'phone' is a list; '&' wants one value (use .first(), .single() or .join(', '))"),
    ("phone.upper()", "S4", "'phone' is a list; 'upper()' wants one value"),
    ("months & 'x'", "S4", "'&' cannot take 'months': it is an integer (use .toString())"),
    ("months.ymd()", "S4", "'ymd()' cannot take 'months'"),
    ("name > 3", "S4", "'>' compares a string with an integer; that is never true"),
    ("born = %now", "S4", "'=' compares a date with a moment (use .date('yyyy-MM-dd', 'Asia/Seoul'))"),
    ("sex = '3'", "S4", "'=' can never hold: 'sex' is never '3'"),
    ("iif(name, 1, 2)", "S4", "a condition must be true or false, 'name' is a string (use .exists()?)"),
    ("iif(alive, 1, 'x')", "S4", "iif() gives either"),
    ("name.nosuch()", "S2", "there is no function 'nosuch'"),
    ("name.uper()", "S2", "there is no function 'uper' (did you mean 'upper'?)"),
    ("now()", "S2", "there is no function 'now'"),
    ("name.substring()", "S4", "substring() takes 1 to 2 arguments, 0 are given"),
    ("phone.count(1)", "S4", "count() takes 0 arguments, 1 are given"),
    ("alive.not(1)", "S4", "not() takes 0 arguments, 1 are given"),
    ("born.date('YYYY')", "S4", "'YYYY' is not a date pattern"),
    ("%now.date('yyyy', 'Mars/One')", "S4", "'Mars/One' is not a time zone"),
    ("born.date('yyyyMMddHHmm')", "S4", "'born' is a day, 'yyyyMMddHHmm' asks for a time"),
    ("born.date('yyyy-MM-ddXXX')", "S4", "'born' is a day, 'yyyy-MM-ddXXX' asks for a time"),
    ("%now.toYmd()", "S4", "'toYmd()' cannot take the value: it is an instant (use .date('yyyy-MM-dd', 'Asia/Seoul'))"),
    ("born.age(%now)", "S4", "'age()' cannot take the value: it is an instant (use .date('yyyy-MM-dd', 'Asia/Seoul'))"),
    ("monthsBetween(born, %now)", "S4", "'monthsBetween()' cannot take the value: it is an instant"),
    ("born.date({})", "S4", "date() is given nothing (leave the argument out)"),
    ("name.substring({})", "S4", "substring() is given nothing"),
    ("%noww", "S13", "'%noww' is neither a parameter nor a let nor a loop variable (did you mean 'now'?)"),
    ("name[0]", "S4", "'name' is not a list"),
    ("__class__", "S3", "source field '__class__' does not exist"),
    ("phone.join(name)", "S4", "join() takes a text"),
    ("ref(name, name)", "S4", "ref() takes the name of a resource first"),
    ("name.upper(x: 1)", "S2", "takes no named arguments"),
    ("-name", "S4", "'-' cannot take 'name'"),
]


@pytest.mark.parametrize(("source", "code", "said"), WRONG)
def test_a_wrong_expression_blocks_the_map_with_a_sentence(workshop: Any, source: str, code: str, said: str) -> None:
    errors = workshop.errors(f"y: {json.dumps('=' + source)}\nz: =%now", head="params: {now: instant}\n" + ALL_IGNORED)
    assert any(e.startswith(f"{code} mappings/mini/1.0.0/map.yaml:11: ") and said in e for e in errors), errors
