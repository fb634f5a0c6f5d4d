"""Deciding over HTTP: what the page's script is told, bulk with its question, undo, presence, the palette."""

import datetime as dt

import pytest
from django.urls import reverse
from django.utils import timezone

from alerts.models import Alert, AlertPresence, AuditEntry, ReviewAction, SavedView, Verdict
from alerts.services import presence, review
from tests.alerts.rows import HOSTILE, make_alert, make_full_alert
from tests.factories import make_source

pytestmark = pytest.mark.django_db
JSON = {"Accept": "application/json"}
HTMX = {"HX-Request": "true"}


@pytest.fixture
def page(client, alice):
    client.force_login(alice)
    return client


@pytest.fixture
def source(db):
    return make_source()


def post(page, name, alert, data, **more):
    return page.post(reverse(name, args=[alert.pk]), {"expected_revision": 1} | data, headers=JSON, **more)


def test_the_script_is_told_what_was_done_and_how_to_undo_it(page, source):
    alert = make_alert(source)
    answer = post(page, "alert_verdict", alert, {"value": "fp_logic", "note": "n"}).json()
    action = ReviewAction.objects.get()
    row = answer.pop("row")
    assert answer == {
        "alert": alert.pk,
        "revision": 2,
        "status": "closed",
        "action": action.pk,
        "said": "Closed: False positive (logic)",
    }
    assert f'id="row-{alert.pk}"' in row
    assert 'data-revision="2"' in row
    undone = page.post(reverse("alerts_undo"), {"action": action.pk}, headers=JSON).json()
    assert (undone["ids"], undone["revisions"], undone["skipped"]) == ([alert.pk], {str(alert.pk): [2, 3]}, 0)
    assert undone["said"] == "Undone: Closed: False positive (logic)."
    assert Alert.objects.get().status == "open"


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("alert_assign", {"to": "me"}, "Given to alice"),
        ("alert_assign", {"to": "nobody"}, "Given back"),
        ("alert_escalate", {"note": "n"}, "Escalated"),
        ("alert_verdict", {"value": "undetermined"}, "Undetermined, it stays open"),
    ],
)
def test_each_act_in_words(page, source, name, data, said):
    assert post(page, name, make_alert(source), data).json()["said"] == said


def test_reopening_what_is_open_changes_nothing(page, source):
    alert = make_alert(source)
    answer = post(page, "alert_reopen", alert, {}).json()
    assert (answer["revision"], answer["action"], answer["said"]) == (1, None, "Nothing was changed")


def test_the_revision_is_that_of_the_change_itself(page, source, monkeypatch):
    alert, plain = make_alert(source), review.assign

    def late(**given):
        done = plain(**given)
        Alert.objects.filter(pk=alert.pk).update(revision=9)
        return done

    monkeypatch.setattr(review, "assign", late)
    assert post(page, "alert_assign", alert, {"to": "me"}).json()["revision"] == 2


def test_a_lost_race_says_who_was_faster(page, source, charlie):
    alert = make_alert(source)
    review.record_verdict(alert_id=alert.pk, value="tp_impact", user=charlie, expected_revision=1)
    response = post(page, "alert_verdict", alert, {"value": "fp_data"})
    assert (response.status_code, response.json()) == (
        409,
        {"error": "stale", "message": "charlie closed it as True positive, with impact", "saw": 1, "revision": 2},
    )
    other = make_alert(source)
    review.assign(alert_id=other.pk, assignee=charlie, user=charlie, expected_revision=1)
    response = post(page, "alert_escalate", other, {})
    assert response.json()["message"] == "it has changed since you saw it: charlie has it"
    assert list(Verdict.objects.values_list("value", flat=True)) == ["tp_impact"]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("alert_verdict", {"value": "nope"}),
        ("alert_assign", {"expected_revision": "x"}),
        ("alert_escalate", {"expected_revision": ""}),
        ("alert_escalate", {"withdraw": "1"}),
        ("alert_reopen", {"expected_revision": "0"}),
    ],
)
def test_nonsense_changes_nothing(page, source, name, data):
    response = post(page, name, make_alert(source), data)
    assert (response.status_code, response.json()["error"]) == (422, "invalid")
    assert (AuditEntry.objects.count(), ReviewAction.objects.count()) == (0, 0)


def test_without_a_script_escalating_and_undoing_show_the_alert(page, source):
    alert = make_full_alert(source)
    address = reverse("alert", args=[alert.pk])
    response = page.post(reverse("alert_escalate", args=[alert.pk]), {"expected_revision": 1, "note": "n"})
    assert (response.status_code, response.headers["Location"]) == (302, address)
    assert "Escalated by <bdi>alice</bdi>" in page.get(address).text
    response = page.post(reverse("alerts_undo"))
    assert response.headers["Location"] == address
    assert "Undone: Escalated." in page.get(address).text
    assert "Escalated by" not in page.get(address).text
    response = page.post(reverse("alerts_undo"), follow=True)
    assert "Nothing was changed: nothing of your last 10 actions is left to undo." in response.text


