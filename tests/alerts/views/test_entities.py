"""Entities: listed by risk, shown with what is known and how much it rests on; nothing of a blind audit is told."""

import datetime as dt

import pytest
from django.urls import reverse
from django.utils import timezone

from alerts.models import Alert
from alerts.selectors import entities
from alerts.selectors.entities import Entity
from alerts.services import review
from tests.alerts.flagged_events import START, flagged
from tests.alerts.rows import HOSTILE, make_alert
from tests.factories import make_source

pytestmark = pytest.mark.django_db


@pytest.fixture
def source():
    return make_source()


@pytest.fixture
def vic(client, make_user):
    user = make_user("vic", "viewer")
    client.force_login(user)
    return user


def page_of(client, kind, name):
    return client.get(reverse("entity", args=[kind]), {"name": name})


def test_the_list_is_in_order_of_risk_and_can_be_narrowed(source, django_assert_num_queries):
    make_alert(source, entity="user:low", severity="low")
    make_alert(source, entity="host:db", severity="critical")
    make_alert(source, entity="user:low", severity="info")
    make_alert(source, entity="user:calm", severity="critical", status="closed")
    make_alert(source, entity="user:audited", severity="critical", origin="blind_audit")
    with django_assert_num_queries(1):
        rows, more = entities.listed()
    told = [(row.entity.key, row.open, row.alerts, row.worst) for row in rows]
    assert told == [
        ("host:db", 1, 1, 4),
        ("user:low", 2, 2, 1),
        ("user:audited", 1, 1, None),
        ("user:calm", 0, 1, None),
    ]
    assert not more
    assert [row.entity.name for row in entities.listed(kind="host")[0]] == ["db"]
    assert [row.entity.name for row in entities.listed(search_for="AUD")[0]] == ["audited"]


def test_the_second_page_goes_on(source):
    for number in range(53):
        make_alert(source, entity=f"user:{number:03d}", last_seen_at=timezone.now())
    first, more = entities.listed()
    second, over = entities.listed(page=2)
    assert (len(first), more, len(second), over) == (50, True, 3, False)
    assert not {row.entity.key for row in first} & {row.entity.key for row in second}


def test_a_page_counts_alerts_in_any_role_and_says_their_outcome(source, make_user):
    ana = make_user("ana", "analyst")
    make_alert(source, entity="user:eve", user_name="eve", host_name="db-9")
    other = make_alert(source, entity="user:bob", user_name="bob", host_name="db-9", severity="low")
    make_alert(source, entity="host:else", host_name="else")
    review.record_verdict(alert_id=other.pk, value="fp_data", user=ana, expected_revision=None)
    shown = entities.entity_page(Entity("host", "db-9"))
    assert (shown.total, shown.open) == (2, 1)
    assert [(alert.entity, outcome) for alert, outcome in shown.alerts] == [
        ("user:eve", ""),
        ("user:bob", "False positive (data)"),
    ]
    assert [(day.levels, day.total) for day in shown.risk if day.total] == [([("high", 1), ("low", 1)], 2)]
    assert len(shown.risk) == entities.RISK_DAYS
    assert [(bar.level, bar.count, bar.height) for bar in shown.bars] == [("low", 1, 34.0), ("high", 1, 34.0)]


def test_an_open_blind_audit_is_no_risk(source):
    make_alert(source, entity="user:eve", user_name="eve", origin="blind_audit", severity="critical")
    assert entities.entity_page(Entity("user", "eve")).highest_day == 0


def test_the_place_in_the_list_does_not_tell_the_severity_of_an_open_blind_audit(source):
    now = timezone.now()
    audited = make_alert(source, entity="user:eve", origin="blind_audit", severity="critical", last_seen_at=now)
    low = make_alert(source, entity="user:eve", severity="low", last_seen_at=now - dt.timedelta(hours=1))
    high = make_alert(source, entity="user:eve", severity="high", last_seen_at=now - dt.timedelta(hours=2))
    shown = entities.entity_page(Entity("user", "eve"))
    assert [alert.pk for alert, _ in shown.alerts] == [high.pk, low.pk, audited.pk]


def test_activity_tells_hours_peers_and_how_much_it_rests_on(source):
    for hours, host in ((0, "db-1"), (1, "db-1"), (25, "web-1")):
        flagged(source, timestamp=START + dt.timedelta(hours=hours), host_name=host)
    flagged(source, user_name="other", entity="user:other")
    done = entities.activity(Entity("user", "backup"))
    assert (done.events, done.whole, done.since) == (3, True, START)
    assert (START.weekday(), START.hour) == (6, 14)
    assert (done.heat[6][14], done.heat[6][15], done.heat[0][15], done.hottest) == (1, 1, 1, 1)
    assert sum(map(sum, done.heat)) == 3
    hosts = next(group for group in done.peers if group.label == "Hosts")
    assert hosts.rows == [("db-1", 2, START), ("web-1", 1, START + dt.timedelta(hours=25))]
    assert "Users" not in [group.label for group in done.peers]
    assert [event.host_name for event in done.newest] == ["web-1", "db-1", "db-1"]


def test_a_host_is_found_in_events_about_others(source):
    flagged(source, host_name="db-7")
    assert entities.activity(Entity("host", "db-7")).events == 1
    assert entities.activity(Entity("host", "db-8")).events == 0


def test_the_page_costs_the_same_however_much_there_is(source, client, vic, django_assert_max_num_queries):
    make_alert(source, entity="user:eve", user_name="eve")
    with django_assert_max_num_queries(40) as first:
        page_of(client, "user", "eve")
    for _ in range(20):
        make_alert(source, entity="user:eve", user_name="eve")
        flagged(source, entity="user:eve", user_name="eve")
    with django_assert_max_num_queries(40) as second:
        page_of(client, "user", "eve")
    assert len(first) == len(second)


@pytest.mark.parametrize(
    ("kind", "name", "status"),
    [
        ("user", "nobody", 404),
        ("planet", "mars", 404),
        ("user", "", 404),
        ("user", "x" * 256, 404),
        ("user", "a\0b", 404),
    ],
)
def test_what_is_not_known_says_so(client, vic, kind, name, status):
    answer = page_of(client, kind, name)
    assert answer.status_code == status
    assert "Search entities" in answer.content.decode()


def test_any_character_finds_its_entity_and_is_inert(source, client, vic):
    name = (HOSTILE + "/?&#%;ü")[:180]
    make_alert(source, entity=f"user:{name}"[:200], user_name=name)
    listed = client.get("/entities/").content.decode()
    body = page_of(client, "user", name)
    assert body.status_code == 200
    for html in (listed, body.content.decode()):
        assert "<script>window" not in html
        assert "<img src=x" not in html
    assert Alert.objects.count() == 1


def test_a_page_number_that_is_none_is_the_first(client, vic):
    for number in ("0", "-1", "x", "9" * 30, "٣"):
        assert client.get("/entities/", {"page": number}).status_code == 200
