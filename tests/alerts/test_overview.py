"""The overview's figures, exact on small data, the same on every database."""

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from alerts.models import Alert, AlertTechnique, Explanation, MuteRule, SpendBlock, Verdict
from alerts.selectors import overview, overview_estate, overview_quality, overview_rates, overview_times
from alerts.selectors.overview import SpanError, span_of
from tests.alerts.rows import make_alert
from tests.factories import make_batch, make_source
from triage.models import ModelVersion, RawBatch, Source, SourceHealth, SourceMinute

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 11, 23, 12, 0, 30, tzinfo=dt.UTC)
HOUR, MINUTE = dt.timedelta(hours=1), dt.timedelta(minutes=1)


def aged(source: Source, age: dt.timedelta, *, acted: float | None = None, decided: float | None = None, **fields: Any):
    """Return an alert opened ``age`` before NOW, first touched and decided so many seconds later."""
    alert = make_alert(source, **fields)
    opened = NOW - age
    changes = {
        "created_at": opened,
        "first_action_at": None if acted is None else opened + dt.timedelta(seconds=acted),
        "decided_at": None if decided is None else opened + dt.timedelta(seconds=decided),
    }
    Alert.objects.filter(pk=alert.pk).update(**changes)
    return alert


def decide(alert: Alert, user, value: str, ago: dt.timedelta = HOUR, **fields: Any) -> Verdict:
    verdict = Verdict.objects.create(alert=alert, value=value, user=user, decided_by="person" if user else "automation")
    Verdict.objects.filter(pk=verdict.pk).update(created_at=NOW - ago, **fields)
    return verdict


def test_a_span_ends_with_the_minute_under_way_and_steps_fill_it():
    span = span_of("7d", NOW)
    end = dt.datetime(2026, 11, 23, 12, 1, tzinfo=dt.UTC)
    assert (span.end, span.start) == (end, end - dt.timedelta(days=7))
    assert (len(span.moments), span.moments[0], span.step_words) == (84, int(span.start.timestamp()), "2 h")
    assert span.moments[-1] + 7200 == int(span.end.timestamp())
    assert span_of("", NOW).name == "24h"
    with pytest.raises(SpanError, match="range: one of 24h, 7d, 30d"):
        span_of("1h", NOW)


def test_open_alerts_by_severity_and_age_and_the_oldest():
    source = make_source()
    oldest = aged(source, dt.timedelta(days=9), severity="low")
    aged(source, dt.timedelta(minutes=59), severity="critical")
    aged(source, dt.timedelta(hours=4, seconds=1), severity="critical")
    aged(source, HOUR, severity="high", status="closed")
    aged(source, HOUR, severity="high", status="muted")
    found = overview.waiting(NOW)
    counts = {line.level: [cell.count for cell in line.cells] for line in found.lines}
    assert counts == {
        "critical": [1, 0, 1, 0, 0], "high": [0] * 5, "medium": [0] * 5, "low": [0, 0, 0, 0, 1], "info": [0] * 5,
    }  # fmt: skip
    assert (found.total, found.grave, found.columns) == (3, 2, [1, 0, 1, 0, 1])
    assert (found.oldest, found.oldest_at) == (oldest.pk, NOW - dt.timedelta(days=9))
    assert [line.address for line in found.lines][:2] == ["/?severity=critical", "/?severity=high"]


def test_a_blind_audit_is_counted_as_hidden_and_never_by_its_severity():
    source = make_source()
    aged(source, HOUR, severity="critical", origin="blind_audit", inclusion_probability=0.1)
    found = overview.waiting(NOW)
    assert {line.level: line.count for line in found.lines if line.count} == {"blind": 1}
    assert (found.grave, found.total, found.lines[-1].address) == (0, 1, "/?mark=blind")
    assert overview.waiting(NOW).lines[0].cells[1].count == 0


def test_nothing_open_has_no_oldest():
    found = overview.waiting(NOW)
    assert (found.total, found.oldest, found.oldest_at, len(found.lines)) == (0, None, None, 5)


