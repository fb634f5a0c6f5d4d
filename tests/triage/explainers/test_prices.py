"""Costs: measured, estimated or unknown, and unknown is never free."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.explainers import prices
from triage.explainers.prices import Cost

OPENAI = "https://api.openai.com/v1"


def settle(**changes):
    settings = {
        "base_url": OPENAI, "models": ("gpt-4o-mini",), "inside": False, "input_tokens": 1_000_000,
        "output_tokens": 0, "characters": (17, 34),
    } | changes  # fmt: skip
    return prices.settle(**settings)


def test_counted_tokens_at_a_known_price_are_measured():
    assert settle().basis == "measured"
    half = settle(input_tokens=500_000)
    assert settle().usd == pytest.approx(2 * half.usd)
    assert half.usd > 0
    assert settle(output_tokens=1000).usd > settle().usd


def test_missing_counts_make_an_estimate_from_the_text():
    estimated = settle(input_tokens=None, output_tokens=None)
    assert estimated == Cost("estimated", settle(input_tokens=10, output_tokens=20).usd)


@pytest.mark.parametrize(
    "changes",
    [
        {"models": ("no-such-model-77",)},
        {"models": ("",)},
        {"base_url": "https://llm.example/v1"},  # a known name behind an unknown door has no known price
        {"models": ()},
    ],
)
def test_unknown_is_unknown_and_never_zero(changes):
    assert settle(**changes) == Cost("unknown", None)


def test_the_model_that_answered_is_charged_and_else_the_one_asked():
    asked = settle(models=("gpt-4o-mini",))
    assert settle(models=("no-such-model-77", "gpt-4o-mini")) == asked
    assert settle(models=("gpt-4o", "gpt-4o-mini")).usd > asked.usd


def test_an_endpoint_inside_sends_no_bill():
    assert settle(inside=True, base_url="http://127.0.0.1/v1", models=("any",)) == Cost("measured", 0.0)


def test_the_estimate_before_a_call_counts_the_longest_answer():
    known = {"base_url": OPENAI, "model": "gpt-4o-mini", "inside": False}
    cost = prices.estimate(**known, characters=1_700_000, output_tokens=1500)
    assert cost == Cost("estimated", settle(output_tokens=1500).usd)
    assert prices.estimate(**(known | {"model": "?"}), characters=1, output_tokens=1) == Cost("unknown", None)


@given(st.text(max_size=30), st.integers(0, 10**9), st.integers(0, 10**9))
def test_odd_models_and_counts_never_raise(model, asked, answered):
    cost = settle(models=(model,), input_tokens=asked, output_tokens=answered)
    assert (cost.usd is None) is (cost.basis == "unknown")


@given(st.text(max_size=60))
def test_whatever_is_not_ascii_counts_as_a_token_for_each_byte(text):
    plain = sum(character.isascii() for character in text)
    tokens = prices.estimated_tokens(prices.length(text))
    others = len(text.encode()) - plain
    assert tokens >= others + plain / prices.CHARACTERS_PER_TOKEN - 1e-6
    assert tokens <= others + plain / prices.CHARACTERS_PER_TOKEN + 2
    assert 3 * tokens >= len(text.encode())  # three exchanges' money pays for one token per byte


def test_lone_surrogates_have_a_length_too():
    assert prices.length("\ud800") == 6
