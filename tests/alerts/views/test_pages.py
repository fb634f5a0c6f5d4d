"""Pages by URL: with and without htmx, empty, learning, failing, hostile."""

import re

import pytest
from django.urls import reverse

from alerts.models import AuditEntry, Explanation, RankingModel, Verdict
from alerts.templatetags import winnow
from tests.alerts.rows import HOSTILE, make_alert, make_full_alert
from tests.factories import make_batch, make_source
from triage.authentication import hash_token
from triage.models import RawBatch, Source

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def page(client, alice):
    client.force_login(alice)
    return client


def test_the_first_day_teaches_the_next_step(client, charlie):
    client.force_login(charlie)
    assert "No source yet" in client.get("/").text
    make_source()
    text = client.get("/").text
    assert "Waiting for the first event" in text
    assert "Learning: 0 of 5,000 events." in text


def test_an_unscored_alert_says_so_and_never_zero(page):
    make_alert(make_source(), score=None, p_value=None)
    text = page.get("/").text
    assert "not scored yet" in text
    assert "p 0" not in text


def test_closed_alerts_are_hidden_by_default(page):
    source = make_source()
    make_alert(source, title="still open")
    make_alert(source, title="long gone", status="closed")
    assert "long gone" not in page.get("/").text
    assert "still open" not in page.get("/?status=closed").text


def test_a_page_of_many_costs_the_same(page, django_assert_num_queries):
    source = make_source()
    for _ in range(3):
        make_alert(source)
    page.get("/")
    with django_assert_num_queries(17):
        page.get("/")
    for _ in range(60):
        make_alert(source)
    with django_assert_num_queries(17):
        text = page.get("/").text
    assert text.count('class="row sev-') == 50
    assert "Load 50 more" in text


def test_worth_is_shown_beside_severity_with_what_it_rests_on(page, django_assert_num_queries):
    ranking = RankingModel.objects.create(status="active", n_labels=1234, state="x" * 1000)
    source = make_source()
    ranked = make_alert(source, worth=0.8312, ranking=ranking, severity="low")
    page.get("/")
    with django_assert_num_queries(17):
        text = page.get("/").text
    for shown in (text, page.get(f"/alerts/{ranked.pk}/").text):
        assert shown.count("worth a look</i> <b>0.83</b>") == 1
        assert "learned from 1,234 verdicts of people. It orders the queue; it is not a severity" in shown
        assert ">Low<" in shown


def test_without_a_ranking_no_worth_is_shown(page):
    alert = make_alert(make_source())
    assert "worth a look" not in page.get("/").text + page.get(f"/alerts/{alert.pk}/").text


def test_the_worth_of_a_blind_audit_is_never_shown(page):
    ranking = RankingModel.objects.create(status="active", n_labels=50)
    alert = make_alert(make_source(), origin="blind_audit", worth=0.83, ranking=ranking)
    assert "worth a look" not in page.get("/").text + page.get(f"/alerts/{alert.pk}/").text


@pytest.mark.parametrize(
    ("value", "shown"), [(0.0001, "<0.01"), (0.0051, "0.01"), (0.8351, "0.84"), (0.9949, "0.99"), (0.9999, ">0.99")]
)
def test_a_probability_is_never_shown_as_certainty(value, shown):
    assert winnow.chance(value) == shown


def test_load_more_returns_only_the_rest(page):
    source = make_source()
    for _ in range(53):
        make_alert(source)
    link = re.search(r'hx-get="(/queue/rows/[^"]+)"', page.get("/").text).group(1).replace("&amp;", "&")
    text = page.get(link, headers=HTMX).text
    assert text.count('class="row sev-') == 3
    assert "<html" not in text
    assert page.get("/queue/rows/?cursor=nonsense").status_code == 404


