"""Template filters: what is unknown is said to be, and never 0."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.templatetags import winnow
from alerts.text import defanged
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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://evil.example/x.html?a=1", "hxxps[:]//evil[.]example/x.html?a=1"),
        ("HTTP://Evil.Example:8080", "HXXP[:]//Evil[.]Example:8080"),
        ("ftp://files.example and ssh://h", "fxp[:]//files[.]example and ssh[:]//h"),
        ("[here](http://evil.example)", "[here](hxxp[:]//evil[.]example)"),
        ("from 203.0.113.7:22 and 10.0.0.0/8.", "from 203[.]0[.]113[.]7:22 and 10[.]0[.]0[.]0/8."),
        ("2001:db8::7 at 08:14:02", "2001[:]db8[:][:]7 at 08:14:02"),
        ("mail to a.b@mail.example", "mail to a.b[@]mail[.]example"),
        ("пример.рф", "пример[.]рф"),
        ("run.sh x.zip", "run[.]sh x[.]zip"),
    ],
)
def test_what_could_be_opened_is_made_unusable(text, shown):
    assert defanged(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "user.name",
        "beacon.exe",
        "/var/log/auth.log",
        "7.512 of 1,204,331",
        "e.g. this",
        "v1.2.3",
        "T1110.001",
        "ends. Here",
    ],
)
def test_what_names_no_host_stays_readable(text):
    assert defanged(text) == text


@given(st.text(alphabet="ahtpsf:/.@-1[] é\n", max_size=60) | st.text(max_size=60))
def test_making_unusable_never_fails_is_stable_and_leaves_no_link(text):
    once = defanged(text)
    assert defanged(once) == once
    assert "://" not in once


def test_a_sentence_of_a_model_cannot_be_opened():
    assert winnow.told("see http://evil.example") == "see hxxp[:]//evil[.]example"
