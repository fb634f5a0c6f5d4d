"""The explanation on the alert page: exact words, hostile text, older tries, asking again, waiting."""

import datetime as dt
import re

import pytest
from django.utils import timezone

from alerts.models import Alert, AuditEntry
from tests.alerts.explained import by_evidence, by_model, call, failed, summary
from tests.alerts.rows import HOSTILE, make_alert, make_full_alert
from tests.factories import make_source

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def language_model(settings):
    settings.LLM_BASE_URL, settings.LLM_MODEL = "http://127.0.0.1:9/v1", "small-1"
    settings.LLM_LARGE_BASE_URL, settings.LLM_LARGE_MODEL = "", ""


@pytest.fixture
def alert() -> Alert:
    past = timezone.now() - dt.timedelta(hours=1)
    return make_alert(make_source(), explanation_state="done", last_seen_at=past)


@pytest.fixture
def page(client, alice):
    client.force_login(alice)
    return client


def shown(client, address):
    """Return a page's text without tags, as it is read."""
    text = re.sub(r"<title>.*?</title>|<[^>]+>", " ", client.get(address).text)
    return re.sub(r"\s+([.,:;])", r"\1", " ".join(text.split()))


def of(client, alert, query=""):
    return shown(client, f"/alerts/{alert.pk}/{query}")


def test_claims_are_shown_by_what_the_check_says(page, alert):
    by_model(alert)
    html = page.get(f"/alerts/{alert.pk}/").text
    assert html.count('<li class="claim grounded"') == 1
    assert "<s>It came from 198[.]51[.]100[.]9.</s>" in html
    assert f'<a class="cite" href="#ev-{alert.pk}-1" data-cite="1" aria-label="Evidence line 1">1</a>' in html
    text = of(page, alert)
    assert "Struck: 198[.]51[.]100[.]9 is in no evidence line" in text
    assert "source.ip=203.0.113.7" in text
    assert "There were 2 events. 1 Cites the wrong lines: 2 is not in the cited lines" in text
    assert "Ask the owner of wks-9. wks-9 is in no evidence line" in text
    assert "T9999 T9999 is no technique" in text


def test_the_byline_names_model_prompt_and_what_holds(page, alert):
    row = by_model(alert, inherited=True, tier="large", model="large-1")
    text = of(page, alert)
    assert f"Language model large-1, prompt {row.prompt_version}, stronger model" in text
    for chip in ("grounded 1/3", "inherited", "unreviewed"):
        assert f" {chip}: " in text


def test_a_suggestion_and_its_confidence_stand_apart_from_the_severity(page, alert):
    by_model(alert)
    Alert.objects.filter(pk=alert.pk).update(severity_parts={"prefilter": "medium", "rules": "low", "model": "high"})
    text = of(page, alert)
    assert "suggests True positive, with impact its confidence high" in text
    assert (
        "Severity high: pre-filter medium, rules low, language model high. The highest counts, and it only rises."
        in text
    )


def test_a_demoted_suggestion_needs_review(page, alert):
    why = "no grounded claim says that it is harmless"
    by_model(alert, suggested_verdict="undetermined", details={"grounding": summary(demoted=why, suggested="fp_logic")})
    text = of(page, alert)
    assert f"suggested False positive (logic) its confidence high needs review: {why}" in text
    assert "suggests" not in text


def test_a_model_that_abstains_suggests_nothing(page, alert):
    by_model(alert, suggested_verdict="undetermined", confidence="low")
    assert "suggests no verdict: it abstains its confidence low" in of(page, alert)


def test_what_is_stale_is_told(page, alert, settings):
    by_model(alert)
    settings.LLM_MODEL = "small-2"
    assert "Stale: the model is small-2 now." in of(page, alert)


@pytest.mark.parametrize(
    ("reason", "details", "words"),
    [
        ("budget", {"code": "cap"}, "No explanation: budget. The budget is reached, so no language model was asked."),
        (
            "refused",
            {},
            "No explanation: refused. The question was refused, by the data policy here or by the endpoint.",
        ),
        ("ungrounded", {}, "No explanation: ungrounded. No claim of the language model stood up to the evidence."),
        ("breaker", {}, "No explanation: breaker. The endpoint failed repeatedly and is left alone for a while."),
    ],
)
def test_a_failure_is_shown_as_a_failure_beside_the_evidence(page, alert, reason, details, words):
    by_evidence(alert)
    failed(alert, reason, failure_detail="in detail", details=details)
    by_evidence(alert, "said by rule again")
    text = of(page, alert)
    assert words in text
    assert ": in detail" in text
    assert "said by rule again" in text
    assert "Evidence explainer (no language model)" in text
    assert f" failed: {reason}: " in text