def test_the_pulse_counts_and_the_pill_brings_the_new_ones(page):
    source = make_source()
    old = make_alert(source)
    assert "new</span>" not in page.get(f"/queue/pulse/?after={old.pk}").text
    late = make_alert(source, title="came late")
    assert "1 new" in page.get(f"/queue/pulse/?after={old.pk}").text
    rows = page.get(f"/queue/rows/?after={old.pk}", headers=HTMX).text
    assert "came late" in rows
    assert f'data-after="{late.pk}"' in rows
    assert f'id="row-{old.pk}"' not in rows


def test_a_verdict_without_javascript_redirects(page, alice):
    alert = make_full_alert(make_source())
    response = page.post(
        reverse("alert_verdict", args=[alert.pk]), {"value": "fp_logic", "note": "n", "expected_revision": 1}
    )
    assert (response.status_code, response.headers["Location"]) == (302, f"/alerts/{alert.pk}/")
    assert [(row.value, row.note, row.user) for row in Verdict.objects.all()] == [("fp_logic", "n", alice)]
    assert "False positive (logic)" in page.get(f"/alerts/{alert.pk}/").text


def test_a_verdict_in_the_panel_returns_panel_and_row(page):
    alert = make_full_alert(make_source())
    data = {"value": "fp_logic", "expected_revision": 1, "embedded": "1"}
    text = page.post(reverse("alert_verdict", args=[alert.pk]), data, headers=HTMX).text
    assert f'id="row-{alert.pk}"' in text
    assert 'hx-swap-oob="true"' in text
    assert "Reopen" in text
    assert "<html" not in text


def test_a_lost_race_shows_both_versions(page, charlie):
    from alerts.services import review

    alert = make_full_alert(make_source())
    review.record_verdict(alert_id=alert.pk, value="tp_impact", note="mine", user=charlie, expected_revision=1)
    data = {"value": "fp_data", "note": "yours", "expected_revision": 1}
    response = page.post(reverse("alert_verdict", args=[alert.pk]), data, headers=HTMX)
    assert response.status_code == 409
    for part in ("Not saved", "False positive (data)", "yours", "True positive, with impact", "mine", "charlie"):
        assert part in response.text
    assert Verdict.objects.count() == 1


@pytest.mark.parametrize(
    "data", [{}, {"value": "nope", "expected_revision": 1}, {"value": "fp_data", "expected_revision": "x"}]
)
def test_a_broken_form_says_so_and_records_nothing(page, data):
    alert = make_alert(make_source())
    response = page.post(reverse("alert_verdict", args=[alert.pk]), data)
    assert response.status_code == 422
    assert "Not saved" in response.text
    assert (Verdict.objects.count(), AuditEntry.objects.count()) == (0, 0)


def test_a_failed_explanation_is_shown_as_a_failure(page):
    alert = make_alert(make_source(), explanation_state="failed")
    Explanation.objects.create(alert=alert, explainer="llm", failure="timeout", failure_detail="no answer in 60 s")
    text = page.get(f"/alerts/{alert.pk}/").text
    assert "<strong>No explanation: timeout.</strong> The language model did not answer in time." in text
    assert "no answer in 60 s" in text


def test_the_evidence_explainer_is_never_passed_off_as_a_model(page):
    alert = make_full_alert(make_source())
    assert "Evidence explainer (no language model)" in page.get(f"/alerts/{alert.pk}/").text
    alert.explanations.update(model="big-model", prompt_version="7")
    text = page.get(f"/alerts/{alert.pk}/").text
    assert "no language model" not in text
    assert "big-model" in text


def test_a_blind_audit_shows_neither_score_nor_explanation(page):
    alert = make_full_alert(
        make_source(), text="tell-tale", title="An event", origin="blind_audit", inclusion_probability=0.01
    )
    for url in ("/", f"/alerts/{alert.pk}/"):
        text = page.get(url).text
        assert "0.0005" not in text
        assert "Why flagged" not in text
        assert "Explained" not in text


