"""The wire, the breaker and the habits of an endpoint: bounded, learned, left alone."""

import datetime as dt
import ipaddress
import json
import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.triage.explainers.fake_llm import Reply, completion, error, fake_llm, good
from tests.triage.explainers.test_openai_chat import REQUEST
from triage.explainers import breaker, chat_failures, chat_habits, chat_models, chat_transport, endpoints, openai_chat
from triage.explainers.base import REASONS, CallOptions, ExplanationError
from triage.explainers.openai_chat import OpenAIChatExplainer


@pytest.fixture(autouse=True)
def nothing_learned():
    openai_chat._HABITS.clear()
    openai_chat._BREAKERS.clear()


def ask(base_url, **changes):
    settings = {"base_url": base_url, "api_key": "k" * 12, "model": "tiny", "timeout": 5.0} | changes
    return OpenAIChatExplainer(**settings).explain(REQUEST)


def refused(base_url, **changes):
    with pytest.raises(ExplanationError) as caught:
        ask(base_url, **changes)
    return caught.value


@contextmanager
def raw_server(talk):
    """Listen on loopback and let ``talk`` have each connection."""
    ended = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while not ended.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                talk(connection, ended)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def drip_headers(connection, ended):
    try:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not ended.wait(0.02):
            connection.sendall(b"a")
    except OSError:
        return


def say_nothing(_, ended):
    ended.wait(5)


@pytest.mark.parametrize("talk", [drip_headers, say_nothing])
def test_a_server_that_never_ends_its_headers_is_cut_off(talk):
    with raw_server(talk) as base_url:
        caught = refused(base_url, timeout=0.5)
    assert caught.reason == "timeout"
    assert caught.details["call"]["calls"] == 1


def test_a_flood_of_an_error_is_cut_off_too():
    with fake_llm(Reply("x" * 3_000_000, status=500)) as fake:
        caught = refused(fake.base_url)
    assert (caught.reason, str(caught)) == ("invalid", "the reply is larger than 1,000,000 bytes")


def test_passing_failures_are_repeated_twice_and_an_empty_account_is_not():
    replies = [error(503), error(503)]
    with fake_llm(lambda _: replies.pop() if replies else good()) as fake:
        answer = ask(fake.base_url, options=CallOptions(retries=openai_chat.SDK_RETRIES))
        assert len(fake.requests) == 3
    assert answer.details["call"]["calls"] == 3
    with fake_llm(error(429, "quota", "insufficient_quota")) as fake:
        caught = refused(fake.base_url, options=CallOptions(retries=openai_chat.SDK_RETRIES))
        assert len(fake.requests) == 1
    assert (caught.reason, caught.code) == ("budget", "insufficient_quota")


def test_the_whole_question_has_a_deadline():
    inner = httpx2.MockTransport(lambda _: httpx2.Response(200, json={}))
    wire = chat_transport.Limited(inner, seconds=5, deadline=time.monotonic() - 1)
    with httpx2.Client(transport=wire) as client, pytest.raises(httpx2.ReadTimeout, match="used up"):
        client.get("http://127.0.0.1/")


def test_the_wire_hands_on_a_whole_reply_and_asks_for_no_packing():
    seen = []

    def behave(request):
        seen.append(request.url.path)
        return httpx2.Response(201, headers={"x-request-id": "r1"}, json={"a": 1})

    wire = chat_transport.Limited(httpx2.MockTransport(behave), seconds=5, deadline=time.monotonic() + 5)
    with httpx2.Client(transport=wire) as client:
        response = client.get("http://127.0.0.1/x")
    assert (response.status_code, response.json(), response.headers["x-request-id"]) == (201, {"a": 1}, "r1")
    assert (seen, wire.calls) == (["/x"], 1)
    with fake_llm(good()) as fake:
        ask(fake.base_url)
    assert fake.headers[0]["accept-encoding"] == "identity"


def test_an_empty_account_opens_the_breaker_and_nothing_more_is_sent():
    with fake_llm(error(429, "quota", "insufficient_quota")) as fake:
        assert refused(fake.base_url).reason == "budget"
        caught = refused(fake.base_url)
        assert len(fake.requests) == 1
    assert caught.reason == "breaker"
    assert "insufficient_quota" in str(caught)
    assert 3500 < caught.details["retry_after_s"] <= 3600


def test_an_endpoint_that_is_away_is_left_alone_after_five_questions():
    with fake_llm(error(503)) as fake:
        reasons = [refused(fake.base_url).reason for _ in range(7)]
        assert len(fake.requests) == 5
    assert reasons == ["unreachable"] * 5 + ["breaker"] * 2


