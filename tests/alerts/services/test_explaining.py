"""Alerts get explanations: evidence first, the model's answer, failures as failures, leases and retries."""

import datetime as dt
import json
import socket

import pytest
from django.db import connection
from django.utils import timezone

from alerts.models import Alert, AlertEvent, AlertOrigin, AuditEntry, Explanation, VerdictValue
from alerts.services import asking, breakers, explaining, grouping
from tests.alerts.flagged_events import START, flagged
from tests.documents import write_document
from tests.factories import make_source
from tests.triage.explainers.fake_llm import GOOD, Reply, completion, error, fake_llm, good
from triage.explainers import answers, breaker, openai_chat
from triage.models import Event

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_habits(monkeypatch, settings):
    """Endpoints are new, and the client repeats nothing by itself, so that tries can be counted."""
    openai_chat._HABITS.clear()
    monkeypatch.setattr(asking, "SDK_RETRIES", 0)
    monkeypatch.setattr(breakers, "SHARED", breaker.InProcess())
    settings.LLM_SHARE_HOURS = 0


@pytest.fixture
def source():
    return make_source()


@pytest.fixture
def alert(source):
    flagged(source)
    grouping.group_flagged()
    return Alert.objects.get()


@pytest.fixture
def use_llm(settings):
    """Return a function that points the settings at a base URL."""

    def use(base_url, policy="pseudonymise", timeout=5.0):
        settings.LLM_BASE_URL, settings.LLM_MODEL, settings.LLM_API_KEY = base_url, "tiny", "k"
        settings.LLM_DATA_POLICY, settings.LLM_TIMEOUT_SECONDS = policy, timeout

    return use


def make_due():
    Alert.objects.update(explanation_lease_until=timezone.now() - dt.timedelta(seconds=1))


def rows(alert):
    """Return the explanation rows of an alert, oldest first, as (explainer, failure)."""
    return list(alert.explanations.order_by("id").values_list("explainer", "failure"))


def test_without_a_model_the_evidence_is_the_explanation(alert):
    assert explaining.explain_pending() == 1
    row = Explanation.objects.get()
    alert.refresh_from_db()
    assert (alert.explanation_state, alert.explanation_lease_until) == ("done", None)
    assert (row.explainer, row.model, row.failure, row.suggested_verdict, row.confidence) == (
        "evidence", "", "", "undetermined", "low",
    )  # fmt: skip
    assert row.details == {"language_model": False, "note": "no language model is configured", "event_count": 1}
    assert [line["number"] for line in row.evidence] == list(range(1, len(row.evidence) + 1))
    texts = [(line["origin"], line["text"]) for line in row.evidence]
    assert ("event", "@timestamp: 2026-03-01T14:02:11Z") in texts
    assert ("event", "user.name (untrusted text): backup") in texts
    assert ("event", "host.name: db-1") in texts
    assert (
        "score",
        "backup never logged in on db-1 before (observed: backup on db-1; baseline: 0 of 12,000 events)",
    ) in texts
    assert ("context", "1 event is in this alert, at 2026-03-01T14:02:11Z.") in texts
    assert row.answer["what_happened"][0]["text"].startswith("The strongest event, at 2026-03-01T14:02:11Z: ")
    assert row.answer["next_checks"][0] == "List logins of backup on host db-1 in the hour before 14:02 UTC."
    assert explaining.explain_pending() == 0
    assert Explanation.objects.count() == 1


def test_the_data_policy_off_sends_nothing_and_says_so(alert, use_llm):
    with fake_llm(good()) as fake:
        use_llm(fake.base_url, policy="off")
        assert explaining.explain_pending() == 1
        assert fake.requests == []
    assert rows(alert) == [("evidence", "")]
    assert Explanation.objects.get().details["note"] == "the data policy is off: nothing is sent to a language model"


