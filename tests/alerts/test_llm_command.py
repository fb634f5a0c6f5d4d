"""``manage.py llm``: what people at the shell see and decide, with its audit entries."""

import datetime as dt
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from alerts.models import AuditEntry, SourceBudget, SpendBlock
from alerts.selectors import endpoints as shown
from alerts.services import breakers, consent, spending
from tests.alerts.rows import make_alert
from tests.factories import make_source
from tests.triage.explainers.test_chat_wire import listing
from triage import state
from triage.explainers.breaker import Breaker

INSIDE = "http://127.0.0.1:9/v1"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def one_model(settings):
    settings.LLM_BASE_URL, settings.LLM_MODEL, settings.LLM_API_KEY = INSIDE, "tiny", ""
    settings.LLM_LARGE_BASE_URL = ""
    settings.LLM_PRICE, settings.LLM_DATA_POLICY = (1.0, 1.0), "raw"
    settings.LLM_DAILY_BUDGET_USD, settings.LLM_MONTHLY_BUDGET_USD = 5.0, 100.0
    state.change_note(shown.note_name("small"), lambda _: "")


def run(*arguments):
    out = StringIO()
    call_command("llm", *arguments, stdout=out)
    return out.getvalue().splitlines()


def test_spend_prints_caps_calls_and_the_cost_per_alert():
    alert = make_alert(make_source())
    asked = {"alert": alert, "purpose": "explain", "tier": "small", "endpoint": INSIDE, "model": "tiny"}
    for cost in (0.0002, None):
        call = spending.reserve(**asked, characters=17, max_answer_tokens=90)
        basis = "unknown" if cost is None else "measured"
        spending.settle(call, {"cost_usd": cost, "cost_basis": basis, "validation": "invalid"})
    spending.reserve(**asked, characters=17, max_answer_tokens=90)
    today = timezone.now().astimezone(dt.UTC)
    day, month = f"{today:%Y-%m-%d}", f"{today:%Y-%m}"
    assert run("spend") == [
        f"Today ({day}): 0.0005 USD spent and 0.0003 USD reserved, of 5.00 USD; 3 calls, 1 of unknown cost",
        f"This month ({month}): 0.0005 USD spent and 0.0003 USD reserved, of 100.00 USD; 3 calls, 1 of unknown cost",
        f"edge ({day}): 0.0005 USD spent and 0.0003 USD reserved, no cap of its own; 3 calls, 1 of unknown cost",
        "Calls this month: 3, cost at least 0.0002 USD (measured).",
        "Cost known by: measured 1, estimated 0, unknown 1, under way 1.",
        "  First model, explanation, tiny at 127.0.0.1: 3 calls, 2 failed, at least 0.0002 USD (measured)",
        "Cost per explained alert this month: not measured (n=0, 0 by a shared answer).",
    ]


def test_a_source_gets_a_cap_and_loses_it():
    make_source("edge")
    assert run("budget", "edge", "--daily-usd", "0.25") == ["edge may spend 0.25 USD a day."]
    assert SourceBudget.objects.get().daily_microusd == 250_000
    assert run("budget", "edge", "--no-cap") == ["edge has no cap of its own; the common caps hold."]
    assert not SourceBudget.objects.exists()
    assert list(AuditEntry.objects.values_list("action", flat=True)) == ["set_source_llm_budget"] * 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("budget", "nowhere", "--daily-usd", "1"), "no source nowhere"),
        (("budget", "edge", "--daily-usd", "-1"), "-1.0 is not an amount"),
        (("budget", "edge", "--daily-usd", "nan"), "nan is not an amount"),
        (("budget", "edge"), "one of the arguments --daily-usd --no-cap is required"),
        (("consent", "--user", "nobody"), "no user nobody"),
        (("consent", "--user", "alice"), "only an admin may decide"),
        (("withdraw", "--user", "alice"), "only an admin may decide"),
        (("consent", "--user", "dana", "--tier", "large"), "no larger language model is configured"),
        ((), "the following arguments are required: ACTION"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(arguments, message, alice, dana):
    make_source("edge")
    with pytest.raises(CommandError, match=message):
        run(*arguments)
    assert not AuditEntry.objects.exists()
    assert not SourceBudget.objects.exists()
    assert not consent.has_consent(INSIDE)


def test_an_admin_agrees_and_withdraws(dana):
    (line,) = run("consent", "--user", "dana")
    assert line.startswith("Under policy raw names and addresses go to 127.0.0.1:9 as they are: dana agreed on ")
    assert consent.why_not_ask(INSIDE) == ""
    assert run("withdraw", "--user", "dana") == ["The consent for 127.0.0.1:9 is withdrawn."]
    assert run("withdraw", "--user", "dana") == ["There was no consent for 127.0.0.1:9."]
    assert consent.why_not_ask(INSIDE) != ""
    assert set(AuditEntry.objects.values_list("actor", "action")) == {("dana", "consent_raw"), ("dana", "withdraw_raw")}


def test_no_consent_leads_outside(settings, dana):
    settings.LLM_BASE_URL = "https://192.0.2.7/v1"
    with pytest.raises(CommandError, match=r"192.0.2.7:443 is not at a loopback or private address"):
        run("consent", "--user", "dana")


def test_status_looks_now_and_tells_what_is_known(settings, dana):
    with listing(200, b'{"data": [{"id": "tiny"}]}') as base_url:
        settings.LLM_BASE_URL = base_url
        name = base_url.removeprefix("http://").removesuffix("/v1")
        consent.consent(base_url, dana)
        breakers.SHARED.change(
            (base_url, "tiny"), lambda _: Breaker(5, timezone.now().timestamp() + 90, 0.0, "timeout")
        )
        first, left_alone, raw, looked = run("status")
        resumed = run("resume"), run("resume")
    assert first == f"First model: tiny is offered; no shutdown is announced ({name}, inside, policy raw)"
    assert left_alone.startswith("  left alone for another ")
    assert left_alone.endswith(" s: timeout; end that with: llm resume")
    assert raw.startswith("  raw text: dana agreed on ")
    assert looked.startswith("  looked at ")
    tried = "0 alerts that waited for money or for the endpoint are tried now."
    assert resumed == ([f"{name} is asked again.", tried], [f"{name} was not left alone.", tried])


def test_without_a_model_status_says_so(settings):
    settings.LLM_BASE_URL = ""
    assert run("status") == ["No language model is configured: alerts are explained from their evidence."]
    with pytest.raises(CommandError, match="no first language model is configured"):
        run("resume")


def test_spend_without_a_call_says_so():
    assert run("spend")[2:] == [
        "Calls this month: none.",
        "Cost known by: measured 0, estimated 0, unknown 0, under way 0.",
        "Cost per explained alert this month: not measured (n=0, 0 by a shared answer).",
    ]
    assert not SpendBlock.objects.exists()