def test_one_trial_after_the_wait_closes_or_opens_again():
    state = breaker.Breaker()
    for _ in range(breaker.FAILURES):
        assert breaker.wait_seconds(state, 0.0) == 0.0
        state = breaker.after(breaker.before(state, 0.0), 0.0, reason="timeout")
    assert breaker.wait_seconds(state, 10.0) == 50.0
    trial = breaker.before(state, 61.0)
    assert breaker.wait_seconds(trial, 62.0) == 599.0
    assert breaker.after(trial, 62.0, reason="") == breaker.Breaker()
    assert breaker.wait_seconds(breaker.after(trial, 62.0, reason="unreachable"), 63.0) == 59.0
    assert breaker.after(trial, 62.0, reason="invalid") == breaker.Breaker()


@given(st.lists(st.tuples(st.integers(0, 100), st.sampled_from(["", *REASONS]))))
def test_the_breaker_never_waits_longer_than_an_hour(steps):
    state, now = breaker.Breaker(), 0.0
    for passed, reason in steps:
        now += passed
        state = breaker.after(breaker.before(state, now), now, reason=reason)
        assert 0.0 <= breaker.wait_seconds(state, now) <= 3600.0


def test_a_question_that_is_too_long_is_shortened_once():
    with fake_llm(error(400, "maximum context length is 9 tokens")) as fake:
        caught = refused(fake.base_url)
        assert len(fake.requests) == 2
        sizes = [len(sent["messages"][1]["content"]) for sent in fake.requests]
    assert sizes[1] <= sizes[0]
    assert (caught.reason, caught.code, caught.details["call"]["shortened"]) == ("invalid", "overflow", True)
    flags = iter([True, False])
    with fake_llm(lambda _: error(400, "x", "context_length_exceeded") if next(flags) else good()) as fake:
        answer = ask(fake.base_url)
        assert len(fake.requests) == 2
    assert answer.details["call"]["shortened"] is True
    assert answer.details["call"]["calls"] == 2


@pytest.mark.parametrize("code", ["cyber_policy", "cyber_policy_violation", "content_filter"])
def test_a_policy_that_will_not_hear_of_it_is_not_asked_in_another_form(code):
    with fake_llm(error(400, "no", code)) as fake:
        caught = refused(fake.base_url)
        assert len(fake.requests) == 1
    assert (caught.reason, caught.code) == ("refused", code)
    with fake_llm(Reply({"error": {"message": "no", "code": code}})) as fake:
        assert refused(fake.base_url).reason == "refused"


def test_every_optional_parameter_can_be_unlearned():
    unknown = ["max_completion_tokens", "max_tokens", "temperature", "seed"]

    def behave(request):
        found = next((name for name in unknown if name in request), "")
        return error(400, f"Unsupported parameter: '{found}'") if found else good()

    with fake_llm(behave) as fake:
        answer = ask(fake.base_url)
        assert len(fake.requests) == 5
        ask(fake.base_url)
        assert len(fake.requests) == 6
    assert answer.details["format"] == "json_schema"
    assert sorted(fake.requests[-1]) == ["messages", "model", "response_format"]


def test_the_worst_endpoint_is_learned_within_the_limit():
    habits, steps = chat_habits.Habits(), 1
    words = "max_completion_tokens max_tokens temperature seed safety_identifier"
    while (following := chat_habits.learned(habits, words)) is not None:
        habits, steps = following, steps + 1
    assert steps == chat_habits.MAX_CALLS
    assert chat_habits.parameters(habits, {}, CallOptions(safety_identifier="me")) == {}


def test_a_safety_identifier_is_for_endpoints_outside_only():
    assert (
        chat_habits.parameters(chat_habits.Habits(), {}, CallOptions(safety_identifier="abc"))["safety_identifier"]
        == "abc"
    )
    assert "safety_identifier" not in chat_habits.parameters(chat_habits.Habits(), {}, CallOptions())
    with fake_llm(good()) as fake:
        ask(fake.base_url, options=CallOptions(safety_identifier="abc"))
    assert "safety_identifier" not in fake.requests[0]


def test_the_safety_identifier_tells_tenants_apart_and_nothing_else():
    one = endpoints.safety_identifier(secret="s", subject="alice")
    assert one == endpoints.safety_identifier(secret="s", subject="alice")
    assert (
        len({one, *(endpoints.safety_identifier(secret=s, subject=n) for s, n in [("t", "alice"), ("s", "bob")])}) == 3
    )
    assert (len(one), "alice" in one) == (32, False)


