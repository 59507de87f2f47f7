"""What is kept of heads: what was signed and what came back; nothing that stands elsewhere, and nothing secret."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256

import orjson
from http_message_signatures import HTTPMessageVerifier

from gateway.sealing import heads, http
from gateway.sealing.heads import LONGEST, OF_AN_ANSWER, Head
from tests.unit.sealing.build import BODY, MID, NOW, URL, key_of, request_of, ring, sealed
from tests.unit.sealing.test_http import COMPONENTS, LIBRARY, Message, Resolver

JWS = sealed()


def kept(**more: object) -> bytes:
    return heads.keep(http.head_of("POST", URL, request_of(JWS))._replace(**more))  # type: ignore[arg-type]


def test_what_is_told_of_a_head_is_the_request_that_was_signed() -> None:
    told = heads.told(kept(), body_sha256=sha256(BODY).digest(), mid=MID, jws=JWS)
    request = told["request"]
    found = http.verify(request["method"], request["target"], request["headers"], BODY, keys=ring(), now=NOW)
    assert (found.mid, found.jws) == (MID, JWS)
    assert told["answer"] is None


def test_a_head_as_told_is_verified_by_a_library_that_knows_nothing_of_us() -> None:
    key = key_of("comwel")
    head = http.head_of("POST", URL, request_of(JWS, key, created=datetime.now(UTC)))  # noqa: TID251 - it asks the clock
    request = heads.told(heads.keep(head), body_sha256=sha256(BODY).digest(), mid=MID, jws=JWS)["request"]
    verifier = HTTPMessageVerifier(signature_algorithm=LIBRARY[key.alg], key_resolver=Resolver(key))
    [found] = verifier.verify(
        Message(request["headers"]), expect_tag="comwel-v1", require_components=COMPONENTS, body=BODY
    )
    assert found.parameters["keyid"] == key.kid


def test_what_stands_with_the_message_is_not_kept_twice() -> None:
    assert JWS.encode() not in kept()
    assert MID.encode() not in kept()
    assert http.content_digest(BODY).encode() not in kept()


def test_what_came_back_stands_beside_it() -> None:
    answer = (("date", "Mon, 23 Nov 2026 00:00:00 GMT"), ("retry-after", None))
    told = heads.told(kept(status=503, answer=answer), body_sha256=b"", mid=MID, jws=JWS)
    assert told["answer"] == {"status": 503, "headers": {"date": answer[0][1], "retry-after": None}}


def test_a_token_on_the_way_is_not_kept() -> None:
    headers = request_of(JWS) | {"Authorization": "Bearer s3cr3t", "traceparent": "00-1-2-01", "Cookie": "s3cr3t"}
    assert b"s3cr3t" not in heads.keep(http.head_of("POST", URL, headers))
    assert heads.of_answer({"set-cookie": "s3cr3t", "server": "x", "www-authenticate": "s3cr3t"}) == ()


def test_a_field_of_an_answer_is_kept_as_one_line_that_is_not_too_long_or_by_its_name_alone() -> None:
    values = {"x" * LONGEST: True, "x" * (LONGEST + 1): False, "a\nb": False, "홍길동": False, "\x00": False, "": True}
    for value, good in values.items():
        assert heads.of_answer({"date": value}) == (("date", value if good else None),)


def test_no_answer_makes_a_head_large() -> None:
    answer = heads.of_answer(dict.fromkeys(OF_AN_ANSWER, '"' * LONGEST))
    assert [name for name, _ in answer] == list(OF_AN_ANSWER)
    assert len(kept(status=200, answer=answer)) < 2 * len(OF_AN_ANSWER) * LONGEST + 1500


def test_a_head_is_its_parts_in_order() -> None:
    head = Head("POST", URL, "a/b", "sig1=()", "sig1=::", 200, (("date", None),))
    assert orjson.loads(heads.keep(head)) == ["POST", URL, "a/b", "sig1=()", "sig1=::", 200, [["date", None]]]
