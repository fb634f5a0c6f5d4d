"""Looks at the language models' endpoints once an hour, so that no page and no alert has to.

Handed: the settings. Hands on: a note per endpoint that all processes share, read by
:mod:`alerts.selectors.endpoints`, and what ``manage.py doctor`` says about policy, consent and budget. A look asks for
the list of models; nothing about an alert is sent.
"""

import datetime as dt
import json

from django.conf import settings
from django.utils import timezone

from alerts.selectors import endpoints as shown
from alerts.selectors import spending as figures
from alerts.selectors.endpoints import Configured, EndpointStatus
from alerts.selectors.spending import dollars
from alerts.services import consent, spending
from triage import state
from triage.explainers import endpoints
from triage.hooks import Finding

LOOK_SECONDS = 10.0
EVERY = dt.timedelta(hours=1)
EVERY_IN_TROUBLE = dt.timedelta(minutes=5)
#: A question of this many characters stands for what an alert comes to, to tell whether a price is known.
USUAL_CHARACTERS, USUAL_TOKENS = 10_000, 1_500


def look_if_due(now: dt.datetime | None = None) -> int:
    """Look when the last look is an hour old, or minutes while something is wrong; return how many were reached."""
    now = now or timezone.now()
    return look() if any(_is_due(each, now) for each in shown.endpoint_status(now)) else 0


def _is_due(each: EndpointStatus, now: dt.datetime) -> bool:
    if each.checked_at is None:
        return True
    return now - each.checked_at >= (EVERY if each.level in {shown.OK, shown.WARN} else EVERY_IN_TROUBLE)


def look() -> int:
    """Look at every configured endpoint and leave a note about each; return how many could be reached.

    Under the data policy ``off`` nothing is sent, not even this.
    """
    if settings.LLM_DATA_POLICY == "off":
        return 0
    return sum(_look(each) for each in shown.configured())


def _look(each: Configured) -> bool:
    from triage.explainers import chat_models  # the HTTP client, which a web process does not need

    found = chat_models.look_up(base_url=each.base_url, api_key=each.api_key, model=each.model, timeout=LOOK_SECONDS)
    usable = found.reachable and not found.is_denied
    row = {
        "endpoint": each.name,
        "model": each.model,
        "checked_at": timezone.now().isoformat(),
        "inside": endpoints.is_internal(each.base_url),
        "reachable": usable,
        "listed": found.listed,
        "shutdown_date": found.shutdown_date.isoformat() if found.shutdown_date else None,
        "note": found.note,
    }
    state.change_note(shown.note_name(each.tier), lambda _: json.dumps(row))
    return usable


def findings() -> list[Finding]:
    """Return what doctor says about each endpoint's policy and price, and about the budget."""
    if not settings.LLM_BASE_URL:
        return []
    found = [check(each) for each in shown.configured() for check in (_policy, _price)]
    return [*found, _budget()]


def _policy(each: Configured) -> Finding:
    why_not = consent.why_not_ask(each.base_url)
    fix = "An admin agrees with: manage.py llm consent --user NAME; or set LLM_DATA_POLICY=pseudonymise."
    return Finding(f"llm policy ({each.tier})", not why_not, why_not or settings.LLM_DATA_POLICY, fix)


def _price(each: Configured) -> Finding:
    most = spending.most(
        tier=each.tier,
        base_url=each.base_url,
        model=each.model,
        characters=USUAL_CHARACTERS,
        max_answer_tokens=USUAL_TOKENS,
    )
    fix = f"To name it, {spending.price_fix(each.tier)}."
    if most is None:
        return Finding(f"llm price ({each.tier})", False, f"none is known for {each.model} at {each.name}", fix)
    told = f"at most {dollars(figures.usd(most))} a question" if most else "nobody sends a bill per token"
    return Finding(f"llm price ({each.tier})", True, told)


def _budget() -> Finding:
    now = figures.spend()
    left = [cap.left_usd or 0.0 for cap in (now.day, now.month)]
    detail = f"{dollars(left[0])} left today, {dollars(left[1])} this month"
    fix = "Raise LLM_DAILY_BUDGET_USD or LLM_MONTHLY_BUDGET_USD; until then alerts keep their evidence text."
    return Finding("llm budget", True, detail, fix, warning=min(left) <= 0 and _costs_money())


def _costs_money() -> bool:
    """Return whether any configured endpoint's questions are on a bill."""
    return any(
        spending.most(tier=each.tier, base_url=each.base_url, model=each.model, characters=1, max_answer_tokens=1) != 0
        for each in shown.configured()
    )
