"""Which alerts share a key, and how an answer's values become another alert's."""

from dataclasses import replace

import pytest

from triage.contracts import Claim, EvidenceLine, ExplanationAnswer, ExplanationRequest, Reason
from triage.explainers import clusters, grounding, lines

pytestmark = pytest.mark.once
KIND = {"parser": "sshd", "category": "authentication", "action": "login", "code": "", "template": "a" * 64}
FIELDS = {
    "@timestamp": "2026-03-01T14:02:11Z",
    "event.action": "login",
    "event.outcome": "failure",
    "user.name": "alice",
    "host.name": "db-1",
    "source.ip": "203.0.113.9",
    "source.port": "50122",
    "process.pid": "811",
    "process.name": "sshd",
    "process.command_line": "whoami",
    "http.response.status_code": "404",
    "network.bytes": "4711",
    "message": "Failed password for alice from 203.0.113.9 port 50122 ssh2",
}
REASON = Reason(
    "user_host_new", "alice never logged in on db-1", 0.7, ("user.name", "host.name"), "", "0 of 12,000 events"
)


def request(context=(), *, reasons=(REASON,), severity="medium", techniques=("T1110",), user=None, **changes):
    """Return a request about ``FIELDS`` with some changed; dots are written as two underscores."""
    fields = FIELDS | {name.replace("__", "."): value for name, value in changes.items()}
    user = user or fields["user.name"]
    evidence = [lines.field_line(number, name, value) for number, (name, value) in enumerate(fields.items(), 1)]
    texts = [
        (lines.SCORE, f"{user} never logged in on {fields['host.name']}"),
        *((lines.CONTEXT, text) for text in context),
    ]
    evidence += [EvidenceLine(len(evidence) + n, origin, text) for n, (origin, text) in enumerate(texts, 1)]
    return ExplanationRequest(
        title="t",
        severity=severity,
        entity=f"user:{fields['user.name']}",
        evidence=tuple(evidence),
        reasons=tuple(reasons),
        techniques=tuple(techniques),
        identifiers=(
            ("user", fields["user.name"]), ("host", fields["host.name"]), ("address", fields["source.ip"]),
        ),
    )  # fmt: skip


def key(asked, *, kind=KIND, events=3, model="m", policy="pseudonymise", prompt="p", suspected=False):
    return clusters.cluster_key(
        asked, kind=kind, events=events, model=model, policy=policy, prompt_sha256=prompt, suspected=suspected
    )


OTHERS = {
    "user.name": "bob.smith", "host.name": "web-7.example", "source.ip": "198.51.100.77", "source.port": "4022",
    "process.pid": "23411", "@timestamp": "2026-05-11T03:00:59Z", "network.bytes": "9999",
    "message": "Failed password for bob.smith from 198.51.100.77 port 4022 ssh2",
}  # fmt: skip


def other(context=(), **changes):
    return request(context, **{name.replace(".", "__"): value for name, value in (OTHERS | changes).items()})


def test_what_differs_by_name_time_number_and_address_only_shares_a_key():
    assert key(request()) == key(other(), events=9)
    assert len(key(request())) == 64


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("3 events are in this alert, from 2026-03-01T14:02:11Z to 2026-03-01T14:02:19Z.", True),
        ("30 events are in this alert, from 2026-03-01T14:02:11Z to 2026-03-01T14:02:19Z.", False),
        ("1 event is in this alert, at 2026-03-01T14:02:11Z.", False),
    ],
)
def test_of_a_count_the_order_of_magnitude_is_in_the_key(here, there):
    usual = "9 events are in this alert, from 2026-04-02T00:00:00Z to 2026-04-03T14:02:19Z."
    assert (key(request(context=[here])) == key(other(context=[usual]))) is there


def test_a_receipt_that_found_something_is_not_one_that_found_nothing():
    searched = "Searched other logins of {} in the 30 days before 2026-03-01T14:02:11Z: found {}."
    none, some = (key(request(context=[searched.format("alice", found)])) for found in ("0", "4"))
    assert none != some
    assert none == key(other(context=[searched.format("bob.smith", "0")]))


def test_a_reason_about_an_identifier_alone_is_no_part_of_the_key_and_nothing_rests_on_it():
    odd = Reason("value", "zeek.uid CAyEpE6o is new", 0.1, ("zeek.uid",), "", "0 of 9")
    here = request(reasons=(REASON, odd))
    here = replace(here, evidence=(*here.evidence, EvidenceLine(15, lines.SCORE, odd.text)))
    assert key(here) == key(other())
    told = replace(ANSWER, why_it_matters=(Claim("The record is new.", (15,), "grounded"),))
    assert clusters.fill(clusters.slotted(here, told), other()).why_it_matters == ()


