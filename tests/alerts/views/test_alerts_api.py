"""The alerts API by token: shapes, errors, and that refused requests change nothing."""

import json

import pytest

from alerts.models import AuditEntry, Verdict
from tests.alerts.rows import make_alert, make_full_alert
from tests.factories import make_source
from triage.authentication import hash_token
from triage.models import ApiToken

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(client, alice):
    for scope in ("read", "write"):
        ApiToken.objects.create(user=alice, scope=scope, token_hash=hash_token(f"token-{scope}"))

    def call(method, path, body=None, token="token-write"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token}"}
        response = client.generic(method, f"/api/v1/{path}", data, content_type="application/json", headers=headers)
        return response.status_code, response.json()

    return call


def test_the_list_pages_by_cursor(api):
    source = make_source()
    ids = {make_alert(source).pk for _ in range(5)}
    status, first = api("GET", "alerts?limit=3")
    assert (status, len(first["alerts"])) == (200, 3)
    _, second = api("GET", f"alerts?limit=3&cursor={first['next'].replace('+', '%2B')}")
    assert {row["id"] for row in first["alerts"] + second["alerts"]} == ids
    assert second["next"] is None


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=501", "status=gone", "severity=huge", "cursor=x"])
def test_a_bad_parameter_is_named(api, query):
    status, body = api("GET", f"alerts?{query}")
    assert (status, body["error"]["code"]) == (400, "bad_parameter")
    assert query.split("=")[0] in body["error"]["message"]


def test_one_alert_with_all_it_rests_on(api):
    alert = make_full_alert(make_source(), worth=0.8312)
    status, body = api("GET", f"alerts/{alert.pk}", token="token-read")
    assert (status, body["worth"]) == (200, 0.8312)
    assert body["explanation"]["model"] is None
    assert body["events"][0]["reasons"][0]["contribution"] == 0.75
    assert (body["verdicts"], body["history"], body["revision"]) == ([], [], 1)
    assert api("GET", "alerts/999999")[0] == 404


def test_a_blind_audit_tells_the_api_nothing_either(api):
    alert = make_full_alert(make_source(), origin="blind_audit", inclusion_probability=0.1, worth=0.5)
    body = api("GET", f"alerts/{alert.pk}")[1]
    assert body["worth"] is None
    assert (body["score"], body["p_value"], body["severity"], body["explanation"]) == (None, None, None, None)
    assert (body["events"][0]["score"], body["events"][0]["reasons"]) == (None, [])


def test_a_verdict_by_token(api, alice):
    alert = make_alert(make_source())
    status, body = api("POST", f"alerts/{alert.pk}/verdict", {"value": "benign_tp", "note": "scan", "revision": 1})
    assert (status, body["status"], body["revision"]) == (200, "closed", 2)
    assert [(row.value, row.user, row.decided_by) for row in Verdict.objects.all()] == [("benign_tp", alice, "person")]
    status, body = api("POST", f"alerts/{alert.pk}/verdict", {"value": "fp_data", "revision": 1})
    assert (status, body["error"]["code"], body["alert"]["revision"]) == (409, "stale", 2)
    assert Verdict.objects.count() == 1


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", {"value": "nope"}, {"value": 3}, {"value": "fp_data", "revision": "1"}, {}]
)
def test_a_broken_verdict_changes_nothing(api, body):
    alert = make_alert(make_source())
    assert api("POST", f"alerts/{alert.pk}/verdict", body)[0] == 400
    assert (Verdict.objects.count(), AuditEntry.objects.count()) == (0, 0)


def test_scope_and_unknown_tokens(api):
    alert = make_alert(make_source())
    body = {"value": "fp_data"}
    assert api("POST", f"alerts/{alert.pk}/verdict", body, token="token-read")[0] == 403
    assert api("POST", f"alerts/{alert.pk}/verdict", body, token="wrong")[0] == 401
    assert Verdict.objects.count() == 0


def test_bulk(api):
    source = make_source()
    ids = [make_alert(source).pk for _ in range(3)]
    status, body = api("POST", "alerts/bulk", {"ids": [*ids, 987654], "value": "duplicate"})
    assert (status, body) == (200, {"decided": ids, "skipped": [{"id": 987654, "reason": "no such alert"}]})
    for wrong in ([True], ["1"], [0], [2**63], "1", None):
        assert api("POST", "alerts/bulk", {"ids": wrong, "value": "duplicate"})[0] == 400
