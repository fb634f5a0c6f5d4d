"""What an alert's entity did around it: windows, density, what is marked, and what is read at most."""

import datetime as dt

import pytest

from alerts.models import AlertEvent
from alerts.selectors import timeline as rooms
from alerts.selectors.timeline import WindowError, anchor_of, read_window, timeline
from tests.alerts.flagged_events import START, flagged
from tests.alerts.rows import make_alert, make_full_alert
from tests.factories import make_source

MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def source(db):
    return make_source()


def read(alert, **asked):
    anchor = anchor_of(alert)
    return timeline(alert, read_window(asked, anchor), anchor)


def test_the_usual_window_is_a_quarter_of_an_hour_to_each_side(source):
    alert = make_full_alert(source)
    for minutes in (-16, -15, 0, 15, 16):
        flagged(source, timestamp=START + minutes * MINUTE, flagged=False)
    found = read(alert)
    assert (found.window.start, found.window.end) == (START - 15 * MINUTE, START + 15 * MINUTE)
    assert (found.total, found.flagged, found.anchor_x) == (4, 1, 450.0)
    assert [row.event.timestamp for row in found.rows] == sorted(row.event.timestamp for row in found.rows)


def test_only_the_entity_counts_and_without_one_nothing_is_read(source, django_assert_num_queries):
    alert = make_full_alert(source, entity="user:a")
    flagged(source, entity="user:b")
    assert read(alert).total == 1
    alert.entity = ""
    window = read_window({}, START)
    with django_assert_num_queries(0):
        found = timeline(alert, window, START)
    assert (found.total, found.rows, found.others, found.capped) == (0, [], [], False)


def test_bars_count_what_is_in_them_and_the_flagged_are_marked(source):
    alert = make_full_alert(source)
    for seconds in (1, 2, 3):
        flagged(source, timestamp=START - 15 * MINUTE + dt.timedelta(seconds=seconds), flagged=False)
    flagged(source, timestamp=START + 15 * MINUTE, flagged=True)
    bins = read(alert).bins
    assert [(one.count, one.flagged) for one in bins] == [(3, 0), (1, 1), (1, 1)]
    assert (bins[0].starts_at, bins[0].height, bins[1].middle) == (START - 15 * MINUTE, 34.0, 455.0)
    assert all(0 <= one.x <= rooms.WIDTH - 9 and 2 <= one.height <= rooms.HEIGHT for one in bins)


def test_events_of_this_alert_and_of_others_are_told_apart(source):
    alert, other = make_full_alert(source), make_alert(source, entity="user:else")
    event = flagged(source)
    AlertEvent.objects.create(alert=other, event_id=event.pk, timestamp=START)
    flagged(source)
    assert sorted((row.alert_id, row.own) for row in read(alert).rows) == [
        (0, False),
        (alert.pk, True),
        (other.pk, False),
    ]


def test_other_alerts_of_the_entity_are_marked_where_they_are(source):
    alert = make_full_alert(source, first_seen_at=START, last_seen_at=START)
    here = make_alert(source, first_seen_at=START - 40 * MINUTE, last_seen_at=START - 5 * MINUTE)
    for outside in (START - 16 * MINUTE, START + 16 * MINUTE):
        make_alert(source, first_seen_at=outside, last_seen_at=outside)
    make_alert(source, entity="user:else", first_seen_at=START, last_seen_at=START)
    assert [(one.alert.pk, one.x) for one in read(alert).others] == [(here.pk, 300.0)]


def test_a_blind_audit_of_another_alert_is_never_shown(source):
    alert = make_full_alert(source)
    audit = make_full_alert(source, origin="blind_audit", first_seen_at=START, last_seen_at=START)
    found = read(alert)
    assert found.others == []
    assert {row.alert_id for row in found.rows} == {0, alert.pk}
    assert {row.alert_id for row in read(audit).rows} == {audit.pk, alert.pk}


def test_of_too_many_events_the_nearest_are_read_and_the_rest_is_said(source, monkeypatch):
    monkeypatch.setattr(rooms, "POINTS", 3)
    alert = make_full_alert(source)
    for minutes in range(1, 6):
        flagged(source, timestamp=START - minutes * MINUTE, flagged=False)
    found = read(alert)
    assert (found.total, found.capped, found.unread) == (4, True, [(0.0, 330.0)])
    assert min(row.event.timestamp for row in found.rows) == START - 3 * MINUTE


@pytest.mark.parametrize("events", [1, 70])
def test_a_timeline_costs_the_same_however_much_there_is(source, events, django_assert_num_queries):
    alert = make_full_alert(source, events=events)
    anchor = anchor_of(alert)
    window = read_window({"span": "24h"}, anchor)
    with django_assert_num_queries(5):
        found = timeline(alert, window, anchor)
    assert (found.total, len(found.rows)) == (events, min(events, rooms.ROWS))


@pytest.mark.once
def test_windows_are_read_from_the_address():
    noon = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
    for key, _, half in rooms.SPANS:
        window = read_window({"span": key}, noon)
        assert (window.start, window.end, window.query) == (noon - half, noon + half, f"span={key}")
    window = read_window({"from": "2026-03-01T12:00:00+02:00", "to": "2026-03-01T11:00:00"}, noon)
    assert (window.start.hour, window.end.hour, window.span) == (10, 11, "")
    assert read_window(dict(pair.split("=") for pair in window.query.replace("%3A", ":").split("&")), noon) == window


@pytest.mark.once
@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"span": "2y"}, "span"),
        ({"from": "2026-03-01T12:00:00Z"}, "to"),
        ({"to": "2026-03-01T12:00:00Z"}, "from"),
        ({"from": "x", "to": "y"}, "from"),
        ({"from": "9999-12-31T23:59:59-14:00", "to": "9999-12-31T23:59:59Z"}, "from"),
        ({"from": "0001-01-01T00:00:00Z", "to": "0001-01-01T01:00:00Z"}, "from"),
        ({"from": "2026-03-01T12:00:00Z", "to": "2026-03-01T11:00:00Z"}, "at least"),
        ({"from": "2026-03-01T12:00:00Z", "to": "2026-03-01T12:00:00Z"}, "at least"),
        ({"from": "2026-03-01T12:00:00Z", "to": "2026-03-09T12:00:00Z"}, "at most"),
    ],
)
def test_a_window_that_makes_no_sense_is_named(asked, named):
    with pytest.raises(WindowError, match=named):
        read_window(asked, START)


@pytest.mark.once
def test_moving_and_zooming_stay_in_bounds():
    window = read_window({}, START)
    assert (window.moved(0.5).start, window.moved(0.5).end) == (START, START + 30 * MINUTE)
    assert window.moved(0, factor=0.5).end == START + 7.5 * MINUTE
    for factor, length in ((1e-9, rooms.SHORTEST), (1e9, rooms.LONGEST)):
        moved = window.moved(0, factor=factor)
        assert moved.end - moved.start == length
