"""The gate of the shadow: promote, reject, wait or leave it to people, in whole sentences."""

import random

import pytest

from triage.learning.paired import Paired
from triage.learning.shadow_gate import LOOKS, LabelledPair, LivePair, events_at_most, is_over, judge_shadow

BUDGET = 0.01
VALID = {0.01: 40, 0.05: 200, 0.1: 400, 0.5: 2_000}


def live(both=20, only_candidate=10, only_champion=10, events=4_000, p_counts=None, minutes=80):
    """Return evidence whose disagreements are spread evenly over the minutes."""
    size = events // minutes
    blocks = [[size, 0, 0] for _ in range(minutes)]
    for place, count in ((1, only_candidate), (2, only_champion)):
        for number in range(count):
            blocks[(number * 7 + place) % minutes][place] += 1
    neither = events - both - only_candidate - only_champion
    pair = Paired(both, only_candidate, only_champion, neither)
    return LivePair(pair, VALID if p_counts is None else p_counts, tuple(tuple(block) for block in blocks))


def judged(found=None, labelled=None, *, days=0.5, budget=BUDGET):
    return judge_shadow(found or live(), labelled or LabelledPair(), budget=budget, days=days)


def test_a_candidate_as_good_as_the_champion_is_promoted_in_whole_sentences():
    decision = judged()
    assert decision.verdict == "promote"
    assert decision.reason == (
        "Promoted after running in shadow. "
        "Of 4,000 live events the candidate flagged 0.750% (0.525% to 1.071%), the champion 0.750% (0.525% to 1.071%): "
        "20 by both, 10 only by the candidate, 10 only by the champion. "
        "That is 0.000% more (99.5% interval -0.378% to +0.378%); "
        "at most 1.000% more, one budget's worth, are accepted. "
        "Its p-values hold on live events (share at or below each level: 1.0% at 0.01, 5.0% at 0.05, 10.0% at 0.1, "
        "50.0% at 0.5). "
        "Nobody has decided on an alert since its training, so what it finds is not compared."
    )
    assert decision.figures["events"] == 4_000
    assert decision.figures["pair"] == {"both": 20, "only_first": 10, "only_second": 10, "neither": 3_960}


@pytest.mark.parametrize(("events", "minutes"), [(1_999, 80), (4_000, 59)])
def test_too_few_events_or_minutes_wait(events, minutes):
    decision = judged(live(events=events, minutes=minutes))
    assert decision.verdict == "wait"
    assert decision.reason == (
        f"In shadow: {events:,} live events in {minutes} minutes were scored by both models; "
        "2,000 events in 60 minutes are needed."
    )


def test_too_few_events_after_a_week_are_left_to_people():
    decision = judged(live(events=100, minutes=20), days=7.0)
    assert decision.verdict == "undecided"
    assert decision.reason.startswith("Undecided: 100 live events in 20 minutes were scored by both models;")
    assert decision.reason.endswith("promote it or leave it, by hand.")


def test_a_candidate_that_floods_the_queue_is_refused():
    decision = judged(live(only_candidate=200))
    assert decision.verdict == "reject"
    assert "the candidate flagged 5.500%" in decision.reason


def test_a_difference_that_is_not_settled_waits_and_then_is_left_to_people():
    found = live(only_candidate=45)
    assert judged(found).verdict == "wait"
    late = judged(found, days=7.5)
    assert late.verdict == "undecided"
    assert late.reason.startswith("Undecided: the figures do not decide, and its time in shadow is over;")


def test_bursts_count_less_than_events():
    pair = Paired(20, 30, 5, 3_945)
    spread = LivePair(pair, VALID, tuple((50, 1 if n < 30 else 0, 1 if n < 5 else 0) for n in range(80)))
    burst = LivePair(pair, VALID, ((50, 30, 0), (50, 0, 5), *[(50, 0, 0)] * 78))
    assert judged(spread, budget=0.015).verdict == "promote"
    decision = judged(burst, budget=0.015)
    assert decision.verdict == "wait"
    assert "as one because they come in bursts" in decision.reason
    assert decision.figures["design_effect"] > 5


