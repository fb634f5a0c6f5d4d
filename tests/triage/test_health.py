"""The judge: a pure function over numbers, silent where nothing was measured."""

import doctest
from dataclasses import replace

import pytest

from triage import health
from triage.health import Figures, Window, judge

STEADY = {1: 1000, 2: 3}
DAY = Window(events=10_000, unknown=100, parsers={"syslog": 9_950, "fallback": 50}, lag=2.0, lag_min=0.5, lag_max=40.0)
NOW = Window(events=40, parsers={"syslog": 40}, lag=2.0, lag_min=0.5, lag_max=9.0)
WELL = Figures(quiet_minutes=0.5, gaps=STEADY, recent=NOW, before=DAY)


def names(figures):
    return [state.name for state in judge(figures)]


def reason(figures):
    (state,) = judge(figures)
    return state.reason


def test_the_examples_hold():
    assert doctest.testmod(health).failed == 0


def test_what_is_well_or_was_not_measured_has_no_state():
    assert judge(WELL) == []
    assert judge(Figures()) == []
    assert judge(Figures(quiet_minutes=900.0, gaps={1: 4})) == []


@pytest.mark.parametrize(("quiet", "expected"), [(2.9, []), (3.0, ["silent"]), (600.0, ["silent"])])
def test_a_feed_of_every_minute_is_silent_after_three(quiet, expected):
    assert names(replace(WELL, quiet_minutes=quiet, recent=Window())) == expected


@pytest.mark.parametrize(("quiet", "expected"), [(179.0, []), (180.0, ["silent"])])
def test_an_hourly_feed_has_three_hours(quiet, expected):
    assert names(Figures(quiet_minutes=quiet, gaps={60: 23})) == expected


def test_silence_says_for_how_long_and_what_is_usual():
    figures = replace(WELL, quiet_minutes=7.0, recent=Window())
    assert reason(figures) == "No record for 7 min; it usually sends at least every 60 s."


def test_a_usual_pause_is_not_silence():
    assert judge(Figures(quiet_minutes=300.0, gaps=STEADY, is_usual_pause=True)) == []


def test_a_format_that_nobody_understands_any_more_is_seen_after_five_events():
    figures = replace(WELL, recent=replace(NOW, events=5, parsers={"fallback": 5}))
    assert reason(figures) == "Events that no parser understands: 100 % of the last 5, 0 % of the 10,000 before."
    assert names(figures) == ["format changed"]


def test_another_parser_is_a_changed_format():
    figures = replace(WELL, recent=replace(NOW, parsers={"cef": 20, "syslog": 20}))
    assert reason(figures) == "Events read as cef: 50 % of the last 40, 0 % of the 10,000 before."


def test_unknown_fields_that_jump_are_a_changed_format():
    figures = replace(WELL, recent=replace(NOW, unknown=30))
    assert reason(figures) == "Events with unknown fields: 75 % of the last 40, 1 % of the 10,000 before."


@pytest.mark.parametrize(
    ("recent", "before"),
    [
        ({"fallback": 1, "syslog": 39}, {"syslog": 9_950, "fallback": 50}),  # too small a part
        ({"fallback": 1}, {"syslog": 9_950, "fallback": 50}),  # a single event, chance
        ({"fallback": 40}, {"syslog": 20, "fallback": 5}),  # too little to compare with
        ({"fallback": 24, "syslog": 16}, {"syslog": 5_000, "fallback": 5_000}),  # that is how it always was
    ],
)
def test_chance_and_small_differences_are_no_change(recent, before):
    now, then = Window(events=sum(recent.values()), parsers=recent), Window(events=sum(before.values()), parsers=before)
    assert judge(Figures(quiet_minutes=0.0, gaps=STEADY, recent=now, before=then)) == []


def test_a_feed_that_falls_behind_its_own_usual_lag():
    assert reason(replace(WELL, recent=replace(NOW, lag=1500.0, lag_max=1600.0))) == (
        "Events arrive 25 min after their own time; usually 2 s."
    )
    usual = replace(DAY, lag=1500.0)
    assert judge(replace(WELL, before=usual, recent=replace(NOW, lag=1500.0, lag_max=1600.0))) == []
    assert judge(replace(WELL, before=Window(), recent=replace(NOW, lag=1500.0, lag_max=1600.0))) == []


def test_a_clock_that_is_ahead():
    figures = replace(WELL, recent=replace(NOW, lag=-95.0, lag_min=-99.0, lag_max=-90.0))
    assert reason(figures) == "Its events carry a time 95 s ahead of their arrival."
    assert judge(replace(WELL, recent=replace(NOW, lag=-20.0, lag_min=-21.0))) == []


def test_a_zone_that_was_left_out():
    figures = Figures(quiet_minutes=0.0, recent=replace(NOW, lag=7201.0, lag_min=7200.4, lag_max=7215.0))
    assert reason(figures) == "Every event looks 2 h old on arrival: probably local time sent without its zone."
    assert judge(replace(figures, recent=replace(NOW, lag=7201.0, lag_min=3.0, lag_max=9000.0))) == []


def test_times_of_the_future():
    assert reason(replace(WELL, recent=replace(NOW, future=4))) == "4 of 40 events carry a time of the future."


def test_refusals_are_told_with_their_reasons():
    figures = replace(WELL, refused={"refused_rate": 7, "refused_busy": 12, "refused_damaged": 0})
    assert reason(figures) == (
        "Requests refused in the last minutes: 12 the backlog was full, 7 over the source's own limit."
    )


def test_the_most_urgent_state_comes_first():
    figures = replace(
        WELL, quiet_minutes=4.0, recent=replace(NOW, parsers={"fallback": 40}, lag=-60.0), refused={"refused_rate": 1}
    )
    assert names(figures) == ["silent", "format changed", "clock skewed", "refused"]
