"""The queue's fragments: what is inside a group, a group's head again, a facet's values."""

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.alerts.rows import HOSTILE, make_alert
from tests.factories import make_batch, make_source
from triage.models import ModelVersion

pytestmark = pytest.mark.django_db
FIRST = "1" * 64


@pytest.fixture
def ana(client, make_user):
    client.force_login(make_user("ana", "analyst"))
    return client


@pytest.fixture
def alike():
    """Return six alerts of one kind about two entities, the most urgent last."""
    source = make_source()
    alerts = [make_alert(source, template=FIRST, entity=f"user:{n % 2}", severity="low") for n in range(5)]
    return [*alerts, make_alert(source, template=FIRST, entity="user:0", severity="high")]


def test_alerts_of_a_kind_are_one_group_that_is_opened_step_by_step(ana, alike):
    top = alike[-1].pk
    text = ana.get("/").text
    assert text.count('class="group ') == 1
    assert 'data-total="6"' in text
    assert "about 2 entities, " in text
    inside = ana.get(reverse("queue_group"), {"template": FIRST, "without": top}).text
    assert inside.count('data-by="entity"') == 2
    rows = ana.get(reverse("queue_group"), {"template": FIRST, "entity": "user:1", "without": top}).text
    assert [f'id="row-{alert.pk}"' in rows for alert in alike] == [False, True, False, True, False, False]
    assert 'class="group ' not in rows


def test_the_inside_of_a_group_costs_the_same_however_many(ana, alike, django_assert_num_queries):
    address = f"{reverse('queue_group')}?template={FIRST}&without={alike[-1].pk}"
    ana.get(address)
    with django_assert_num_queries(5):
        ana.get(address)
    for number in range(40):
        make_alert(alike[0].source, template=FIRST, entity=f"user:{number}")
    with django_assert_num_queries(5):
        ana.get(address)


def test_a_head_follows_and_is_gone_with_the_last_alert(ana, alike):
    address = f"{reverse('queue_head')}?template={FIRST}"
    assert f'id="row-{alike[-1].pk}"' in ana.get(address).text
    for alert in alike:
        alert.status = "closed"
        alert.save()
    assert ana.get(address).text.strip() == ""


def test_values_of_a_facet_are_found_and_inert(ana, alike, django_assert_num_queries):
    make_alert(alike[0].source, entity=f"user:{HOSTILE}"[:200])
    address = reverse("queue_values")
    ana.get(address, {"facet": "entity"})
    with django_assert_num_queries(3):
        text = ana.get(address, {"facet": "entity"}).text
    assert text.count("<li>") == 3
    assert "<script>" not in text
    assert ana.get(address, {"facet": "entity", "find": "ER:1"}).text.count("<li>") == 1
    assert "Nothing like that" in ana.get(address, {"facet": "technique", "find": "T9"}).text


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("queue_values", "facet=severity"),
        ("queue_values", "facet=entity&status=odd"),
        ("queue_group", ""),
        ("queue_group", "template=x&cursor=odd"),
        ("queue_head", "status=open"),
        ("queue_rows", "cursor=odd"),
    ],
)
def test_what_no_page_asks_for_is_not_there(ana, name, query):
    assert ana.get(f"{reverse(name)}?{query}").status_code == 404


def test_an_unknown_value_is_said_in_the_page(ana, alike):
    answer = ana.get("/?severity=huge&cursor=odd")
    assert answer.status_code == 200
    assert "asks for something unknown (severity: one of" in answer.text
    assert f'id="row-{alike[-1].pk}"' in answer.text


def test_a_queue_in_which_all_is_muted_says_so(ana, make_user):
    source, now = make_source(), timezone.now()
    make_batch(source, "a line", status="done", event_count=1)
    ModelVersion.objects.create(version="v1", detector="x", artefact_sha256="0" * 64, trained_at=now, status="champion")
    assert "muted alert" not in ana.get("/").text
    for _ in range(2):
        make_alert(source, status="muted")
    text = ana.get("/").text
    assert "The queue is empty" in text
    assert '<a class="button" href="?status=muted">Show 2 muted alerts</a>' in text