def test_a_model_answers_after_the_evidence_is_stored(alert, use_llm):
    with fake_llm(good(techniques=[])) as fake:
        use_llm(fake.base_url)
        assert explaining.explain_pending() == 1
    assert rows(alert) == [("evidence", ""), ("openai_chat", "")]
    row = alert.explanations.first()
    assert (row.model, row.prompt_version, row.input_tokens, row.output_tokens) == ("tiny", "v3", 321, 45)
    claim = {"text": "A login.", "evidence": [1, 2], "status": "grounded", "problems": []}
    assert row.answer["what_happened"] == [claim]
    assert (row.purpose, row.tier, row.inherited, row.shared) == ("explain", "small", False, None)
    assert row.grounded == row.claims == row.details["grounding"]["claims"]
    assert row.latency_ms is not None
    alert.refresh_from_db()
    assert alert.explanation_state == "done"


def test_an_explanation_changes_neither_severity_nor_status(alert, use_llm):
    before = Alert.objects.values("severity", "severity_rank", "status", "techniques", "score", "assignee").get()
    with fake_llm(good(suggested_verdict="fp_logic", confidence="high", techniques=[], severity="info")) as fake:
        use_llm(fake.base_url)
        explaining.explain_pending()
    assert (
        Alert.objects.values("severity", "severity_rank", "status", "techniques", "score", "assignee").get() == before
    )
    assert not alert.verdicts.exists()


def test_names_are_hidden_from_the_endpoint_and_restored_in_the_row(source, use_llm):
    fields = {
        "user.name": "canaryuser", "host.name": "canaryhost.example", "source.ip": "203.0.113.77",
        "related.user": ["canaryfriend"], "user.email": "canary@mail.example", "cloud.account.id": "123456789012",
    }  # fmt: skip
    reason = {"feature": "f", "text": "canaryuser is new on canaryhost", "contribution": 1, "observed": "canaryfriend"}
    flagged(
        source, "canaryuser@CANARYHOST from 203.0.113.77 via canaryfriend", document=fields,
        user_name="canaryuser", host_name="canaryhost.example", source_ip="203.0.113.77", entity="user:canaryuser",
        reasons=json.dumps([reason]),
    )  # fmt: skip
    grouping.group_flagged()
    with fake_llm(good(what_happened=[{"text": "USER_1 on HOST_1 from IP_EXT_1a", "evidence": [1]}])) as fake:
        use_llm(fake.base_url)
        explaining.explain_pending()
    assert len(fake.received) == 1
    for canary in (b"canary", b"203.0.113.77", b"123456789012"):
        assert canary not in fake.received[0].lower()
    row = Explanation.objects.get(explainer="openai_chat")
    assert row.answer["what_happened"][0]["text"] == "canaryuser on canaryhost.example from 203.0.113.77"
    assert any("canaryuser" in line["text"] for line in row.evidence)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (error(401), "refused"),
        (error(429, "quota", "insufficient_quota"), "budget"),
        (Reply("<html>", content_type="text/html"), "invalid"),
        (Reply(completion(None, refusal="no")), "refused"),
    ],
)
def test_a_lasting_failure_is_recorded_and_the_evidence_follows(alert, use_llm, reply, reason):
    with fake_llm(reply) as fake:
        use_llm(fake.base_url)
        assert explaining.explain_pending() == 1
        assert explaining.explain_pending() == 0
        assert len(fake.requests) == 1
    assert rows(alert) == [("evidence", ""), ("openai_chat", reason), ("evidence", "")]
    failed = alert.explanations.get(failure=reason)
    assert (failed.answer, failed.suggested_verdict, failed.model) == ({}, "", "tiny")
    assert failed.failure_detail
    alert.refresh_from_db()
    assert alert.explanation_state == "failed"


def test_a_passing_failure_is_tried_three_times_with_growing_waits(alert, use_llm):
    with fake_llm(error(503)) as fake:
        use_llm(fake.base_url)
        waits = []
        for _ in range(2):
            started = timezone.now()
            assert explaining.explain_pending() == 1
            assert explaining.explain_pending() == 0
            alert.refresh_from_db()
            assert alert.explanation_state == "pending"
            waits.append((alert.explanation_lease_until - started).total_seconds())
            make_due()
        assert 30 <= waits[0] <= 30 * (1 + explaining.JITTER) + 1
        assert 120 <= waits[1] <= 120 * (1 + explaining.JITTER) + 1
        assert explaining.explain_pending() == 1
        assert len(fake.requests) == 3
    alert.refresh_from_db()
    assert (alert.explanation_state, alert.explanation_attempts) == ("failed", 3)
    assert rows(alert) == [("evidence", ""), *[("openai_chat", "unreachable")] * 3, ("evidence", "")]


