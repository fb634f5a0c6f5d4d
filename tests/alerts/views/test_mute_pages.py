"""The form of a mute rule with its preview, the list of rules, and who may end one."""

import datetime as dt

import pytest
from django.urls import reverse
from django.utils import timezone

from alerts.models import Alert, AuditEntry, MuteRule, ReviewAction
from alerts.services import muting, review
from alerts.services.muting import Scope
from tests.alerts.rows import HOSTILE, make_alert
from tests.factories import make_source

pytestmark = pytest.mark.django_db
KIND = "a" * 64


@pytest.fixture
def ana(client, make_user):
    user = make_user("ana", "analyst")
    client.force_login(user)
    return user


@pytest.fixture(autouse=True)
def _nothing_sampled(monkeypatch):
    """The audit share is drawn by a hash; these tests are not about it."""
    monkeypatch.setattr(muting, "sampled", lambda rule, alert: False)


@pytest.fixture
def alert():
    return make_alert(make_source(), template=KIND, severity="low")


def sent(alert, **changes):
    usual = {"alert": alert.pk, "template": "1", "max_severity": "low", "reason": "the nightly scan", "days": "7"}
    return usual | {"audit_percent": "5"} | changes


def text_of(response):
    return " ".join(response.content.decode().split())


def test_the_form_starts_with_the_alert_and_what_its_rule_would_have_hidden(client, ana, alert):
    for value in ("fp_logic", "tp_impact"):
        decided = make_alert(alert.source, template=KIND, severity="low", entity=alert.entity)
        review.record_verdict(alert_id=decided.pk, value=value, user=ana, expected_revision=None)
    body = text_of(client.get(reverse("mute_new"), {"alert": alert.pk}))
    assert "<b>3</b> alerts in the last 30 days would have been hidden" in body
    assert "<b>1 true positive</b> would have been hidden" in body
    assert 'role="alert"' in body
    assert "<b>1</b> open now would leave the queue" in body
    assert 'name="template" value="1" checked' in body
    assert 'name="days" min="1" max="90" required value="7"' in body
    assert '<option value="low" selected>' in body
    assert '<option value="high" disabled>' in body
    assert MuteRule.objects.count() == 0


def test_the_form_of_a_severe_alert_says_that_it_stays(client, ana, alert):
    alert.severity, alert.severity_rank = "high", 3
    alert.save()
    body = text_of(client.get(reverse("mute_new"), {"alert": alert.pk}))
    assert '<option value="medium" selected>' in body
    assert "This alert itself stays in the queue: it is high." in body


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"template": ""}, "Choose this kind of alert, this entity, or both."),
        ({"max_severity": ""}, "Choose a severity."),
    ],
)
def test_a_preview_says_what_is_missing(client, ana, alert, changes, why):
    assert why in text_of(client.get(reverse("mute_preview"), sent(alert, **changes)))


def test_a_preview_follows_the_form_and_stores_nothing(client, ana, alert):
    make_alert(alert.source, template=KIND, severity="low", entity="user:other")
    wide = text_of(client.get(reverse("mute_preview"), sent(alert)))
    narrow = text_of(client.get(reverse("mute_preview"), sent(alert, entity="1")))
    assert "<b>2</b> alerts in the last 30 days" in wide
    assert "<b>1</b> alert in the last 30 days" in narrow
    assert (MuteRule.objects.count(), AuditEntry.objects.count()) == (0, 0)


@pytest.mark.parametrize(
    "query", [{}, {"alert": "x"}, {"alert": "999999999"}, {"alert": "9" * 30}, {"alert": "\u0661"}]
)
def test_an_alert_that_is_none_has_no_form(client, ana, query):
    assert client.get(reverse("mute_new"), query).status_code == 404
    assert client.get(reverse("mute_preview"), query).status_code == 404


def test_a_blind_audit_cannot_be_muted(client, ana, alert):
    Alert.objects.update(origin="blind_audit")
    assert client.get(reverse("mute_new"), {"alert": alert.pk}).status_code == 404
    assert client.post(reverse("mute_new"), sent(alert)).status_code == 404
    assert MuteRule.objects.count() == 0