def test_times_are_percentiles_of_what_has_happened_and_say_who_still_waits(alice):
    edge, proxy = make_source("edge"), make_source("proxy")
    for seconds in (60, 120, 600):
        aged(edge, 2 * HOUR, severity="high", acted=seconds, decided=2 * seconds, assignee=alice, status="closed")
    aged(proxy, 2 * HOUR, severity="low", acted=30)
    aged(proxy, 2 * HOUR, severity="low")
    aged(proxy, 2 * HOUR, severity="low", status="muted")
    aged(proxy, dt.timedelta(days=3), severity="low", acted=1)
    aged(proxy, HOUR, severity="critical", acted=1, origin="blind_audit", inclusion_probability=0.1)
    found = overview_times.times(span_of("24h", NOW))
    total = found.all
    assert (total.opened, total.untouched) == (5, 1)
    assert (total.first_action.median, total.first_action.p90, total.first_action.n) == (60, 600, 4)
    assert (total.verdict.median, total.verdict.p90, total.verdict.n) == (240, 1200, 3)
    assert [(line.key, line.opened, line.untouched) for line in found.severities] == [("high", 3, 0), ("low", 2, 1)]
    low = found.severities[1]
    assert (low.first_action.median, low.first_action.n, low.verdict.median, low.verdict.n) == (30, 1, None, 0)
    assert [(line.label, line.opened, line.address) for line in found.owners] == [
        ("alice", 3, f"/?status=all&assignee={alice.pk}"), ("nobody", 2, "/?status=all&assignee=nobody"),
    ]  # fmt: skip
    assert [(line.label, line.address) for line in found.sources] == [
        ("edge", f"/?status=all&source={edge.pk}"), ("proxy", f"/?status=all&source={proxy.pk}"),
    ]  # fmt: skip


def test_without_alerts_no_time_is_measured():
    found = overview_times.times(span_of("24h", NOW))
    assert (found.all.opened, found.all.first_action.median, found.severities, found.owners) == (0, None, [], [])


def test_many_sources_are_cut_and_counted():
    for number in range(10):
        for _ in range(number + 1):
            aged(make_source(f"s{number}") if not _ else Source.objects.get(name=f"s{number}"), HOUR)
    found = overview_times.times(span_of("24h", NOW))
    assert ([line.label for line in found.sources][:2], len(found.sources), found.more_sources) == (["s9", "s8"], 8, 2)


def test_the_mix_and_the_precision_rest_on_the_newest_standing_verdict_of_a_person(alice):
    source = make_source()
    alerts = [make_alert(source, severity="high" if number < 4 else "low") for number in range(8)]
    for alert in alerts[:4]:
        decide(alert, alice, "fp_logic", 2 * HOUR)
    for alert in alerts[:3]:
        decide(alert, alice, "tp_impact")
    decide(alerts[3], alice, "tp_impact", withdrawn_at=NOW)
    decide(alerts[4], alice, "duplicate")
    decide(alerts[5], alice, "benign_tp")
    decide(alerts[6], None, "fp_data")
    decide(alerts[7], alice, "tp_impact", dt.timedelta(days=2))
    found = overview_quality.decisions(span_of("24h", NOW))
    assert [(share.value, share.count) for share in found.mix] == [
        ("tp_impact", 3), ("benign_tp", 1), ("fp_logic", 1), ("duplicate", 1),
    ]  # fmt: skip
    assert [share.start for share in found.mix] == pytest.approx([0, 50, 50 + 100 / 6, 50 + 200 / 6])
    assert (found.decided, found.automatic) == (6, 1)
    rate = found.precision.rate
    assert rate is not None
    assert (rate.value, rate.n, round(rate.low, 4), round(rate.high, 4)) == (0.6, 5, 0.2307, 0.8824)
    by_level = {line.level: line.rate and (line.rate.value, line.rate.n) for line in found.by_severity}
    assert by_level == {"critical": None, "high": (0.75, 4), "medium": None, "low": (0.0, 1), "info": None}