def test_an_open_breaker_asks_nothing_counts_no_try_and_comes_back_when_it_may(alert, use_llm):
    reply = error(429, "You exceeded your current quota", code="insufficient_quota")
    with fake_llm(reply) as server:
        use_llm(server.base_url)
        explaining.explain_pending()
        assert rows(alert)[-2:] == [("openai_chat", "budget"), ("evidence", "")]
        asked, told = len(server.requests), alert.explanations.count()
        Alert.objects.update(explanation_state="pending", explanation_attempts=0, explanation_lease_until=None)

        assert explaining.explain_pending() == 1

        alert.refresh_from_db()
        assert (len(server.requests), alert.explanations.count()) == (asked, told)
        assert (alert.explanation_state, alert.explanation_attempts) == ("pending", 0)
        wait = (alert.explanation_lease_until - timezone.now()).total_seconds()
        assert 3_000 < wait <= 3_600


def test_a_failure_keeps_the_record_of_its_call(alert, use_llm):
    with fake_llm(error(403, "no")) as server:
        use_llm(server.base_url)
        explaining.explain_pending()
    call = Explanation.objects.get(failure="refused").details["call"]
    assert (call["model_asked"], call["validation"], call["attempt"]) == ("tiny", "refused", 1)


def test_a_timeout_passes_and_the_next_try_succeeds(alert, use_llm):
    slow = [True]

    def behave(_):
        return Reply(completion(GOOD), delay=1.0) if slow.pop() else good()

    with fake_llm(behave) as fake:
        use_llm(fake.base_url, timeout=0.2)
        explaining.explain_pending()
        assert rows(alert)[-1] == ("openai_chat", "timeout")
        make_due()
        slow.append(False)
        use_llm(fake.base_url)
        explaining.explain_pending()
    assert rows(alert)[-1] == ("openai_chat", "")
    alert.refresh_from_db()
    assert alert.explanation_state == "done"


def test_a_dead_endpoint_ends_the_pass_but_every_alert_has_its_evidence(source, use_llm):
    for name in ("a1", "b2", "c3"):
        flagged(source, entity=f"user:{name}")
    grouping.group_flagged()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        use_llm(f"http://127.0.0.1:{taken.getsockname()[1]}/v1")
        assert explaining.explain_pending() == 1
    assert Explanation.objects.filter(failure="unreachable").count() == 1
    for alert in Alert.objects.all():
        assert rows(alert)[0] == ("evidence", "")


def test_two_workers_store_the_first_evidence_once(alert, use_llm):
    use_llm("http://127.0.0.1:9/v1")
    assert explaining._store_evidence(alert.pk) is True
    assert explaining._store_evidence(alert.pk) is False
    assert rows(alert) == [("evidence", "")]


def test_the_most_severe_alert_is_explained_first(source):
    flagged(source, entity="user:low", p_value=0.5)
    flagged(source, entity="user:high", p_value=0.00001)
    grouping.group_flagged()
    assert explaining.explain_pending(limit=1) == 1
    assert Explanation.objects.get().alert.entity == "user:high"


def test_a_running_lease_is_respected_and_an_expired_one_taken_over(alert):
    future = timezone.now() + dt.timedelta(minutes=5)
    Alert.objects.update(explanation_state="running", explanation_lease_until=future)
    assert explaining.explain_pending() == 0
    assert explaining.explain_alert(alert_id=alert.pk) is False
    assert not Explanation.objects.exists()
    make_due()
    assert explaining.explain_alert(alert_id=alert.pk) is True
    assert rows(alert) == [("evidence", "")]