def test_an_undo_says_what_it_left_alone(page, source, charlie):
    first, second = make_alert(source), make_alert(source)
    data = {"do": "verdict", "value": "fp_data", "alerts": f"{first.pk}:1 {second.pk}:1"}
    page.post(reverse("alerts_bulk"), data, headers=JSON)
    review.reopen(alert_id=second.pk, user=charlie, expected_revision=2)
    answer = page.post(reverse("alerts_undo"), headers=JSON).json()
    assert answer["said"] == (
        "Undone for 1 of 2: 2 alerts closed: False positive (data). "
        f"Left as it is: alert {second.pk} (changed since by charlie)."
    )
    assert answer["left"] == [{"id": second.pk, "reason": "changed since by charlie"}]
    again = page.post(reverse("alerts_undo"), headers=JSON).json()
    assert (again["undone"], again["said"]) == (
        0,
        "Nothing was changed: nothing of your last 10 actions is left to undo.",
    )
    assert page.post(reverse("alerts_undo"), {"action": "x"}, headers=JSON).status_code == 422


def test_the_question_before_many_says_the_exact_number(page, source):
    alerts = [make_alert(source, severity="low") for _ in range(3)]
    make_alert(source, severity="high")
    make_alert(source, origin="blind_audit", inclusion_probability=0.1, severity="low")
    text = page.get("/alerts/bulk/confirm/?severity=low&bulk_do=verdict&bulk_value=fp_data", headers=HTMX).text
    assert '<span class="number" data-count>3</span> alerts match' in text
    assert '<input type="hidden" name="query" value="severity=low">' in text
    assert 'value="fp_data" required checked' in text
    assert "<html" not in text
    everything = page.get("/alerts/bulk/confirm/").text
    assert "1 blind audit, decided one by one," in everything
    assert "<html" in everything
    assert [alert.status for alert in Alert.objects.filter(pk__in=[one.pk for one in alerts])] == ["open"] * 3


def told(page, query):
    text = page.get(f"/alerts/bulk/confirm/?{query}", headers=HTMX).text
    return {name: text.split(f'name="{name}" value="')[1].split('"')[0] for name in ("query", "count", "up_to", "do")}


def test_all_that_match_with_one_note(page, source):
    lows = [make_alert(source, severity="low") for _ in range(3)]
    high = make_alert(source, severity="high")
    data = told(page, "severity=low") | {"value": "fp_data", "note": "one for all"}
    late = make_alert(source, severity="low")
    answer = page.post(reverse("alerts_bulk"), data, headers=JSON).json()
    assert (answer["done"], answer["skipped"], answer["said"]) == (3, 0, "3 alerts closed: False positive (data).")
    assert set(Verdict.objects.values_list("alert_id", "note")) == {(one.pk, "one for all") for one in lows}
    assert set(Alert.objects.filter(status="open")) == {high, late}


def test_more_than_was_agreed_to_changes_nothing_and_says_how_many(page, source):
    lows = [make_alert(source, severity="low") for _ in range(2)]
    high = make_alert(source, severity="high")
    data = told(page, "severity=low") | {"value": "fp_data"}
    Alert.objects.filter(pk=high.pk).update(severity="low")
    response = page.post(reverse("alerts_bulk"), data, headers=JSON)
    assert (response.status_code, response.json()) == (
        409,
        {
            "error": "count",
            "message": "3 match now, not the 2 that were agreed to",
            "count": 3,
            "up_to": high.pk,
        },
    )
    shown = page.post(reverse("alerts_bulk"), data)
    assert shown.status_code == 409
    assert "Nothing was changed: 3 match now" in shown.text
    assert '<input type="hidden" name="count" value="3">' in shown.text
    assert (Verdict.objects.count(), Alert.objects.filter(status="open").count()) == (0, len(lows) + 1)


