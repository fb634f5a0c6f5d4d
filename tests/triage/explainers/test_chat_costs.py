"""What a question costs, retries and silence included, and what an endpoint outside is told about who asks."""

import socket
import threading
from contextlib import contextmanager

import pytest

from tests.triage.explainers.fake_llm import Reply, completion, error, fake_llm, good
from tests.triage.explainers.test_openai_chat import REQUEST
from triage.explainers import breaker, endpoints, openai_chat, prices
from triage.explainers.base import SDK_RETRIES, CallOptions, ExplanationError
from triage.explainers.openai_chat import OpenAIChatExplainer
from triage.explainers.prices import FREE, NOT_BILLED, UNKNOWN, Cost, Price

PRICE = Price(1.0, 10.0)
#: The fake endpoint counts 321 and 45 tokens.
ANSWERED = (321 * 1.0 + 45 * 10.0) / 1e6


@pytest.fixture(autouse=True)
def nothing_learned(monkeypatch):
    openai_chat._HABITS.clear()
    openai_chat._BREAKERS.clear()
    monkeypatch.setattr("openai._base_client.BaseClient._calculate_retry_timeout", lambda *_, **__: 0.0)


@pytest.fixture
def outside(monkeypatch):
    """Take loopback for an address outside, and use no proxy for it."""
    monkeypatch.setattr(endpoints, "is_internal", lambda _: False)
    monkeypatch.setenv("NO_PROXY", "*")


def call(base_url, *, timeout=5.0, **options):
    """Ask once; return the record of the call."""
    chosen = CallOptions(**({"price": PRICE, "retries": SDK_RETRIES} | options))
    explainer = OpenAIChatExplainer(
        base_url=base_url, api_key="k", model="tiny", timeout=timeout, options=chosen, breakers=breaker.InProcess()
    )
    try:
        return explainer.explain(REQUEST).details["call"]
    except ExplanationError as failed:
        return failed.details["call"]


def basis(record):
    return record["cost_basis"], record["cost_usd"]


def one_exchange(characters, answer_tokens=1500):
    return PRICE.of(prices.estimated_tokens(characters), answer_tokens)


@contextmanager
def silent_server():
    """Take connections and requests and never answer; hand out the URL and a list with an item per request."""
    listener = socket.create_server(("127.0.0.1", 0))
    seen, ended = [], threading.Event()

    def serve():
        while not ended.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.recv(65536)
            seen.append(1)
            kept.append(connection)

    kept = []
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1", seen
    finally:
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
        for connection in kept:
            connection.close()


def test_the_operators_price_counts_inside_and_outside():
    with fake_llm(good()) as fake:
        assert basis(call(fake.base_url)) == ("measured", pytest.approx(ANSWERED))
        assert basis(call(fake.base_url, price=None)) == ("measured", 0.0)


def test_an_answer_without_usage_is_estimated_from_its_text():
    body = completion("{}") | {"usage": None}
    with fake_llm(Reply(body)) as fake:
        record = call(fake.base_url)
    assert record["cost_basis"] == "estimated"
    assert record["cost_usd"] > one_exchange(1000, 0)


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_a_refusal_is_on_no_bill(status):
    with fake_llm(error(status)) as fake:
        record = call(fake.base_url)
        asked = len(fake.requests)
    assert (record["calls"], record["unanswered"]) == (asked, 0)
    assert basis(record) == ("estimated", 0.0)


def test_a_server_that_is_away_sends_no_bill():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        base_url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    record = call(base_url)
    assert (record["validation"], record["calls"], record["unanswered"]) == ("unreachable", 3, 0)
    assert basis(record) == ("estimated", 0.0)


def test_every_request_that_got_no_reply_may_be_on_the_bill():
    with silent_server() as (base_url, seen):
        record = call(base_url, timeout=1.0)
    assert (record["validation"], record["calls"], record["unanswered"], len(seen)) == ("timeout", 3, 3, 3)
    assert record["cost_basis"] == "estimated"
    assert record["cost_usd"] > 3 * one_exchange(1000)


def test_silence_before_an_answer_is_added_to_it():
    seen = []

    def slow_once(request):
        seen.append(request)
        return Reply("", delay=1.5) if len(seen) == 1 else good()

    with fake_llm(slow_once) as fake:
        record = call(fake.base_url, timeout=1.0)
        asked = sum(prices.length(message["content"]) for message in fake.requests[-1]["messages"])
    assert (record["validation"], record["calls"], record["unanswered"]) == ("valid", 2, 1)
    assert basis(record) == ("estimated", pytest.approx(ANSWERED + one_exchange(asked)))


def test_no_more_requests_go_unanswered_than_were_paid_for():
    """What is learned between silences starts the client library's count of retries anew, but not the money's."""
    seen = []

    def silent_but_for_one_refusal(request):
        seen.append(request)
        return error(400, "Unsupported parameter: 'seed'") if len(seen) == 3 else Reply("", delay=1.0)

    with fake_llm(silent_but_for_one_refusal) as fake:
        record = call(fake.base_url, timeout=0.3)
    assert (record["validation"], record["calls"], record["unanswered"]) == ("timeout", 4, 3)
    assert len(seen) == 4


def test_a_cost_with_silences_is_as_sure_as_its_parts():
    each = Cost("estimated", 0.5)
    assert prices.with_unanswered(Cost("measured", 1.0), 0, each) == Cost("measured", 1.0)
    assert prices.with_unanswered(NOT_BILLED, 2, each) == Cost("estimated", 1.0)
    assert prices.with_unanswered(FREE, 2, FREE) == FREE
    assert prices.with_unanswered(Cost("estimated", 0.0), 1, FREE) == Cost("estimated", 0.0)
    assert prices.with_unanswered(NOT_BILLED, 1, UNKNOWN) == UNKNOWN
    assert prices.with_unanswered(UNKNOWN, 1, each) == UNKNOWN


def test_a_price_is_per_million_tokens():
    assert Price(0.15, 0.6).of(1_000_000, 0) == 0.15
    assert Price(0.15, 0.6).of(0, 500_000) == 0.3
    known = {"base_url": "https://192.0.2.7/v1", "inside": False, "price": Price(2.0, 4.0)}
    assert prices.estimate(**known, model="any", characters=1_700_000, output_tokens=500_000) == Cost("estimated", 4.0)


def test_who_asks_is_told_outside_only_and_on_the_wire(outside):
    with fake_llm(good()) as fake:
        record = call(fake.base_url, safety_identifier="0123456789abcdef" * 2)
        call(fake.base_url)
        first, second = fake.received
    assert record["validation"] == "valid"
    assert b'"safety_identifier":"0123456789abcdef0123456789abcdef"' in first
    assert b"safety_identifier" not in second


def test_inside_nobody_is_told_who_asks():
    with fake_llm(good()) as fake:
        call(fake.base_url, safety_identifier="0123456789abcdef" * 2)
        assert b"0123456789abcdef" not in fake.received[0]
        assert b"safety_identifier" not in fake.received[0]
