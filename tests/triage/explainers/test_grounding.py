"""Claims against their evidence: what stands, what is struck, and in which words."""

import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.contracts import Claim, EvidenceLine, ExplanationAnswer, ExplanationRequest
from triage.explainers import grounding, lines
from triage.explainers.evidence import EvidenceExplainer
from triage.explainers.grounding import GROUNDED, MISCITED, STRUCK
from triage.explainers.grounding_index import MAX_LINE, Index

pytestmark = pytest.mark.once

SHA = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
REQUEST = ExplanationRequest(
    title="",
    severity="medium",
    entity="user:alice",
    evidence=(
        lines.field_line(1, "@timestamp", "2026-03-01T14:02:41Z"),
        lines.field_line(2, "user.name", "alice"),
        lines.field_line(3, "host.name", "db-1.corp.example"),
        lines.field_line(4, "source.ip", "192.0.2.7"),
        lines.field_line(5, "destination.ip", "198.51.100.20"),
        lines.field_line(6, "destination.port", 22),
        lines.field_line(7, "event.outcome", "failure"),
        lines.field_line(8, "event.code", "4625"),
        lines.field_line(9, "process.executable", "C:\\Windows\\System32\\svchost.exe"),
        lines.field_line(10, "file.hash.sha256", SHA),
        lines.field_line(11, "message", "this is an authorised test"),
        EvidenceLine(12, lines.SCORE, "user alice was never seen before (0 of 1,204 values)"),
        EvidenceLine(
            13, lines.CONTEXT, "37 events are in this alert, from 2026-03-01T14:02:41Z to 2026-03-01T14:09:00Z."
        ),
        lines.receipt_line(14, "other logins of alice in the 30 days before 2026-03-01T14:02:41Z", 0),
        lines.field_line(15, "url.full", "https://evil.example/a?b=1"),
    ),
    reasons=(),
    techniques=("T1110",),
)
EVERY = tuple(range(1, 16))


def check(text: str, *cited: int) -> Claim:
    return grounding.check_claim(Claim(text, cited or EVERY), REQUEST)


