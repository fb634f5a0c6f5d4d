"""The models page's parts that follow it, its charts, and the forecast that a slider asks for again and again."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from alerts.services import budget as service
from alerts.views import budget
from tests.factories import make_batch, make_source
from triage.models import DriftBlock, ModelVersion, RawBatch, ShadowTally

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nobody_looked():
    budget.forget()
    yield
    budget.forget()


@pytest.fixture
def page(client, bob):
    client.force_login(bob)
    return client


@pytest.fixture
def champion():
    return ModelVersion.objects.create(
        version="v1", detector="x", status="champion", artefact_sha256="0", trained_at=timezone.now()
    )


def block(source, model, minutes=1):
    DriftBlock.objects.create(
        source=source, model_version=model, ended_at=timezone.now() - dt.timedelta(minutes=minutes), events=250,
        flagged=1, p_counts=[], kinds={}, evidence={},
        judged={"reference": 90, "kinds": {"p": 0.1, "evidence": 9.0, "level": 99.0}},
    )  # fmt: skip


def test_the_nearest_source_is_drawn_and_every_other_one_on_demand(page, champion):
    near, far = make_source("near"), make_source("far")
    for source in (near, far):
        block(source, champion, 5)
        block(source, champion)
    html = page.get("/models/").text
    assert html.count("On the way to an alarm") >= 1
    assert f'hx-get="/models/drift/{far.pk}/"' in html
    fragment = page.get(f"/models/drift/{far.pk}/").text
    assert ">far</bdi>" in fragment
    assert "newest 2 blocks" in fragment
    assert "data-spec=" in fragment
    assert "<html" not in fragment


def test_a_source_without_blocks_has_no_history(page, champion):
    assert page.get(f"/models/drift/{make_source().pk}/").status_code == 404
    assert page.get("/models/drift/999999/").status_code == 404


def test_the_language_model_follows_the_page(page, settings):
    settings.LLM_BASE_URL = ""
    assert 'hx-get="/models/llm/"' in page.get("/models/").text
    assert "None is configured" not in page.get("/models/").text
    fragment = page.get("/models/llm/").text
    assert "None is configured" in fragment
    assert "<html" not in fragment
    assert "None is configured" in page.get("/models/?whole=1").text


def test_a_candidate_is_drawn_beside_the_champion_and_past_versions_are_folded(page, champion):
    candidate, _ = (
        ModelVersion.objects.create(
            version=name, detector="x", status=status, artefact_sha256="0", trained_at=timezone.now()
        )
        for name, status in (("v2", "candidate"), ("v0", "retired"))
    )
    ShadowTally.objects.create(candidate=candidate, champion=champion, minute=100, events=100, only_candidate=2)
    html = page.get("/models/").text
    assert "Share of the same events that each flags" in html
    assert html.index("<code>v1</code>") < html.index("<code>v2</code>") < html.index("Earlier versions")
    assert '<details class="earlier"><summary><code>v0</code>' in html


def test_queries_of_the_page_do_not_grow_with_sources_and_blocks(page, champion, django_assert_num_queries):
    block(make_source(), champion)
    with CaptureQueriesContext(connection) as captured:
        page.get("/models/")
    for number in range(5):
        source = make_source(f"s{number}")
        for minute in range(3):
            block(source, champion, minute)
    with django_assert_num_queries(len(captured)):
        page.get("/models/")


def whole_day(model):
    batch = make_batch(make_source(), "x", received_at=timezone.now() - dt.timedelta(hours=23))
    RawBatch.objects.filter(pk=batch.pk).update(status="done", event_count=1000, model_version=model)


def test_whoever_moves_the_slider_looks_at_one_history_until_another_model_serves(page, champion, monkeypatch):
    whole_day(champion)
    read = []
    monkeypatch.setattr(service, "history", lambda *_, real=service.history: read.append(1) or real())
    for wish in ("4", "5", "6"):
        assert 'id="forecast"' in page.get("/models/budget/", {"alerts_per_day": wish}).text
    assert len(read) == 1
    ModelVersion.objects.filter(pk=champion.pk).update(version="v1b")
    page.get("/models/budget/", {"alerts_per_day": "6"})
    assert len(read) == 2


def test_the_fragment_holds_its_errors_where_the_slider_swaps(page, champion):
    html = page.get("/models/budget/", {"alerts_per_day": "-1"}).text
    assert html.index('id="forecast"') < html.index("greater than or equal to 0.01")
    assert "No forecast" not in html
    assert (
        "No forecast: v1 has not served for a whole day yet"
        in page.get("/models/budget/", {"alerts_per_day": "5"}).text
    )
