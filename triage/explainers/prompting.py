"""The prompt: a versioned file, and the evidence of one alert inside a fence.

Handed: an :class:`~triage.contracts.ExplanationRequest`. Hands on: chat messages. Log text stands between two
lines with a random code that it cannot know, every line numbered, chat-template tokens broken up. Which version
was evaluated, and on what text, is written in ``prompts/evaluated.json``.
"""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from triage import attack
from triage.contracts import ExplanationRequest
from triage.explainers import lines, prices

VERSION = "v3"
MAX_LINES = 60
MAX_LINE = 600
#: After a model said that the question is too long for it.
SHORT_LINES = 24
SHORT_LINE = 160
PROMPTS = Path(__file__).parent / "prompts"
#: What opens a chat template's token: brackets as typed or full-width, in front of what makes them one.
_TEMPLATE_TOKEN = re.compile(
    r"[<＜﹤](?=\s{0,2}(?:[|｜¦/／]|[<＜]/?SYS|[sｓ][>＞]|start_of|end_of|begin_of|im_|endoftext|"
    r"(?:bos|eos|pad|unk|sep|cls|mask|system|assistant|user|human|developer|tool|tool_call|tool_response|function|"
    r"function_calls|think|thinking)\b))"
    r"|[\[［](?=\s{0,2}[/／]?(?:INST|SYS|SYSTEM_PROMPT|TOOL_CALLS|TOOL_RESULTS|AVAILABLE_TOOLS|ＩＮＳＴ|ＳＹＳ)\s{0,2}[\]］])",
    re.IGNORECASE,
)


@cache
def system_prompt(version: str = VERSION) -> str:
    """Return the instructions of a version."""
    return (PROMPTS / f"{version}.txt").read_text(encoding="utf-8")


def prompt_hash(version: str = VERSION) -> str:
    """Return the sha256 (hex) of the instructions, so that a changed file is told apart."""
    return hashlib.sha256(system_prompt(version).encode()).hexdigest()


def registry() -> dict[str, dict[str, Any]]:
    """Return version -> its row in ``evaluated.json``.

    A row holds ``sha256``, and either ``evaluation`` (``id`` and the ``prompt_sha256`` it was made with) or
    ``not_evaluated_yet``.
    """
    rows = json.loads((PROMPTS / "evaluated.json").read_text(encoding="utf-8"))["prompts"]
    return {row["version"]: row for row in rows}


def unevaluated(rows: dict[str, dict[str, Any]], hashes: dict[str, str]) -> list[str]:
    """Return one sentence for each prompt whose text no evaluation has seen and that is not marked so.

    ``hashes`` is version -> sha256 of the file as it is now.
    """
    troubles = []
    for version, sha256 in sorted(hashes.items()):
        row = rows.get(version)
        if row is None:
            troubles.append(f"prompt {version} is not listed in evaluated.json")
        elif row["sha256"] != sha256:
            troubles.append(f"prompt {version} was changed: evaluate it again, or make it a new version")
        elif row.get("evaluation") is None and row.get("not_evaluated_yet") is not True:
            troubles.append(f"prompt {version} has no evaluation and is not marked as not evaluated yet")
        elif row.get("evaluation") and row["evaluation"].get("prompt_sha256") != sha256:
            troubles.append(f"prompt {version} was evaluated with another text")
    return troubles + [f"prompt {version} has no file" for version in sorted(set(rows) - set(hashes))]


def safe(text: str, limit: int = MAX_LINE) -> str:
    """Return plain text without anything that a chat template gives a meaning.

    >>> safe("<|im_start|>system")
    '‹|im_start|>system'
    """
    return _TEMPLATE_TOKEN.sub(lambda match: "(" if match.group() in "[［" else "‹", lines.plain(text, limit))


def shortened(request: ExplanationRequest) -> ExplanationRequest:
    """Return the request with fewer and shorter lines under their old numbers; findings go last."""
    event = [line for line in request.evidence if line.origin == lines.EVENT]
    others = [line for line in request.evidence if line.origin != lines.EVENT][:SHORT_LINES]
    kept = {line.number for line in (*others, *event[: max(SHORT_LINES - len(others), 1)])}
    evidence = tuple(
        replace(line, text=lines.plain(line.text, SHORT_LINE)) for line in request.evidence if line.number in kept
    )
    return replace(request, evidence=evidence)


def messages(
    request: ExplanationRequest, *, nonce: str, hide: Callable[[str], str], version: str = VERSION
) -> list[dict[str, str]]:
    """Return the chat messages of one call. ``hide`` replaces what may not leave in each text."""
    fence = f"=== evidence {nonce} ==="
    numbered = [
        f"[{line.number}] ({safe(line.origin, 20)}) {safe(hide(line.text))}" for line in request.evidence[:MAX_LINES]
    ]
    candidates = ", ".join(f"{one} ({attack.name(one)})" for one in request.techniques) or "none"
    user = "\n".join(
        [
            f"Severity band: {request.severity}. Candidate techniques by rule: {candidates}.",
            f"The evidence stands between the two lines that read: {fence}",
            fence,
            *numbered,
            fence,
            "Explain this alert. Answer with the JSON object only.",
        ]
    )
    return [{"role": "system", "content": system_prompt(version)}, {"role": "user", "content": user}]


def characters(request: ExplanationRequest) -> int:
    """Return the length of all that is sent for a request, as estimates of tokens count it (``prices.length``)."""
    return sum(prices.length(message["content"]) for message in messages(request, nonce="0" * 16, hide=str))
