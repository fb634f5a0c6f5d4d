"""Every path of the URL conf x every role x every method.

The paths, the roles and the methods are read from the product; what each path is meant to ask for stands in LOWEST, so
that a new path fails here until somebody has said who may use it.
"""

from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from alerts.models import AuditEntry
from tests import pages
from tests.estate import ORDINARY, make_estate
from triage.models import Role, User

pytestmark = [pytest.mark.django_db, pytest.mark.once]
ROLES = ("anonymous", "viewer", "analyst", "lead", "admin")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
#: Between the first step of a login and the last; without the first they lead back (tests/alerts/views/test_login.py).
STEPS = {"login_code", "login_enrol", "sso_start", "sso_return"}
#: What anybody may ask: to log in and out, what a load balancer or Prometheus asks, how the API is called.
OPEN = STEPS | {"login", "logout", "healthz", "readyz", "metrics", "api-openapi"}
#: The lowest role of each path.
LOWEST: dict[str, set[str]] = {
    # Reads everything an analyst reads; changes what is their own: views, preferences, password, tokens.
    "viewer": {
        "queue", "queue_rows", "queue_group", "queue_head", "queue_values", "queue_pulse", "saved_views", "view_save",
        "view_change", "alert", "alert_panel", "alert_similar", "alert_timeline", "alert_events", "alert_waiting",
        "events", "event_rows", "event_histogram", "event_values", "event_raw", "sources", "source", "source_received",
        "overview", "overview_intake", "overview_flow", "overview_work", "overview_quality", "overview_techniques",
        "models", "model_llm", "model_drift", "budget_forecast", "entities", "entity", "entity_activity", "mutes",
        "settings", "settings_prefer", "settings_password", "settings_tour", "token_create", "token_revoke", "palette",
        "settings_factor", "factor_remove", "session_end", "settings_sso", "help", "api_alerts", "api_alert",
        "api-events", "api-stats",
    },
    # Decides, mutes, takes events out.
    "analyst": {
        "alerts_bulk", "bulk_confirm", "alerts_undo", "alert_verdict", "alert_assign", "alert_reopen", "alert_escalate",
        "alert_presence", "alert_note", "alert_explain", "alert_export", "event_export", "mute_new", "mute_preview",
        "mute_end",
        "api_alert_bulk", "api_alert_verdict", "api_alert_export",
    },
    # Runs sources and models, reads who did what.
    "lead": {
        "source_create", "source_change", "batch_replay", "model_promote", "model_rollback", "budget_apply",
        "alarm_close", "trail", "trail_export",
    },
    "admin": {"users", "user_change", "channels", "channel", "channel_act", "delivery_again"},
}  # fmt: skip


def every_path() -> list[str]:
    return [str(pattern.name) for pattern in pages.patterns()]


def guarded_paths() -> list[str]:
    return [name for name in every_path() if name not in OPEN]


def is_api(name: str) -> bool:
    return name.startswith(("api_", "api-"))


def test_no_path_is_forgotten():
    """A new path needs a guard in the code and a line in LOWEST."""
    known = {name: role for role, names in LOWEST.items() for name in names}
    declared = {str(pattern.name): pages.role_of(pattern) for pattern in pages.patterns()}
    assert len(declared) == len(pages.patterns()), "two paths share a name"
    assert {name: role for name, role in declared.items() if name not in OPEN} == known


@pytest.fixture
def people(make_user: Any) -> dict[str, Any]:
    return {"anonymous": None} | {role: make_user(role, role) for role in ROLES[1:]} | {"none": make_user("none", "")}


def ask(user: User | None, method: str, url: str, **options: Any) -> tuple[int, str, int]:
    """Return the status, the place it sends to, and how many audit entries it wrote; nothing of it stays."""
    client = Client(**options)
    with transaction.atomic():
        if user is not None:
            client.force_login(user)
        before = AuditEntry.objects.count()
        response = client.generic(method, url, b"{}", content_type="application/json")
        written = AuditEntry.objects.count() - before
        transaction.set_rollback(True)
    return response.status_code, response.headers.get("Location", ""), written


def verdict_on(name: str, lowest: str, role: str, method: str, answer: tuple[int, str, int], allowed: set[str]) -> str:
    """Return what is wrong with an answer, empty when nothing is."""
    status, place, written = answer
    to_login = place.startswith("/login/")
    if role == "anonymous":
        right = status == 401 if is_api(name) else (status == 302 and to_login)
    elif role not in ROLES or ROLES.index(role) < ROLES.index(lowest):
        right = status == 403
    elif method in allowed:
        return "" if status in {200, 201, 204, 302, 400, 404, 409, 422} and not to_login else f"{status}"
    else:
        right = status == 405
    return "" if right and written == 0 else f"{status} {place} with {written} audit entries"


@pytest.mark.parametrize("name", guarded_paths())
def test_who_gets_in_by_which_method(people: dict[str, Any], name: str):
    pattern = pages.named(name)
    lowest = pages.role_of(pattern)
    assert lowest is not None, f"{name} has no guard: role_required"
    url = pages.address(pattern, make_estate(ORDINARY, alerts=0))
    allowed = {method for method in METHODS if ask(people["admin"], method, url)[0] != 405}
    assert allowed in ({"GET", "HEAD"}, {"POST"}, {"GET", "HEAD", "POST"}), "read by GET, or changed by POST"
    wrong = {
        f"{role} {method}": problem
        for role, user in people.items()
        for method in METHODS
        if (problem := verdict_on(name, lowest, role, method, ask(user, method, url), allowed))
    }
    assert wrong == {}
    if "POST" in allowed:
        assert ask(people["admin"], "POST", url, enforce_csrf_checks=True)[0] == 403, "written without a CSRF token"


@pytest.mark.parametrize("name", sorted(OPEN - STEPS - {"logout"}))
def test_what_is_open_to_anybody_only_reads(name: str):
    url = pages.address(pages.named(name), {})
    assert ask(None, "GET", url)[0] in {200, 503}
    assert ask(None, "DELETE", url)[0] == 405


def test_a_fragment_of_a_lost_session_sends_the_page_to_the_login(client: Client):
    response = client.get("/queue/pulse/", headers={"HX-Request": "true"})
    assert (response.status_code, response.headers["HX-Redirect"]) == (401, "/login/?next=%2F")


def test_roles_are_the_ones_the_table_knows():
    assert set(ROLES[1:]) == {str(role.value) for role in Role} == set(LOWEST)
