"""Sessions: a hashed key, two ends, and use that is noted."""

import datetime as dt

import pytest
from django.test import Client
from django.utils import timezone

from triage import sessions
from triage.models import Session

pytestmark = pytest.mark.django_db


@pytest.fixture
def logged_in(alice):
    client = Client()
    client.force_login(alice)
    return client


def age(**changes):
    assert Session.objects.update(**changes) == 1


def is_in(client):
    return client.get("/help/").status_code == 200


def test_the_table_does_not_know_what_the_cookie_holds(logged_in, alice):
    key = logged_in.cookies["sessionid"].value
    row = Session.objects.get()
    assert (row.user, row.pk) == (alice, sessions.row_key(key))
    assert key not in str(Session.objects.values().get())
    thief = Client()
    thief.cookies["sessionid"] = row.pk
    assert not is_in(thief)
    assert is_in(logged_in)


def test_a_session_ends_when_nothing_was_done_for_long(logged_in, settings):
    now = timezone.now()
    age(seen_at=now - dt.timedelta(minutes=settings.SESSION_IDLE_MINUTES - 1))
    assert is_in(logged_in)
    age(seen_at=now - dt.timedelta(minutes=settings.SESSION_IDLE_MINUTES))
    assert not is_in(logged_in)


def test_a_session_ends_at_last_however_busy(logged_in, settings):
    began = timezone.now() - dt.timedelta(seconds=settings.SESSION_COOKIE_AGE - 60)
    store = sessions.SessionStore(logged_in.cookies["sessionid"].value)
    store[sessions.STARTED] = began.timestamp()
    store.save()
    assert is_in(logged_in)
    assert Session.objects.get().expire_date == began + dt.timedelta(seconds=settings.SESSION_COOKIE_AGE)
    age(expire_date=timezone.now())
    assert not is_in(logged_in)


def test_use_moves_the_idle_end_but_an_open_page_does_not(logged_in):
    before = timezone.now() - dt.timedelta(hours=1)
    age(seen_at=before)
    assert logged_in.get("/queue/pulse/", headers={"HX-Request": "true"}).status_code == 200
    assert Session.objects.get().seen_at == before
    assert is_in(logged_in)
    assert Session.objects.get().seen_at > before


def test_use_is_noted_once_a_minute(logged_in, django_assert_num_queries):
    is_in(logged_in)
    with django_assert_num_queries(2):
        assert is_in(logged_in)


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36", "Chrome on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/156.0 Safari/537.36 Edg/156.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1", "Safari on iOS"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", "a client that does not say what it is"),
    ],
)
def test_a_browser_in_two_words(agent: str, words: str):
    assert Session(agent=agent).browser == words


def test_logging_out_leaves_nothing(logged_in):
    logged_in.post("/logout/")
    assert not Session.objects.exists()


def test_ended_sessions_are_forgotten(logged_in, bob, settings):
    other = Client()
    other.force_login(bob)
    Session.objects.filter(user=bob).update(expire_date=timezone.now())
    assert sessions.forget() == 1
    age(seen_at=timezone.now() - dt.timedelta(minutes=settings.SESSION_IDLE_MINUTES))
    assert sessions.forget() == 1
    assert not Session.objects.exists()
