import base64

import pytest
from django.core.management import CommandError, call_command

from triage import authentication
from triage.authentication import SourceIdentity, TokenCache, api_token_user, hash_token, source_for, token_in
from triage.models import ApiToken, Source, User


@pytest.fixture(autouse=True)
def fresh_cache():
    authentication.cache.clear()


def basic(text):
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("value", "token"),
    [
        ("Splunk abc", "abc"),
        ("splunk   abc ", "abc"),
        ("Bearer abc", "abc"),
        ("APIKEY abc", "abc"),
        ("ApiKey " + base64.b64encode(b"id:abc").decode(), "abc"),
        ("ApiKey " + base64.b64encode(b"id:").decode(), "aWQ6"),
        ("ApiKey wi_a-b", "wi_a-b"),
        (basic("x:abc"), "abc"),
        (basic(":a:b"), "a:b"),
        ("abc", None),
        ("", None),
        ("Splunk", None),
        ("Splunk ", None),
        ("Digest abc", None),
        (basic("x:"), None),
        (basic("abc"), None),
        ("Basic ///", None),
        ("Basic /w==", None),
        ("Bearer " + "a" * 5000, None),
    ],
)
def test_the_token_of_an_authorization_value(value, token):
    assert token_in(value) == token


def test_tokens_are_long_random_and_prefixed():
    one, two = authentication.new_token("wi"), authentication.new_token("wi")
    assert one != two
    assert one.startswith("wi_")
    assert len(one) == 46
    assert hash_token("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.django_db
def test_a_token_finds_its_source_enabled_or_not():
    on = Source.objects.create(name="on", token_hash=hash_token("token-on"))
    off = Source.objects.create(name="off", token_hash=hash_token("token-off"), enabled=False)
    assert source_for("token-on") == SourceIdentity(id=on.pk, name="on", enabled=True)
    assert source_for("token-off") == SourceIdentity(id=off.pk, name="off", enabled=False)
    assert source_for("token-of") is None


@pytest.mark.django_db
def test_known_and_unknown_tokens_cost_one_query_each(django_assert_num_queries):
    Source.objects.create(name="often", token_hash=hash_token("often-used"))
    with django_assert_num_queries(2):
        for _ in range(3):
            assert source_for("often-used") is not None
            assert source_for("never-issued") is None


def test_the_cache_forgets_after_its_time_and_is_bounded(monkeypatch):
    now = [100.0]
    cache = TokenCache(seconds=5.0, clock=lambda: now[0])
    identity = SourceIdentity(id=1, name="a")
    cache.put("good", identity)
    cache.put("bad", None)
    assert (cache.get("good"), cache.get("bad"), cache.get("new")) == ((True, identity), (True, None), (False, None))
    now[0] = 105.0
    assert cache.get("good")[0] is False
    monkeypatch.setattr(authentication, "MAX_CACHED", 3)
    for number in range(10):
        cache.put(str(number), None)
    assert [cache.get(str(number))[0] for number in range(10)] == [False] * 7 + [True] * 3


@pytest.mark.django_db
def test_an_api_token_finds_its_user_until_either_goes(alice):
    token = ApiToken.objects.create(user=alice, token_hash=hash_token("api"), scope="write")
    assert api_token_user("api") == (alice, "write")
    assert api_token_user("ap") is None
    User.objects.update(is_active=False)
    assert api_token_user("api") is None
    User.objects.update(is_active=True)
    token.revoked_at = token.created_at
    token.save()
    assert api_token_user("api") is None


@pytest.mark.django_db
def test_create_source_prints_a_token_that_works_and_stores_its_hash(capsys):
    call_command("create_source", "firewall")
    token = capsys.readouterr().out.splitlines()[-1]
    source = Source.objects.get()
    assert (source.name, source.token_hash) == ("firewall", hash_token(token))
    assert source_for(token) == SourceIdentity(id=source.pk, name="firewall")


@pytest.mark.django_db
def test_a_source_name_is_taken_once_and_rotation_replaces_the_token(capsys):
    call_command("create_source", "firewall")
    first = capsys.readouterr().out.splitlines()[-1]
    with pytest.raises(CommandError, match="source 'firewall' exists already; --rotate gives it a new token"):
        call_command("create_source", "firewall")
    assert Source.objects.get().token_hash == hash_token(first)
    call_command("create_source", "firewall", "--rotate")
    second = capsys.readouterr().out.splitlines()[-1]
    assert second != first
    assert Source.objects.get().token_hash == hash_token(second)


@pytest.mark.django_db
def test_create_source_with_acknowledgement(capsys):
    call_command("create_source", "firewall", "--ack")
    source = source_for(capsys.readouterr().out.splitlines()[-1])
    assert source is not None
    assert (source.name, source.use_ack) == ("firewall", True)
    with pytest.raises(CommandError, match="not allowed with"):
        call_command("create_source", "firewall", "--ack", "--rotate")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["x" * 81], "80 characters"), ([" "], "blank"), (["nobody", "--rotate"], "there is no source 'nobody'")],
)
def test_create_source_says_what_is_wrong(arguments, message):
    with pytest.raises(CommandError, match=message):
        call_command("create_source", *arguments)
    assert Source.objects.count() == 0


@pytest.mark.django_db
@pytest.mark.parametrize(("arguments", "scope"), [([], "read"), (["--scope", "write"], "write")])
def test_create_token_prints_a_token_that_works(alice, capsys, arguments, scope):
    call_command("create_token", "alice", *arguments)
    assert api_token_user(capsys.readouterr().out.splitlines()[-1]) == (alice, scope)


@pytest.mark.django_db
def test_create_token_needs_a_user():
    with pytest.raises(CommandError, match="there is no user 'mallory'"):
        call_command("create_token", "mallory")
    assert ApiToken.objects.count() == 0
