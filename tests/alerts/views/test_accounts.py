"""Settings, people and the audit trail: who may what, what is shown once, and that nobody locks everybody out."""

import pytest
from django.urls import reverse

from alerts.models import AuditEntry
from alerts.services import accounts
from tests.alerts.rows import HOSTILE
from tests.conftest import PASSWORD
from triage.authentication import hash_token
from triage.models import ApiToken, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(client, make_user):
    user = make_user("ada", "admin")
    client.force_login(user)
    return user


@pytest.fixture
def vic(client, make_user):
    user = make_user("vic", "viewer")
    client.force_login(user)
    return user


def trail():
    return [(entry.action, entry.actor) for entry in AuditEntry.objects.order_by("id")]


def test_a_token_is_shown_once_and_kept_as_its_hash(client, vic):
    body = client.post(reverse("token_create"), {"scope": "read"}).content.decode()
    token = ApiToken.objects.get()
    (text,) = [word for word in body.replace("<", " ").replace(">", " ").split() if word.startswith("wa_")]
    assert (token.user, token.scope, token.token_hash) == (vic, "read", hash_token(text))
    assert text not in client.get(reverse("settings")).content.decode()
    assert client.get("/api/v1/alerts", headers={"Authorization": f"Bearer {text}"}).status_code == 200
    client.post(reverse("token_revoke", args=[token.pk]))
    client.logout()
    assert client.get("/api/v1/alerts", headers={"Authorization": f"Bearer {text}"}).status_code == 401
    assert trail() == [("token.created", "vic"), ("token.revoked", "vic")]


def test_somebody_elses_token_is_not_theirs_to_revoke(client, vic, make_user):
    token, _ = accounts.create_token(user=make_user("bob", "analyst"), scope="write")
    assert client.post(reverse("token_revoke", args=[token.pk])).status_code == 404
    token.refresh_from_db()
    assert token.revoked_at is None


@pytest.mark.parametrize("scope", ["", "root"])
def test_a_scope_that_is_none_makes_no_token(client, vic, scope):
    assert client.post(reverse("token_create"), {"scope": scope}).status_code == 422
    assert not ApiToken.objects.exists()


def test_a_person_changes_their_own_password_and_stays_logged_in(client, vic):
    wrong = {"old_password": "no", "new_password1": "another good one 77", "new_password2": "another good one 77"}
    assert client.post(reverse("settings_password"), wrong).status_code == 422
    vic.refresh_from_db()
    assert vic.check_password(PASSWORD)
    vic.preferences = {accounts.CHANGE_PASSWORD: True}
    vic.save()
    assert "Choose your own" in client.get("/help/").content.decode()
    client.post(reverse("settings_password"), wrong | {"old_password": PASSWORD})
    vic.refresh_from_db()
    assert vic.check_password("another good one 77")
    assert vic.preferences == {}
    assert "Choose your own" not in client.get("/help/").content.decode()
    assert trail() == [("user.password_changed", "vic")]


def test_preferences_are_kept_and_nonsense_is_not(client, vic):
    answer = client.post(reverse("settings_prefer"), {"theme": "dark", "zone": "local", "density": "roomy"})
    assert (answer.cookies["theme"].value, answer.cookies["zone"].value) == ("dark", "local")
    vic.refresh_from_db()
    assert vic.preferences == {"theme": "dark", "zone": "local", "density": "roomy"}
    assert 'data-density="roomy"' in client.get("/help/").content.decode()
    assert client.post(reverse("settings_prefer"), {"theme": "<b>"}).status_code == 422
    vic.refresh_from_db()
    assert vic.preferences["theme"] == "dark"


def test_the_tour_is_shown_until_it_was_seen(client, vic):
    assert 'id="tour"' in client.get("/").content.decode()
    assert client.post(reverse("settings_tour"), {"seen": "1"}).status_code == 204
    assert 'id="tour"' not in client.get("/").content.decode()
    client.post(reverse("settings_tour"), {"seen": "0"})
    assert 'id="tour"' in client.get("/").content.decode()


def test_a_new_person_logs_in_with_a_password_shown_once(client, ada):
    body = client.post(reverse("users"), {"username": "nia", "role": "analyst"}).content.decode()
    nia = User.objects.get(username="nia")
    password = body.split('<code id="new-password">')[1].split("<")[0]
    assert nia.check_password(password)
    assert (nia.role, nia.preferences) == ("analyst", {accounts.CHANGE_PASSWORD: True})
    assert password not in client.get(reverse("users")).content.decode()
    assert trail() == [("user.created", "ada")]
    assert password not in str(AuditEntry.objects.get().details)


@pytest.mark.parametrize(
    ("username", "role"),
    [("", "viewer"), ("a\u202eb", "viewer"), ("x" * 151, "viewer"), ("ada", "viewer"), ("new", "god")],
)
def test_who_cannot_be_made_is_not(client, ada, username, role):
    assert client.post(reverse("users"), {"username": username, "role": role}).status_code == 422
    assert User.objects.count() == 1
    assert not AuditEntry.objects.exists()


def test_the_last_administrator_cannot_be_locked_out(client, ada, make_user):
    change = reverse("user_change", args=[ada.pk])
    for values in ({"role": "analyst", "active": "1"}, {"role": "admin"}):
        assert client.post(change, values).status_code == 422
    ada.refresh_from_db()
    assert (ada.role, ada.is_active, AuditEntry.objects.count()) == ("admin", True, 0)
    make_user("eve", "admin")
    assert client.post(change, {"role": "analyst", "active": "1"}).status_code == 302
    ada.refresh_from_db()
    assert ada.role == "analyst"
    assert AuditEntry.objects.get().details["before"] == {"role": "admin", "active": True}


