"""Single sign-on against a real provider: oidc-provider, started here, with a person's browser played over HTTP."""

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from django.test import Client

from alerts.models import AuditEntry
from alerts.services import provider
from tests.conftest import PASSWORD
from triage.models import SsoIdentity, User

NODE = Path(__file__).parent / "node"
MISSING = not (shutil.which("node") and (NODE / "node_modules" / "oidc-provider").is_dir())
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.process,
    pytest.mark.once,
    pytest.mark.skipif(
        MISSING and not os.environ.get("CI"), reason="oidc-provider is not installed: bash tests/sso/install.sh"
    ),
]
SECRET = "a-client-secret-that-nothing-may-show"
ACCOUNTS = {
    "s-nia": {"preferred_username": "nia", "groups": ["staff", "soc"]},
    "s-otto": {"preferred_username": "otto", "groups": ["staff"]},
    "s-ann": {"preferred_username": "ann", "groups": ["soc", "soc-leads"]},
    "s-mallory": {"preferred_username": "alice", "groups": ["soc"]},
}
RETURN = "http://testserver/login/sso/return/"


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    client = {
        "client_id": "winnow",
        "client_secret": SECRET,
        "redirect_uris": [RETURN],
        "response_types": ["code"],
        "grant_types": ["authorization_code"],
    }
    argument = json.dumps({"port": port, "clients": [client], "accounts": ACCOUNTS})
    command = ["node", "provider.js", argument]
    with subprocess.Popen(command, cwd=NODE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            assert "ready" in process.stdout.readline()
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@pytest.fixture(autouse=True)
def configured(settings, issuer):
    settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = issuer, "winnow", SECRET
    settings.OIDC_ROLES = {"soc": "analyst", "soc-leads": "lead"}
    settings.OIDC_LABEL = "Example"
    provider.forget()
    yield
    provider.forget()


def at_provider(url: str, name: str, issuer: str) -> str:
    """Play the person: open the address, log in under a name, agree, and return where the provider sends them."""
    with httpx2.Client(base_url=issuer, timeout=20, trust_env=False) as browser:
        answer = browser.get(url)
        for _ in range(12):
            if answer.status_code in {302, 303}:
                to = answer.headers["location"]
                if to.startswith("http://testserver"):
                    return to
                answer = browser.get(to)
                continue
            assert answer.status_code == 200, answer.text[:500]
            action = re.search(r'action="([^"]+)"', answer.text)[1]
            prompt = re.search(r'name="prompt" value="([^"]+)"', answer.text)[1]
            answer = browser.post(action, data={"prompt": prompt, "login": f"s-{name}", "password": "any"})
    raise AssertionError("the provider went in circles")


def log_in(client: Client, name: str, issuer: str, start: str = "/login/sso/") -> object:
    began = client.get(start)
    assert began.status_code == 302, began.content.decode()
    return client.get(at_provider(began.headers["Location"], name, issuer))


def test_a_person_of_a_group_gets_in_with_its_role(client, issuer):
    began = client.get("/login/sso/?next=/events/")
    query = parse_qs(urlsplit(began.headers["Location"]).query)
    assert (query["code_challenge_method"], query["response_type"]) == (["S256"], ["code"])
    assert {name: len(query[name][0]) for name in ("state", "nonce", "code_challenge")} == {
        "state": 43, "nonce": 43, "code_challenge": 43,
    }  # fmt: skip
    answer = client.get(at_provider(began.headers["Location"], "nia", issuer))
    assert (answer.status_code, answer.headers["Location"]) == (302, "/events/")
    nia = User.objects.get(username="nia")
    assert (nia.role, nia.has_usable_password(), nia.is_superuser) == ("analyst", False, False)
    assert SsoIdentity.objects.get().subject == "s-nia"
    assert client.get("/").status_code == 200
    assert list(AuditEntry.objects.order_by("id").values_list("action", flat=True)) == [
        "user.created", "user.logged_in",
    ]  # fmt: skip


def test_the_highest_group_counts_and_the_role_follows_it(client, issuer, settings):
    log_in(client, "ann", issuer)
    assert User.objects.get(username="ann").role == "lead"
    settings.OIDC_ROLES = {"soc": "viewer"}
    other = Client()
    log_in(other, "ann", issuer)
    assert User.objects.get(username="ann").role == "viewer"
    assert client.get("/").status_code == 302, "the session of before has another role"
    assert other.get("/").status_code == 200


def test_who_is_in_no_group_does_not_get_in(client, issuer):
    answer = log_in(client, "otto", issuer)
    assert answer.status_code == 403
    assert "You are in no group" in answer.content.decode()
    assert not User.objects.filter(username="otto").exists()
    assert "_auth_user_id" not in client.session
    assert not AuditEntry.objects.exists()


def test_a_colleagues_name_is_not_theirs_to_take(client, issuer, alice):
    answer = log_in(client, "mallory", issuer)
    assert answer.status_code == 403
    assert "Somebody is called “alice” here already" in answer.content.decode()
    assert User.objects.get().pk == alice.pk
    assert not SsoIdentity.objects.exists()


def test_a_person_connects_their_account_and_then_logs_in_by_it(client, issuer, alice):
    client.force_login(alice)
    assert client.get("/login/sso/").headers["Location"] == "/", "nobody is connected by a link"
    assert client.post("/settings/sso/", {"password": "wrong"}).status_code == 422
    client.post("/settings/sso/", {"password": PASSWORD})
    assert log_in(client, "mallory", issuer).headers["Location"] == "/settings/"
    assert SsoIdentity.objects.get().user == alice
    other = Client()
    log_in(other, "mallory", issuer)
    assert other.session["_auth_user_id"] == str(alice.pk)
    client.post("/settings/sso/", {"do": "disconnect"})
    assert not SsoIdentity.objects.exists()


def test_who_is_locked_out_here_stays_out(client, issuer):
    log_in(client, "nia", issuer)
    User.objects.update(is_active=False)
    other = Client()
    assert log_in(other, "nia", issuer).status_code == 403
    assert "_auth_user_id" not in other.session


def test_an_answer_counts_once_and_in_the_browser_that_asked(client, issuer):
    began = client.get("/login/sso/")
    back = at_provider(began.headers["Location"], "nia", issuer)
    thief = Client()
    assert thief.get(back).status_code == 403
    thief.get("/login/sso/")
    assert thief.get(back).status_code == 403, "another state"
    assert client.get(back).status_code == 302
    client.post("/logout/")
    assert client.get(back).status_code == 403
    assert User.objects.count() == 1


def test_a_code_without_its_verifier_or_with_another_nonce_is_nothing(client, issuer):
    for name in ("verifier", "nonce"):
        began = client.get("/login/sso/")
        session = client.session
        session["sso"]["started"][name] = "x" * 43
        session.save()
        answer = client.get(at_provider(began.headers["Location"], "nia", issuer))
        assert answer.status_code == 403
    assert not User.objects.exists()


def test_a_wrong_client_secret_is_told_without_it(client, issuer, settings, caplog):
    settings.OIDC_CLIENT_SECRET = SECRET[::-1]
    answer = log_in(client, "nia", issuer)
    assert answer.status_code == 403
    assert "The provider answered 401" in answer.content.decode()
    assert not [text for text in (caplog.text, answer.content.decode()) if SECRET[::-1] in text or SECRET in text]