@pytest.mark.parametrize(
    ("text", "cited"),
    [
        ("alice failed to log in on db-1 from 192.0.2.7.", (2, 3, 4, 7)),
        ("The user alice, coming from 192[.]0[.]2[.]7, was rejected.", (2, 4, 7)),
        ("At 14:02 UTC, and rounded at 14:03, alice tried port 22.", (1, 2, 6)),
        ("It was 2:02 PM on 1 March 2026, a Sunday.", (1,)),
        ("It happened around 14:10.", (1,)),
        ("Thirty-seven events within 10 minutes.", (13,)),
        ("37 events, 1204 learned values, about 1,200.", (12, 13)),
        ("alice's name is new: it was never seen before.", (12,)),
        ("No other logins of alice were found in the 30 days before.", (14,)),
        ("hxxps://evil[.]example/a?b=1 was opened.", (15,)),
        ("Program C:\\Windows\\System32\\svchost.exe with hash 9f86d081884c7d65...", (9, 10)),
        ("This fits T1110 (Brute Force) and its child T1110.003 (Password Spraying).", (2,)),
        ("The login was not successful.", (7,)),
        ("This does not prove intent, and it is not necessarily an attack.", (12,)),
        ("Event ID 4625 stands for a failed logon; the field is event.code.", (7, 8)),
        ("The network 192.0.2.0/24 is involved.", (4,)),
        ("If alice had succeeded, PowerShell or SSH could have followed.", (2,)),
        ("As line 4 and [7] show, the attempt of alice from 192.0.2.7 failed.", (2, 4, 7)),
        ("alice was never seen in 1,204 values, which is not surprising for a new user.", (12,)),
        ("With just 37 events in six minutes, about six per minute, this may be a script.", (13,)),
        ("It began shortly after two in the afternoon.", (1,)),
        ("The hash begins with 9f86d081884c.", (10,)),
        ("Tools such as Hydra or Medusa are made for this kind of guessing.", (7,)),
        ("The attempt failed, so the account was not compromised by it.", (7,)),
        ("The failed login came from 192.0.2.7 (a private range of RFC 1918 would look different).", (4, 7)),
        ("Dozens of events were recorded.", (13,)),
        ("alice has never failed to log in here before.", (12, 7)),
    ],
)
def test_true_statements_stand(text, cited):
    claim = check(text, *cited)
    assert (claim.status, claim.problems) == (GROUNDED, ())
    assert claim.text == text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Hundreds of attempts were made.", '"Hundreds" is more than any evidence line counts'),
        ("The attempts went on for several hours.", '"for several hours" is longer than anything the evidence spans'),
        ("198.51.100.20 contacted 192.0.2.7.", "198.51.100.20 is where it went to, not where it came from"),
        ("The user admin was used.", "admin is in no evidence line"),
        ("The attempt was made as root.", "root is in no evidence line"),
        ("As line 40 shows, alice failed to log in.", "evidence line 40 does not exist"),
        ("Other logins of alice were seen in the 30 days before.", "the cited query found nothing of that kind"),
        ("The address belongs to Hetzner.", "Hetzner is in no evidence line"),
        ("It happened at half past four.", "nothing in the evidence was at half past four"),
        ("It was about midnight.", "nothing in the evidence was at midnight"),
        ("The attempts lasted 2 hours and 5 minutes.", "2 hours and 5 minutes is in no evidence line"),
        ("The hash begins with 9f86d081884d.", "9f86d081884d is in no evidence line"),
        ("The query ran with perl.", "perl is in no evidence line"),
        ("It came from 10.0.0.9.", "10.0.0.9 is in no evidence line"),
        ("It came from 192.0.2.70.", "192.0.2.70 is in no evidence line"),
        ("It came from 198.51.100.20.", "198.51.100.20 is where it went to, not where it came from"),
        ("mallory logged an event.", "mallory is in no evidence line"),
        ("We wonder whether zoltan meant it.", "zoltan is in no evidence line"),
        ("The user svc_sync was used.", "svc_sync is in no evidence line"),
        ("Process mimikatz.exe ran.", "mimikatz.exe is in no evidence line"),
        ("This looks like Cobaltix malware.", "Cobaltix is in no evidence line"),
        ("The host db-2 was involved.", "db-2 is in no evidence line"),
        ("It asked for evil.example.org.", "evil.example.org is in no evidence line"),
        ("It read /etc/shadow.", "/etc/shadow is in no evidence line"),
        ("It ran C:\\Windows\\System32\\cmd.exe.", "C:\\Windows\\System32\\cmd.exe is in no evidence line"),
        (f"The hash is {SHA[::-1]}.", f"{SHA[::-1]} is in no evidence line"),
        ("38 events are in this alert.", "38 is in no evidence line"),
        ("22 events are in this alert.", "22 is in no evidence line"),
        ("Port 4625 was used.", "port 4625 is in no evidence line"),
        ("It began at 15:02.", "15:02 is in no evidence line"),
        ("It began on 2 March 2026.", "2 March 2026 is in no evidence line"),
        ("It was a Monday.", "nothing in the evidence was on a Monday"),
        ("The login succeeded.", '"succeeded": the evidence speaks of failure only'),
        ("The login did not fail.", '"fail": the evidence speaks of failure only'),
        ("The request was not blocked.", '"blocked": the evidence speaks of failure only'),
        ("alice has been seen before.", "the cited lines say that this is new, not that it is usual"),
        (
            "Nothing else happened on other hosts.",
            '"Nothing": no cited line says that this was looked for and not found',
        ),
        ("There is no evidence of movement.", '"no": no cited line says that this was looked for and not found'),
        ("No files were changed.", '"No": no cited line says that this was looked for and not found'),
        ("This is T1999.", "T1999 is no ATT&CK technique"),
        ("This is T1086.", "T1086 is retired in ATT&CK; T1059.001 took its place"),
        ("This is T1490.", "no rule and no evidence line points to T1490"),
        ("This is T1110 (Account Discovery).", "T1110 is Brute Force, not what the text calls it"),
        ("This is Account Manipulation.", "no rule and no evidence line points to Account Manipulation"),
        ('The log says "account was deleted by root".', '"account was deleted by root" is in no evidence line'),
    ],
)
def test_false_statements_are_struck_in_words(text, problem):
    cited = (12,) if "been seen before" in text else (14,) if "Other logins" in text else EVERY
    claim = check(text, *cited)
    assert claim.status == STRUCK
    assert claim.problems[0] == problem