def test_many_failures_are_told_once(page, alert):
    for _ in range(4):
        failed(alert)
    text = of(page, alert)
    assert text.count("No explanation: timeout.") == 1
    assert "4 tries in a row failed; each is listed below." in text
    assert "All explanations (4)" in text


def test_a_person_can_open_an_older_try_and_come_back(page, alert):
    old = by_model(alert, model="small-0", answer={"what_happened": [{"text": "as it was", "evidence": [1]}]})
    new = by_model(alert)
    assert "as it was" not in of(page, alert)
    html = page.get(f"/alerts/{alert.pk}/").text
    assert f'href="/alerts/{alert.pk}/?explanation={old.pk}"' in html
    text = of(page, alert, f"?explanation={old.pk}")
    assert "as it was" in text
    assert "An earlier try, of " in text
    assert "Show the one that counts" in text
    assert "An earlier try" not in of(page, alert, f"?explanation={new.pk}")
    panel = page.get(f"/alerts/{alert.pk}/panel/?explanation={old.pk}", headers=HTMX).text
    assert "as it was" in panel
    assert f'hx-get="/alerts/{alert.pk}/panel/"' in panel


@pytest.mark.parametrize("number", ["0", "x", "-1", "9" * 30, "²"])
def test_an_unknown_number_shows_the_one_that_counts(page, alert, number):
    by_model(alert)
    text = of(page, alert, f"?explanation={number}")
    assert "This alert has no explanation with that number; shown is the one that counts." in text
    assert "User backup logged in." in text


def test_the_list_of_tries_says_who_and_at_what_cost(page, alert):
    by_evidence(alert)
    failed(alert, details={"call": call(cost_usd=None, cost_basis="unknown")})
    by_model(alert, inherited=True)
    by_model(alert, tier="large", purpose="stronger", model="large-1")
    text = of(page, alert)
    version = alert.explanations.first().prompt_version
    assert f"large-1, stronger model, prompt {version} · grounded 1/3 · 0.00137 USD, measured · 1.2 s" in text
    assert f"small-1, first model, prompt {version}, inherited · grounded 1/3 · no call of its own" in text
    assert "no explanation: timeout small-1, first model · cost not measured: no price is known" in text
    assert "evidence only evidence explainer, no language model" in text


def test_the_call_record_is_complete(page, alert):
    by_model(alert)
    text = of(page, alert)
    for told in (
        "Endpoint llm.example",
        "Model asked small-1",
        "Model that answered small-1-0926",
        "Fingerprint fp_1",
        "Input abababab…abababab",
        "Tokens 2,412 in, 388 out",
        "Cost 0.00137 USD, measured",
        "Took 1.2 s",
        "Finish reason stop",
        "Request id req-7",
        "Attempt 1, 2 requests",
        "Validation valid, asked for json_schema",
    ):
        assert told in text, told


def test_what_the_endpoint_did_not_tell_is_not_measured(page, alert):
    silent = call(
        model_answered="", system_fingerprint="", request_id="", finish_reason="", input_tokens=None,
        output_tokens=None, latency_ms=None, cost_usd=None, cost_basis="unknown",
    )  # fmt: skip
    by_model(alert, details={"call": silent, "grounding": summary()})
    text = of(page, alert)
    for told in ("Tokens not measured", "Took not measured", "Fingerprint not told", "Cost cost not measured"):
        assert told in text, told


