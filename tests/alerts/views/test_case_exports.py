"""An alert as a file: from its page and from the API, for analysts, each in the trail, and nothing of a blind audit."""

import json

import pytest
from django.utils import timezone

from alerts.models import AuditEntry, Verdict
from tests.alerts.explained import by_model
from tests.alerts.flagged_events import REASON, START
from tests.alerts.rows import HOSTILE, make_alert, make_full_alert
from tests.factories import make_source
from triage.authentication import hash_token
from triage.models import ApiToken

pytestmark = pytest.mark.django_db


@pytest.fixture
def alert():
    return make_full_alert(make_source(), text="eve logged in", title="eve logged in", techniques=["T1078", "T0000"])


@pytest.fixture
def analyst(client, alice):
    client.force_login(alice)
    return client


def entries() -> list[tuple[str, str, int]]:
    return list(AuditEntry.objects.filter(action="alert.exported").values_list("actor", "details__format", "alert_id"))


@pytest.mark.parametrize("form", ["json", "thehive", "iris"])
def test_a_page_hands_out_a_file_and_the_trail_knows(analyst, alert, form):
    answer = analyst.post(f"/alerts/{alert.pk}/export/", {"format": form})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    name = "json" if form == "json" else f"{form}.json"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="winnow-alert-{alert.pk}.{name}"'
    assert "eve logged in" in json.dumps(answer.json())
    assert entries() == [("alice", form, alert.pk)]


def test_the_api_hands_out_the_same_file(client, analyst, alert, alice):
    page = analyst.post(f"/alerts/{alert.pk}/export/", {"format": "json"}).json()
    ApiToken.objects.create(user=alice, token_hash=hash_token("t" * 40), scope="read")
    client.logout()
    answer = client.get(
        f"/api/v1/alerts/{alert.pk}/export?format=json", headers={"Authorization": f"Bearer {'t' * 40}"}
    )
    assert answer.status_code == 200
    told = answer.json()
    assert page | {"exported_at": ""} == told | {"exported_at": ""}
    assert told["techniques"] == [{"id": "T1078", "name": "Valid Accounts"}]
    assert told["events"][0]["fields"]["user.name"] == "eve logged in"
    assert len(entries()) == 2


def test_stix_needs_a_verdict_that_says_malicious_and_something_to_say(analyst, alert, alice):
    url = f"/api/v1/alerts/{alert.pk}/export?format=stix"
    refused = analyst.get(url)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "not_exported")
    Verdict.objects.create(alert=alert, value="benign_tp", decided_by="person", user=alice)
    assert analyst.get(url).status_code == 409
    Verdict.objects.create(alert=alert, value="tp_impact", decided_by="person", user=alice)
    assert "means the same outside" in analyst.get(url).json()["error"]["message"]
    assert entries() == []
    alert.source_ip = "8.8.4.4"
    alert.save()
    answer = analyst.get(url)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/stix+json;version=2.1")
    assert "[ipv4-addr:value = '8.8.4.4']" in answer.text
    assert entries() == [("alice", "stix", alert.pk)]


def test_a_verdict_that_was_taken_back_says_nothing(analyst, alert, alice):
    Verdict.objects.create(alert=alert, value="tp_impact", decided_by="person", user=alice, withdrawn_at=timezone.now())
    assert analyst.get(f"/api/v1/alerts/{alert.pk}/export?format=stix").status_code == 409


def test_the_page_offers_stix_only_where_there_is_one(analyst, alert, alice):
    assert 'value="stix"' not in analyst.get(f"/alerts/{alert.pk}/").text
    Verdict.objects.create(alert=alert, value="tp_no_impact", decided_by="person", user=alice)
    assert 'value="stix"' in analyst.get(f"/alerts/{alert.pk}/").text


def test_a_blind_audit_is_not_handed_out_before_it_is_decided(analyst):
    blind = make_alert(make_source(), origin="blind_audit", inclusion_probability=0.1)
    assert "Hand over" not in analyst.get(f"/alerts/{blind.pk}/").text
    assert analyst.get(f"/api/v1/alerts/{blind.pk}/export").status_code == 409
    page = analyst.post(f"/alerts/{blind.pk}/export/", {"format": "json"})
    assert page.status_code == 409
    assert entries() == []


@pytest.mark.parametrize(("number", "form", "status"), [(0, "pdf", 400), (0, "", 400), (99, "json", 404)])
def test_what_is_not_there_is_said(analyst, alert, number, form, status):
    assert analyst.get(f"/api/v1/alerts/{number or alert.pk}/export?format={form}").status_code == status
    page = analyst.post(f"/alerts/{number or alert.pk}/export/", {"format": form})
    assert page.status_code == (404 if status == 404 else 409)
    assert entries() == []


def test_a_viewer_takes_nothing_out(client, bob, alert):
    client.force_login(bob)
    assert client.post(f"/alerts/{alert.pk}/export/", {"format": "json"}).status_code == 403
    assert client.get(f"/api/v1/alerts/{alert.pk}/export").status_code == 403
    assert "Hand over" not in client.get(f"/alerts/{alert.pk}/").text
    assert entries() == []


def test_what_the_check_struck_is_not_handed_on(analyst, alert):
    by_model(alert)
    told = analyst.get(f"/api/v1/alerts/{alert.pk}/export").json()["explanation"]
    claims = [claim for section in told["sections"] for claim in section["claims"]]
    assert "User backup logged in." in claims
    assert "It came from 198.51.100.9." not in claims
    assert told["by"] == "language model small-1, 1 of 3 claims borne out by the evidence"


def test_hostile_text_stays_text_in_every_form(analyst):
    hostile = make_full_alert(make_source(), text=HOSTILE, title=HOSTILE[:300], user_name=HOSTILE[:255])
    for form in ("json", "thehive", "iris"):
        answer = analyst.get(f"/api/v1/alerts/{hostile.pk}/export?format={form}")
        assert answer.status_code == 200
        assert "\u202e" not in answer.text, "invisible characters are escaped in the file"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_an_alert_whose_events_have_left_can_still_be_handed_over(analyst):
    alert = make_alert(make_source(), source_ip="8.8.8.8")
    alert.alert_events.create(event_id=2**52 + 7, timestamp=START, score=7.5, reasons=[REASON])
    told = analyst.get(f"/api/v1/alerts/{alert.pk}/export").json()
    assert (told["events"][0]["message"], told["events"][0]["fields"]) == (None, {})
    assert told["indicators"] == [{"kind": "ip", "value": "8.8.8.8", "field": "source.ip"}]