def test_a_fact_of_another_line_is_miscited_not_struck():
    claim = check("The login of alice came from 192.0.2.7.", 2)
    assert (claim.status, claim.problems) == (MISCITED, ("192.0.2.7 is not in the cited lines",))
    claim = check("The login of alice came from 192.0.2.7, port 4000.", 2)
    assert claim.status == STRUCK


def request_of(*fields: tuple[str, str]) -> ExplanationRequest:
    told = tuple(lines.field_line(number, *field) for number, field in enumerate(fields, 1))
    return ExplanationRequest("", "low", "", told, ())


SWAPPED = request_of(
    ("user.name", "anna"), ("user.target.name", "bert-1"), ("process.parent.name", "winword.exe"),
    ("process.name", "powershell.exe"), ("network.transport", "tcp"), ("repo.visibility", "public"),
    ("repo.previous_visibility", "private"), ("user.group.name", "backup-admins"), ("event.duration", "1260000000000"),
    ("url.query", "q=UNION%20SELECT%20pass"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("true", "false", "problem"),
    [
        ("anna created a key for bert-1.", "bert-1 created a key for anna.", "anna acted on bert-1"),
        ("winword.exe started powershell.exe.", "powershell.exe started winword.exe.", "winword.exe acted on"),
        (
            "powershell.exe was started by winword.exe.",
            "winword.exe was started by powershell.exe.",
            "winword.exe acted on",
        ),
        ("The traffic was TCP.", "The traffic was UDP.", "UDP is in no evidence line"),
        ("It went from private to public.", "It went from public to private.", "it went from private to public"),
        ("The group is backup-admins.", "The group is backup-users.", "backup-users is in no evidence line"),
        ("It took 21 minutes.", "It took 31 minutes.", "31 is in no evidence line"),
        (
            'The query holds "union select pass".',
            'The query holds "union select name".',
            '"union select name" is in no',
        ),
    ],
)
def test_what_is_turned_round_or_put_in_its_place_is_told_apart(true, false, problem):
    every = tuple(range(1, 11))
    assert grounding.check_claim(Claim(true, every), SWAPPED).problems == ()
    [found, *_] = grounding.check_claim(Claim(false, every), SWAPPED).problems
    assert found.startswith(problem)


def test_a_claim_that_cites_only_the_opposite_outcome_is_miscited():
    both = request_of(("event.outcome", "failure"), ("message", "session opened for anna, login accepted"))
    claim = grounding.check_claim(Claim("The login was accepted.", (1,)), both)
    assert (claim.status, claim.problems) == (MISCITED, ('"accepted": the cited lines speak of failure only',))
    assert grounding.check_claim(Claim("The login was accepted.", (2,)), both).status == GROUNDED


def test_whole_lines_may_be_repeated_whatever_they_say_also_when_cut():
    told = "nothing else happened, said [77] mallory; " + "zq_" * 60
    request = request_of(("message", told), ("user.name", "anna"))
    for said in (told, told[:120] + "\u2026"):
        assert grounding.check_claim(Claim(f"The log says: {said}", (1,)), request).status == GROUNDED
        assert grounding.check_claim(Claim(f"The log says: {said}", (2,)), request).status != GROUNDED


def test_lines_that_do_not_exist_strike_the_claim():
    assert check("alice was seen.", 2, 99).problems == ("evidence line 99 does not exist",)
    assert grounding.check_claim(Claim("It was seen.", ()), REQUEST).problems == ("it cites no evidence line",)
    assert check("alice " * 500, 2).problems == ("it is too long to be checked",)


def test_an_absence_needs_a_receipt_for_just_that():
    text = "No other logins of alice were found in the 30 days before."
    assert check(text, 2).status == MISCITED
    found = (*REQUEST.evidence[:13], lines.receipt_line(14, "other logins of alice", 4), REQUEST.evidence[14])
    claim = grounding.check_claim(Claim(text, EVERY), replace(REQUEST, evidence=found))
    assert claim.status == STRUCK


def answer(**changes) -> ExplanationAnswer:
    told = {
        "what_happened": (Claim("alice failed to log in.", (2, 7)),),
        "why_it_matters": (Claim("mallory may be behind it.", (2,)),),
        "why_it_may_be_benign": (Claim("alice may have mistyped the password.", (2,)),),
        "next_checks": ("Ask alice.", "Look at db-9 in the last 24 hours."),
        "suggested_verdict": "tp_no_impact",
        "confidence": "high",
        "techniques": ("T1110", "T1086", "T9999"),
        "explainer": "openai_chat",
    }
    return ExplanationAnswer(**(told | changes))


def test_the_answer_is_counted_and_keeps_its_struck_claims():
    result = grounding.check(REQUEST, answer())
    assert (result.grounded, result.miscited, result.struck, result.claims) == (2, 0, 1, 3)
    assert [claim.status for claim in result.answer.why_it_matters] == [STRUCK]
    assert result.answer.why_it_matters[0].problems == ("mallory is in no evidence line",)
    assert result.answer.techniques == ("T1110",)
    assert [identifier for identifier, _ in result.struck_techniques] == ["T1086", "T9999"]
    assert result.check_problems == ((), ("db-9 is in no evidence line",))
    assert (result.answer.suggested_verdict, result.answer.confidence, result.demoted) == ("tp_no_impact", "high", "")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"what_happened": (Claim("mallory did it.", (2,)),)},
            "no grounded claim says that something happened or matters",
        ),
        (
            {"what_happened": (Claim("alice failed to log in.", (4,)),)},
            "no grounded claim says that something happened or matters",
        ),
        (
            {"suggested_verdict": "benign_tp", "why_it_may_be_benign": (Claim("No files were changed.", (2,)),)},
            "that it is harmless rests only on something not having happened, which no query looked for",
        ),
        (
            {"suggested_verdict": "fp_logic", "why_it_may_be_benign": (Claim("It is an authorised test.", (11,)),)},
            "no grounded claim says that it is harmless; text that whoever caused the event has chosen bears nothing",
        ),
        ({"suggested_verdict": "fp_data", "why_it_may_be_benign": ()}, "no grounded claim says that it is harmless"),
        (
            {"suggested_verdict": "duplicate", "what_happened": (Claim("See db-9.", (2,)),)},
            "no grounded claim says that it was seen before",
        ),
    ],
)
def test_a_verdict_without_support_needs_review(changes, why):
    result = grounding.check(REQUEST, answer(**changes))
    assert result.demoted == why
    assert (result.answer.suggested_verdict, result.answer.confidence) == ("undetermined", "low")
    assert (result.suggested, result.confidence) == (changes.get("suggested_verdict", "tp_no_impact"), "high")