def test_hostile_text_of_a_model_is_inert(page, alert):
    text = HOSTILE + " **bold** [here](https://evil.example/x) https://evil.example/y"
    claim = {"text": text, "evidence": [1, 7], "status": "struck", "problems": [text]}
    told = {key: [claim] for key in ("what_happened", "why_it_matters", "why_it_may_be_benign")}
    record = dict.fromkeys(call(), HOSTILE)
    grounding = summary(demoted=text, struck_techniques=[[text, text]], check_problems=[[text]])
    by_model(
        alert,
        model=HOSTILE[:110],
        answer=told | {"next_checks": [text], "techniques": [text]},
        evidence=[{"number": 1, "origin": text, "text": text}],
        details={"grounding": grounding, "call": record, "policy": HOSTILE},
    )
    failed(alert, HOSTILE[:32], failure_detail=text, model=HOSTILE[:110], details={"code": HOSTILE, "call": record})
    finding = {"event_id": 3, "field": text, "why": text, "excerpt": text}
    Alert.objects.filter(pk=alert.pk).update(injection_suspected=True, injection_findings=[finding])
    for address in (
        "/",
        f"/?alert={alert.pk}",
        f"/alerts/{alert.pk}/",
        f"/alerts/{alert.pk}/?explanation={alert.explanations.first().pk}",
    ):
        html = page.get(address).text
        assert "<script>window" not in html, address
        assert "<img" not in html, address
        assert "\u202e" not in html, address
        assert "<strong>bold" not in html, address
        assert not re.search(r'(?:href|src|hx-get)="[^"]*evil', html), address
        assert " style=" not in html, address


def test_no_sentence_is_cut_that_a_model_may_write(page, alert):
    text = "x" * 590 + "the end"
    by_model(alert, answer={"what_happened": [{"text": text, "evidence": [1], "status": "grounded"}]})
    assert text in page.get(f"/alerts/{alert.pk}/").text


def test_beyond_four_claims_the_rest_is_folded_but_there(page, alert):
    claims = [{"text": f"claim {n}.", "evidence": [1], "status": "grounded"} for n in range(6)]
    by_model(alert, answer={"what_happened": claims, "next_checks": [f"check {n}." for n in range(7)]})
    text = of(page, alert)
    assert "2 more" in text
    assert "3 more" in text
    assert "claim 5. 1" in text
    assert "check 6." in text


def test_a_suspected_injection_is_told_on_row_and_page(page, alert):
    by_model(alert)
    finding = {"event_id": 77, "field": "user_agent.original", "why": "addresses an assistant", "excerpt": "Ignore all"}
    assert "suspected injection" not in shown(page, "/") + of(page, alert)
    Alert.objects.filter(pk=alert.pk).update(injection_suspected=True, injection_findings=[finding])
    assert shown(page, "/").count("suspected injection") == 1
    text = of(page, alert)
    assert "user_agent.original addresses an assistant raw Ignore all" in text
    assert "Read this with care. Its events contain text that speaks to whoever reads them;" in text
    assert 'href="/events/77/raw/"' in page.get(f"/alerts/{alert.pk}/").text


def test_the_evidence_explainer_needs_no_caution(page, alert):
    by_evidence(alert)
    Alert.objects.filter(pk=alert.pk).update(injection_suspected=True)
    text = of(page, alert)
    assert "Text that speaks to its reader" in text
    assert "No excerpt is stored." in text
    assert "Read this with care" not in text


def test_a_blind_audit_shows_no_suspicion(page):
    alert = make_full_alert(
        make_source(), origin="blind_audit", injection_suspected=True, severity_parts={"rules": "low"}
    )
    text = shown(page, "/") + of(page, alert)
    for hidden in ("suspected injection", "speaks to its reader", "Severity ", "Explain again"):
        assert hidden not in text.replace("Severity Alert", ""), hidden


@pytest.mark.parametrize("stronger", ["", "1"])
def test_a_person_asks_for_a_new_explanation(page, alice, alert, settings, stronger):
    settings.LLM_LARGE_BASE_URL, settings.LLM_LARGE_MODEL = "http://127.0.0.1:9/v1", "large-1"
    by_model(alert)
    response = page.post(f"/alerts/{alert.pk}/explain/", {"stronger": stronger})
    assert (response.status_code, response.headers["Location"]) == (302, f"/alerts/{alert.pk}/")
    alert.refresh_from_db()
    tier = "large" if stronger else "small"
    assert (alert.explanation_state, alert.explanation_wanted_by, alert.explanation_wanted_tier) == (
        "pending",
        alice,
        tier,
    )
    text = of(page, alert)
    assert f"Waiting for an explanation{' by the stronger model' if stronger else ''}." in text
    assert "User backup logged in." in text
    assert f"alice asked {'the stronger model ' if stronger else ''}for a new explanation" in text


def test_asking_in_the_panel_returns_the_panel(page, alert):
    html = page.post(f"/alerts/{alert.pk}/explain/", {"embedded": "1"}, headers=HTMX).text
    assert "Waiting for an explanation." in html
    assert f'id="row-{alert.pk}"' in html
    assert "<html" not in html


