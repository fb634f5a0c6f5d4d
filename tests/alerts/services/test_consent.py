"""Raw text needs an endpoint inside and an admin's consent; both ways are in the audit trail."""

import pytest
from django.core.exceptions import PermissionDenied

from alerts.models import AuditEntry, RawConsent
from alerts.services import consent, safety
from triage.models import Role

INSIDE = "http://127.0.0.1:8080/v1"
OUTSIDE = "https://192.0.2.7/v1"

pytestmark = pytest.mark.django_db


def entries():
    return list(AuditEntry.objects.order_by("id").values_list("actor", "actor_kind", "action", "details"))


def test_consent_is_for_one_host_and_port_and_written_down_once(dana):
    first = consent.consent(INSIDE, dana)
    assert consent.consent("http://127.0.0.1:8080/other/", dana) == first
    assert (first.endpoint, first.user, first.withdrawn_at) == ("127.0.0.1:8080", dana, None)
    assert entries() == [("dana", "person", "consent_raw", {"endpoint": "127.0.0.1:8080"})]
    assert consent.has_consent(INSIDE) is True
    assert consent.has_consent("http://127.0.0.1:8081/v1") is False
    assert consent.has_consent("http://localhost:8080/v1") is False


def test_consent_ends_when_it_is_withdrawn_and_can_be_given_again(dana):
    consent.consent(INSIDE, dana)
    assert consent.withdraw(INSIDE, dana) is True
    assert consent.has_consent(INSIDE) is False
    assert consent.withdraw(INSIDE, dana) is False
    consent.consent(INSIDE, dana)
    assert consent.has_consent(INSIDE) is True
    assert [action for _, _, action, _ in entries()] == ["consent_raw", "withdraw_raw", "consent_raw"]
    assert RawConsent.objects.count() == 2


@pytest.mark.parametrize("name", ["alice", "bob", "charlie"])
def test_nobody_but_an_admin_decides(name, request, dana):
    user = request.getfixturevalue(name)
    with pytest.raises(PermissionDenied):
        consent.consent(INSIDE, user)
    assert entries() == []
    consent.consent(INSIDE, dana)
    with pytest.raises(PermissionDenied):
        consent.withdraw(INSIDE, user)
    assert consent.has_consent(INSIDE) is True
    assert len(entries()) == 1


def test_an_admin_who_left_decides_nothing(make_user):
    with pytest.raises(PermissionDenied):
        consent.consent(INSIDE, make_user("erin", Role.ADMIN, is_active=False))
    assert not RawConsent.objects.exists()


@pytest.mark.parametrize("base_url", [OUTSIDE, "https://8.8.8.8/v1", "ftp://127.0.0.1/", "", "http://no such host/v1"])
def test_no_consent_opens_the_way_outside(base_url, dana):
    with pytest.raises(consent.OutsideError):
        consent.consent(base_url, dana)
    assert not RawConsent.objects.exists()
    assert entries() == []


def test_what_the_policy_forbids_is_said_with_its_reason(settings, dana):
    settings.LLM_DATA_POLICY = "off"
    assert consent.why_not_ask(INSIDE) == "the data policy is off: nothing is sent to a language model"
    settings.LLM_DATA_POLICY = "pseudonymise"
    assert (consent.why_not_ask(INSIDE), consent.why_not_ask(OUTSIDE)) == ("", "")
    settings.LLM_DATA_POLICY = "raw"
    assert consent.why_not_ask(OUTSIDE) == (
        "policy raw is for loopback and private addresses only, and 192.0.2.7:443 is not at one; use pseudonymise"
    )
    assert consent.why_not_ask(INSIDE) == (
        "policy raw needs an admin's consent for 127.0.0.1:8080: manage.py llm consent --user NAME"
    )
    consent.consent(INSIDE, dana)
    assert consent.why_not_ask(INSIDE) == ""
    RawConsent.objects.create(endpoint="192.0.2.7:443", user=dana)  # by whatever way it got there
    assert consent.why_not_ask(OUTSIDE) != ""
    consent.withdraw(INSIDE, dana)
    assert consent.why_not_ask(INSIDE) != ""


def test_askers_have_keyed_names_that_stay(settings, alice, bob):
    settings.LLM_SAFETY_IDENTIFIER = "off"
    assert (safety.identifier(None), safety.identifier(alice)) == ("", "")
    settings.LLM_SAFETY_IDENTIFIER = "tenant"
    tenant = safety.identifier(None)
    assert safety.identifier(alice) == safety.identifier(bob) == tenant
    settings.LLM_SAFETY_IDENTIFIER = "analyst"
    names = {safety.identifier(alice), safety.identifier(bob), safety.identifier(None)}
    assert len(names) == 3
    assert tenant in names
    assert all(len(name) == 32 and set(name) <= set("0123456789abcdef") for name in names)
    assert safety.identifier(alice) == safety.identifier(alice)
    before = safety.identifier(alice)
    settings.SECRET_KEY = "another-key-" * 4
    assert safety.identifier(alice) != before
