"""What of an event other programs can look for: well formed, each once, and known for inside or outside."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.indicators import FIELDS, MAX_INDICATORS, Indicator, indicators
from tests.alerts.rows import HOSTILE

pytestmark = pytest.mark.once


def found(**document: object) -> list[tuple[str, str, bool]]:
    fields = {name.replace("__", "."): value for name, value in document.items()}
    return [(one.kind, one.value, one.outside) for one in indicators([fields])]


def test_each_kind_is_found_in_its_field():
    assert found(
        source__ip="203.0.113.7",
        destination__ip="8.8.8.8",
        dns__question__name="Evil.Example.",
        url__full="https://evil.example/a?b=1",
        file__hash__sha256="A" * 64,
        process__hash__md5="b" * 32,
        email__from__address="eve@evil.example",
        file__name="C:\\Users\\eve\\beacon.exe",
    ) == [
        ("domain", "evil.example", True),
        ("email", "eve@evil.example", True),
        ("filename", "beacon.exe", True),
        ("ip", "203.0.113.7", False),
        ("ip", "8.8.8.8", True),
        ("md5", "b" * 32, True),
        ("sha256", "a" * 64, True),
        ("url", "https://evil.example/a?b=1", True),
    ]


def test_addresses_of_ones_own_are_told_from_those_outside():
    inside = ("10.0.0.1", "192.168.1.1", "127.0.0.1", "169.254.1.1", "fd00::1", "fe80::1", "224.0.0.1", "0.0.0.0")
    assert {value: outside for one in inside for _, value, outside in found(source__ip=one)} == dict.fromkeys(
        inside, False
    )
    assert found(url__full="http://10.0.0.1/x") == [("url", "http://10.0.0.1/x", False)]
    assert found(url__full="http://1.1.1.1/x") == [("url", "http://1.1.1.1/x", True)]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("source.ip", "999.1.1.1"), ("source.ip", 7), ("source.ip", None), ("source.ip", ["x", {}]),
        ("dns.question.name", "localhost"), ("dns.question.name", "a..b"), ("dns.question.name", "a b.example"),
        ("dns.question.name", "x" * 254 + ".example"), ("url.full", "javascript:alert(1)"),
        ("url.full", "https://evil.example/a b"), ("url.full", "https://"), ("url.full", "http://[::1/"),
        ("url.full", "https://evil.example/" + "a" * 2000), ("url.full", "https://evil.example/\u202e"),
        ("file.hash.md5", "b" * 31), ("file.hash.sha256", "z" * 64), ("email.from.address", "no address"),
        ("file.name", ""), ("file.name", "a\u202eb"), ("file.name", "a" * 256), ("user.name", "eve"),
    ],
)  # fmt: skip
def test_what_is_not_well_formed_is_left_out(field: str, value: object):
    assert indicators([{field: value}]) == []


def test_hostile_text_in_every_field_gives_nothing():
    assert indicators([dict.fromkeys(FIELDS, HOSTILE)]) == []


def test_a_value_is_told_once_and_lists_are_read():
    rows = [{"source.ip": ["1.1.1.1", "9.9.9.9"]}, {"destination.ip": "1.1.1.1"}]
    assert [(one.value, one.field) for one in indicators(rows)] == [
        ("1.1.1.1", "destination.ip"),
        ("9.9.9.9", "source.ip"),
    ]


def test_there_is_an_end_to_them():
    rows = [{"source.ip": f"1.1.{n // 250}.{n % 250}"} for n in range(500)]
    assert len(indicators(rows)) == MAX_INDICATORS


@given(
    st.lists(
        st.dictionaries(st.sampled_from(sorted(FIELDS)), st.text(max_size=80) | st.integers() | st.none()), max_size=4
    )
)
def test_whatever_is_in_a_document_nothing_breaks_and_the_order_is_fixed(rows: list[dict[str, object]]):
    once = indicators(rows)
    assert once == sorted(once) == indicators(reversed(rows))
    assert all(isinstance(one, Indicator) and one.value.isprintable() for one in once)
