"""The alerts API by token: shapes, errors, and that refused requests change nothing."""

import json

import pytest

from alerts.models import Alert, AuditEntry, Verdict
from tests.alerts.explained import by_model, failed
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


def test_an_explanation_says_what_holds_and_what_it_cost(api):
    finding = {"event_id": 7, "field": "url.path", "why": "claims to be harmless", "excerpt": "just a test"}
    parts = {"prefilter": "medium", "model": "high"}
    alert = make_alert(make_source(), injection_suspected=True, injection_findings=[finding], severity_parts=parts)
    by_model(alert)
    failed(alert, "timeout")
    body = api("GET", f"alerts/{alert.pk}", token="token-read")[1]
    assert (body["injection_suspected"], body["injection_findings"], body["severity_parts"]) == (True, [finding], parts)
    told = body["explanation"]
    assert (told["cost"], told["tier"], told["inherited"]) == ({"usd": 0.00137, "basis": "measured"}, "small", False)
    assert {name: told["grounding"][name] for name in ("grounded", "miscited", "struck", "claims")} == {
        "grounded": 1,
        "miscited": 1,
        "struck": 1,
        "claims": 3,
    }
    assert [(one["reason"], one["model"]) for one in body["explanation_failures"]] == [("timeout", "small-1")]
    listed = api("GET", "alerts")[1]["alerts"][0]
    assert (listed["injection_suspected"], listed["severity_parts"]) == (True, parts)


def test_an_explanation_without_a_model_has_neither_grounding_nor_cost(api):
    told = api("GET", f"alerts/{make_full_alert(make_source()).pk}")[1]["explanation"]
    assert (told["grounding"], told["cost"], told["tier"], told["inherited"]) == (None, None, None, False)


def test_a_blind_audit_tells_the_api_nothing_either(api):
    alert = make_full_alert(make_source(), origin="blind_audit", inclusion_probability=0.1, worth=0.5)
    Alert.objects.filter(pk=alert.pk).update(injection_suspected=True, injection_findings=[{"why": "w"}])
    body = api("GET", f"alerts/{alert.pk}")[1]
    assert body["worth"] is None
    assert (body["injection_suspected"], body["severity_parts"], body["injection_findings"]) == (None, None, [])
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


def test_bulk_by_filter_counts_first_and_then_decides_no_more_than_was_counted(api):
    source = make_source()
    lows = [make_alert(source, severity="low") for _ in range(3)]
    blind = make_alert(source, origin="blind_audit", inclusion_probability=0.1, entity="user:x")
    wanted = {"filter": {"severity": "low"}, "value": "fp_data"}
    status, told = api("POST", "alerts/bulk", wanted | {"dry_run": True})
    assert (status, told) == (200, {"matching": 3, "up_to": blind.pk, "decided": [], "skipped": []})
    late = make_alert(source, severity="low")
    status, body = api("POST", "alerts/bulk", wanted | {"expected_count": 3})
    assert (status, body["error"]["code"], body["matching"], body["up_to"]) == (409, "count_changed", 4, late.pk)
    assert Verdict.objects.count() == 0
    status, body = api("POST", "alerts/bulk", wanted | {"expected_count": 3, "up_to": told["up_to"]})
    assert (status, body) == (200, {"decided": [one.pk for one in lows], "skipped": []})
    status, body = api("POST", "alerts/bulk", {"filter": {"entity": "user:x"}, "value": "fp_data"})
    assert body == {"decided": [], "skipped": [{"id": blind.pk, "reason": "blind audit, decided one by one"}]}
    assert set(Alert.objects.filter(status="open")) == {late, blind}


@pytest.mark.parametrize(
    "body",
    [
        {"filter": {}},
        {"filter": {"group": "none"}},
        {"filter": []},
        {"filter": {"severity": "huge"}},
        {"filter": {"colour": "red"}},
        {"filter": {"severity": ["low"]}},
        {"filter": {"source": True}},
        {"filter": {"severity": "low"}, "ids": [1]},
        {"filter": {"severity": "low"}, "expected_count": "3"},
        {"filter": {"severity": "low"}, "up_to": -1},
        {"filter": {"severity": "low"}, "dry_run": 1},
        {"filter": {"severity": "low"}, "value": "nope"},
    ],
)
def test_a_broken_filter_changes_nothing(api, body):
    make_alert(make_source(), severity="low")
    status, answer = api("POST", "alerts/bulk", {"value": "fp_data"} | body)
    assert (status, answer["error"]["code"]) == (400, "bad_parameter")
    assert (Verdict.objects.count(), AuditEntry.objects.count()) == (0, 0)
