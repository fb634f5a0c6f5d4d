"""Every path of the analyst side x every role x read and write, made from the URL conf."""

import pytest
from django.urls import reverse
from django.urls.resolvers import get_resolver
from django.utils import timezone

import alerts.urls
from alerts.models import AuditEntry
from tests.alerts.rows import make_full_alert
from tests.factories import make_batch, make_source
from triage.models import Alarm, ModelVersion

pytestmark = pytest.mark.django_db
ROLES = ("anonymous", "viewer", "analyst", "lead", "admin")
#: name -> (method, lowest role); a path that is missing here fails the first test.
TABLE = {
    "queue": ("GET", "viewer"),
    "queue_rows": ("GET", "viewer"),
    "queue_pulse": ("GET", "viewer"),
    "alert": ("GET", "viewer"),
    "alert_panel": ("GET", "viewer"),
    "alert_verdict": ("POST", "analyst"),
    "alert_assign": ("POST", "analyst"),
    "alert_reopen": ("POST", "analyst"),
    "alert_note": ("POST", "analyst"),
    "alert_explain": ("POST", "analyst"),
    "alert_waiting": ("GET", "viewer"),
    "event_raw": ("GET", "viewer"),
    "sources": ("GET", "viewer"),
    "source_create": ("POST", "lead"),
    "source": ("GET", "viewer"),
    "source_received": ("GET", "viewer"),
    "source_change": ("POST", "lead"),
    "batch_replay": ("POST", "lead"),
    "models": ("GET", "viewer"),
    "model_promote": ("POST", "lead"),
    "model_rollback": ("POST", "lead"),
    "budget_forecast": ("GET", "viewer"),
    "budget_apply": ("POST", "lead"),
    "alarm_close": ("POST", "lead"),
    "help": ("GET", "viewer"),
    "api_alerts": ("GET", "viewer"),
    "api_alert_bulk": ("POST", "analyst"),
    "api_alert": ("GET", "viewer"),
    "api_alert_verdict": ("POST", "analyst"),
}
OPEN = {"login", "logout"}


def test_the_table_knows_every_path():
    names = {pattern.name for pattern in alerts.urls.urlpatterns}
    assert names == set(TABLE) | OPEN
    assert names <= {key for key in get_resolver().reverse_dict if isinstance(key, str)}


@pytest.fixture
def address(transactional_db):
    source = make_source()
    alert = make_full_alert(source)
    numbers = {
        "alert_id": alert.pk,
        "event_id": alert.alert_events.get().event_id,
        "source_id": source.pk,
        "batch_id": make_batch(source, "x", status="quarantined").pk,
        "version_id": ModelVersion.objects.create(
            version="v1", detector="d", artefact_sha256="0" * 64, trained_at=timezone.now()
        ).pk,
    }
    numbers["alarm_id"] = Alarm.objects.create(
        kind="kinds",
        model_version_id=numbers["version_id"],
        recommendation="retrain",
        text="x",
        raised_at=timezone.now(),
    ).pk

    def build(name):
        pattern = next(pattern for pattern in alerts.urls.urlpatterns if pattern.name == name)
        wanted = pattern.pattern.converters
        return reverse(name, kwargs={key: numbers[key] for key in wanted})

    return build


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", TABLE)
def test_who_gets_in(client, make_user, address, name, role):
    method, lowest = TABLE[name]
    if role != "anonymous":
        client.force_login(make_user(role, role))
    url = address(name)
    response = client.generic(method, url, b"{}", content_type="application/json")
    if ROLES.index(role) >= ROLES.index(lowest):
        assert response.status_code in (200, 302, 400, 422)
        assert "/login/" not in response.headers.get("Location", "")
    elif role == "anonymous" and not name.startswith("api_"):
        assert (response.status_code, response.headers["Location"].split("?")[0]) == (302, "/login/")
    else:
        assert response.status_code == (401 if role == "anonymous" else 403)
    if ROLES.index(role) < ROLES.index(lowest):
        assert AuditEntry.objects.count() == 0


@pytest.mark.parametrize("name", TABLE)
def test_the_other_method_is_refused(client, dana, address, name):
    client.force_login(dana)
    other = "POST" if TABLE[name][0] == "GET" else "GET"
    assert client.generic(other, address(name)).status_code in (302, 405)
    assert AuditEntry.objects.count() == 0


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row[0] == "POST"])
def test_a_session_cannot_write_without_the_csrf_token(dana, address, name):
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(dana)
    assert client.post(address(name), {"value": "fp_data", "expected_revision": 1}).status_code == 403
    assert AuditEntry.objects.count() == 0


def test_a_fragment_of_a_lost_session_sends_the_page_to_the_login(client):
    response = client.get("/queue/pulse/", headers={"HX-Request": "true"})
    assert (response.status_code, response.headers["HX-Redirect"]) == (401, "/login/?next=%2F")
