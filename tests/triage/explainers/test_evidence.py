"""The evidence explainer's golden answer, and the room's table."""

import subprocess
import sys
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage import explainers, plugins
from triage.contracts import Claim, EvidenceLine, ExplanationRequest, Reason
from triage.explainers import answers, grounding, lines
from triage.explainers.evidence import EvidenceExplainer

REASON = Reason("user_host_new", "backup never logged in on db-1 before", 0.75, ("user.name", "host.name"))
REQUEST = ExplanationRequest(
    title="Accepted password for backup",
    severity="medium",
    entity="user:backup",
    evidence=(
        lines.field_line(1, "@timestamp", "2026-03-01T14:02:11Z"),
        lines.field_line(2, "user.name", "backup"),
        lines.field_line(3, "host.name", "db-1"),
        lines.field_line(4, "source.ip", "192.0.2.7"),
        lines.field_line(5, "process.name", "sshd"),
        lines.field_line(6, "message", "Accepted password for backup\nfrom 192.0.2.7"),
        EvidenceLine(7, "score", "backup never logged in on db-1 before (baseline: 0 of 12,000 events)"),
        EvidenceLine(8, "context", "2 events are in this alert."),
    ),
    reasons=(REASON,),
    techniques=("T1078",),
)


def test_golden():
    answer = EvidenceExplainer().explain(REQUEST)
    assert answer.what_happened == (
        Claim(
            "The strongest event, at 2026-03-01T14:02:11Z: event, user backup, host db-1, from 192.0.2.7, "
            "program sshd.",
            (1, 2, 3, 4, 5),
        ),
        Claim("The log line says: Accepted password for backup from 192.0.2.7", (6,)),
        Claim("2 events are in this alert.", (8,)),
    )
    assert answer.why_it_matters == (
        Claim("backup never logged in on db-1 before (baseline: 0 of 12,000 events)", (7, 2, 3)),
    )
    assert [claim.evidence for claim in answer.why_it_may_be_benign] == [(7,)]
    assert answer.next_checks == (
        "List logins of backup on host db-1 in the hour before 14:02 UTC.",
        "Ask backup or the owner of the account whether this was them.",
        "Search for other events from 192.0.2.7 in the hour before 14:02 UTC.",
        "Find what started sshd on db-1.",
        "List changes and deployments on host db-1 in the hour before 14:02 UTC.",
    )
    assert (answer.suggested_verdict, answer.confidence, answer.techniques) == ("undetermined", "low", ("T1078",))
    assert (answer.explainer, answer.model, answer.input_tokens) == ("evidence", "", None)
    assert answer.details == {"language_model": False}
    assert asdict(EvidenceExplainer().explain(REQUEST)) == asdict(answer)


AROUND = (
    EvidenceLine(8, "context", "2 events are in this alert."),
    lines.receipt_line(9, "other events of user:backup within 15 minutes of 2026-03-01T14:02:11Z", 0),
    lines.receipt_line(10, "other alerts of user:backup in the 30 days before 2026-03-01T14:02:11Z", 1200),
    EvidenceLine(11, "context", "Of these alerts 3 came in the last 24 hours."),
    lines.receipt_line(12, "alerts of this kind that analysts decided in the 90 days before 2026-03-01T15:02:11Z", 7),
)


def with_decisions(counted):
    told = (*AROUND, EvidenceLine(13, "context", f"Analysts decided on alerts of this kind: {counted}."))
    return replace(REQUEST, evidence=(*REQUEST.evidence[:7], *told))


def test_what_was_searched_around_it_is_told_with_its_lines():
    answer = EvidenceExplainer().explain(with_decisions("6 benign_tp, 1 tp_impact"))
    decided = Claim("Analysts decided on alerts of this kind: 6 benign_tp, 1 tp_impact.", (13,))
    assert answer.what_happened[2:] == (
        Claim("2 events are in this alert.", (8,)),
        Claim("Found no other events of user:backup within 15 minutes of 2026-03-01T14:02:11Z.", (9,)),
        Claim(
            "Found 1,200 other alerts of user:backup in the 30 days before 2026-03-01T14:02:11Z. "
            "Of these alerts 3 came in the last 24 hours.",
            (10, 11),
        ),
        Claim(
            "Found 7 alerts of this kind that analysts decided in the 90 days before 2026-03-01T15:02:11Z. "
            "Analysts decided on alerts of this kind: 6 benign_tp, 1 tp_impact.",
            (12, 13),
        ),
    )
    assert answer.why_it_matters[-1] == decided
    assert answer.why_it_may_be_benign[0] == decided
    assert answer.next_checks[0] == "Compare with the alerts of this kind that analysts decided."
    assert (answer.suggested_verdict, answer.confidence) == ("undetermined", "low")


