"""What senders gave us to recognise things by goes when its time is over, and not before."""

import datetime as dt

import pytest
from django.utils import timezone

from tests.factories import make_source
from triage import forgetting, tasks
from triage.models import Ack, AckChannel, RecordKey

pytestmark = pytest.mark.django_db


def channel(source, name, seconds_ago):
    made = AckChannel.objects.create(
        source=source, channel=name, next_id=2, used_at=timezone.now() - dt.timedelta(seconds=seconds_ago)
    )
    Ack.objects.bulk_create([Ack(channel=made, number=number) for number in range(2)])
    return made


def test_only_idle_channels_are_dropped_with_their_numbers():
    source = make_source()
    channel(source, "idle", 601)
    used = channel(source, "used", 590)
    assert forgetting.drop_idle_channels(timezone.now()) == 1
    assert list(AckChannel.objects.all()) == [used]
    assert set(Ack.objects.values_list("channel_id", "number")) == {(used.pk, 0), (used.pk, 1)}
    assert forgetting.drop_idle_channels(timezone.now()) == 0


def test_many_idle_channels_go_some_at_a_time():
    source = make_source()
    for number in range(5):
        channel(source, f"idle-{number}", 601)
    assert [forgetting.drop_idle_channels(timezone.now(), at_once=2) for _ in range(4)] == [2, 2, 1, 0]
    assert not Ack.objects.exists()


def test_old_record_keys_are_dropped_with_the_other_old_things():
    source, now = make_source(), timezone.now()
    for key, days in (("old", 8.1), ("young", 7.9)):
        RecordKey.objects.create(source=source, key=key, received_at=now - dt.timedelta(days=days))
    tasks.expire()
    assert RecordKey.objects.get().key == "young"
