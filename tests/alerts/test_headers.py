"""What every answer of Winnow tells a browser: one strict policy without exceptions, no framing, no guessed types."""

from typing import Any

import pytest
from django.test import Client

from tests import pages
from tests.estate import ORDINARY, make_estate

pytestmark = [pytest.mark.django_db, pytest.mark.once]
POLICY = {
    "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self'", "font-src": "'self'",
    "connect-src": "'self'", "form-action": "'self'", "base-uri": "'none'", "frame-ancestors": "'none'",
    "manifest-src": "'self'",
}  # fmt: skip
ALWAYS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def wrong_with(response: Any) -> list[str]:
    told = dict(part.strip().split(" ", 1) for part in response.headers["Content-Security-Policy"].split(";"))
    wrong = [name for name, value in ALWAYS.items() if response.headers.get(name) != value]
    return wrong + ([str(told)] if told != POLICY else [])


def test_every_path_answers_with_the_policy_and_no_cache_keeps_a_page(dana):
    samples = make_estate(ORDINARY, alerts=0)
    insider = Client()
    insider.force_login(dana)
    wrong, kept = {}, []
    for one in pages.addresses(samples):
        shown = insider.get(one.url)
        if found := wrong_with(shown) + wrong_with(Client().get(one.url)):
            wrong[one.url] = found
        if pages.is_page(shown) and "no-store" not in shown.headers.get("Cache-Control", ""):
            kept.append(one.url)
    assert (wrong, kept) == ({}, [])


def test_errors_answer_with_it_too(dana, monkeypatch):
    client = Client(raise_request_exception=False, enforce_csrf_checks=True)
    client.force_login(dana)
    answers = [
        client.get("/nothing/"),
        client.post("/settings/tour/"),
        client.get("/", headers={"Host": "evil.example"}),
    ]
    monkeypatch.setattr("alerts.views.api.caller", lambda *_: 1 / 0)
    answers.append(client.get("/api/v1/alerts"))
    assert [answer.status_code for answer in answers] == [404, 403, 400, 500]
    assert [wrong_with(answer) for answer in answers] == [[], [], [], []]


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(client, alice):
    client.post("/login/", {"username": "alice", "password": "correct horse battery"})
    for name in ("sessionid", "device"):
        cookie = client.cookies[name]
        assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["domain"]) == (True, "Lax", "/", "")
