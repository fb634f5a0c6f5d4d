"""Channels are made, changed, paused and ended by people, each with its audit entry and no secret in it."""

import json

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from alerts.models import AuditEntry, Channel
from alerts.services import channels
from alerts.services.channels import ChannelError
from tests.alerts.channels import SECRET, make_channel
from triage import secretbox
from triage.models import User

pytestmark = pytest.mark.django_db
URL = "https://127.0.0.1/services/very-secret-path"
WISHES = {"name": "soc", "min_severity": "high", "topics": ["source"], "per_hour": 10}


@pytest.fixture(autouse=True)
def loopback(settings) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]


def trail() -> list[tuple[str, str]]:
    return list(AuditEntry.objects.order_by("id").values_list("action", "actor"))


def everything_kept() -> str:
    """Return all that the database holds of channels and of the trail."""
    return json.dumps([list(Channel.objects.values()), list(AuditEntry.objects.values("details"))], default=str)


def test_a_webhook_has_a_key_of_its_own_that_is_handed_out_once(dana: User):
    channel, secret = channels.create_channel(by=dana, kind="webhook", place=URL, wishes=WISHES)
    assert channels.secrets_of(channel) == {"url": URL, "secret": secret}
    assert (channel.address, channel.created_by, channel.per_hour) == ("https://127.0.0.1", "dana", 10)
    assert trail() == [("channel.created", "dana")]
    assert "very-secret" not in everything_kept()
    assert secret not in everything_kept()
    assert channels.create_channel(by=dana, kind="webhook", place=URL, wishes=WISHES | {"name": "b"})[1] != secret


def test_a_chat_has_an_address_and_no_key(dana: User):
    channel, secret = channels.create_channel(by=dana, kind="chat", place=URL, wishes=WISHES)
    assert (secret, channels.secrets_of(channel)) == ("", {"url": URL})


def test_mail_needs_a_server_and_addresses(dana: User, settings):
    def make(place: str) -> Channel:
        return channels.create_channel(by=dana, kind="email", place=place, wishes=WISHES)[0]

    with pytest.raises(ChannelError, match="set SMTP_HOST"):
        make("a@example.org")
    settings.SMTP_HOST = "mail.example"
    for wrong in (
        "",
        "nobody",
        "a@example.org, @",
        "a@example.org\nBcc: x@example.org",
        ",".join(f"a{n}@b.example" for n in range(21)),
    ):
        with pytest.raises(ChannelError):
            make(wrong)
    assert not Channel.objects.exists()
    assert trail() == []
    assert make(" a@example.org;b@example.org, a@example.org ").address == "a@example.org, b@example.org"


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("http://169.254.169.254/latest/meta-data/", "never reached"),
        ("http://10.0.0.1/", "OUTBOUND_ALLOW"),
        ("ftp://127.0.0.1/", "begins with https"),
        ("https://user:pass@127.0.0.1/", "without a user"),
        ("", "begins with https"),
    ],
)
def test_a_url_that_leads_where_it_may_not_is_refused(dana: User, place: str, words: str):
    with pytest.raises(ChannelError, match=words):
        channels.create_channel(by=dana, kind="webhook", place=place, wishes=WISHES)
    assert (Channel.objects.count(), trail()) == (0, [])


def test_what_is_changed_is_in_the_trail_and_the_place_is_not(dana: User):
    channel = make_channel(min_severity="high")
    channels.change_channel(by=dana, channel_id=channel.pk, place="", wishes=WISHES | {"min_severity": "critical"})
    channel.refresh_from_db()
    assert channel.min_severity == "critical"
    assert channels.secrets_of(channel)["secret"] == SECRET
    entry = AuditEntry.objects.get()
    assert entry.details == {
        "channel": channel.pk,
        "changed": {"min_severity": ["high", "critical"], "topics": [[], ["source"]], "per_hour": [30, 10]},
        "place_replaced": False,
    }


def test_a_new_place_keeps_the_key(dana: User):
    channel = make_channel()
    channels.change_channel(by=dana, channel_id=channel.pk, place=URL, wishes=WISHES)
    channel.refresh_from_db()
    assert channels.secrets_of(channel) == {"url": URL, "secret": SECRET}
    assert channel.address == "https://127.0.0.1"
    assert AuditEntry.objects.get().details["place_replaced"] is True
    assert "very-secret" not in everything_kept()


