"""Template filters: what is unknown is said to be, and never 0."""

import pytest

from alerts.templatetags import winnow
from triage.contracts import Rate

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (None, "not measured"),
        (float("nan"), "not measured"),
        (0.0, "0.00 USD"),
        (0.00137, "0.00137 USD"),
        (12.5, "12.50 USD"),
    ],
)
def test_money(amount, shown):
    assert winnow.usd(amount) == shown


@pytest.mark.parametrize(
    ("milliseconds", "shown"), [(None, "not measured"), (0, "0 ms"), (999, "999 ms"), (61_250, "61.2 s")]
)
def test_durations(milliseconds, shown):
    assert winnow.took(milliseconds) == shown


def test_a_rate_carries_its_interval_and_n():
    assert winnow.rate(None) == "not measured"
    assert winnow.rate(Rate(value=0.5, n=1234, low=0.2152, high=0.7848)) == "50.0 % (21.5 – 78.5, n = 1,234)"
    assert winnow.rate(Rate(value=1.0, n=8, low=0.676, high=1.0)) == "100 % (67.6 – 100.0, n = 8)"


def test_a_sentence_is_one_plain_line_and_its_hidden_characters_show():
    assert winnow.told("two\n lines\u202e <b>") == "two lines⟨U+202E⟩ <b>"
    assert winnow.told(None) == ""
    long = winnow.told("x" * 3000)
    assert long.endswith("more characters)")
    assert len(long) < 1100