def test_making_a_rule_says_what_it_did(client, ana, alert):
    other = make_alert(alert.source, template=KIND, severity="low", entity="user:other")
    body = text_of(client.post(reverse("mute_new"), sent(alert, days="30", audit_percent="20"), follow=True))
    rule = MuteRule.objects.get()
    assert "Muted: 2 hidden now." in body
    assert (rule.owner, rule.template, rule.entity, rule.source, rule.max_severity) == (ana, KIND, "", None, "low")
    assert (rule.audit_share, rule.reason) == (0.2, "the nightly scan")
    assert (rule.expires_at - rule.created_at).days in {29, 30}
    assert set(Alert.objects.filter(status="muted", mute_rule=rule)) == {alert, other}
    assert ReviewAction.objects.get().kind == "mute"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"reason": "  "}, "reason"),
        ({"days": "91"}, "days"),
        ({"audit_percent": "0"}, "audit_percent"),
        ({"max_severity": "critical"}, "only a lead may mute above medium"),
        ({"template": ""}, "say what to mute"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_with_the_form(client, ana, alert, changes, why):
    response = client.post(reverse("mute_new"), sent(alert, **changes))
    assert response.status_code == 422
    assert "Nothing was muted" in text_of(response)
    assert why in text_of(response)
    alert.refresh_from_db()
    assert (alert.status, MuteRule.objects.count(), AuditEntry.objects.count()) == ("open", 0, 0)


def test_only_its_owner_or_a_lead_ends_a_rule(client, ana, alert, make_user):
    rule = muting.mute(
        alert_id=alert.pk, user=make_user("lea", "lead"), scope=Scope(template=KIND), reason="x", days=7
    )  # fmt: skip
    assert "End, bring back" not in text_of(client.get(reverse("mutes")))
    body = text_of(client.post(reverse("mute_end", args=[rule.pk]), {"bring_back": "1"}, follow=True))
    assert "Nothing was changed: only its owner or a lead may end a rule." in body
    alert.refresh_from_db()
    assert alert.status == "muted"
    assert client.post(reverse("mute_end", args=[rule.pk + 1])).status_code == 404


def test_an_owner_brings_back_what_an_expired_rule_still_hides(client, ana, alert):
    rule = muting.mute(alert_id=alert.pk, user=ana, scope=Scope(template=KIND), reason="x", days=7)
    assert "End, bring back 1" in text_of(client.get(reverse("mutes")))
    MuteRule.objects.update(expires_at=timezone.now() - dt.timedelta(seconds=1))
    assert "Bring back 1</button>" in text_of(client.get(reverse("mutes")))
    body = text_of(client.post(reverse("mute_end", args=[rule.pk]), {"bring_back": "1"}, follow=True))
    assert "The rule is over; 1 alert came back." in body
    alert.refresh_from_db()
    assert alert.status == "open"


def test_the_pages_ask_as_often_whatever_they_show(client, ana, alert, django_assert_num_queries, monkeypatch):
    def make(count, kind):
        for number in range(count):
            one = make_alert(alert.source, template=f"{kind}{number:063d}", severity="low")
            muting.mute(alert_id=one.pk, user=ana, scope=Scope(template=one.template), reason="x", days=7)
            review.record_verdict(alert_id=one.pk, value="fp_logic", user=ana, expected_revision=None)

    make(1, "b")
    with django_assert_num_queries(6):  # session, person, rules in force, rules over, verdicts, hidden
        assert client.get(reverse("mutes")).status_code == 200
    make(9, "c")
    with django_assert_num_queries(6):
        assert client.get(reverse("mutes")).status_code == 200
    with django_assert_num_queries(8):
        client.get(reverse("mute_new"), {"alert": alert.pk})
    for _ in range(9):
        make_alert(alert.source, template=KIND, severity="low")
    with django_assert_num_queries(8):
        client.get(reverse("mute_new"), {"alert": alert.pk})


def test_hostile_text_is_only_text(client, ana):
    source = make_source(HOSTILE[:60])
    alert = make_alert(source, title=HOSTILE, entity=f"user:{HOSTILE}", template=KIND, severity="low")
    form = client.get(reverse("mute_new"), {"alert": alert.pk}).content.decode()
    muting.mute(alert_id=alert.pk, user=ana, scope=Scope(KIND, alert.entity, source.pk), reason=HOSTILE, days=7)
    for body in (form, client.get(reverse("mutes")).content.decode()):
        assert "&lt;script&gt;" in body
        assert "<script>window" not in body
        assert "<img" not in body
        assert "\u202e" not in body
