"""Codes of devices: the RFC's own values, one use each, and a picture that carries the key."""

import base64

import pytest

from triage import totp

pytestmark = pytest.mark.once
KEY = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)  # fmt: skip
def test_the_values_of_rfc_6238(seconds: int, code: str):
    assert totp.code_at(KEY, seconds // 30) == code
    assert totp.matching_step(KEY, code, now=seconds) == seconds // 30


def test_a_code_is_taken_a_step_early_or_late_and_no_more():
    code = totp.code_at(KEY, 100)
    assert [totp.matching_step(KEY, code, now=step * 30) for step in (98, 99, 100, 101, 102)] == [
        None, 100, 100, 100, None,
    ]  # fmt: skip


def test_a_code_counts_once_and_none_before_it_counts_again():
    assert totp.matching_step(KEY, totp.code_at(KEY, 100), now=3000, after=100) is None
    assert totp.matching_step(KEY, totp.code_at(KEY, 99), now=3000, after=100) is None
    assert totp.matching_step(KEY, totp.code_at(KEY, 101), now=3000, after=100) == 101


@pytest.mark.parametrize("typed", ["", "28708", "2870822", "abcdef", "٢٨٧٠٨٢", "\ud800", "0287082"])
def test_what_is_no_code_is_wrong(typed: str):
    assert totp.matching_step(KEY, typed, now=59) is None


def test_blanks_in_a_code_do_not_matter():
    assert totp.matching_step(KEY, " 287 082 ", now=59) == 1


def test_keys_and_recovery_codes_are_long_and_never_the_same():
    keys = {totp.new_key() for _ in range(50)}
    assert len(keys) == 50
    assert {len(base64.b32decode(key)) for key in keys} == {20}
    codes = totp.new_recovery_codes()
    assert len(set(codes)) == 10
    assert {len(code.replace("-", "")) for code in codes} == {16}
    assert len({totp.recovery_hash(code) for code in codes}) == 10


def test_the_picture_is_the_standards_own():
    """The three corners every reader looks for are where they belong, and the quiet zone is empty."""
    shown = totp.picture(totp.address(KEY, person="ada & co"))
    dark = {tuple(map(int, part.split("h")[0].split())) for part in shown.path.split("M")[1:]}
    corner = {(x, y) for x in range(7) for y in range(7) if max(abs(x - 3), abs(y - 3)) != 2}
    last = shown.size - 4 - 7
    for left, top in ((4, 4), (last, 4), (4, last)):
        area = {(x - left, y - top) for x, y in dark if left <= x < left + 7 and top <= y < top + 7}
        assert area == corner
    assert {min(x, y, shown.size - 1 - max(x, y)) >= 4 for x, y in dark} == {True}


def test_the_address_names_the_person_and_carries_the_key():
    assert totp.address("AB", person="a/b c") == "otpauth://totp/Winnow%3Aa%2Fb%20c?secret=AB&issuer=Winnow"
