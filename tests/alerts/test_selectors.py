"""Queue order, paging, filters and the alert page: right rows, constant queries."""

import datetime as dt

import pytest
from django.http import QueryDict
from django.utils import timezone

from alerts.models import Alert, Explanation
from alerts.selectors import estate, queue
from alerts.selectors.alert import alert_page, reasons
from alerts.selectors.queue import FilterError, QueueFilter
from alerts.selectors.queue_facets import facets
from tests.alerts.rows import make_alert, make_full_alert
from tests.factories import make_batch, make_source

pytestmark = pytest.mark.django_db


def test_pages_walk_the_whole_queue_once_in_priority_order():
    source = make_source()
    now = timezone.now()
    for number in range(25):
        severity = ("low", "critical", "medium")[number % 3]
        make_alert(source, severity=severity, last_seen_at=now - dt.timedelta(minutes=number % 4))
    seen, cursor = [], ""
    while True:
        page = queue.page(QueueFilter(), cursor=cursor, size=7)
        seen += page.alerts
        cursor = page.next_cursor
        if not cursor:
            break
    keys = [(row.severity_rank, row.last_seen_at, row.pk) for row in seen]
    assert len(set(keys)) == 25
    assert keys == sorted(keys, reverse=True)


def test_pages_walk_a_ranked_queue_once_by_worth_and_what_is_not_ranked_comes_first():
    source, now = make_source(), timezone.now()
    for number in range(40):
        worth = None if number % 8 == 0 else (number * 37 % 11) / 11
        severity = ("low", "critical", "medium")[number % 3]
        make_alert(source, worth=worth, severity=severity, last_seen_at=now - dt.timedelta(minutes=number % 4))
    seen, cursor = [], ""
    while True:
        page = queue.page(QueueFilter(), cursor=cursor, size=7)
        seen += page.alerts
        cursor = page.next_cursor
        if not cursor:
            break
    assert len({row.pk for row in seen}) == len(seen) == 40
    assert [row.worth for row in seen[:5]] == [None] * 5
    assert None not in [row.worth for row in seen[5:]]
    keys = [(1.0 if row.worth is None else row.worth, row.severity_rank, row.last_seen_at, row.pk) for row in seen]
    assert keys == sorted(keys, reverse=True)


def test_a_ranking_only_reorders():
    source = make_source()
    alerts = [make_alert(source, severity=severity) for severity in ("low", "critical", "medium")]
    before = [row.pk for row in queue.page(QueueFilter()).alerts]
    counts = facets(QueueFilter())
    assert before == [alerts[1].pk, alerts[2].pk, alerts[0].pk]
    for alert, worth in zip(alerts, (0.9, 0.0001, 0.5), strict=True):
        Alert.objects.filter(pk=alert.pk).update(worth=worth)
    after = [row.pk for row in queue.page(QueueFilter()).alerts]
    assert after == [alerts[0].pk, alerts[2].pk, alerts[1].pk]
    assert facets(QueueFilter()) == counts


def test_an_arrival_never_shifts_the_next_page():
    source = make_source()
    for _ in range(4):
        make_alert(source, severity="low")
    first = queue.page(QueueFilter(), size=2)
    make_alert(source, severity="critical")
    second = queue.page(QueueFilter(), cursor=first.next_cursor, size=2)
    assert len({row.pk for row in first.alerts + second.alerts}) == 4
    assert {row.severity for row in second.alerts} == {"low"}


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "1~2",
        "1.0~1~2026-01-01T00:00:00~3",
        "1.0~99999999~2026-01-01T00:00:00+00:00~3",
        "~~~",
        "1~2026-01-01T00:00:00+00:00~3",
        "nan~1~2026-01-01T00:00:00+00:00~3",
        "7~1~2026-01-01T00:00:00+00:00~3",
    ],
)
def test_a_broken_cursor_is_named(cursor):
    with pytest.raises(FilterError, match="cursor"):
        queue.page(QueueFilter(), cursor=cursor)


@pytest.mark.parametrize(
    "query",
    ["status=gone", "severity=huge", "source=x", "source=-1", "assignee=bob", "mark=red", "group=2", "version=v1"],
)
def test_an_unknown_filter_value_is_named(query):
    with pytest.raises(FilterError, match=query.split("=")[0]):
        QueueFilter.read(QueryDict(query))


def test_arrivals_are_those_after_the_mark():
    source = make_source()
    make_alert(source)
    mark = queue.newest_id()
    late = make_alert(source, severity="low")
    assert queue.arrived(QueueFilter(), mark) == 1
    assert [row.pk for row in queue.arrivals(QueueFilter(), mark, queue.newest_id())] == [late.pk]


@pytest.mark.parametrize("events", [1, 10])
def test_the_alert_page_costs_the_same_however_much_it_shows(events, django_assert_num_queries):
    alert = make_full_alert(make_source(), events=events)
    with django_assert_num_queries(8):
        page = alert_page(alert.pk)
    assert len(page.events) == events
    claim = page.explanation.sections[0].claims[0]
    assert (claim.evidence, claim.missing) == ([1], [9])
    assert (page.explanation.grounded, page.explanation.claims) == (0, 1)


def test_an_open_blind_audit_hides_what_would_bias():
    alert = make_full_alert(make_source(), origin="blind_audit", inclusion_probability=0.01)
    page = alert_page(alert.pk)
    assert (page.blind, page.explanation, page.reasons) == (True, None, [])
    alert.status = "closed"
    alert.save()
    assert alert_page(alert.pk).explanation is not None


@pytest.mark.parametrize(
    "answer", [[], "text", None, {"what_happened": "x"}, {"what_happened": [1, {"evidence": "x"}]}]
)
def test_an_explanation_of_any_shape_is_shown_without_harm(answer):
    alert = make_alert(make_source(), explanation_state="done")
    Explanation.objects.create(alert=alert, explainer="llm", answer=answer or {}, evidence=[None, 3, {"number": 1}])
    assert alert_page(alert.pk).explanation is not None


def test_failures_are_kept_apart_from_answers():
    alert = make_alert(make_source(), explanation_state="failed")
    Explanation.objects.create(alert=alert, explainer="llm", failure="timeout", failure_detail="60 s")
    page = alert_page(alert.pk)
    assert page.explanation is None
    assert [one.row.failure for one in page.failures] == ["timeout"]


def test_reasons_are_ordered_and_unmeasured_ones_have_no_number():
    views = reasons([{"text": "b", "contribution": 0.2}, {"text": "a", "contribution": 0.8}, {"text": "c"}, 7])
    assert [(view.text, view.percent) for view in views] == [("a", 80.0), ("b", 20.0), ("c", None)]
    assert [view.width for view in views] == [100.0, 25.0, 0.0]
    assert reasons("nonsense") == []


def test_a_source_without_batches_is_not_measured_rather_than_zero(django_assert_num_queries):
    make_source("silent")
    busy = make_source("busy")
    for _ in range(3):
        make_batch(busy, "a", status="done", event_count=4, parser_counts={"syslog": 3, "fallback": 1})
    with django_assert_num_queries(2):
        rows = {row.source.name: row for row in estate.sources()}
    assert (rows["silent"].last_seen_at, rows["silent"].stats.fallback_percent) == (None, None)
    assert (rows["busy"].stats.events, rows["busy"].stats.fallback_percent) == (12, 25.0)


def test_learning_counts_stored_events():
    make_batch(make_source(), "a", status="done", event_count=321)
    learning = estate.learning()
    assert (learning.active, learning.events, learning.phase) == (True, 321, "idle")