def test_who_is_locked_out_is_out_at_once(client, ada, make_user):
    bob = make_user("bob", "analyst")
    _, token = accounts.create_token(user=bob, scope="read")
    client.post(reverse("user_change", args=[bob.pk]), {"role": "analyst"})
    client.force_login(bob)
    assert client.get("/").status_code == 302
    assert client.get("/api/v1/alerts", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_a_reset_password_is_new(client, ada, make_user):
    bob = make_user("bob", "analyst")
    body = client.post(reverse("user_change", args=[bob.pk]), {"do": "password"}).content.decode()
    bob.refresh_from_db()
    assert bob.check_password(body.split('<code id="new-password">')[1].split("<")[0])
    assert bob.preferences[accounts.CHANGE_PASSWORD] is True


def test_secrets_are_never_among_the_facts(client, ada, settings):
    settings.LLM_BASE_URL, settings.LLM_API_KEY = "https://user:hunter2@llm.example/v1", "sk-very-secret"
    body = client.get(reverse("settings")).content.decode()
    assert "llm.example" in body
    assert "hunter2" not in body
    assert "sk-very-secret" not in body
    assert settings.SECRET_KEY not in body


class TestTrail:
    @pytest.fixture(autouse=True)
    def _entries(self):
        for number in range(3):
            AuditEntry.objects.create(actor=f"p{number % 2}", actor_kind="person", action="note", details={"n": number})
        AuditEntry.objects.create(
            actor="=cmd|' /C calc'!A0", actor_kind="person", action=HOSTILE[:64], details={"x": HOSTILE}
        )

    def test_a_filter_narrows_and_means_nothing_when_it_is_nonsense(self, client, ada):
        body = client.get(reverse("trail"), {"actor": "p0"}).content.decode()
        assert body.count("<td><code>note</code></td>") == 2
        for nonsense in ({"since": "2026-06-31"}, {"alert": "x"}, {"before": "-1"}, {"until": "9999-12-31"}):
            assert client.get(reverse("trail"), nonsense).content.decode().count("<td><code>note</code></td>") == 3
        assert "<script>window" not in client.get(reverse("trail")).content.decode()

    def test_pages_hold_every_entry_once(self, client, ada, monkeypatch):
        from alerts.selectors import trail as selected

        monkeypatch.setattr(selected, "PAGE", 3)
        first, following = selected.page(selected.TrailFilter())
        second, over = selected.page(selected.TrailFilter(), before=following)
        assert (len(first), len(second), over) == (3, 1, 0)

    def test_an_export_escapes_formulas_and_is_in_the_trail(self, client, ada):
        answer = client.post(reverse("trail_export"), {"actor": ""})
        lines = b"".join(answer.streaming_content).decode().splitlines()
        assert lines[0] == '"time","actor","kind","action","alert","details"'
        assert len(lines) == 1 + 5
        assert '"trail.exported"' in lines[1]
        assert "\"'=cmd|" in lines[2]
        assert AuditEntry.objects.filter(action="trail.exported", actor="ada").count() == 1

    def test_details_are_exported_as_json(self, client, ada):
        answer = client.post(reverse("trail_export"), {"actor": "p1"})
        lines = b"".join(answer.streaming_content).decode().splitlines()
        assert [line.split(",", 5)[5] for line in lines[1:]] == ['"{""n"": 1}"']

    def test_the_actions_to_choose_from_are_those_of_the_newest_and_the_chosen(self, monkeypatch):
        from alerts.selectors import trail as selected

        AuditEntry.objects.create(actor="x", actor_kind="person", action="verdict")
        assert selected.actions() == sorted({HOSTILE[:64], "note", "verdict"})
        monkeypatch.setattr(selected, "LOOKED_AT", 1)
        assert selected.actions("assign") == ["assign", "verdict"]


def test_pages_ask_as_often_whatever_they_show(client, ada, make_user, django_assert_num_queries):
    def fill(count):
        for number in range(count):
            accounts.create_token(user=ada, scope="read")
            accounts.create_token(user=make_user(f"p{count}-{number}", "viewer"), scope="read")

    for count in (1, 9):
        fill(count)
        for name, queries in (("settings", 6), ("users", 3), ("trail", 4), ("help", 2)):
            with django_assert_num_queries(queries):
                assert client.get(reverse(name)).status_code == 200


def test_who_is_asked_for_the_tour_on_an_empty_day_gets_it(client, vic):
    assert "data-tour-wanted" not in client.get("/").content.decode()
    client.post(reverse("settings_tour"), {"seen": "0"})
    assert "data-tour-wanted" in client.get("/").content.decode()


def test_help_says_what_every_verdict_and_word_means(client, vic):
    body = client.get(reverse("help")).content.decode()
    for anchor in ("keys", "reading", "verdicts", "words", "explanations", "roles"):
        assert f'href="#{anchor}"' in body
        assert f'id="{anchor}"' in body
    for word in (
        "p-value",
        "Score",
        "Flagged",
        "Champion, shadow",
        "Blind audit",
        "Grounded n/m",
        "Muted",
        "Escalated",
    ):
        assert f">{word}</dt>" in body