def test_the_selected_with_what_was_left_alone(page, source, charlie):
    alert, closed, grown = make_alert(source), make_alert(source, status="closed"), make_alert(source, revision=3)
    data = {"do": "assign", "value": "me", "alerts": f"{alert.pk}:1 {closed.pk}:1 {grown.pk}:2"}
    answer = page.post(reverse("alerts_bulk"), data, headers=JSON).json()
    assert answer["said"] == ("Given to alice. 2 left as they are: 1 changed since you saw it, 1 already closed.")
    assert answer["reasons"] == {"changed since you saw it": 1, "already closed": 1}
    assert list(Alert.objects.filter(assignee__isnull=False)) == [alert]
    response = page.post(reverse("alerts_bulk"), data | {"query": "severity=low"})
    assert (response.status_code, response.headers["Location"]) == (302, "/?severity=low")


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"do": "verdict", "value": "fp_data"},
        {"do": "verdict", "value": "me", "alerts": "1:1"},
        {"do": "assign", "value": "fp_data", "alerts": "1:1"},
        {"do": "delete", "alerts": "1:1"},
        {"do": "escalate", "alerts": "1:x"},
        {"do": "escalate", "alerts": "²:1"},
        {"do": "escalate", "query": "severity=huge", "count": "1", "up_to": "9"},
        {"do": "verdict", "value": "fp_data", "query": "", "count": "1"},
    ],
)
def test_a_broken_bulk_changes_nothing(page, source, data):
    make_alert(source)
    response = page.post(reverse("alerts_bulk"), data, headers=JSON)
    assert (response.status_code, response.json()["error"]) == (422, "invalid")
    assert (AuditEntry.objects.count(), ReviewAction.objects.count()) == (0, 0)


def test_two_people_on_one_alert_see_each_other(page, client, source, alice, charlie):
    alert = make_alert(source)
    address = reverse("alert_presence", args=[alert.pk])
    assert page.post(address, headers=HTMX).text.strip() == ""
    assert presence.note_presence(alert_id=alert.pk, user=charlie) == ["alice"]
    assert "<bdi>charlie</bdi> is looking at this" in page.post(address, headers=HTMX).text
    AlertPresence.objects.filter(user=charlie).update(seen_at=timezone.now() - dt.timedelta(seconds=41))
    assert page.post(address, headers=HTMX).text.strip() == ""
    assert AlertPresence.objects.count() == 2
    assert page.post(reverse("alert_presence", args=[10**9]), headers=HTMX).status_code == 404
    assert AuditEntry.objects.count() == 0


def test_presence_is_cheap_and_old_rows_go(source, alice, charlie, django_assert_num_queries):
    old, alert = make_alert(source), make_alert(source)
    AlertPresence.objects.create(alert=old, user=alice, seen_at=timezone.now() - dt.timedelta(hours=2))
    presence.note_presence(alert_id=alert.pk, user=alice)
    assert list(AlertPresence.objects.values_list("alert_id", flat=True)) == [alert.pk]
    with django_assert_num_queries(2):
        presence.note_presence(alert_id=alert.pk, user=alice)


def test_the_palette_names_the_views_one_may_open(page, alice, charlie):
    SavedView.objects.create(owner=alice, page="queue", name="mine", query="severity=high")
    SavedView.objects.create(owner=charlie, page="queue", name="ours", query="mark=escalated", shared=True)
    SavedView.objects.create(owner=charlie, page="queue", name="theirs", query="")
    answer = page.get(reverse("palette")).json()
    assert answer.pop("undo") == []
    assert answer == {
        "views": [
            {"name": "mine", "page": "queue", "url": "/?severity=high"},
            {"name": "ours", "page": "queue", "url": "/?mark=escalated"},
        ]
    }


def test_the_palette_names_what_may_still_be_undone(page, client, source, alice, bob):
    for value in ("fp_data", "tp_impact"):
        post(page, "alert_verdict", make_alert(source), {"value": value})
    page.post(reverse("alerts_undo"), headers=JSON)
    action = ReviewAction.objects.get(value="fp_data")
    assert page.get(reverse("palette")).json()["undo"] == [
        {"action": action.pk, "said": "Closed: False positive (data)", "at": action.created_at.isoformat()}
    ]
    client.force_login(bob)
    assert client.get(reverse("palette")).json() == {"views": [], "undo": []}


def test_a_viewer_sees_no_buttons_and_a_decided_alert_offers_its_own_undo(page, client, source, bob, alice):
    alert = make_full_alert(source, text=HOSTILE)
    text = page.get(f"/alerts/{alert.pk}/").text
    for part in ("data-may-decide", 'data-act="escalate"', 'data-key="a"', "/presence/"):
        assert part in text, part
    post(page, "alert_verdict", alert, {"value": "fp_data"})
    text = page.get(f"/alerts/{alert.pk}/").text
    assert f'data-undo="{ReviewAction.objects.get().pk}"' in text
    client.force_login(bob)
    text = client.get(f"/alerts/{alert.pk}/").text
    for part in ("data-may-decide", "data-act=", "data-key=", "/presence/", "data-undo"):
        assert part not in text, part
