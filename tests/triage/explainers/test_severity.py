"""Severity is the highest of three, and nothing lowers it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.ecs import SEVERITIES
from triage.explainers.severity import raise_only, raised

KNOWN = st.sampled_from(SEVERITIES)
ANY = st.one_of(KNOWN, st.just(""), st.text(max_size=12))


@given(KNOWN, ANY, ANY)
def test_the_result_is_never_below_any_input_and_is_one_of_them(prefilter, rules, llm):
    result = raise_only(prefilter, rules, llm)
    given_ = [word for word in (prefilter, rules, llm) if word in SEVERITIES]
    assert result in given_
    assert all(SEVERITIES.index(result) >= SEVERITIES.index(word) for word in given_)


@given(KNOWN, st.integers(-9, 9))
def test_raised_never_goes_down(severity, steps):
    assert SEVERITIES.index(raised(severity, steps)) >= SEVERITIES.index(severity)


def test_examples():
    assert raise_only("medium", "low", "critical") == "critical"
    assert raise_only("high", "", "info") == "high"
    assert (raised("low"), raised("critical"), raised("info", 2)) == ("medium", "critical", "medium")
    with pytest.raises(ValueError, match="not in tuple"):
        raise_only("nonsense", "high", "high")
