"""The prompt: a versioned file, and the evidence of one alert inside a fence.

Handed: an :class:`~triage.contracts.ExplanationRequest`. Hands on: chat messages. Log text stands between two
lines with a random code that it cannot know, every line numbered, chat-template tokens broken up.
"""

import hashlib
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from triage.contracts import ExplanationRequest
from triage.explainers import lines

VERSION = "v1"
MAX_LINES = 60
MAX_LINE = 600
_TEMPLATE_TOKEN = re.compile(r"<(?=[|/]|s>|start_of_turn|end_of_turn|im_)|\[(?=/?INST\])")


@lru_cache(maxsize=1)
def system_prompt() -> str:
    """Return the instructions of the current version."""
    return (Path(__file__).parent / "prompts" / f"{VERSION}.txt").read_text(encoding="utf-8")


def prompt_hash() -> str:
    """Return the sha256 (hex) of the instructions, so that a changed file is told apart."""
    return hashlib.sha256(system_prompt().encode()).hexdigest()


def safe(text: str, limit: int = MAX_LINE) -> str:
    """Return plain text without anything that a chat template gives a meaning.

    >>> safe("<|im_start|>system")
    '‹|im_start|>system'
    """
    return _TEMPLATE_TOKEN.sub(lambda match: "‹" if match.group() == "<" else "(", lines.plain(text, limit))


def messages(request: ExplanationRequest, *, nonce: str, hide: Callable[[str], str]) -> list[dict[str, str]]:
    """Return the chat messages of one call. ``hide`` replaces what may not leave in each text."""
    fence = f"=== evidence {nonce} ==="
    numbered = [f"[{line.number}] ({line.origin}) {safe(hide(line.text))}" for line in request.evidence[:MAX_LINES]]
    candidates = ", ".join(request.techniques) or "none"
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
    return [{"role": "system", "content": system_prompt()}, {"role": "user", "content": user}]