@pytest.mark.parametrize(
    ("change", "data", "why"),
    [
        ({"status": "closed"}, {}, "Not asked: the alert is closed; reopen it first"),
        ({}, {"stronger": "1"}, "Not asked: no stronger model is configured"),
        ({"explanation_state": "running"}, {}, "Not asked: it is being explained now"),
    ],
)
def test_what_cannot_be_asked_changes_nothing(page, alert, change, data, why):
    Alert.objects.filter(pk=alert.pk).update(**change)
    response = page.post(f"/alerts/{alert.pk}/explain/", data, headers=HTMX)
    assert response.status_code == 409
    assert why in response.text
    before = change.get("explanation_state", alert.explanation_state)
    alert.refresh_from_db()
    assert (alert.explanation_state, alert.revision, AuditEntry.objects.count()) == (before, 1, 0)


def test_a_blind_audit_is_not_explained_on_demand(page):
    alert = make_alert(make_source(), origin="blind_audit", explanation_state="done")
    assert page.post(f"/alerts/{alert.pk}/explain/").status_code == 409
    alert.refresh_from_db()
    assert (alert.explanation_state, AuditEntry.objects.count()) == ("done", 0)


def test_a_viewer_is_offered_nothing_and_cannot_ask(client, bob, alert, settings):
    settings.LLM_LARGE_BASE_URL, settings.LLM_LARGE_MODEL = "http://127.0.0.1:9/v1", "large-1"
    client.force_login(bob)
    by_model(alert)
    text = of(client, alert)
    assert "User backup logged in." in text
    assert "Explain again" not in text
    assert "stronger model" not in text
    assert client.post(f"/alerts/{alert.pk}/explain/", {"stronger": "1"}).status_code == 403
    alert.refresh_from_db()
    assert (alert.explanation_state, AuditEntry.objects.count()) == ("done", 0)


def test_the_stronger_model_is_offered_only_where_there_is_one(page, alert, settings):
    assert "Ask the stronger model" not in of(page, alert)
    settings.LLM_LARGE_BASE_URL, settings.LLM_LARGE_MODEL = "http://127.0.0.1:9/v1", "large-1"
    assert "Ask the stronger model" in of(page, alert)
    settings.LLM_DATA_POLICY = "off"
    assert "Ask the stronger model" not in of(page, alert)


def test_a_waiting_page_learns_that_the_explanation_is_there(page, alert):
    known = by_evidence(alert)
    Alert.objects.filter(pk=alert.pk).update(explanation_state="running")
    link = re.search(r'hx-get="(/alerts/\d+/waiting/[^"]+)"', page.get(f"/?alert={alert.pk}").text).group(1)
    assert link == f"/alerts/{alert.pk}/waiting/?after={known.pk}&amp;embedded=1"
    address = link.replace("&amp;", "&")
    still = page.get(address, headers=HTMX).text
    assert "Being explained now." in still
    assert link in still
    by_model(alert)
    Alert.objects.filter(pk=alert.pk).update(explanation_state="done")
    done = page.get(address, headers=HTMX).text
    assert "A new explanation is there." in done
    assert "hx-trigger" not in done
    assert f'hx-get="/alerts/{alert.pk}/panel/?row=1"' in done
    panel = page.get(f"/alerts/{alert.pk}/panel/?row=1", headers=HTMX).text
    assert "User backup logged in." in panel
    assert f'id="row-{alert.pk}"' in panel
    assert f'id="row-{alert.pk}"' not in page.get(f"/alerts/{alert.pk}/panel/", headers=HTMX).text


def test_a_wait_of_hours_says_until_when_and_asks_less_often(page, alert):
    until = timezone.now().replace(microsecond=0) + dt.timedelta(hours=5)
    Alert.objects.filter(pk=alert.pk).update(explanation_state="pending", explanation_lease_until=until)
    html = page.get(f"/alerts/{alert.pk}/").text
    assert f"the next try is at {until:%Y-%m-%d %H:%M:%S} UTC." in html
    assert 'hx-trigger="every 30s"' in html


def test_the_page_costs_the_same_however_many_tries_there_are(page, alert, django_assert_num_queries):
    by_model(alert)
    page.get(f"/alerts/{alert.pk}/")
    with django_assert_num_queries(8):
        page.get(f"/alerts/{alert.pk}/")
    for _ in range(30):
        by_model(alert)
        failed(alert)
    with django_assert_num_queries(8):
        page.get(f"/alerts/{alert.pk}/")
