"""The bytes between a log and a witness: the example of the C2SP text, and what is not a submission."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import NoteInvalid
from gateway.exchange_log import witnessing
from gateway.exchange_log.witnessing import Submission, read, read_size

EXAMPLE = """old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa {}
""".format("Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=")

SOFA = (
    "5fd2dc0beb4ce54da5050cf6d5c75248b023abad441c3cecde3976fbe9da4fe4"  # printf example.com/behind-the-sofa | sha256sum
)


def test_the_example_of_the_specification_is_read_and_written_to_the_byte() -> None:
    found = read(EXAMPLE.encode())
    assert (found.old, len(found.proof)) == (20852014, 4)
    assert found.checkpoint.startswith("example.com/behind-the-sofa\n20852163\n")
    assert found.to_bytes() == EXAMPLE.encode()


@given(st.integers(0, 1 << 62), st.lists(st.binary(min_size=32, max_size=32), max_size=63))
def test_every_submission_survives_being_written(old: int, proof: list[bytes]) -> None:
    assert read(Submission(old, proof, "x\n\n— x y\n").to_bytes()) == Submission(old, proof, "x\n\n— x y\n")


ZERO = "A" * 43 + "="
WRONG = {
    "nothing": "",
    "no old size": EXAMPLE.partition("\n")[2],
    "a size with a leading zero": EXAMPLE.replace("old 2", "old 02"),
    "a size below nothing": EXAMPLE.replace("old 2", "old -2"),
    "a size in other digits": EXAMPLE.replace("old 20852014", "old ٢"),
    "a size too long to be one": EXAMPLE.replace("old 2", "old 1234567890123"),
    "two spaces": EXAMPLE.replace("old ", "old  "),
    "lines that end as on other systems": EXAMPLE.replace("\n", "\r\n"),
    "no empty line": EXAMPLE.replace("\n\n", "\n"),
    "a hash too short": EXAMPLE.replace("PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=", "PlRN"),
    "a hash with another spelling": EXAMPLE.replace("PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=", ZERO[:-2] + "B="),
    "a hash that is no ASCII": EXAMPLE.replace("PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=", "é"),
    "64 hashes": "\n".join(["old 5", *[ZERO] * 64, "", "x"]),
}  # fmt: skip


@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG)
def test_what_is_not_a_submission_is_refused(body: str) -> None:
    with pytest.raises(NoteInvalid):
        read(body.encode())


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(NoteInvalid):
        read(b"old 5\n\n\xff")


@pytest.mark.parametrize("body", ["", "7", "7\n\n", "07\n", "-7\n", " 7\n", "٧\n", "7\r\n", "1" * 20 + "\n"])
def test_a_size_has_one_spelling(body: str) -> None:
    with pytest.raises(NoteInvalid):
        read_size(body)
    assert read_size("0\n") == 0


def test_a_witness_shows_a_log_under_the_hash_of_its_name() -> None:
    assert witnessing.latest("example.com/behind-the-sofa") == f"{SOFA}/checkpoint"