def test_a_result_that_comes_after_its_lease_was_taken_is_dropped(alert, use_llm, monkeypatch):
    ask = asking.ask

    def ask_slowly(question):
        outcome = ask(question)
        Alert.objects.update(explanation_lease_until=timezone.now() + dt.timedelta(hours=1))
        return outcome

    monkeypatch.setattr(asking, "ask", ask_slowly)
    with fake_llm(good()) as fake:
        use_llm(fake.base_url)
        explaining.explain_pending()
    assert rows(alert) == [("evidence", "")]
    alert.refresh_from_db()
    assert alert.explanation_state == "running"


def test_an_alert_whose_tries_never_end_is_given_up_without_another_call(alert, use_llm):
    Alert.objects.update(explanation_state="running", explanation_attempts=3)
    make_due()
    with fake_llm(good()) as fake:
        use_llm(fake.base_url)
        explaining.explain_pending()
        assert fake.requests == []
    alert.refresh_from_db()
    assert alert.explanation_state == "failed"
    assert rows(alert)[-2:] == [("openai_chat", "timeout"), ("evidence", "")]


def test_a_fault_in_the_explainer_is_a_failure_and_not_a_crash(alert, use_llm, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(openai_chat.OpenAIChatExplainer, "explain", broken)
    use_llm("http://127.0.0.1:9/v1")
    assert explaining.explain_pending() == 1
    assert rows(alert) == [("evidence", ""), ("openai_chat", "invalid"), ("evidence", "")]
    assert alert.explanations.get(failure="invalid").failure_detail == "ZeroDivisionError in the explainer"


def test_closed_and_blind_alerts_are_not_explained(alert):
    Alert.objects.update(status="closed")
    assert explaining.explain_pending() == 0
    Alert.objects.update(status="open", origin=AlertOrigin.BLIND_AUDIT)
    assert explaining.explain_pending() == 0
    assert explaining.explain_alert(alert_id=alert.pk) is False
    assert explaining.explain_alert(alert_id=alert.pk + 1000) is False
    assert not Explanation.objects.exists()


def test_re_explain_appends_and_is_in_the_audit_trail(alert, alice):
    explaining.explain_pending()
    explaining.re_explain(alert_id=alert.pk, user=alice)
    entry = AuditEntry.objects.get(action="alert.re_explain")
    assert (entry.actor, entry.actor_kind, entry.alert_id) == ("alice", "person", alert.pk)
    assert explaining.explain_pending() == 1
    assert rows(alert) == [("evidence", ""), ("evidence", "")]
    with pytest.raises(Alert.DoesNotExist):
        explaining.re_explain(alert_id=alert.pk + 1000, user=alice)


def test_retention_may_take_the_events(alert):
    Event.objects.all().delete()
    explaining.explain_pending()
    row = Explanation.objects.get()
    assert [line["origin"] for line in row.evidence] == [
        "event", "score", "context", "context", "receipt", "receipt",
    ]  # fmt: skip


def test_odd_reasons_and_documents_do_not_stop_it(alert):
    odd = [{"contribution": "much", "fields": "x", "text": ["a"]}, "no", None, {}]
    AlertEvent.objects.update(reasons=odd)
    odd_fields = {"user.name": {"a": 1}, "x": None, "y": [1, None]}
    write_document(Event.objects.get().pk, "\x01\u202e" * 50, odd_fields, START)
    assert explaining.explain_pending() == 1
    assert Explanation.objects.get().failure == ""


@pytest.mark.django_db(transaction=True)
def test_no_connection_is_held_during_the_call(source, use_llm, monkeypatch):
    flagged(source)
    grouping.group_flagged()
    seen = []
    original = openai_chat.OpenAIChatExplainer.explain

    def watched(self, request):
        seen.append((connection.connection, connection.in_atomic_block))
        return original(self, request)

    monkeypatch.setattr(openai_chat.OpenAIChatExplainer, "explain", watched)
    with fake_llm(good()) as fake:
        use_llm(fake.base_url)
        assert explaining.explain_pending() == 1
    assert seen == [(None, False)]
    assert Alert.objects.get().explanation_state == "done"


def test_verdict_words_are_the_taxonomy():
    assert set(answers.VERDICTS) == set(VerdictValue.values)