def test_a_failure_has_its_record_too():
    body = completion('{"wha', finish_reason="length") | {"system_fingerprint": "fp_1"}
    with fake_llm(Reply(body, headers={"x-request-id": "req_9"})) as fake:
        call = refused(fake.base_url, options=CallOptions(attempt=3)).details["call"]
    assert call["validation"] == "invalid"
    assert (call["finish_reason"], call["request_id"], call["system_fingerprint"]) == ("length", "req_9", "fp_1")
    assert (call["input_tokens"], call["output_tokens"], call["attempt"], call["calls"]) == (321, 45, 3, 1)
    assert (call["cost_basis"], call["cost_usd"]) == ("measured", 0.0)
    assert (call["model_asked"], call["model_answered"], call["endpoint"]) == ("tiny", "tiny-1", "127.0.0.1")
    assert call["latency_ms"] >= 0


def test_the_same_question_has_the_same_hash_whatever_the_fence():
    with fake_llm(good()) as fake:
        first, second = ask(fake.base_url), ask(fake.base_url)
        assert fake.requests[0]["messages"] != fake.requests[1]["messages"]
    assert first.details["call"]["input_sha256"] == second.details["call"]["input_sha256"]
    assert len(first.details["call"]["input_sha256"]) == 64


@pytest.mark.parametrize("status", [*range(300, 600, 7), 400, 401, 402, 403, 404, 413, 422, 429])
@given(code=st.text(max_size=5), message=st.text(max_size=30))
def test_every_status_has_a_word_of_the_fixed_set(status, code, message):
    assert chat_failures.reason(status, code, message) in REASONS


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "message", "content", "error", "code", "refusal", "finish_reason", "reasoning"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["choices", "error", "usage"]), JSON))
def test_no_reply_crashes_the_client(body):
    assert said(body)


def said(body):
    """Return the answer's text or the word for why there is none."""
    try:
        return chat_failures.content(body).strip()
    except ExplanationError as caught:
        return caught.reason if caught.reason in REASONS else ""


def models(base_url, **changes):
    settings = {"base_url": base_url, "api_key": "k", "model": "tiny", "timeout": 2.0} | changes
    return chat_models.look_up(**settings)


class _ListHandler(BaseHTTPRequestHandler):
    reply: tuple[int, bytes] = (200, b"")

    def do_GET(self):
        status, body = self.reply
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Be quiet."""


@contextmanager
def listing(status, body):
    handler = type("Handler", (_ListHandler,), {"reply": (status, body)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("row", "day"),
    [
        ({"shutdown_date": "2026-12-11"}, dt.date(2026, 12, 11)),
        ({"deprecation": "2026-12-11T00:00:00Z"}, dt.date(2026, 12, 11)),
        ({"shutdown_date": None}, None),
        ({"shutdown_date": "soon"}, None),
        ({}, None),
    ],
)
def test_the_last_day_of_a_model_is_read_from_the_list(row, day):
    with listing(200, json.dumps({"data": [None, {"id": "other"}, {"id": "tiny"} | row]}).encode()) as base_url:
        status = models(base_url)
    assert (status.listed, status.shutdown_date) == (True, day)
    assert status.days_left(dt.date(2026, 12, 1)) == (10 if day else None)


@pytest.mark.parametrize(
    ("reply", "listed", "words"),
    [
        ((200, b'{"data": [{"id": "big"}]}'), False, "not among the 1 models"),
        ((404, b"no"), None, "status 404"),
        ((200, b"<html>"), None, "not JSON"),
        ((200, b'{"data": 5}'), None, "no rows"),
        ((200, b" " * 2_000_000), None, "TooLargeError"),
    ],
)
def test_an_odd_list_is_told_and_not_raised(reply, listed, words):
    with listing(*reply) as base_url:
        status = models(base_url)
    assert status.listed is listed
    assert words in status.note


def test_no_list_at_all_is_told():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert models(f"http://127.0.0.1:{port}/v1").note == "unreachable: ConnectError"
    assert "not an http(s) URL" in models("nonsense").note


def test_a_connection_that_leads_elsewhere_is_closed_before_a_byte_is_sent(monkeypatch):
    """The name was inside when it was decided what may be told; now it is not, or leads to a machine's credentials."""
    with fake_llm(good()) as fake:
        ask(fake.base_url)
        monkeypatch.setattr(chat_transport.endpoints, "is_inside", lambda _: False)
        usual = {"base_url": fake.base_url, "seconds": 5, "deadline": time.monotonic() + 5}
        client, wire = chat_transport.client(**usual, inside=True)
        with client, pytest.raises(httpx2.ConnectError, match=r"now leads to 127\.0\.0\.1"):
            client.post(fake.base_url, json={"secret": "text"})
        assert (len(fake.requests), wire.unanswered) == (1, 0)
        monkeypatch.setattr(chat_transport.outbound, "METADATA", {ipaddress.ip_address("127.0.0.1")})
        client, _ = chat_transport.client(**usual, inside=False)
        with client, pytest.raises(httpx2.ConnectError, match="never reached"):
            client.post(fake.base_url, json={"secret": "text"})
        assert len(fake.requests) == 1