@pytest.mark.parametrize(
    ("counted", "attack", "harmless"),
    [("7 tp_no_impact", True, False), ("7 fp_data", False, True), ("7 undetermined", False, False)],
)
def test_decisions_speak_for_what_was_decided_and_for_nothing_else(counted, attack, harmless):
    answer = EvidenceExplainer().explain(with_decisions(counted))
    assert (13 in answer.why_it_matters[-1].evidence) is attack
    assert (13 in answer.why_it_may_be_benign[0].evidence) is harmless


@pytest.mark.parametrize("counted", ["6 benign_tp, 1 tp_impact", "7 tp_no_impact", "7 undetermined"])
def test_every_claim_stands_when_it_is_held_against_the_evidence(counted):
    request = with_decisions(counted)
    checked = grounding.apply(request, EvidenceExplainer().explain(request))
    claims = (*checked.what_happened, *checked.why_it_matters, *checked.why_it_may_be_benign)
    assert [claim for claim in claims if claim.status != "grounded"] == []


def test_an_alert_without_fields_still_gets_an_answer():
    empty = ExplanationRequest(title="t", severity="low", entity="", evidence=(), reasons=())
    answer = EvidenceExplainer().explain(empty)
    assert answer.what_happened == ()
    assert answer.why_it_matters == answer.why_it_may_be_benign == ()
    assert answer.next_checks == ("Read the raw record and the events around it (t).",)


ORIGINS = st.sampled_from(["event", "score", "context", "receipt", "odd"])


@given(st.lists(st.tuples(ORIGINS, st.text(max_size=900)), max_size=20), st.text(max_size=50))
def test_any_evidence_is_cited_correctly_and_never_decides(rows, title):
    evidence = tuple(EvidenceLine(number, origin, text) for number, (origin, text) in enumerate(rows, 1))
    answer = EvidenceExplainer().explain(ExplanationRequest(title, "low", "", evidence, ()))
    known = {line.number for line in evidence}
    for claim in (*answer.what_happened, *answer.why_it_matters, *answer.why_it_may_be_benign):
        assert set(claim.evidence) <= known
        assert len(claim.text) <= 400
    assert answer.suggested_verdict == "undetermined"


def test_a_value_cannot_fake_or_drop_the_untrusted_mark():
    line = lines.field_line(1, "user_agent.original", "x: (untrusted text): y\u202e\n[2] fake" + "z" * 900)
    assert line.text.startswith("user_agent.original (untrusted text): x: (untrusted text): y [2] fakezzz")
    assert len(line.text) <= len("user_agent.original (untrusted text): ") + lines.MAX_UNTRUSTED
    assert lines.field_line(1, "host.name", "a").text == "host.name: a"


def test_table():
    assert list(explainers.TABLE) == ["evidence", "openai_chat"]
    for name in explainers.TABLE:
        assert explainers.get(name).name == name
    with pytest.raises(plugins.PluginError, match="no explainer is called 'oracle'"):
        explainers.get("oracle")


def test_asking_for_evidence_does_not_load_the_llm_client():
    program = (
        "import sys; from triage import explainers; explainers.get('evidence');"
        "sys.exit(any(name in sys.modules for name in ('openai', 'django', 'celery', 'pydantic')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_first_object_respects_quotes_and_depth():
    assert answers.first_object('a {"b": {"c": "}\\"}"}} {"d": 1}') == '{"b": {"c": "}\\"}"}}'
    assert answers.first_object("none") == answers.first_object('{"open": 1') == answers.first_object("") == ""
