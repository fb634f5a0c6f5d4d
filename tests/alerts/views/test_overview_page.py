"""The overview by URL: what it says on the first day, full and hostile; queries that do not grow; who may look."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from alerts.models import AlertTechnique, Explanation, MuteRule, SpendBlock, Verdict
from tests.alerts.rows import HOSTILE, make_alert
from tests.factories import make_batch, make_source
from triage.models import ModelVersion, RawBatch, Source, SourceHealth, SourceMinute, User

pytestmark = pytest.mark.django_db
PARTS = ("intake", "flow", "work", "quality", "techniques")
EVERY_PART = "/overview/?" + "&".join(f"part={part}" for part in PARTS)


@pytest.fixture
def page(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return " ".join(re.sub(r"<[^>]+>", " ", answer.text).split())


def fill(source: Source, user: User) -> None:
    """A day with everything in it."""
    now = timezone.now()
    minute = int(now.timestamp()) // 60 - 5
    model, _ = ModelVersion.objects.get_or_create(
        version="v1", defaults={"detector": "x", "artefact_sha256": "0", "trained_at": now, "status": "champion"}
    )
    SourceMinute.objects.create(source=source, minute=minute, records=50, events=50)
    SourceHealth.objects.create(source=source, judged_at=now, states=[["silent", HOSTILE]], troubled=True)
    batch = make_batch(source, "x")
    RawBatch.objects.filter(pk=batch.pk).update(status="done", event_count=1000, flagged_count=4, model_version=model)
    for severity in ("critical", "low"):
        alert = make_alert(
            source, severity=severity, status="closed", assignee=user, first_action_at=now, decided_at=now
        )
        AlertTechnique.objects.create(alert=alert, technique_id="T1110")
        Verdict.objects.create(alert=alert, value="tp_impact", user=user, decided_by="person")
        Explanation.objects.create(alert=alert, explainer="evidence")
        make_alert(source, severity=severity)
    MuteRule.objects.create(
        owner=user, reason=HOSTILE, template="x", template_title=HOSTILE, expires_at=now.replace(year=2100)
    )


def test_the_first_day_says_what_to_do_next_and_asks_for_no_part(page, client, charlie):
    found = text(page, "/overview/")
    assert "Nothing to measure yet Add a source. A lead can do that; it takes a minute." in found
    assert "Open alerts 0 the queue is empty" in found
    assert "not measured" not in found
    assert "hx-get" not in page.get("/overview/").text
    client.force_login(charlie)
    assert "Give it a name" in text(client, "/overview/")


def test_before_anything_came_in_nothing_is_measured_and_nothing_is_zero(page, settings):
    settings.LLM_BASE_URL = ""
    make_source()
    found = text(page, EVERY_PART)
    for words in (
        "Learning: 0 of", "Waiting longest nothing waits", "Nothing waits for a person.", "Sources 1 not judged lately",
        "not measured: nothing has come in yet.", "No alert was opened in the last 24 hours.",
        "not measured: no alert was opened in the last 24 hours.",
        "not measured: nobody decided anything in the last 24 hours.",
        "not measured: no blind audit was judged in the last 24 hours.",
        "None is configured: alerts are explained from their evidence", "None: no alert is hidden.",
        "No alert of the last 24 hours names a technique.",
    ):  # fmt: skip
        assert words in found, words
    assert re.search(r"\b0 %", found) is None


def test_a_full_day_shows_rates_with_interval_and_n_and_links_to_the_lists(page, alice, settings):
    settings.LLM_BASE_URL, settings.LLM_DAILY_BUDGET_USD = "http://127.0.0.1:9/v1", 5.0
    SpendBlock.objects.create(scope="all", period=f"{timezone.now():%Y-%m-%d}", spent_microusd=6_000_000, calls=3)
    source = make_source()
    fill(source, alice)
    found = text(page, EVERY_PART)
    assert "Open alerts 2 1 critical or high" in found
    assert "Received 50 Stored 50 Flagged 4 0.40 % (0.16 – 1.02, n = 1,000)" in found
    assert "Opened 4 Explained meanwhile 2" in found
    assert "Verdicts 2 True positive, with impact 2 100 % (34.2 – 100.0, n = 2)" in found
    assert "Critical 100 % (20.7 – 100.0, n = 1) High not measured" in found
    assert "T1110 Brute Force 2" in found
    assert "6.00 USD of 5.00 USD" in found
    assert "1 need s a look" not in found
    assert "1 needs a look" in found
    html = page.get(EVERY_PART).text
    for address in ("/?severity=critical", f"/?status=all&amp;source={source.pk}", "/?status=all&amp;technique=T1110",
                    f"/?status=all&amp;assignee={alice.pk}", f"/sources/{source.pk}/", "/?status=muted"):  # fmt: skip
        assert f'href="{address}"' in html, address


def test_hostile_text_stays_text_in_every_part(page, alice, make_user):
    fill(make_source(HOSTILE[:60]), make_user(HOSTILE[:60], "analyst"))
    html = page.get(EVERY_PART).text
    assert "<script>window" not in html
    assert "<img src=x" not in html
    assert "\u202e" not in html
    assert "style=" not in html


def test_the_page_brings_its_parts_later_and_each_answers_alone(page, alice):
    fill(make_source(), alice)
    html = page.get("/overview/?range=7d").text
    for part in PARTS:
        assert f'hx-get="/overview/{part}/?range=7d"' in html
        fragment = page.get(f"/overview/{part}/?range=7d").text
        assert f'id="overview-{part}"' in fragment
        assert "<html" not in fragment
        assert "last 7 days" in fragment
        assert f'<a href="/overview/?range=7d&amp;part={part}#overview-{part}">' in html
        alone = page.get(f"/overview/?range=7d&part={part}").text
        assert f"/overview/{part}/" not in alone
        assert alone.count("hx-get") == len(PARTS) - 1
    assert "hx-get" not in page.get(EVERY_PART).text


def test_an_unknown_part_is_refused(page):
    assert page.get("/overview/?part=everything").status_code == 400


@pytest.mark.parametrize("path", ["", *(f"{part}/" for part in PARTS)])
def test_an_unknown_range_is_refused(page, path):
    assert page.get(f"/overview/{path}?range=1y").status_code == 400


@pytest.mark.parametrize("path", ["", *(f"{part}/" for part in PARTS)])
def test_queries_do_not_grow_with_rows(page, alice, path, django_assert_num_queries):
    fill(make_source(), alice)
    page.get(f"/overview/{path}")
    with CaptureQueriesContext(connection) as captured:
        page.get(f"/overview/{path}")
    for number in range(6):
        fill(make_source(f"more {number}"), alice)
    with django_assert_num_queries(len(captured)):
        page.get(f"/overview/{path}")


def test_a_blind_audit_shows_in_no_part_but_as_hidden(page, alice, make_user):
    make_alert(make_source("quiet"), origin="blind_audit", inclusion_probability=0.1, severity="critical", p_value=0.6)
    found = text(page, EVERY_PART)
    assert "Open alerts 1 none critical or high" in found
    assert "Hidden 1 0 0 0 0 1" in found
    assert "Critical 0 0 0 0 0 0 –" in found
    assert "not measured: no alert was opened" in found
    assert "0.6" not in found


def test_nobody_looks_without_logging_in(client):
    for part in ("", *(f"{part}/" for part in PARTS)):
        assert client.get(f"/overview/{part}").status_code == 302
