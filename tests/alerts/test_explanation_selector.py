"""Which explanation is shown, what is said of it, and what happens to JSON of any shape."""

import datetime as dt

import pytest
from django.utils import timezone

from alerts.models import Alert, Explanation, Verdict
from alerts.selectors.alert import alert_page
from alerts.selectors.explanation import Chip, explained
from tests.alerts.explained import by_evidence, by_model, call, failed, summary
from tests.alerts.rows import make_alert
from tests.factories import make_source

pytestmark = pytest.mark.django_db


@pytest.fixture
def alert(settings) -> Alert:
    settings.LLM_BASE_URL, settings.LLM_MODEL, settings.LLM_DATA_POLICY = "http://llm/v1", "small-1", "pseudonymise"
    hour_ago = timezone.now() - dt.timedelta(hours=1)
    return make_alert(make_source(), explanation_state="done", last_seen_at=hour_ago)


def chips(alert, **options):
    return [chip.text for chip in explained(alert, **options).view.chips]


def test_claims_keep_what_the_check_said_of_them(alert):
    by_model(alert)
    view = explained(alert).view
    happened, matters = view.sections
    assert [(claim.text, claim.status, claim.stands) for claim in happened.claims] == [
        ("User backup logged in.", "grounded", True),
        ("It came from 198.51.100.9.", "struck", False),
    ]
    assert happened.claims[1].problems == ("198.51.100.9 is in no evidence line",)
    assert [(claim.status, claim.stands) for claim in matters.claims] == [("miscited", False)]
    assert (view.grounded, view.claims) == (1, 3)
    assert view.struck_techniques == [("T9999", "T9999 is no technique")]
    assert [(check.text, check.problems) for check in view.next_checks] == [
        ("Ask the owner of wks-9.", ("wks-9 is in no evidence line",))
    ]


def test_chips_say_what_holds_in_words(alert):
    by_model(alert, inherited=True)
    assert explained(alert).view.chips == [
        Chip(
            "partly",
            "grounded 1/3",
            "1 of 3 claims hold against the evidence lines they cite. 1 borne out by other lines than the cited ones. "
            "1 struck.",
        ),
        Chip(
            "inherited",
            "inherited",
            "Taken over from another alert of the same kind and held against the evidence of this one.",
        ),
        Chip("unreviewed", "unreviewed", "No person has given a verdict on this alert yet."),
    ]


def test_only_a_persons_verdict_makes_it_reviewed(alert, alice):
    by_model(alert)
    Verdict.objects.create(alert=alert, value="fp_data", decided_by="automation")
    assert "unreviewed" in [chip.text for chip in alert_page(alert.pk).explanation.chips]
    Verdict.objects.create(alert=alert, value="fp_data", decided_by="person", user=alice)
    assert "unreviewed" not in [chip.text for chip in alert_page(alert.pk).explanation.chips]


def test_an_unchecked_answer_of_a_model_is_not_called_grounded(alert):
    by_model(alert, answer={"what_happened": [{"text": "x", "evidence": [1]}]}, details={}, claims=None, grounded=None)
    assert chips(alert) == ["not checked", "unreviewed"]
    assert explained(alert).tries[0].grounded == ""


def test_the_evidence_explainer_is_grounded_by_the_lines_it_copies(alert):
    by_evidence(alert)
    assert chips(alert) == ["grounded 1/1"]


def test_a_demoted_suggestion_keeps_what_was_said(alert):
    demoted = {"grounding": summary(demoted="no grounded claim says that it is harmless", suggested="benign_tp")}
    by_model(alert, suggested_verdict="undetermined", confidence="low", details=demoted)
    view = explained(alert).view
    assert (view.suggested, view.confidence, view.demoted) == (
        "Benign true positive (expected activity)",
        "high",
        "no grounded claim says that it is harmless",
    )
    assert explained(alert).tries[0].demoted


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"model": "small-0"}, ["the model is small-1 now"]),
        ({"prompt_version": "v0"}, ["the prompt is another one now"]),
        ({"details": {"call": call(prompt_sha256="0" * 64)}}, ["the prompt is another one now"]),
        ({"details": {"policy": "raw"}}, ["the data policy is pseudonymise now"]),
        ({"tier": "large"}, ["the model is large-1 now"]),
        ({}, []),
    ],
)
def test_what_changed_since_makes_it_stale(alert, settings, change, told):
    settings.LLM_LARGE_MODEL = "large-1"
    by_model(alert, **change)
    view = explained(alert).view
    assert view.stale == told
    assert ("stale" in [chip.text for chip in view.chips]) is bool(told)


