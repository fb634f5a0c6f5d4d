"""Verdicts as labels, and the precision they give."""

import pytest
from django.utils import timezone

from alerts.models import Alert, Verdict
from alerts.selectors import labels
from tests.factories import make_source
from triage.models import User

pytestmark = pytest.mark.django_db


def make_alert(number: int, **fields: object) -> Alert:
    now = timezone.now()
    source = Alert.objects.first().source if Alert.objects.exists() else make_source()
    defaults = {"fingerprint": str(number), "title": "t", "source": source, "first_seen_at": now, "last_seen_at": now}
    return Alert.objects.create(**(defaults | fields))


def decide(alert: Alert, value: str, user: User | None) -> None:
    Verdict.objects.create(alert=alert, value=value, user=user, decided_by="person" if user else "automation")


def test_without_verdicts_precision_is_not_measured(alice: User) -> None:
    make_alert(1)
    assert labels.alert_labels() == {}
    assert labels.precision() is None


def test_each_verdict_of_the_taxonomy_becomes_its_label(alice: User) -> None:
    values = ["tp_impact", "tp_no_impact", "benign_tp", "fp_logic", "fp_data", "duplicate", "undetermined"]
    alerts = [make_alert(number) for number in range(len(values))]
    for alert, value in zip(alerts, values, strict=True):
        decide(alert, value, alice)
    assert labels.alert_labels() == dict(zip([alert.pk for alert in alerts[:5]], [1, 1, 0, 0, 0], strict=True))
    rate = labels.precision()
    assert rate is not None
    assert (rate.value, rate.n) == (0.4, 5)


def test_the_newest_verdict_counts_and_taking_it_back_takes_the_label_back(alice: User) -> None:
    alert = make_alert(1)
    decide(alert, "tp_impact", alice)
    decide(alert, "fp_logic", alice)
    assert labels.alert_labels() == {alert.pk: 0}
    decide(alert, "undetermined", alice)
    assert labels.alert_labels() == {}


def test_automation_and_blind_audits_give_no_label_here(alice: User) -> None:
    decide(make_alert(1), "fp_logic", None)
    decide(make_alert(2, origin="blind_audit", inclusion_probability=0.01), "tp_impact", alice)
    assert labels.alert_labels() == {}
