"""The models page: what the shadow has shown, and the two buttons with their confirm step."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from alerts.models import AuditEntry
from alerts.selectors import versions
from tests.alerts.rows import HOSTILE
from tests.triage.versions import spoil, store_version
from triage import champion, shadow, shadow_figures
from triage.models import LearnState, ModelVersion, User
from triage.shadow_figures import Shadowed

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def models_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    monkeypatch.setattr(settings, "MODELS_DIR", tmp_path)
    champion.forget()
    yield tmp_path
    champion.forget()
    shadow.forget()


@pytest.fixture
def pair(models_dir: Path) -> tuple[ModelVersion, ModelVersion]:
    return store_version(models_dir, "v1", status="champion"), store_version(models_dir, "v2")


@pytest.fixture
def page(client: Client, charlie: User) -> Client:
    client.force_login(charlie)
    return client


def shown(client: Client) -> str:
    return " ".join(client.get("/models/").content.decode().split())


def statuses() -> dict[str, str]:
    return dict(ModelVersion.objects.order_by("version").values_list("version", "status"))


def test_the_page_shows_what_both_flagged(page: Client, pair: tuple[ModelVersion, ModelVersion]) -> None:
    for minute in range(3):
        shadow_figures.add([Shadowed(pair[1].pk, pair[0].pk, minute, 400, 2, 1, 3, 4, 20, 40, 200)])
    html = shown(page)
    assert "1,200 live events in 3 minutes were scored by this version and by <code>v1</code>; 2,000 in 60" in html
    assert "Flagged by both: 6; only by the candidate: 3; only by the champion: 9." in html
    assert '<th scope="row">flagged by the candidate</th><td class="num">0.00750</td>' in html
    assert "candidate’s p ≤ 0.1" in html
    assert "flagged more by the candidate, 99.5 % interval" in html


def test_a_candidate_that_was_not_compared_yet_says_so(page: Client, pair: tuple[ModelVersion, ModelVersion]) -> None:
    assert "No live event has been scored by both models yet. 2,000 events in 60 minutes are needed" in shown(page)


def test_what_was_seen_stays_on_the_page_of_a_decided_version(
    page: Client, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    shadow_figures.add([Shadowed(pair[1].pk, pair[0].pk, 1, 400, 2, 1, 3, 4, 20, 40, 200)])
    seen = shadow_figures.report(pair[1]) | {"verdict": "reject"}  # type: ignore[operator]
    ModelVersion.objects.filter(pk=pair[1].pk).update(status="rejected", metrics=pair[1].metrics | {"shadow": seen})
    shadow_figures.forget_decided()
    assert "Flagged by both: 2; only by the candidate: 1; only by the champion: 3." in shown(page)


def test_a_lead_promotes_and_rolls_back_by_page(page: Client, pair: tuple[ModelVersion, ModelVersion]) -> None:
    assert f'action="/models/{pair[1].pk}/promote/"' in shown(page)
    assert "/models/rollback/" not in shown(page)
    answer = page.post(f"/models/{pair[1].pk}/promote/", {"expected_champion": "v1"}, follow=True)
    assert answer.redirect_chain == [("/models/", 302)]
    assert "v2 serves now; every worker takes it up within seconds." in answer.content.decode()
    assert statuses() == {"v1": "retired", "v2": "champion"}
    assert 'action="/models/rollback/"' in shown(page)
    page.post("/models/rollback/", {"expected_champion": "v2"})
    assert statuses() == {"v1": "champion", "v2": "rejected"}
    assert list(AuditEntry.objects.order_by("id").values_list("action", "actor")) == [
        ("promote_model", "charlie"), ("rollback_model", "charlie"),
    ]  # fmt: skip


@pytest.mark.parametrize(("form", "words"), [
    ({"expected_champion": "v0"}, "somebody else was faster: the champion is v1 now, not v0."),
    ({"expected_champion": ""}, "somebody else was faster: the champion is v1 now, not none."),
    ({}, "Nothing was changed: the form did not say which champion you saw."),
])  # fmt: skip
def test_a_form_that_is_out_of_date_changes_nothing(
    page: Client, pair: tuple[ModelVersion, ModelVersion], form: dict[str, str], words: str
) -> None:
    answer = page.post(f"/models/{pair[1].pk}/promote/", form, follow=True)
    assert words in answer.content.decode()
    assert statuses() == {"v1": "champion", "v2": "candidate"}
    assert AuditEntry.objects.count() == 0


def test_a_refused_artefact_is_said_on_the_page(
    page: Client, pair: tuple[ModelVersion, ModelVersion], models_dir: Path
) -> None:
    spoil(models_dir, "v2")
    answer = page.post(f"/models/{pair[1].pk}/promote/", {"expected_champion": "v1"}, follow=True)
    assert "v2 is refused, the champion goes on serving: version v2 has been changed" in answer.content.decode()
    assert statuses() == {"v1": "champion", "v2": "candidate"}


def test_an_unknown_version_is_not_found(page: Client, pair: tuple[ModelVersion, ModelVersion]) -> None:
    assert page.post("/models/999999/promote/", {"expected_champion": "v1"}).status_code == 404


def test_an_analyst_sees_the_figures_and_no_buttons(
    client: Client, alice: User, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    client.force_login(alice)
    html = shown(client)
    assert "Beside the champion" in html
    assert "/promote/" not in html


def test_training_is_shown_while_a_champion_serves(page: Client, pair: tuple[ModelVersion, ModelVersion]) -> None:
    LearnState.objects.create(phase="collecting", detail="step 1 of 4: 120,000 events, 3 of 9 batches read")
    assert "<strong>Training: collecting.</strong>" in shown(page)
    assert "120,000 events, 3 of 9 batches read" in shown(page)
    LearnState.objects.update(phase="failed", detail=HOSTILE)
    html = shown(page)
    assert "<strong>The last training failed.</strong> The champion goes on serving." in html
    assert "<script>window.hit" not in html
    LearnState.objects.update(phase="idle")
    assert "Training: " not in shown(page)


def test_a_training_that_fell_silent_is_not_shown_as_running(pair: tuple[ModelVersion, ModelVersion]) -> None:
    LearnState.objects.create(phase="learning")
    assert versions.training() is not None
    LearnState.objects.update(changed_at=timezone.now() - dt.timedelta(hours=1))
    assert versions.training() is None