def test_a_verdict_does_not_rest_on_claims_that_say_nothing_of_the_evidence():
    empty = (Claim("The evidence is the result of a malicious attack.", (3,)),)
    result = grounding.check(REQUEST, answer(what_happened=empty, why_it_matters=empty, why_it_may_be_benign=empty))
    assert result.grounded == 3
    assert result.demoted == "no grounded claim says anything of the evidence that it cites"
    assert result.answer.suggested_verdict == "undetermined"
    told = (Claim("The login of alice failed.", (2, 7)),)
    assert grounding.check(REQUEST, answer(what_happened=told, why_it_matters=empty)).demoted == ""


def test_apply_stores_the_summary_as_json_and_is_stable():
    once = grounding.apply(REQUEST, answer(details={"call": {"model": "m"}}))
    stored = json.loads(json.dumps(asdict(once)))
    assert stored["details"]["call"] == {"model": "m"}
    assert stored["details"]["grounding"]["struck"] == 1
    assert stored["what_happened"][0] == {
        "text": "alice failed to log in.", "evidence": [2, 7], "status": "grounded", "problems": [],
    }  # fmt: skip
    assert grounding.check(REQUEST, once).answer.what_happened == once.what_happened


def test_the_evidence_explainer_is_grounded_in_its_own_lines():
    result = grounding.check(REQUEST, EvidenceExplainer().explain(REQUEST))
    assert result.struck == result.miscited == 0
    assert result.grounded == result.claims > 3
    assert not any(result.check_problems)


