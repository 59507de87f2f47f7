"""Expressions: a recursive-descent parser of the FHIRPath N1 subset.

    expr  := or ; or := and {"or" and} ; and := mem {"and" mem} ; mem := eq ["in" eq] ; eq := rel [("="|"!=") rel]
    rel   := add [("<"|"<="|">"|">=") add] ; add := mul {("+"|"-"|"&") mul}
    mul   := un {("*"|"/"|"div"|"mod") un} ; un := ["-"] post
    post  := prim { "." name | "." name "(" args ")" | "[" int "]" } ; args := [arg {"," arg}] ; arg := [name ":"] expr
    prim  := number | 'string' | true | false | "{}" | "%"name | name | name "(" args ")" | "(" expr ")" | $this

It refuses everything else of FHIRPath by name (`|`, `as`, `is`, `repeat`, `now()` …), so that a map stays pure, typed
and bounded. Nothing is evaluated here.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from gateway.documents.gwmap import limits
from gateway.documents.gwmap.syntax import (
    Binary,
    Call,
    Concat,
    Field,
    Index,
    Literal,
    Negative,
    Node,
    This,
    Variable,
    depth,
)


class ExpressionError(Exception):
    """The expression cannot be read; `column` counts from 1 inside the expression."""

    def __init__(self, column: int, text: str) -> None:
        super().__init__(text)
        self.column, self.text = column, text


class Token(NamedTuple):
    """`kind`: number, string, name, quoted, variable, this, op, end."""

    kind: str
    text: str
    column: int


_LEXER = re.compile(
    r"""\s*(?:
      (?P<number>[0-9]+(?:\.[0-9]+)?)
    | (?P<string>'(?:[^'\\]|\\.)*')
    | (?P<variable>%(?:[A-Za-z_][A-Za-z0-9_]*|`[^`]+`))
    | (?P<this>\$this\b)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<quoted>`[^`]+`)
    | (?P<op><=|>=|!=|\{\}|[-+*/&=<>.,:()\[\]])
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "'": "'", '"': '"', "`": "`", "\\": "\\", "/": "/"}
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_WORDS = frozenset({"and", "or", "in", "div", "mod", "true", "false"})
_REFUSED = frozenset({"as", "is", "xor", "implies"})


def parse(source: str) -> Node:
    """The tree of one expression. Raises `ExpressionError`."""
    if len(source) > limits.EXPRESSION_CHARS:
        raise ExpressionError(1, f"the expression is longer than {limits.EXPRESSION_CHARS} characters")
    node = _Parser(_tokens(source)).whole()
    if depth(node) > limits.AST_DEPTH:
        raise ExpressionError(1, f"the expression is nested deeper than {limits.AST_DEPTH}")
    return node


