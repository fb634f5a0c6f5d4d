"""Saved views: one's own and shared ones, with live counts; only who may changes them."""

import pytest
from django.urls import reverse

from alerts.models import AuditEntry, SavedView
from alerts.selectors.saved_views import views_of
from tests.alerts.rows import HOSTILE, make_alert
from tests.factories import make_source

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana(make_user):
    return make_user("ana", "analyst")


def save(client, user, **values):
    client.force_login(user)
    return client.post(reverse("view_save"), {"page": "queue", "name": "Low ones", "query": "severity=low", **values})


def test_a_view_is_kept_in_canonical_form_and_counted_live(client, ana, django_assert_num_queries):
    source = make_source()
    make_alert(source, severity="low")
    answer = save(client, ana, query="?severity=low&status=open&junk=1")
    assert answer.headers["Location"] == "/?severity=low"
    make_alert(source, severity="low")
    with django_assert_num_queries(2):
        (row,) = views_of(ana, "queue")
    assert (row.view.query, row.count, row.mine, row.view.shared) == ("severity=low", 2, True, False)
    assert not AuditEntry.objects.exists()
    save(client, ana, query="severity=high")
    assert [row.view.query for row in views_of(ana, "queue")] == ["severity=high"]


def test_only_shared_views_are_seen_by_others_and_sharing_is_in_the_trail(client, ana, make_user):
    bob, vic = make_user("bob", "analyst"), make_user("vic", "viewer")
    save(client, ana, name="mine")
    save(client, ana, name="ours", shared="1")
    save(client, vic, name="wished", shared="1")
    assert [row.view.name for row in views_of(bob, "queue")] == ["ours"]
    assert [(row.view.name, row.mine) for row in views_of(vic, "queue")] == [("wished", True), ("ours", False)]
    assert [(entry.action, entry.actor) for entry in AuditEntry.objects.all()] == [("view.shared", "ana")]


def test_who_may_change_a_view(client, ana, make_user):
    save(client, ana, name="ours", shared="1")
    save(client, ana, name="mine")
    ours, mine = SavedView.objects.get(name="ours"), SavedView.objects.get(name="mine")
    client.force_login(make_user("bob", "analyst"))
    for view in (ours, mine):
        assert client.post(reverse("view_change", args=[view.pk]), {"do": "delete"}).status_code == 404
    assert SavedView.objects.count() == 2
    client.force_login(make_user("lea", "lead"))
    assert client.post(reverse("view_change", args=[mine.pk]), {"do": "delete"}).status_code == 404
    client.post(reverse("view_change", args=[ours.pk]), {"do": "change", "name": "theirs", "shared": "1"})
    assert set(SavedView.objects.values_list("name", flat=True)) == {"mine", "theirs"}
    client.post(reverse("view_change", args=[ours.pk]), {"do": "delete"})
    assert [view.name for view in SavedView.objects.all()] == ["mine"]


@pytest.mark.parametrize(
    "values", [{"name": " "}, {"name": "x" * 81}, {"name": "a\u202eb"}, {"query": "severity=huge"}]
)
def test_what_cannot_be_kept_is_said_and_not_kept(client, ana, values):
    answer = save(client, ana, **values)
    assert answer.headers["Location"] == "/views/?page=queue"
    assert not SavedView.objects.exists()
    assert "The view was not saved" in client.get("/views/").content.decode()


def test_a_view_that_cannot_be_read_any_more_says_so(client, ana):
    SavedView.objects.create(owner=ana, page="queue", name="old", query="status=gone")
    (row,) = views_of(ana, "queue")
    assert (row.count, row.problem) == (None, "status: one of open, muted, closed, all")
    client.force_login(ana)
    assert "cannot be read" in client.get("/views/").content.decode()


def test_hostile_names_are_inert(client, ana):
    SavedView.objects.create(owner=ana, page="queue", name=HOSTILE[:80], query="")
    client.force_login(ana)
    body = client.get("/views/").content.decode()
    assert "<script>window" not in body
    assert "&lt;script&gt;" in body
