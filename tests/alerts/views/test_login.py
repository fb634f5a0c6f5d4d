"""Getting in: passwords, codes, how often one may try, and what a stranger cannot do to somebody's name."""

import datetime as dt

import pytest
from django.contrib.auth.hashers import get_hasher, make_password
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from alerts.models import AuditEntry
from alerts.services import logins, second_factor
from alerts.views.login import PENDING
from tests.conftest import PASSWORD
from triage import secretbox, totp
from triage.models import SecondFactor, Session, User

pytestmark = pytest.mark.django_db
LOGIN = "/login/"


def attempt(client, name="alice", password=PASSWORD, address="192.0.2.1", **more):
    return client.post(LOGIN, {"username": name, "password": password, **more}, REMOTE_ADDR=address)


def is_in(client):
    return "_auth_user_id" in client.session


def trail():
    return list(AuditEntry.objects.order_by("id").values_list("action", flat=True))


@pytest.fixture
def clock(monkeypatch):
    """A clock of the database's side that the test moves."""
    now = [timezone.now()]
    monkeypatch.setattr(timezone, "now", lambda: now[0])
    return now


@pytest.fixture
def device(alice, clock):
    """Alice's device: her key after she has enrolled, with her recovery codes."""
    key = second_factor.begin(user=alice).key
    codes = second_factor.confirm(user=alice, code=totp.code_at(key, int(clock[0].timestamp()) // 30))
    clock[0] += dt.timedelta(minutes=1)
    return key, codes


def code_now(key, clock):
    return totp.code_at(key, int(clock[0].timestamp()) // 30)


def test_a_password_gets_in_and_is_noted(client, alice):
    answer = attempt(client, next="/events/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/events/")
    assert is_in(client)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor) == ("user.logged_in", "alice")
    assert entry.details == {"how": "password", "address": "192.0.2.1"}
    row = Session.objects.get(user=alice)
    assert (row.address, row.agent) == ("192.0.2.1", "")


def test_the_session_of_before_the_login_is_another_one(client, alice):
    attempt(client, password="wrong")
    before = client.cookies.get("sessionid")
    attempt(client)
    assert before is None or before.value != client.cookies["sessionid"].value


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil.example"])
def test_nobody_is_led_away_after_the_login(client, alice, to):
    assert attempt(client, next=to).headers["Location"] == "/"


def test_a_wrong_password_and_a_name_there_is_not_look_the_same(client, alice):
    known, unknown = attempt(client, password="wrong"), attempt(client, name="nobody", password="wrong")
    texts = [answer.content.decode().replace("nobody", "alice") for answer in (known, unknown)]
    strip = [[line for line in text.splitlines() if "csrfmiddlewaretoken" not in line] for text in texts]
    assert strip[0] == strip[1]
    assert not is_in(client)
    assert trail() == []


def test_the_eleventh_attempt_is_not_looked_at(client, alice):
    for number in range(10):
        assert attempt(client, password="wrong", address=f"192.0.2.{number}").status_code == 200
    held = attempt(client, address="192.0.2.99")
    assert held.status_code == 429
    assert 0 < int(held.headers["Retry-After"]) <= 900
    assert "too many attempts" in held.content.decode()
    assert not is_in(client)
    attempt(client)
    assert trail() == ["login.held"]
    assert AuditEntry.objects.get().details["address"] == "192.0.2.99"


def test_a_stranger_cannot_close_a_name_for_a_browser_that_knows_it(client, alice):
    attempt(client)
    client.post("/logout/")
    for _ in range(30):
        attempt(Client(), password="wrong", address="198.51.100.9")
    assert attempt(Client()).status_code == 429
    assert attempt(client).status_code == 302
    assert is_in(client)


def test_the_mark_of_one_name_opens_no_other(client, alice, bob):
    attempt(client, name="bob")
    client.post("/logout/")
    for number in range(10):
        attempt(Client(), password="wrong", address=f"198.51.100.{number}")
    assert attempt(client).status_code == 429
    client.cookies["device"] = client.cookies["device"].value[:-2] + "xx"
    assert attempt(client).status_code == 429


def test_a_known_browser_may_not_guess_for_ever_either(client, alice):
    attempt(client)
    client.post("/logout/")
    answers = [attempt(client, password="wrong", address=f"192.0.2.{n}").status_code for n in range(11)]
    assert answers == [200] * 10 + [429]


def test_one_address_may_not_try_many_names(client, alice):
    answers = [attempt(client, name=f"n{number}", password="x").status_code for number in range(61)]
    assert answers == [200] * 60 + [429]
    assert attempt(client, address="192.0.2.2").status_code == 302


def test_who_knows_the_password_is_never_held_for_it(client, alice):
    assert {attempt(Client()).status_code for _ in range(15)} == {302}


def test_a_quarter_of_an_hour_later_the_name_is_open(client, alice, clock):
    for _ in range(11):
        attempt(client, password="wrong")
    clock[0] += dt.timedelta(minutes=15)
    assert attempt(client).status_code == 302


def test_passwords_can_be_switched_off(client, alice, settings):
    settings.PASSWORD_LOGIN, settings.OIDC_ISSUER, settings.OIDC_LABEL = False, "https://id.example", "Example"
    body = client.get(LOGIN).content.decode()
    assert 'type="password"' not in body
    assert "Log in by Example" in body
    assert attempt(client).status_code == 403
    assert not is_in(client)


def test_new_passwords_are_argon2_and_old_ones_become_it(client, alice, settings):
    from triage import settings as product

    settings.PASSWORD_HASHERS = product.PASSWORD_HASHERS
    assert get_hasher().algorithm == "argon2"
    alice.password = make_password(PASSWORD, hasher="pbkdf2_sha256")
    alice.save()
    attempt(client)
    alice.refresh_from_db()
    assert alice.password.startswith("argon2$argon2id$")
    assert alice.check_password(PASSWORD)


# The second factor


def test_a_password_alone_is_not_enough_with_a_device(client, alice, device, clock):
    key, _ = device
    answer = attempt(client, next="/events/")
    assert answer.headers["Location"] == "/login/code/"
    assert not is_in(client)
    assert client.get("/").status_code == 302
    assert client.get("/api/v1/alerts").status_code == 401
    done = client.post("/login/code/", {"code": code_now(key, clock)})
    assert done.headers["Location"] == "/events/"
    assert is_in(client)
    assert trail() == ["user.second_factor_on", "user.logged_in"]


def test_a_code_counts_once(client, alice, device, clock):
    key, _ = device
    code = code_now(key, clock)
    attempt(client)
    client.post("/login/code/", {"code": code})
    other = Client()
    attempt(other)
    assert other.post("/login/code/", {"code": code}).status_code == 422
    assert not is_in(other)


def test_a_recovery_code_counts_once(client, alice, device):
    _, codes = device
    attempt(client)
    assert client.post("/login/code/", {"code": codes[3].upper().replace("-", " ")}).status_code == 302
    other = Client()
    attempt(other)
    assert other.post("/login/code/", {"code": codes[3]}).status_code == 422
    assert not is_in(other)
    assert AuditEntry.objects.get(action="user.recovery_code_used").details == {"left": 9}


def test_the_sixth_code_is_not_looked_at(client, alice, device, clock):
    key, _ = device
    attempt(client)
    answers = [client.post("/login/code/", {"code": "000000"}).status_code for _ in range(5)]
    assert answers == [422] * 5
    assert client.post("/login/code/", {"code": code_now(key, clock)}).status_code == 429
    assert not is_in(client)


@pytest.mark.parametrize("path", ["/login/code/", "/login/enrol/", "/login/sso/"])
def test_without_the_first_step_there_is_no_second(client, alice, path):
    assert client.get(path).headers["Location"] == "/login/"
    assert client.post("/login/code/", {"code": "000000"}).headers["Location"] == "/login/"
    assert client.get("/login/sso/return/?code=a&state=b").status_code == 403
    assert not is_in(client)


def test_between_password_and_code_a_new_password_ends_it(client, alice, device):
    attempt(client)
    assert client.get("/login/code/").status_code == 200
    alice.set_password("something else 99")
    alice.save()
    assert client.get("/login/code/").status_code == 302


def test_ten_minutes_between_password_and_code_are_too_long(client, alice, device):
    attempt(client)
    session = client.session
    session[PENDING] = session[PENDING] | {"at": session[PENDING]["at"] - 601}
    session.save()
    assert client.get("/login/code/").status_code == 302


def test_a_role_that_needs_one_sets_it_up_before_it_is_in(client, alice, bob, settings, clock):
    settings.TOTP_REQUIRED_FROM = "analyst"
    assert attempt(client).headers["Location"] == "/login/enrol/"
    body = client.get("/login/enrol/").content.decode()
    key = body.split('id="factor-key">')[1].split("<")[0]
    assert not is_in(client)
    assert client.post("/login/enrol/", {"code": "000000"}).status_code == 422
    assert not is_in(client)
    shown = client.post("/login/enrol/", {"code": code_now(key, clock)}).content.decode()
    assert is_in(client)
    assert shown.count("<li><code>") == 10
    assert attempt(Client(), name="bob").headers["Location"] == "/"
    with pytest.raises(second_factor.AccountError, match="your role needs"):
        second_factor.remove(user=alice, code=code_now(key, clock))


def test_the_key_is_sealed_and_codes_are_hashed(alice, device):
    key, codes = device
    row = SecondFactor.objects.get()
    stored = str(SecondFactor.objects.values().get())
    assert not [secret for secret in (key, *codes) if secret in stored]
    with pytest.raises(secretbox.SealBrokenError):
        secretbox.unseal(row.sealed, key="another key", purpose=f"second factor of {alice.pk}")


def test_an_administrator_resets_it_and_the_sessions_end(client, alice, device, dana):
    other = Client()
    other.force_login(alice)
    client.force_login(dana)
    assert client.post(reverse("user_change", args=[alice.pk]), {"do": "factor"}).status_code == 302
    assert not SecondFactor.objects.exists()
    assert other.get("/").status_code == 302
    assert client.post(reverse("user_change", args=[alice.pk]), {"do": "factor"}).status_code == 422
    assert trail() == ["user.second_factor_on", "user.second_factor_reset"]


def test_a_person_sets_it_up_and_takes_it_off_in_settings(client, alice, clock):
    client.force_login(alice)
    body = client.get("/settings/factor/").content.decode()
    key = body.split('id="factor-key">')[1].split("<")[0]
    assert key in client.get("/settings/factor/").content.decode()
    assert client.post("/settings/factor/", {"code": "1"}).status_code == 422
    assert not second_factor.is_on(alice)
    assert client.post("/settings/factor/", {"code": code_now(key, clock)}).content.decode().count("<li><code>") == 10
    assert client.get("/settings/factor/").status_code == 302
    assert key not in client.get("/settings/").content.decode()
    assert client.post("/settings/factor/remove/", {"code": "000000"}).status_code == 422
    assert second_factor.is_on(alice)
    clock[0] += dt.timedelta(minutes=1)
    assert client.post("/settings/factor/remove/", {"code": code_now(key, clock)}).status_code == 302
    assert not SecondFactor.objects.exists()
    assert trail() == ["user.second_factor_on", "user.second_factor_off"]


# Sessions


def test_a_person_sees_and_ends_their_own_sessions_only(client, alice, bob):
    here, there, bobs = client, Client(headers={"User-Agent": "there"}), Client()
    attempt(here)
    attempt(there)
    attempt(bobs, name="bob")
    body = here.get("/settings/").content.decode()
    assert body.count("this one") == 1
    assert "there" in body
    (row,) = Session.objects.filter(user=alice, agent="there")
    bobs_row = Session.objects.get(user=bob)
    assert here.post("/settings/sessions/end/", {"session": bobs_row.pk}).status_code == 404
    assert bobs.get("/").status_code == 200
    assert here.post("/settings/sessions/end/", {"session": row.pk}).status_code == 302
    assert there.get("/").status_code == 302
    attempt(there)
    here.post("/settings/sessions/end/")
    assert (here.get("/").status_code, there.get("/").status_code, bobs.get("/").status_code) == (200, 302, 200)
    assert trail().count("session.ended") == 2


def test_sessions_end_with_password_and_role(client, alice, dana):
    client.force_login(dana)
    for change in ({"do": "password"}, {"role": "lead", "active": "1"}, {"role": "lead"}):
        other = Client()
        other.force_login(User.objects.get(pk=alice.pk))
        assert Session.objects.filter(user=alice).count() == 1
        client.post(reverse("user_change", args=[alice.pk]), change)
        assert not Session.objects.filter(user=alice).exists()
        assert other.get("/").status_code == 302
        assert client.get("/").status_code == 200


def test_ones_own_new_password_ends_the_other_sessions(client, alice):
    other = Client()
    attempt(client)
    attempt(other)
    new = "another good one 77"
    client.post("/settings/password/", {"old_password": PASSWORD, "new_password1": new, "new_password2": new})
    assert (client.get("/").status_code, other.get("/").status_code) == (200, 302)
    assert Session.objects.filter(user=alice).count() == 1


def test_who_sits_at_an_open_session_may_not_guess_the_password_for_ever(client, alice):
    attempt(client)
    new = {"new_password1": "another good one 77", "new_password2": "another good one 77"}
    answers = [client.post("/settings/password/", {"old_password": "x"} | new).status_code for _ in range(5)]
    assert answers == [422] * 5
    assert client.post("/settings/password/", {"old_password": PASSWORD} | new).status_code == 429
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


def test_the_audit_entry_comes_first(client, alice, monkeypatch):
    def refuse(**_):
        raise RuntimeError("no trail")

    monkeypatch.setattr(logins.audit, "record_person", refuse)
    with pytest.raises(RuntimeError, match="no trail"):
        attempt(client)
    assert not is_in(client)