def test_blind_audits_speak_once_judged_and_by_how_they_were_drawn(alice):
    source = make_source()
    audits = [
        make_alert(source, origin="blind_audit", inclusion_probability=0.1, p_value=p) for p in (0.01, 0.05, 0.051, 0.9)
    ]
    span = span_of("24h", NOW)
    assert [line.rate for line in overview_quality.decisions(span).missed] == [None, None]
    decide(audits[0], alice, "tp_no_impact")
    decide(audits[1], alice, "benign_tp")
    decide(audits[2], alice, "fp_data")
    decide(audits[3], alice, "undetermined")
    found = overview_quality.decisions(span)
    assert [(line.rate and (line.rate.value, line.rate.n)) for line in found.missed] == [(0.5, 2), (0.0, 1)]
    assert (found.audited, found.decided, found.precision.rate) == (3, 0, None)


def minute_of(moment: dt.datetime) -> int:
    return int(moment.timestamp()) // 60


def test_what_came_in_is_read_per_minute_and_not_measured_before_the_first():
    source, span = make_source(), span_of("24h", NOW)
    first = minute_of(span.start)
    rows = [(first + 60, 300, 290), (first + 61, 30, 30), (first + 1439, 60, 60), (first + 1440, 999, 999)]
    for minute, records, events in rows:
        SourceMinute.objects.create(source=source, minute=minute, records=records, events=events)
    found = overview_rates.intake(span)
    received, stored = (series.values for series in found.events.series)
    assert list(received[:4]) == [None, None, 11.0, 0.0]
    assert stored[2] == pytest.approx(320 / 30)
    assert (received[-1], found.records, found.stored) == (2.0, 390, 380)
    assert found.events.x == span.moments
    assert found.events.rows[0].cells[0].value is None


def test_without_anything_nothing_is_measured_and_nothing_is_zero():
    found = overview_rates.intake(span_of("24h", NOW))
    assert (found.records, found.stored, found.flagged_events, found.share) == (None, None, None, None)
    assert found.events.empty
    assert found.flagged.empty


def scored(source: Source, ago: dt.timedelta, events: int, flagged: int, model: ModelVersion | None) -> None:
    batch = make_batch(source, "x", received_at=NOW - ago)
    changes = {"status": "done", "event_count": events, "flagged_count": flagged, "model_version": model}
    RawBatch.objects.filter(pk=batch.pk).update(**changes)


def test_what_was_flagged_is_known_only_where_something_was_scored():
    source, span = make_source(), span_of("24h", NOW)
    model = ModelVersion.objects.create(version="v1", detector="x", artefact_sha256="0", trained_at=NOW)
    scored(source, 20 * HOUR, 500, 0, None)
    scored(source, 10 * HOUR, 100, 3, model)
    scored(source, 10 * HOUR, 100, 1, model)
    scored(source, 5 * HOUR, 100, 0, None)
    scored(source, 10 * MINUTE, 800, 0, model)
    found = overview_rates.intake(span)
    values = list(found.flagged.series[0].values)
    assert values[:27] == [None] * 27
    assert values[27:] == [4, *[0] * 9, None, *[0] * 10]
    assert (found.flagged_events, found.share and (found.share.n, found.share.value)) == (4, (1000, 0.004))


def test_alerts_opened_and_explained_are_counted_per_step_without_blind_audits():
    source, span = make_source(), span_of("24h", NOW)
    old = aged(source, dt.timedelta(days=5))
    new = aged(source, 45 * MINUTE)
    aged(source, 20 * MINUTE)
    aged(source, 20 * MINUTE, origin="blind_audit", inclusion_probability=0.1)
    for alert, failure in ((old, ""), (new, ""), (new, ""), (new, "timeout")):
        row = Explanation.objects.create(alert=alert, explainer="evidence", failure=failure)
        moment = NOW - (dt.timedelta(days=4) if alert == old else 10 * MINUTE)
        Explanation.objects.filter(pk=row.pk).update(created_at=moment)
    found = overview_rates.flow(span)
    opened, explained = (list(series.values) for series in found.chart.series)
    assert (opened[-2:], sum(opened), found.opened) == ([1, 1], 2, 2)
    assert (explained[-1], found.explained) == (1, 1)