def test_events_since_make_it_stale(alert):
    row = by_model(alert)
    alert.last_seen_at = row.created_at + dt.timedelta(seconds=1)
    assert explained(alert).view.stale == ["events have joined the alert since"]


@pytest.mark.parametrize(
    ("counted", "told"), [(1, ["2 events joined the alert since"]), (2, ["1 event joined the alert since"]), (3, [])]
)
def test_events_are_counted_where_their_number_is_known(alert, counted, told):
    alert.event_count = 3
    alert.last_seen_at = timezone.now() + dt.timedelta(minutes=1)
    by_model(alert, details={"event_count": counted})
    assert explained(alert).view.stale == told


def test_without_a_language_model_nothing_about_models_is_stale(alert, settings):
    settings.LLM_BASE_URL = ""
    by_model(alert, model="small-0", prompt_version="v0")
    assert explained(alert).view.stale == []


def test_a_models_answer_outlives_a_later_failure_and_what_stands_in_for_it(alert):
    said = by_model(alert)
    lost = failed(alert)
    by_evidence(alert)
    found = explained(alert)
    assert found.view.row.pk == said.pk
    assert [one.row.pk for one in found.failures] == [lost.pk]
    assert [chip.text for chip in found.view.chips if chip.name == "failed"] == ["failed: timeout"]


def test_with_failures_alone_the_newest_evidence_is_shown(alert):
    by_evidence(alert)
    failed(alert, "invalid")
    failed(alert, "timeout")
    newest = by_evidence(alert)
    found = explained(alert)
    assert found.view.row.pk == newest.pk
    assert [one.row.failure for one in found.failures] == ["timeout", "invalid"]


def test_evidence_that_a_person_asked_for_follows_a_models_answer(alert):
    by_model(alert)
    newer = by_evidence(alert)
    assert explained(alert).view.row.pk == newer.pk


def test_an_answer_after_a_failure_leaves_no_failure_behind(alert):
    failed(alert, "ungrounded")
    by_model(alert, tier="large", purpose="stronger")
    found = explained(alert)
    assert (found.failures, len(found.tries)) == ([], 2)
    assert [one.asked for one in found.tries] == ["stronger model", "first model"]


def test_an_older_one_can_be_opened_and_a_foreign_one_cannot(alert):
    old, new = by_model(alert), by_model(alert)
    foreign = by_model(make_alert(alert.source, title="another"))
    found = explained(alert, wanted=old.pk)
    assert (found.view.row.pk, found.older, found.unknown) == (old.pk, True, False)
    assert [(one.row.pk, one.shown) for one in found.tries] == [(new.pk, False), (old.pk, True)]
    for number in (foreign.pk, 0, 2**62):
        found = explained(alert, wanted=number)
        assert (found.view.row.pk, found.older, found.unknown) == (new.pk, False, True)


def test_an_opened_failure_shows_why_and_what_was_said(alert):
    lost = failed(alert, "ungrounded", answer={"what_happened": [{"text": "x", "evidence": [1], "status": "struck"}]})
    by_model(alert)
    view = explained(alert, wanted=lost.pk).view
    assert view.failure == "No claim of the language model stood up to the evidence."
    assert view.sections[0].claims[0].status == "struck"


@pytest.mark.parametrize(("tries", "listed", "more"), [(3, 3, False), (60, 50, True)])
def test_the_number_of_queries_does_not_grow(alert, django_assert_num_queries, tries, listed, more):
    for _ in range(tries):
        last = by_model(alert)
    with django_assert_num_queries(2):
        found = explained(alert)
    assert (len(found.tries), found.more, found.newest_id) == (listed, more, last.pk)


