"""How an endpoint likes to be asked.

Handed: what a refused request was told. Hands on: the parameters of the next one. Endpoints that speak the
same protocol differ in the response formats and optional parameters they know; what a refusal teaches is kept
by the caller per endpoint and model.
"""

from dataclasses import dataclass, replace
from typing import Any

from triage.explainers.base import CallOptions

#: How the answer's shape is asked for, strictest first.
LADDER = ("json_schema", "json_object", "text")
#: The same question gets the same answer where the endpoint can promise that.
SEED = 7
#: Names of the token limit, newest first; the last endpoint knows none.
_LIMITS = ("max_completion_tokens", "max_tokens", "")
#: Learning takes at most this many refused calls: two limits, three flags, two rungs, and the call itself.
MAX_CALLS = 8


@dataclass(frozen=True, slots=True)
class Habits:
    """What an endpoint accepts: the rung of :data:`LADDER` and which optional parameters, by which name."""

    rung: int = 0
    limit_name: str = _LIMITS[0]
    temperature: bool = True
    seed: bool = True
    safety_identifier: bool = True

    @property
    def form(self) -> str:
        """The response format on this rung."""
        return LADDER[self.rung]


def parameters(habits: Habits, schema: dict[str, Any], options: CallOptions) -> dict[str, Any]:
    """Return the optional parameters of a call."""
    wanted: dict[str, Any] = {}
    if habits.limit_name:
        wanted[habits.limit_name] = options.max_answer_tokens
    if habits.temperature:
        wanted["temperature"] = 0
    if habits.seed:
        wanted["seed"] = SEED
    if habits.safety_identifier and options.safety_identifier:
        wanted["safety_identifier"] = options.safety_identifier
    if habits.form == "json_schema":
        form = {"name": "explanation", "strict": True, "schema": schema}
        wanted["response_format"] = {"type": "json_schema", "json_schema": form}
    elif habits.form == "json_object":
        wanted["response_format"] = {"type": "json_object"}
    return wanted


def learned(habits: Habits, message: str) -> Habits | None:
    """Return what to try after a refusal that says ``message``; None when nothing is left to try.

    >>> learned(Habits(), "Unsupported parameter: 'seed'").seed
    False
    """
    text = message.lower()
    if habits.limit_name and habits.limit_name in text:
        return replace(habits, limit_name=_LIMITS[_LIMITS.index(habits.limit_name) + 1])
    if "temperature" in text and habits.temperature:
        return replace(habits, temperature=False)
    if "safety_identifier" in text and habits.safety_identifier:
        return replace(habits, safety_identifier=False)
    if "seed" in text and habits.seed:
        return replace(habits, seed=False)
    return replace(habits, rung=habits.rung + 1) if habits.rung + 1 < len(LADDER) else None
