"""Secrets are planted everywhere Winnow keeps or takes one; then nothing it says or logs may hold any of them."""

import logging
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from alerts.models import AuditEntry
from alerts.services import accounts, second_factor
from tests import pages
from tests.conftest import PASSWORD
from tests.estate import ORDINARY, make_estate
from triage import secretbox, totp
from triage.authentication import hash_token
from triage.models import SecondFactor, Source

pytestmark = [pytest.mark.django_db, pytest.mark.once]
PLANTED = {
    "SECRET_KEY": "planted-secret-key-0123456789-0123456789",
    "AUDIT_KEY": "planted-audit-key-0123456789-0123456789",
    "LLM_API_KEY": "sk-planted-llm-key",
    "LLM_LARGE_API_KEY": "sk-planted-large-key",
    "OIDC_CLIENT_SECRET": "planted-client-secret",
    "SMTP_PASSWORD": "planted-smtp-password",
}
INTAKE = "wi_planted-intake-token"


@pytest.fixture
def secrets(settings: Any, dana: Any) -> dict[str, str]:
    """Plant one of each kind and return them by name; dana has most of them."""
    for name, value in PLANTED.items():
        setattr(settings, name, value)
    settings.LLM_BASE_URL, settings.LLM_MODEL = "http://user:planted-url-password@127.0.0.1:9/v1", "m"
    settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID = "http://127.0.0.1:9", "winnow"
    Source.objects.create(name="planted", token_hash=hash_token(INTAKE))
    _, token = accounts.create_token(user=dana, scope="write", name="planted")
    key = second_factor.begin(user=dana).key
    SecondFactor.objects.update(confirmed_at="2026-01-01T00:00:00Z")
    return PLANTED | {
        "the password in a URL": "planted-url-password",
        "an intake token": INTAKE,
        "an API token": token,
        "a password": PASSWORD,
        "the key of a device": key,
    }


def held(text: str, secrets: dict[str, str]) -> list[str]:
    return [name for name, value in secrets.items() if value in text or quote(value) in text]


def said(response: Any) -> str:
    body = b"".join(response.streaming_content) if response.streaming else response.content
    return f"{response.headers}{body.decode(errors='replace')}"


def test_no_page_no_answer_and_no_log_line_holds_a_secret(secrets: dict[str, str], dana: Any, caplog: Any):
    caplog.set_level(logging.DEBUG)
    samples = make_estate(ORDINARY, alerts=0)
    client = Client(raise_request_exception=False)
    client.force_login(dana)
    wrong = {}
    for one in pages.addresses(samples):
        for response in (client.get(one.url), Client().get(one.url)):
            if found := held(said(response), secrets):
                wrong[one.url] = found
    assert wrong == {}
    assert held(caplog.text, secrets) == []
    assert held(str(list(AuditEntry.objects.values())), secrets) == []


def test_what_goes_wrong_is_told_without_them(secrets: dict[str, str], dana: Any, caplog: Any, monkeypatch: Any):
    caplog.set_level(logging.DEBUG)
    client = Client(raise_request_exception=False)
    bearer = {"Authorization": f"Bearer {secrets['an API token']}"}

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("something broke")

    with monkeypatch.context() as broken:
        broken.setattr("alerts.views.api.caller", fail)
        answers = [
            client.get("/api/v1/alerts", headers=bearer),
            client.post("/login/", {"username": secrets["an API token"], "password": secrets["a password"]}),
            client.post("/login/", {"username": "dana", "password": secrets["SECRET_KEY"]}),
            client.post("/login/", {"username": secrets["a password"], "password": "x"}),
        ]
    answers += [
        client.get(f"/nothing/of/this/?token={secrets['an intake token']}"),
        client.post("/api/v1/alerts/1/verdict", b"{", content_type="application/json", headers=bearer),
        client.get("/api/v1/alerts?token=1", headers={"Authorization": f"Bearer {INTAKE}"}),
        client.get("/login/sso/"),
        client.get(f"/login/sso/return/?code={secrets['an API token']}&state=x"),
    ]
    assert [answer.status_code for answer in answers] == [500, 200, 200, 200, 404, 400, 401, 403, 403]
    told = {number: held(str(answer.headers), secrets) for number, answer in enumerate(answers)}
    assert {number: found for number, found in told.items() if found} == {}
    assert held(caplog.text, secrets) == []


def test_secrets_that_must_be_read_again_are_sealed(secrets: dict[str, str]):
    row = SecondFactor.objects.get()
    assert secrets["the key of a device"] not in row.sealed
    assert totp.code_at(
        secretbox.unseal(row.sealed, key=PLANTED["SECRET_KEY"], purpose=f"second factor of {row.user_id}"), 1
    )