def test_suspected_text_shares_with_nobody():
    assert key(request(), suspected=True) == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"event__outcome": "success"},
        {"process__command_line": "rm -rf /"},
        {"process__command_line": "whoami 4755"},
        {"process__command_line": "whoami d2hvYW1pIC9hbGwgL2ZvIGxpc3Q="},
        {"url__query": "id=1+OR+1=1"},
        {"destination__port": "4444"},
        {"process__name": "bash"},
        {"http__response__status_code": "200"},
        {"network__bytes": "47110000"},
        {"source__ip": "10.0.0.9"},
        {"user__name": "root", "message": "Failed password for root from 203.0.113.9 port 50122 ssh2"},
        {"message": "Accepted password for alice from 203.0.113.9 port 50122 ssh2"},
        {"url__path": "/admin"},
        {"severity": "high"},
        {"techniques": ()},
        {"reasons": ()},
        {"reasons": (replace(REASON, feature="burst"),)},
        {"reasons": (replace(REASON, fields=("user.name",)),)},
        {"reasons": (replace(REASON, baseline="3 of 12,000 events"),)},
    ],
)
def test_what_differs_in_meaning_does_not(changes):
    assert key(request(**changes)) not in ("", key(request()))


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "n"}, {"policy": "raw"}, {"prompt": "q"}, {"events": 10}, {"kind": KIND | {"action": "logout"}},
        {"kind": KIND | {"code": "7"}},
    ],
)  # fmt: skip
def test_nor_what_is_asked_otherwise(changes):
    assert key(request(), **changes) not in ("", key(request()))


@pytest.mark.parametrize(
    ("one", "other_one"),
    [
        ("chmod 644 /bin/x", "chmod 4755 /bin/x"),
        ("powershell -enc d2hvYW1pIC9hbGwgL2ZvIGxpc3Q=", "powershell -enc cm0gLXJmIC8gLS1uby1wcmVzZXJ2ZQ=="),
        ("nc 203.0.113.9 22", "nc 203.0.113.9 443"),
        ("ssh alice", "ssh root"),
        ("cat /home/alice/x", "cat /home/bob/x"),
    ],
)
def test_commands_that_differ_do_not_share(one, other_one):
    assert key(request(process__command_line=one)) != key(request(process__command_line=other_one))


def test_what_the_names_say_counts_where_the_model_sees_them():
    service = request(user__name="svc-rxq7", message="Failed password")
    person = request(user__name="m.keller", message="Failed password")
    assert key(service) == key(person)
    assert key(service, policy="raw") != key(person, policy="raw")


def test_the_template_counts_where_the_message_is_not_there_as_a_whole():
    elsewhere = KIND | {"template": "b" * 64}
    assert key(request(), kind=elsewhere) == key(request())
    long = request(message="Failed password for alice and so on " * 20)
    assert key(long, kind=elsewhere) not in ("", key(long))


def test_the_baseline_may_grow_without_ending_the_sharing():
    grown = request(reasons=(replace(REASON, baseline="0 of 1,204,331 events"),))
    assert key(grown) == key(request())


def test_what_was_cut_off_or_has_no_template_shares_nothing():
    assert key(request(process__command_line="a" * 5000)) == ""
    assert key(request(), kind={"template": ""}) == ""
    assert key(request(), kind={}) == ""


ANSWER = ExplanationAnswer(
    what_happened=(
        Claim("A login of alice on db-1 from 203.0.113.9 failed at 2026-03-01T14:02:11Z.", (1, 3, 4, 5, 6), "grounded"),
        Claim("198.51.100.1 did it.", (6,), "struck", ("198.51.100.1 is in no evidence line",)),
    ),
    why_it_matters=(Claim("alice never logged in on db-1.", (14,), "grounded"),),
    why_it_may_be_benign=(),
    next_checks=("Ask alice about port 50122.",),
    suggested_verdict="tp_no_impact",
    confidence="medium",
    techniques=("T1110",),
    explainer="openai_chat",
    model="m",
    prompt_version="v3",
    details={"call": {"request_id": "r-1"}},
    severity="high",
)


def test_an_answer_is_filled_with_the_other_alerts_own_values_and_stands_there():
    held = clusters.slotted(request(), ANSWER)
    assert "alice" not in str(held)
    assert "203.0.113.9" not in str(held)
    filled = clusters.fill(held, other())
    assert [claim.text for claim in filled.what_happened] == [
        "A login of bob.smith on web-7.example from 198.51.100.77 failed at 2026-05-11T03:00:59Z."
    ]
    assert filled.what_happened[0].evidence == (1, 3, 4, 5, 6)
    assert filled.why_it_matters[0].text == "bob.smith never logged in on web-7.example."
    assert filled.next_checks == ("Ask bob.smith about port 4022.",)
    assert (filled.suggested_verdict, filled.severity, filled.techniques) == ("tp_no_impact", "high", ("T1110",))
    assert "call" not in filled.details
    checked = grounding.check(other(), filled)
    assert (checked.struck, checked.demoted) == (0, "")