def test_raw_shows_the_record_and_says_when_it_is_gone(page):
    source = make_source()
    alert = make_full_alert(source)
    link = alert.alert_events.get()
    text = page.get(f"/events/{link.event_id}/raw/").text
    assert "Past its retention" in text
    assert page.get("/events/77/raw/").status_code == 404
    assert page.get(f"/events/{2**70}/raw/").status_code == 404
    batch = make_batch(source, "first line", "second <b>line</b>")
    link.event_id = (batch.pk << 20) | 1
    link.save()
    assert "second &lt;b&gt;line&lt;/b&gt;" in page.get(f"/events/{link.event_id}/raw/").text
    RawBatch.objects.filter(pk=batch.pk).update(body=b"no zstd frame")
    text = page.get(f"/events/{link.event_id}/raw/").text
    assert "The stored record is damaged" in text
    assert "Past its retention: the exact record" not in text


def test_hostile_text_is_inert_on_every_page(client, charlie):
    client.force_login(charlie)
    source = make_source("<b>src</b>")
    RawBatch.objects.filter(pk=make_batch(source, "x", status="quarantined").pk).update(reason=HOSTILE)
    alert = make_full_alert(
        source, text=HOSTILE, title=HOSTILE + "A" * 150, entity="host:" + HOSTILE[:190], host_name="h" * 200 + "<i>"
    )
    client.post(reverse("alert_note", args=[alert.pk]), {"text": HOSTILE})
    raw = reverse("event_raw", args=[alert.alert_events.get().event_id])
    for url in (
        "/",
        f"/?alert={alert.pk}",
        f"/alerts/{alert.pk}/",
        raw,
        "/sources/",
        f"/sources/{source.pk}/",
        f"/?q={HOSTILE}",
    ):
        text = client.get(url).text
        assert "<script>window" not in text, url
        assert "<img" not in text, url
        assert "<b>src" not in text, url
        assert "\u202e" not in text, url
        assert "49" not in re.findall(r"onerror=[^7]{0,40}49", text), url
        assert " style=" not in text, url
    assert "⟨U+202E⟩" in client.get(f"/alerts/{alert.pk}/").text


def test_a_new_sources_token_is_shown_once(client, charlie):
    client.force_login(charlie)
    response = client.post("/sources/new/", {"name": "syslog berlin"})
    token = re.search(r'id="token">([^<]+)<', response.text).group(1)
    source = Source.objects.get()
    assert source.token_hash == hash_token(token)
    assert response.text.count(token) > 3
    assert token not in client.get(f"/sources/{source.pk}/").text
    assert AuditEntry.objects.get().details == {"source_id": source.pk, "name": "syslog berlin", "use_ack": False}
    again = client.post("/sources/new/", {"name": "Syslog Berlin"})
    assert (again.status_code, Source.objects.count()) == (422, 1)


def test_replaying_a_batch_sends_it_through_again(client, charlie):
    client.force_login(charlie)
    batch = make_batch(make_source(), "x", status="quarantined", reason="broke")
    assert client.post(f"/batches/{batch.pk}/replay/").status_code == 302
    batch.refresh_from_db()
    assert (batch.status, batch.reason) == ("received", "")
    assert AuditEntry.objects.get().details == {"batch_id": batch.pk}
    client.post(f"/batches/{batch.pk}/replay/")
    assert AuditEntry.objects.count() == 1


def test_waiting_turns_into_receiving(page):
    source = make_source()
    assert "Waiting for the first event" in page.get(f"/sources/{source.pk}/received/").text
    make_batch(source, "x")
    assert "Receiving." in page.get(f"/sources/{source.pk}/received/").text


def test_login_says_what_is_wrong_and_logs_in(client, alice):
    from tests.conftest import PASSWORD

    wrong = client.post("/login/", {"username": "alice", "password": "nope"})
    assert "do not match" in wrong.text
    right = client.post("/login/", {"username": "alice", "password": PASSWORD})
    assert (right.status_code, right.headers["Location"]) == (302, "/")


def test_error_pages_look_like_the_product(page):
    response = page.get("/alerts/999999/")
    assert response.status_code == 404
    assert "There is nothing here" in response.text
    assert "script-src 'self'" in response.headers["Content-Security-Policy"]
