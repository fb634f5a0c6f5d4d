"""The pages of notification channels: making, changing, testing, pausing, ending, and what became of messages."""

import re

import pytest
from django.utils import timezone

from alerts.models import AuditEntry, Channel, Delivery, Notification
from alerts.services import outbox
from tests.alerts.channels import SECRET, Sender, make_channel, receiving
from tests.alerts.services.test_outbox import note

pytestmark = pytest.mark.django_db
FORM = {
    "name": "soc", "kind": "webhook", "min_severity": "high", "topics": ["source", "llm"], "tell_details": "on",
    "quiet_from": "22:00", "quiet_until": "06:30", "quiet_zone": "Europe/Berlin", "critical_at_once": "on",
    "digest_minutes": "0", "per_hour": "30", "repeat_minutes": "60",
}  # fmt: skip
PLACE = "http://127.0.0.1:9/very-secret-path"


@pytest.fixture(autouse=True)
def loopback(settings) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]


@pytest.fixture
def admin(client, dana):
    client.force_login(dana)
    return client


def test_without_a_channel_the_page_teaches_the_first_step(admin):
    page = admin.get("/settings/notifications/")
    assert "Nobody is told yet" in page.text
    assert re.search(r'<details class="new-channel" open>', page.text)


def test_a_new_webhook_shows_its_key_once_and_never_where_it_leads(admin):
    page = admin.post("/settings/notifications/", FORM | {"place": PLACE})
    assert page.status_code == 201
    key = re.search(r'id="new-secret">(whsec_[^<]+)<', page.text)
    assert key
    channel = Channel.objects.get()
    assert (channel.quiet_from, channel.quiet_until, channel.quiet_zone) == (22 * 60, 6 * 60 + 30, "Europe/Berlin")
    assert (channel.topics, channel.tell_details, channel.critical_at_once) == (["source", "llm"], True, True)
    for later in (admin.get("/settings/notifications/"), admin.get(f"/settings/notifications/{channel.pk}/")):
        assert key[1] not in later.text
        assert "very-secret" not in later.text
    assert "very-secret" not in page.text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"place": "http://169.254.169.254/x"}, "never reached"),
        ({"place": ""}, "begins with https"),
        ({"name": " "}, "required"),
        ({"name": "a\u202eb"}, "visible characters"),
        ({"quiet_until": ""}, "a beginning and an end"),
        ({"quiet_zone": "Mars/Base"}, "time zone"),
        ({"per_hour": "0"}, "greater than or equal to 1"),
        ({"kind": "pigeon"}, "not one of the available"),
        ({"topics": ["nonsense"]}, "not one of the available"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_made(admin, change, words):
    page = admin.post("/settings/notifications/", FORM | {"place": PLACE} | change)
    assert page.status_code == 422
    assert words in page.text
    assert "very-secret" not in page.text
    assert not Channel.objects.exists()
    assert not AuditEntry.objects.exists()


def test_changing_keeps_what_was_not_named(admin):
    channel = make_channel()
    answer = admin.post(f"/settings/notifications/{channel.pk}/", FORM | {"name": "new name", "place": ""})
    assert answer.status_code == 302
    channel.refresh_from_db()
    assert channel.name == "new name"
    page = admin.get(f"/settings/notifications/{channel.pk}/")
    assert 'value="22:00"' in page.text
    assert SECRET not in page.text


def test_a_test_says_what_came_of_it(admin):
    with receiving((200, {}), (503, {})) as receiver:
        channel = make_channel(url=receiver.url)
        url = f"/settings/notifications/{channel.pk}/act/"
        assert "The test was taken: 200 in" in admin.post(url, {"do": "test"}, follow=True).text
        assert "The test was not sent: the receiver answered 503." in admin.post(url, {"do": "test"}, follow=True).text
    assert [row.state for row in channel.deliveries.order_by("id")] == ["sent", "dead"]


def test_pausing_and_going_on(admin):
    channel = make_channel()
    url = f"/settings/notifications/{channel.pk}/act/"
    assert "by <bdi>dana</bdi>" in admin.post(url, {"do": "pause"}, follow=True).text
    assert Channel.objects.get().paused_at is not None
    admin.post(url, {"do": "resume"})
    assert Channel.objects.get().paused_at is None
    assert admin.post(url, {"do": "dance"}).status_code == 422


def test_a_new_key_is_shown_and_an_ended_channel_is_gone(admin):
    channel = make_channel()
    url = f"/settings/notifications/{channel.pk}/act/"
    assert re.search(r'id="new-secret">whsec_', admin.post(url, {"do": "secret"}).text)
    admin.post(url, {"do": "end"})
    assert admin.get(f"/settings/notifications/{channel.pk}/").status_code == 404
    assert admin.post(url, {"do": "pause"}).status_code == 404
    assert "Nobody is told yet" in admin.get("/settings/notifications/").text


def test_what_was_given_up_is_shown_with_its_reason_and_sent_again(admin):
    channel = make_channel()
    now = timezone.now()
    dead = Delivery.objects.create(
        channel=channel, state="dead", attempts=8, error="the receiver answered 500", created_at=now, due_at=now
    )
    Notification.objects.create(
        channel=channel, topic="alert", subject="s", key="k", severity="high", severity_rank=3, title="A login",
        created_at=now, delivery=dead,
    )  # fmt: skip
    page = admin.get(f"/settings/notifications/{channel.pk}/")
    assert "Given up" in page.text
    assert "the receiver answered 500" in page.text
    assert "1 given up" in admin.get("/settings/notifications/").text
    admin.post(f"/settings/notifications/messages/{dead.pk}/again/")
    sender = Sender()
    assert outbox.run(send=sender) == 1
    assert sender.sent[0][1].uuid == str(dead.uuid)
    again = admin.post(f"/settings/notifications/messages/{dead.pk}/again/", follow=True)
    assert "Nothing was changed" in again.text


def test_the_list_takes_the_same_queries_for_one_channel_or_ten(admin, django_assert_max_num_queries):
    for number in range(10):
        note(make_channel(f"c{number}"))
    with django_assert_max_num_queries(8):
        page = admin.get("/settings/notifications/")
    assert page.text.count('class="tag">Webhook') == 10


def test_a_lead_neither_sees_nor_changes_channels(client, charlie):
    channel = make_channel()
    client.force_login(charlie)
    assert client.get("/settings/notifications/").status_code == 403
    assert client.post(f"/settings/notifications/{channel.pk}/act/", {"do": "pause"}).status_code == 403
    assert "Notifications" not in client.get("/settings/").text
    assert Channel.objects.get().paused_at is None