def test_a_change_that_is_refused_changes_nothing(dana: User):
    channel = make_channel()
    before = Channel.objects.values().get()
    for place, wishes in (("http://10.0.0.1/", {}), ("", {"min_severity": "awful"}), ("", {"quiet_from": 3})):
        with pytest.raises(ChannelError):
            channels.change_channel(by=dana, channel_id=channel.pk, place=place, wishes=WISHES | wishes)
    assert Channel.objects.values().get() == before
    assert trail() == []


def test_nothing_changed_is_no_entry(dana: User):
    channel = make_channel()
    channels.change_channel(by=dana, channel_id=channel.pk, place="", wishes={})
    assert trail() == []


def test_two_channels_have_two_names_and_an_ended_one_gives_its_name_back(dana: User):
    first = make_channel("soc")
    with pytest.raises(ChannelError, match="a channel is called “soc” already"):
        channels.create_channel(by=dana, kind="webhook", place=URL, wishes=WISHES)
    other = make_channel("other")
    with pytest.raises(ChannelError, match="already"):
        channels.change_channel(by=dana, channel_id=other.pk, place="", wishes=WISHES)
    assert trail() == []
    channels.end(by=dana, channel_id=first.pk)
    channels.create_channel(by=dana, kind="webhook", place=URL, wishes=WISHES)


def test_an_ended_channel_keeps_no_secret_and_gives_up_what_waits(dana: User):
    channel = make_channel()
    now = timezone.now()
    channel.deliveries.create(created_at=now, due_at=now)
    channels.end(by=dana, channel_id=channel.pk)
    channel.refresh_from_db()
    assert (channel.sealed, channel.ended_at is not None) == ("", True)
    assert channel.deliveries.get().error == "the channel was ended"
    assert trail() == [("channel.ended", "dana")]
    with pytest.raises(Channel.DoesNotExist):
        channels.pause(by=dana, channel_id=channel.pk, paused=True)


def test_pausing_twice_is_one_entry(dana: User):
    channel = make_channel()
    for paused in (True, True, False, False):
        channels.pause(by=dana, channel_id=channel.pk, paused=paused)
    assert trail() == [("channel.paused", "dana"), ("channel.resumed", "dana")]


def test_only_a_webhook_has_a_key_to_replace(dana: User):
    webhook, chat = make_channel("a"), make_channel("b", kind="chat")
    secret = channels.new_secret(by=dana, channel_id=webhook.pk)
    webhook.refresh_from_db()
    assert channels.secrets_of(webhook)["secret"] == secret != SECRET
    with pytest.raises(ChannelError, match="only a webhook"):
        channels.new_secret(by=dana, channel_id=chat.pk)
    assert trail() == [("channel.secret_replaced", "dana")]


def test_unknown_topics_are_left_out(dana: User):
    wishes = WISHES | {"topics": ["llm", "nonsense", "source"]}
    assert channels.create_channel(by=dana, kind="webhook", place=URL, wishes=wishes)[0].topics == ["source", "llm"]


def test_the_database_refuses_half_of_quiet_hours_and_no_messages_an_hour():
    for wrong in ({"quiet_from": 60}, {"per_hour": 0}):
        with pytest.raises(IntegrityError), transaction.atomic():
            make_channel(**wrong)


def test_a_secret_is_sealed_for_its_key_and_purpose():
    text = secretbox.seal("hidden", key="k" * 40, purpose="a")
    assert "hidden" not in text
    assert secretbox.seal("hidden", key="k" * 40, purpose="a") != text
    assert secretbox.unseal(text, key="k" * 40, purpose="a") == "hidden"
    for key, purpose, given in (
        ("j" * 40, "a", text),
        ("k" * 40, "b", text),
        ("k" * 40, "a", text[:-2]),
        ("k" * 40, "a", ""),
        ("k" * 40, "a", "v1.é"),
    ):
        with pytest.raises(secretbox.SealBrokenError):
            secretbox.unseal(given, key=key, purpose=purpose)
