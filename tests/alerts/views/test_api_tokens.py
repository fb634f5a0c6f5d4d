"""API tokens: names, ends, last use, and that a token never reaches further than its person."""

import datetime as dt

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from alerts.models import AuditEntry
from alerts.services import accounts
from triage.models import ApiToken

pytestmark = pytest.mark.django_db


def ask(text, path="/api/v1/alerts", method="GET"):
    return Client().generic(method, path, b"{}", headers={"Authorization": f"Bearer {text}"}).status_code


def test_a_token_has_a_name_an_end_and_a_last_use(client, alice):
    client.force_login(alice)
    client.post("/settings/tokens/", {"scope": "read", "name": "SOAR <b>", "days": "7"})
    token = ApiToken.objects.get()
    assert token.name == "SOAR <b>"
    assert abs(token.expires_at - timezone.now() - dt.timedelta(days=7)) < dt.timedelta(minutes=1)
    body = client.get("/settings/").content.decode()
    assert "SOAR &lt;b&gt;" in body
    assert "never used" in body
    assert AuditEntry.objects.get().details == {"token": token.pk, "name": "SOAR <b>", "scope": "read", "days": 7}


def test_a_token_ends(alice):
    token, text = accounts.create_token(user=alice, scope="read", days=7)
    assert ask(text) == 200
    ApiToken.objects.update(expires_at=timezone.now() - dt.timedelta(seconds=1))
    assert ask(text) == 401
    client = Client()
    client.force_login(alice)
    assert f"/settings/tokens/{token.pk}/" not in client.get("/settings/").content.decode()


def test_the_last_use_is_noted_once_a_minute(alice):
    _, text = accounts.create_token(user=alice, scope="read")
    ask(text)
    first = ApiToken.objects.get().last_used_at
    ask(text)
    assert ApiToken.objects.get().last_used_at == first
    ApiToken.objects.update(last_used_at=first - dt.timedelta(minutes=1))
    ask(text)
    assert ApiToken.objects.get().last_used_at > first


@pytest.mark.parametrize(
    "values", [{"days": "0"}, {"days": "366"}, {"days": "x"}, {"name": "a\u202eb"}, {"name": "x" * 81}]
)
def test_a_token_that_makes_no_sense_is_not_made(client, alice, values):
    client.force_login(alice)
    assert client.post("/settings/tokens/", {"scope": "read"} | values).status_code == 422
    assert not ApiToken.objects.exists()
    assert not AuditEntry.objects.exists()


def test_a_token_reaches_no_further_than_its_person(alice, bob):
    _, writes = accounts.create_token(user=bob, scope="write")
    assert ask(writes, "/api/v1/alerts/1/verdict", "POST") == 403
    _, reads = accounts.create_token(user=alice, scope="read")
    assert ask(reads, "/api/v1/alerts/1/verdict", "POST") == 403
    _, both = accounts.create_token(user=alice, scope="write")
    assert ask(both, "/api/v1/alerts/1/verdict", "POST") in {400, 404, 422}
    alice.role = "viewer"
    alice.save()
    assert ask(both, "/api/v1/alerts/1/verdict", "POST") == 403


def test_a_token_is_no_login(alice):
    _, text = accounts.create_token(user=alice, scope="write")
    assert ask(text, "/") == 302
    assert ask(text, "/settings/") == 302


def test_the_command_names_it_and_gives_it_an_end(alice, capsys):
    call_command("create_token", "alice", "--scope", "write", "--name", "night shift", "--days", "30")
    token = ApiToken.objects.get()
    assert (token.name, token.scope) == ("night shift", "write")
    assert abs(token.expires_at - timezone.now() - dt.timedelta(days=30)) < dt.timedelta(minutes=1)
    assert ask(capsys.readouterr().out.split()[-1]) == 200
    call_command("create_token", "alice")
    assert ApiToken.objects.latest("id").expires_at is None