def test_the_heat_map_counts_what_fired_under_each_of_its_tactics():
    source = make_source()
    first, second = aged(source, HOUR), aged(source, HOUR, status="closed")
    blind = aged(source, HOUR, origin="blind_audit", inclusion_probability=0.1)
    old = aged(source, dt.timedelta(days=2))
    for alert, technique in ((first, "T1110"), (second, "T1110"), (first, "T1053.005"), (first, "T9999"),
                             (blind, "T1003"), (old, "T1486")):  # fmt: skip
        AlertTechnique.objects.create(alert=alert, technique_id=technique)
    found = overview_estate.heat_map(span_of("24h", NOW))
    cells = {tactic.name: [(one.technique_id, one.count, one.open) for one in tactic.fired] for tactic in found.tactics}
    assert cells == {
        "Execution": [("T1053.005", 1, 1)],
        "Persistence": [("T1053.005", 1, 1)],
        "Privilege Escalation": [("T1053.005", 1, 1)],
        "Credential Access": [("T1110", 2, 1)],
        "Not in ATT&CK": [("T9999", 1, 1)],
    }
    assert found.techniques == 3
    assert "Impact" in found.quiet
    assert found.tactics[3].fired[0].address == "/?status=all&technique=T1110"


def test_sources_that_need_a_look_come_first_and_old_judgements_count_for_nothing():
    busy, silent, _, off = (make_source(name) for name in ("busy", "silent", "new", "off"))
    Source.objects.filter(pk=off.pk).update(enabled=False)
    judged = timezone.now()
    SourceHealth.objects.create(source=busy, judged_at=judged, figures={"day_events": 900, "coverage": 0.5})
    SourceHealth.objects.create(source=silent, judged_at=judged, states=[["silent", "why"]], troubled=True)
    SourceHealth.objects.create(source=off, judged_at=judged - HOUR, states=[["silent", "why"]], troubled=True)
    make_batch(busy, "x", received_at=NOW)
    found = overview_estate.sources()
    assert [row.source.name for row in found.rows] == ["silent", "busy", "new", "off"]
    assert (found.total, found.troubled, found.judged) == (4, 1, 2)
    assert (found.rows[1].last_seen_at, found.rows[1].health.coverage) == (NOW, 50.0)
    assert found.rows[2].health is None


def test_money_is_none_without_a_language_model_and_a_cap_overshot_is_above_one(settings):
    settings.LLM_BASE_URL = ""
    assert overview_estate.money(NOW) is None
    settings.LLM_BASE_URL, settings.LLM_DAILY_BUDGET_USD = "http://127.0.0.1:9/v1", 5.0
    SpendBlock.objects.create(scope="all", period="2026-11-23", spent_microusd=6_000_000, calls=3)
    SpendBlock.objects.create(scope="source:1", period="2026-11-23", spent_microusd=9_000_000, calls=3)
    found = overview_estate.money(NOW)
    assert found is not None
    assert [(cap.label, cap.spent_usd, cap.calls) for cap in found.caps] == [("Today", 6.0, 3), ("This month", 0.0, 0)]
    assert found.caps[0].share == 1.2


def test_mute_rules_in_force_are_counted_and_ended_ones_are_not(alice):
    common = {"owner": alice, "reason": "x", "entity": "user:x", "expires_at": NOW + HOUR}
    MuteRule.objects.create(**common, hidden_count=5, shown_count=1)
    MuteRule.objects.create(**common, hidden_count=7)
    MuteRule.objects.create(**common, hidden_count=100, ended_at=NOW)
    MuteRule.objects.create(**(common | {"expires_at": NOW}), hidden_count=100)
    found = overview_estate.mutes(NOW)
    assert [rule.hidden_count for rule in found.rules] == [7, 5]
    assert (found.total, found.hidden, found.shown) == (2, 12, 1)