def test_one_that_is_no_longer_listed_can_still_be_opened(alert):
    first = by_model(alert)
    for _ in range(50):
        by_model(alert)
    assert explained(alert, wanted=first.pk).view.row.pk == first.pk


@pytest.mark.parametrize(
    ("record", "usd", "basis"),
    [
        (call(), 0.00137, "measured"),
        (call(cost_basis="estimated", cost_usd=0), 0.0, "estimated"),
        (call(cost_basis="unknown", cost_usd=None), None, "unknown"),
        (call(cost_basis="measured", cost_usd=None), None, "unknown"),
        (call(cost_basis="free", cost_usd=1.0), None, "unknown"),
    ],
)
def test_an_unknown_cost_is_never_zero(alert, record, usd, basis):
    by_model(alert, details={"call": record})
    cost = explained(alert).view.cost
    assert (cost.usd, cost.basis) == (usd, basis)


def test_what_was_taken_over_has_no_cost_of_its_own(alert):
    by_model(alert, inherited=True)
    assert explained(alert).view.cost is None


@pytest.mark.parametrize(
    ("reason", "details", "words"),
    [
        ("budget", {"code": "cap"}, "The budget is reached, so no language model was asked."),
        ("budget", {"call": call()}, "The provider of the language model says that the account has nothing left."),
        ("breaker", {}, "The endpoint failed repeatedly and is left alone for a while."),
        ("odd_one", {}, "No explanation came of it (odd one)."),
    ],
)
def test_failures_are_told_in_words(alert, reason, details, words):
    failed(alert, reason, details=details)
    assert explained(alert).failures[0].failure == words


@pytest.mark.parametrize(
    "details",
    [
        {"grounding": 3, "call": []},
        {"grounding": {"demoted": None, "struck_techniques": [1, [2], ["a", "b", "c"]], "check_problems": {"a": 1}}},
        {"call": {"latency_ms": "x", "endpoint": ["y"], "cost_usd": True}},
    ],
)
@pytest.mark.parametrize("answer", [{}, {"what_happened": [{"text": 3, "evidence": [[1], 1], "status": ["x"]}]}])
def test_details_of_any_shape_are_shown_without_harm(alert, details, answer):
    lines = [{"number": [1]}, {"number": 1}]
    Explanation.objects.create(alert=alert, explainer="llm", model="m", details=details, answer=answer, evidence=lines)
    view = explained(alert).view
    assert view.struck_techniques == []
    assert view.cost is None or view.cost.usd is None


def test_who_says_which_severity_is_in_a_fixed_order(alert):
    parts = {"model": "high", "prefilter": "medium", "rules": "low", "injection": "", "stranger": "critical"}
    Alert.objects.filter(pk=alert.pk).update(severity_parts=parts)
    assert alert_page(alert.pk).said == [("pre-filter", "medium"), ("rules", "low"), ("language model", "high")]


def test_findings_of_any_shape_become_text(alert):
    rows = [{"event_id": "x", "field": None, "why": 3}, 7, {"event_id": 5, "field": "f", "why": "w", "excerpt": "e"}]
    Alert.objects.filter(pk=alert.pk).update(injection_suspected=True, injection_findings=rows)
    page = alert_page(alert.pk)
    assert page.suspected
    assert [(one.event_id, one.field, one.why, one.excerpt) for one in page.findings] == [
        (None, "", "3", ""),
        (5, "f", "w", "e"),
    ]


def test_a_blind_audit_is_told_nothing_of_it(alert):
    by_model(alert)
    Alert.objects.filter(pk=alert.pk).update(
        origin="blind_audit",
        injection_suspected=True,
        injection_findings=[{"why": "w"}],
        severity_parts={"rules": "low"},
    )
    page = alert_page(alert.pk)
    assert (page.explained, page.suspected, page.findings, page.said) == (None, False, [], [])
