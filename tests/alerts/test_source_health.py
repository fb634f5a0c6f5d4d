"""Source health on the pages: states in words, never 0 for what was not measured, settings audited."""

import datetime as dt
import doctest

import pytest
from django.urls import reverse
from django.utils import timezone

from alerts.models import AuditEntry
from alerts.selectors import estate
from alerts.services import sources
from alerts.templatetags import winnow
from tests.factories import make_batch, make_source
from triage import minutes, watch
from triage.models import Source, SourceHealth

pytestmark = pytest.mark.django_db
SETTINGS = {"enabled": "on", "parser": "", "records_per_second": "", "mebibytes_per_day": ""}


@pytest.fixture
def lead(client, charlie):
    client.force_login(charlie)
    return client


def feed(source, *, ended=dt.timedelta(0), count=300):
    """Write the figures of a feed of every minute that ended so long ago."""
    end = timezone.now() - ended
    last = minutes.minute_of(end.timestamp())
    rows = []
    for minute in range(last - count + 1, last + 1):
        row = minutes.Minute(source.pk, minute, records=10, bytes=900, events=10, fallback=1, unknown=2)
        row.parsers.update(syslog=9, fallback=1)
        row.lag_count, row.lag_sum, row.lag_medians, row.lag_min, row.lag_max = 10, 20.0, 20.0, 1.0, 3.0
        row.lags[1] = 10
        rows.append(row)
    minutes.add(rows)
    make_batch(source, "x", received_at=end, status="done", processed_at=end)


def test_the_examples_hold():
    assert doctest.testmod(winnow).failed == 0


def test_what_was_not_measured_is_never_zero(lead):
    source = make_source()
    text = lead.get("/sources/").text
    assert text.count("not measured") == 7
    watch.watch()
    for url in ("/sources/", reverse("source", args=[source.pk])):
        text = lead.get(url).text
        assert "0 %" not in text
        assert '<b><i aria-hidden="true"></i>well</b>' not in text


def test_a_silent_source_is_named_on_both_pages_and_first(lead):
    feed(make_source("a well one"))
    silent = make_source("the silent one")
    feed(silent, ended=dt.timedelta(minutes=7))
    watch.watch()
    text = lead.get("/sources/").text
    assert text.index("the silent one") < text.index("a well one")
    assert "No record for 7 min; it usually sends at least every 60 s." in text
    queue = lead.get("/").text.partition('id="trouble"')[2].partition("</div>")[0]
    assert "the silent one" in queue
    assert "a well one" not in queue
    assert "the silent one" in lead.get("/queue/pulse/").text
    assert "Silent." in lead.get(reverse("source_received", args=[silent.pk])).text


def test_shares_and_lag_are_shown(lead):
    source = make_source()
    feed(source)
    minutes.add_taken([minutes.Taken(source.pk, minutes.minute_of(timezone.now().timestamp()), refused_rate=1234)])
    watch.watch()
    (row,) = estate.sources()
    assert (row.health.coverage, row.health.unknown, row.health.lag) == (pytest.approx(90), pytest.approx(20), "2 s")
    assert (row.health.skew, row.health.usual_gap, row.health.refused) == ("none seen", "60 s", 1234)
    text = lead.get(reverse("source", args=[source.pk])).text
    for part in ("90.0 %", "20.0 %", "2 s", "1,234", "over the source&#x27;s own limit", "n = 3,000"):
        assert part in text


def test_an_old_judgement_is_not_passed_off_as_the_present_state(lead):
    feed(make_source(), ended=dt.timedelta(minutes=7))
    watch.watch()
    assert "No record for" in lead.get("/sources/").text
    SourceHealth.objects.update(judged_at=timezone.now() - dt.timedelta(minutes=4))
    text = lead.get("/sources/").text
    assert "No record for" not in text
    assert estate.sources()[0].stale is True


def test_settings_are_saved_and_audited(lead):
    source = make_source()
    data = SETTINGS | {"parser": "syslog", "records_per_second": "500", "mebibytes_per_day": "2", "use_ack": "on"}
    response = lead.post(reverse("source_change", args=[source.pk]), data)
    assert (response.status_code, response.headers["Location"]) == (302, f"/sources/{source.pk}/")
    source.refresh_from_db()
    assert (source.enabled, source.use_ack, source.parser) == (True, True, "syslog")
    assert (source.records_per_second, source.bytes_per_day) == (500, 2 * 2**20)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor) == ("change_source", "charlie")
    assert entry.details["source_id"] == source.pk
    assert entry.details["changes"] == {
        "use_ack": [False, True],
        "parser": ["", "syslog"],
        "records_per_second": [None, 500],
        "bytes_per_day": [None, 2 * 2**20],
    }


def test_a_form_without_changes_leaves_no_trace(lead):
    source = make_source()
    assert lead.post(reverse("source_change", args=[source.pk]), SETTINGS).status_code == 302
    assert AuditEntry.objects.count() == 0


@pytest.mark.parametrize(
    "wrong",
    [{"parser": "nonsense"}, {"records_per_second": "0"}, {"records_per_second": "x"}, {"mebibytes_per_day": "-1"}],
)
def test_wrong_settings_are_refused_and_change_nothing(lead, wrong):
    source = make_source()
    response = lead.post(reverse("source_change", args=[source.pk]), SETTINGS | {"use_ack": "on"} | wrong)
    assert response.status_code == 422
    assert "Not saved." in response.text
    source.refresh_from_db()
    assert (source.use_ack, source.parser, source.records_per_second) == (False, "", None)
    assert AuditEntry.objects.count() == 0


def test_a_source_that_does_not_exist_cannot_be_changed(lead):
    assert lead.post(reverse("source_change", args=[77]), SETTINGS).status_code == 404


def test_nothing_else_of_a_source_can_be_changed(charlie):
    source = make_source()
    with pytest.raises(ValueError, match="token_hash"):
        sources.change_source(source_id=source.pk, user=charlie, token_hash="x")
    assert Source.objects.get().token_hash == source.token_hash


def test_metrics_and_doctor_tell_of_silent_sources(client):
    from triage.management import diagnosis

    assert diagnosis.sources().healthy is True
    source = make_source()
    feed(source, ended=dt.timedelta(minutes=7))
    minutes.add_taken([minutes.Taken(source.pk, minutes.minute_of(timezone.now().timestamp()), refused_busy=3)])
    make_source("never sent")
    watch.watch()
    lines = client.get("/metrics").text.splitlines()
    assert 'winnow_source_state{source="edge",state="silent"} 1' in lines
    assert 'winnow_source_parsed_share{source="edge"} 0.9' in lines
    assert 'winnow_source_refused_requests{source="edge",reason="busy"} 3' in lines
    assert not [line for line in lines if line.startswith("winnow_source_parsed_share") and "never sent" in line]
    finding = diagnosis.sources()
    assert (finding.healthy, finding.detail) == (False, "edge: silent, refused")