def test_a_candidate_that_falls_silent_is_refused():
    found = live(both=0, only_candidate=0, only_champion=40)
    decision = judged(found)
    assert decision.verdict == "reject"
    assert "It has nearly fallen silent: at most 0.197%, less than a fifth of its budget of 1.000%." in decision.reason


def test_silence_on_quiet_events_is_no_fault():
    assert judged(live(both=0, only_candidate=0, only_champion=0)).verdict == "promote"


def test_a_candidate_that_ends_a_flood_is_promoted():
    assert judged(live(both=30, only_candidate=5, only_champion=400)).verdict == "promote"


def test_p_values_that_do_not_hold_are_refused():
    decision = judged(live(p_counts={**VALID, 0.1: 1_600}))
    assert decision.verdict == "reject"
    assert "Its p-values do not hold: 40.0% of live events have p of 0.1 or less." in decision.reason


def test_missing_what_people_confirmed_is_refused():
    decision = judged(labelled=LabelledPair(confirmed=Paired(4, 0, 8, 0)))
    assert decision.verdict == "reject"
    assert (
        "Of 12 alerts that people confirmed since its training the candidate flags 4 (14% to 61%) and the champion 12 "
        "(76% to 100%); they differ on 8 (exact McNemar p = 0.0078)."
    ) in decision.reason


def test_missing_a_few_is_not_promoted_by_itself():
    labelled = LabelledPair(confirmed=Paired(10, 0, 1, 0))
    decision = judged(labelled=labelled)
    assert decision.verdict == "wait"
    assert "A candidate that misses what people confirmed is not promoted by itself." in decision.reason
    assert judged(labelled=labelled, days=7).verdict == "undecided"


def test_fewer_false_alarms_are_told_with_the_caveat_of_verdicts():
    decision = judged(labelled=LabelledPair(Paired(5, 0, 0, 0), Paired(10, 0, 30, 0)))
    assert decision.verdict == "promote"
    assert "Of 40 false alarms it no longer flags 30 (60% to 86%); the champion would still flag 40" in decision.reason
    assert decision.reason.endswith(
        "Verdicts exist only for events that a model flagged, so this says nothing of what both models miss."
    )


def test_more_of_the_false_alarms_are_refused():
    assert judged(labelled=LabelledPair(false_alarms=Paired(3, 12, 1, 0))).verdict == "reject"
    assert judged(labelled=LabelledPair(false_alarms=Paired(3, 3, 1, 0))).verdict == "promote"


def test_a_small_budget_gets_more_events_before_people_are_asked():
    assert (events_at_most(0.01), events_at_most(0.0001)) == (50_000, 300_000)
    assert is_over(50_000, budget=0.01, days=0) is True
    assert is_over(50_000, budget=0.0001, days=0) is False


def test_looking_at_every_doubling_stays_within_the_looks_that_share_the_error():
    for budget in (0.02, 0.0001):
        looks, events = 1, 2_000
        while not is_over(events, budget=budget, days=0):
            looks, events = looks + 1, events * 2
        assert looks <= LOOKS


def verdict_at_the_border(rng):
    """Return what becomes of a candidate that flags exactly one budget's worth more, looked at at each doubling."""
    blocks, verdict = [], "wait"
    while verdict == "wait":
        for _ in range(len(blocks) or 60):
            flags = [rng.random() for _ in range(40)]
            blocks.append((40, sum(flag < 0.015 for flag in flags), sum(flag > 0.995 for flag in flags)))
        events, only_first, only_second = (sum(column) for column in zip(*blocks, strict=True))
        pair = Paired(0, only_first, only_second, events - only_first - only_second)
        verdict = judged(LivePair(pair, {}, tuple(blocks))).verdict
    return verdict


def test_a_candidate_at_the_border_of_what_is_accepted_passes_at_most_one_time_in_twenty():
    rng = random.Random(11)
    assert sum(verdict_at_the_border(rng) == "promote" for _ in range(100)) <= 5