def test_a_value_or_a_line_that_is_missing_makes_no_answer():
    held = clusters.slotted(request(), ANSWER)
    fewer = replace(other(), evidence=other().evidence[:5])
    assert clusters.fill(held, fewer) is None
    cited = clusters.slotted(request(context=["5 events are in this alert."]), replace(
        ANSWER, why_it_matters=(Claim("5 events came together.", (15,), "grounded"),)
    ))  # fmt: skip
    assert clusters.fill(cited, other()) is None


def text_of(check, asked=None, there=None):
    """Return a next check as it comes out for another alert, None when it was left out."""
    held = clusters.slotted(asked or request(), replace(ANSWER, next_checks=(check,)))
    checks = clusters.fill(held, there or other()).next_checks
    return checks[0] if checks else None


def test_marks_in_a_models_text_are_no_slots():
    tricky = "Look at \x01=user.name\x02 and {'any': [{'line': 'user.name', 'token': 0}]}."
    held = clusters.slotted(request(), replace(ANSWER, next_checks=(tricky,)))
    assert held["next_checks"] == []  # the 0 is nobody's
    plain = replace(ANSWER, next_checks=("Look at \x01=user.name\x02.",))
    assert clusters.slotted(request(), plain)["next_checks"] == [["Look at  =user.name ."]]


@pytest.mark.parametrize(
    ("said", "filled"),
    [
        ("Ask Alice about DB-1.", "Ask bob.smith about web-7.example."),
        ("Look for logins in the last 24 hours.", "Look for logins in the last 24 hours."),
        ("Read up on T1110 and IPv6.", "Read up on T1110 and IPv6."),
        ("Look for status 404.", "Look for status 404."),
        ("Was it 14:02 on 2026-03-01?", "Was it 03:00 on 2026-05-11?"),
        ("Who sent 4,711 bytes?", "Who sent 9,999 bytes?"),
        ("malice and db-12 and 203.0.113.90 are others.", None),
        ("Ask alices brother.", None),
        ("It came late at night.", None),
        ("It came outside business hours.", None),
        ("It came on a Sunday.", None),
        ("It came 17 times.", None),
    ],
)
def test_what_is_said_is_filled_or_left_out(said, filled):
    assert text_of(said) == filled


def test_a_part_of_a_name_is_filled_with_the_same_part():
    here = request(user__name="CORP\\alice", host__name="db-1.corp.example", message="Failed password")
    there = request(user__name="CORP\\bob.smith", host__name="web-7.corp.example", message="Failed password")
    assert text_of("Ask alice about db-1.", here, there) == "Ask bob.smith about web-7."
    without = request(user__name="carla", host__name="web-7", message="Failed password")
    held = clusters.slotted(here, replace(ANSWER, next_checks=("Ask alice about db-1.",)))
    assert clusters.fill(held, without) is None


def test_a_figure_that_may_mean_two_things_is_filled_only_where_both_are_equal():
    texts = ["5 events are in this alert.", "alice took part in 5 events."]
    here = request(context=texts)
    held = clusters.slotted(here, replace(ANSWER, why_it_matters=(Claim("5 events is much.", (15, 16), "grounded"),)))
    equal = other(context=["7 events are in this alert.", "bob.smith took part in 7 events."])
    assert key(here) == key(equal)
    assert clusters.fill(held, equal).why_it_matters[0].text == "7 events is much."
    unequal = other(context=["7 events are in this alert.", "bob.smith took part in 8 events."])
    assert clusters.fill(held, unequal) is None


def test_a_figure_that_is_also_the_same_everywhere_is_not_taken_for_a_slot():
    here = request(context=["22 events are in this alert."], destination__port="22")
    held = clusters.slotted(here, replace(ANSWER, next_checks=("Why port 22?",)))
    there = other(context=["33 events are in this alert."], **{"destination.port": "22"})
    assert key(here) == key(there)
    assert clusters.fill(held, there) is None


def test_a_number_word_of_a_cited_count_is_a_slot():
    here, there = request(context=["3 events are in this alert."]), other(context=["8 events are in this alert."])
    told = replace(ANSWER, why_it_matters=(Claim("Three events came.", (15,), "grounded"),))
    assert clusters.fill(clusters.slotted(here, told), there).why_it_matters[0].text == "eight events came."


def test_nothing_is_handed_on_when_nothing_that_happened_is_certain():
    moment = replace(ANSWER, what_happened=(Claim("It was late at night.", (1,), "grounded"),))
    assert clusters.slotted(request(), moment) == {}