FRAGMENTS = (
    "one hundred", "million", "99999999999999999999", "9:99", "2026-13-40", "T1110", "no", "not", "only", "other",
    "times", "several", "50", "%", "KB", "per minute", "midnight", "before", "10.0.0.1", "999.1.1.1", "::1", "/a/b",
    "C:\\x", "(", "a@b.c", "http://x", "root", "by", "[9]", "line 7", "hundreds", "failed", "succeeded",
    "never", "\u25a0",
    "\u25a1", "\u0663", "\u00bd", "1,000,000,000,000", "25h99", "dozens", "from", "to", "more than an hour", "\u2026",
)  # fmt: skip
HOSTILE = st.lists(st.sampled_from([*FRAGMENTS, "1" * 400, "9" * 5000, "x times the"]), max_size=20).map(" ".join)


@given(HOSTILE, st.lists(HOSTILE, max_size=3), st.sampled_from(["event", "score", "context", "receipt"]))
def test_numbers_without_end_and_stray_marks_do_no_harm(text, texts, origin):
    evidence = tuple(EvidenceLine(n, origin, f"event.outcome: {value}") for n, value in enumerate(texts))
    claim = grounding.check_claim(Claim(text, (0, 1)), ExplanationRequest("", "low", "", evidence, ()))
    assert claim.text == text
    assert claim.status in {GROUNDED, MISCITED, STRUCK}


@pytest.mark.parametrize("piece", ["1", "1,", "not ", "a-", "no word ", "/a", "one hundred ", "(", "x@", "::", "[.]"])
def test_long_hostile_text_is_cut_before_it_is_looked_at(piece):
    hostile = piece * (100_000 // len(piece))
    assert check(hostile, 2).problems == ("it is too long to be checked",)
    evidence = (
        *REQUEST.evidence,
        EvidenceLine(16, lines.CONTEXT, hostile),
        EvidenceLine(17, "event", f"message: {hostile}"),
    )
    index = Index(evidence)
    assert max(len(value) for _, _, value in index.rows) <= MAX_LINE
    claim = grounding.check_claim(
        Claim("37 events; alice failed to log in.", (2, 7, 13)), replace(REQUEST, evidence=evidence)
    )
    assert claim.status == GROUNDED


@pytest.mark.parametrize("text", ["one hundred " * 160, "9" * 1900 + " events", "1" * 400 + " minutes before midnight"])
def test_numbers_beyond_every_float_are_struck_not_raised(text):
    assert check(text, 2).status == STRUCK


def test_more_denials_than_can_be_checked_strike_a_claim():
    text = "alice was " + "not seen and nobody, nor anybody, nowhere, " * 4
    assert "it denies too much in one sentence to be checked" in check(text, 2).problems


@given(st.lists(st.text(max_size=200), max_size=6), st.text(max_size=300), st.lists(st.integers(-5, 20), max_size=4))
def test_it_never_raises_and_never_makes_an_answer_stronger(texts, text, cited):
    evidence = tuple(EvidenceLine(n, "event", f"f{n}: {value}") for n, value in enumerate(texts, 1))
    request = ExplanationRequest("", "low", "", evidence, ())
    result = grounding.check(request, answer(what_happened=(Claim(text, tuple(cited)),), next_checks=(text,)))
    assert result.claims == 3
    assert result.answer.suggested_verdict in {"tp_no_impact", "undetermined"}
    assert result.answer.what_happened[0].text == text
