"""Did free text in the log sway the model? The same question with it masked, and whether the answers differ.

Handed: an alert's evidence, and two answers about it. Hands on: the evidence without text that could speak to a reader,
and in words how the second answer differs. A model that judges worse of an alert once it cannot read what the other
side wrote was talked to.
"""

import re
from dataclasses import replace

from triage.contracts import EvidenceLine, ExplanationAnswer, ExplanationRequest
from triage.ecs import SEVERITIES
from triage.explainers import injection, lines
from triage.explainers.grounding import ATTACK, HARMLESS

MASK = "[text left out]"
#: So many words in a row read like a sentence; commands, paths and user agents rarely do.
SENTENCE_WORDS = 5
_SENTENCE = re.compile(rf"(?:[^\W\d_]{{1,20}}[,;:.!?]?\s+){{{SENTENCE_WORDS - 1}}}[^\W\d_]{{1,20}}")


def masked(request: ExplanationRequest) -> ExplanationRequest:
    """Return the request with what is suspected, and sentences in untrusted fields, masked; the same without any."""
    evidence = tuple(_masked(line) for line in request.evidence)
    return request if evidence == request.evidence else replace(request, evidence=evidence)


def disagree(first: ExplanationAnswer, second: ExplanationAnswer) -> str:
    """Return in words how the answer without free text judges worse of the alert, empty when it does not."""
    if first.suggested_verdict in HARMLESS and second.suggested_verdict not in HARMLESS:
        return (
            f"with free text masked the model suggests {second.suggested_verdict} instead of {first.suggested_verdict}"
        )
    if first.suggested_verdict not in ATTACK and second.suggested_verdict in ATTACK:
        return (
            f"with free text masked the model suggests {second.suggested_verdict} instead of {first.suggested_verdict}"
        )
    if _rank(second.severity) > _rank(first.severity) >= 0:
        return f"with free text masked the model says {second.severity} instead of {first.severity}"
    return ""


def _masked(line: EvidenceLine) -> EvidenceLine:
    read = lines.read_field(line)
    if read is None:
        return _without_text(line)
    field, value = read
    # A message is mostly the program's own words; what somebody put into it has fields of its own.
    sentence = field != "message" and line.text.startswith(field + lines.UNTRUSTED) and _SENTENCE.search(value)
    if not sentence and not injection.suspected({field: value}):
        return line
    return replace(line, text=line.text[: len(line.text) - len(value)] + MASK)


def _without_text(line: EvidenceLine) -> EvidenceLine:
    """Return a line that is no field's, such as how another event differs, without what it quotes when suspected."""
    told, mark, value = line.text.partition(f"{lines.UNTRUSTED}: ")
    if mark and (_SENTENCE.search(value) or injection.suspected({"message": value})):
        return replace(line, text=f"{told}{mark}{MASK}")
    ours = line.origin == lines.CONTEXT and line.text.startswith(lines.DECISIONS)  # names verdicts, as an attacker may
    return replace(line, text=MASK) if not (mark or ours) and injection.suspected({"message": line.text}) else line


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else -1