def _tokens(source: str) -> list[Token]:
    found: list[Token] = []
    at = 0
    end = len(source.rstrip())
    while at < end:
        match = _LEXER.match(source, at)
        if match is None or match.lastgroup is None:
            rest = source[at:].lstrip()
            raise ExpressionError(len(source) - len(rest) + 1, f"'{rest[:1]}' is not part of the expression language")
        kind = match.lastgroup
        found.append(Token(kind, match[kind], match.start(kind) + 1))
        at = match.end()
    return [*found, Token("end", "", len(source) + 1)]


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._nesting = 0

    def whole(self) -> Node:
        node = self._or()
        token = self._peek()
        if token.kind != "end":
            raise self._refused(f"'{token.text}' was not expected here")
        return node

    # ── tokens ────────────────────────────────────────────────────────────────────────────────────────────────────────
    def _peek(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, *texts: str) -> str | None:
        token = self._peek()
        if token.kind in ("op", "name") and token.text in texts:
            self._at += 1
            return token.text
        return None

    def _need(self, text: str) -> None:
        if self._take(text) is None:
            found = self._peek().text or "the end"
            raise self._refused(f"'{text}' was expected, '{found}' was found")

    def _refused(self, text: str) -> ExpressionError:
        return ExpressionError(self._peek().column, text)

    # ── operators, weakest first ──────────────────────────────────────────────────────────────────────────────────────
    def _or(self) -> Node:
        self._nesting += 1
        if self._nesting > limits.AST_DEPTH:
            raise self._refused(f"the expression is nested deeper than {limits.AST_DEPTH}")
        node = self._and()
        while self._take("or"):
            node = Binary("or", node, self._and())
        self._nesting -= 1
        return node

    def _and(self) -> Node:
        node = self._member()
        while self._take("and"):
            node = Binary("and", node, self._member())
        return node

    def _member(self) -> Node:
        node = self._equal()
        return Binary("in", node, self._equal()) if self._take("in") else node

    def _equal(self) -> Node:
        node = self._relation()
        op = self._take("=", "!=")
        return Binary(op, node, self._relation()) if op else node

    def _relation(self) -> Node:
        node = self._sum()
        op = self._take("<", "<=", ">", ">=")
        return Binary(op, node, self._sum()) if op else node

    def _sum(self) -> Node:
        node = self._product()
        while op := self._take("+", "-", "&"):
            right = self._product()
            node = _concat(node, right) if op == "&" else Binary(op, node, right)
        return node

    def _product(self) -> Node:
        node = self._unary()
        while op := self._take("*", "/", "div", "mod"):
            node = Binary(op, node, self._unary())
        return node

    def _unary(self) -> Node:
        return Negative(self._postfix()) if self._take("-") else self._postfix()

    # ── paths, calls, terms ───────────────────────────────────────────────────────────────────────────────────────────
    def _postfix(self) -> Node:
        node = self._primary()
        while True:
            if self._take("."):
                name = self._name_after_dot()
                node = self._call(node, name) if self._take("(") else Field(node, name)
            elif self._take("["):
                node = Index(node, self._position())
            else:
                return node

    def _name_after_dot(self) -> str:
        token = self._peek()
        if token.kind not in ("name", "quoted"):
            raise self._refused("a name was expected after '.'")
        self._at += 1
        return token.text.strip("`")

    def _position(self) -> int:
        token = self._peek()
        if token.kind != "number" or "." in token.text:
            raise self._refused("a position [0], [1], … was expected")
        self._at += 1
        self._need("]")
        return int(token.text)

    def _call(self, base: Node | None, name: str) -> Call:
        args: list[Node] = []
        named: list[tuple[str, Node]] = []
        if self._take(")"):
            return Call(base, name, ())
        while True:
            label = self._label()
            value = self._or()
            if label:
                named.append((label, value))
            elif named:
                raise self._refused("arguments without a name come first")
            else:
                args.append(value)
            if self._take(")"):
                return Call(base, name, tuple(args), tuple(named))
            self._need(",")

    def _label(self) -> str | None:
        name, colon = self._peek(), self._tokens[min(self._at + 1, len(self._tokens) - 1)]
        if name.kind == "name" and colon == Token("op", ":", colon.column):
            self._at += 2
            return name.text
        return None

    def _primary(self) -> Node:
        token = self._next()
        match token.kind:
            case "number":
                return Literal(float(token.text) if "." in token.text else int(token.text))
            case "string":
                return Literal(_unescaped(token))
            case "variable":
                return Variable(token.text[1:].strip("`"))
            case "this":
                return This()
            case "quoted":
                return Field(None, token.text[1:-1])
            case "name":
                return self._named(token)
        if token.text == "{}":
            return Literal(None)
        if token.text == "(" and token.kind == "op":
            node = self._or()
            self._need(")")
            return node
        self._at -= 1
        raise self._refused(f"a value was expected, '{token.text or 'the end'}' was found")

    def _named(self, token: Token) -> Node:
        if token.text in ("true", "false"):
            return Literal(token.text == "true")
        if token.text in _WORDS | _REFUSED:
            self._at -= 1
            raise self._refused(f"'{token.text}' cannot stand here")
        return self._call(None, token.text) if self._take("(") else Field(None, token.text)


def _concat(left: Node, right: Node) -> Node:
    parts = left.parts if isinstance(left, Concat) else (left,)
    return Concat((*parts, right))


def _unescaped(token: Token) -> str:
    def one(match: re.Match[str]) -> str:
        code = match[1]
        if len(code) == 5:
            return chr(int(code[1:], 16))
        if code not in _ESCAPES:
            raise ExpressionError(token.column, f"'\\{code}' is not an escape of FHIRPath")
        return _ESCAPES[code]

    return _ESCAPE.sub(one, token.text[1:-1])
