"""What one worker learns about an endpoint, every other one knows: on files and on Redis."""

import os
import signal
import time
from threading import Barrier, Thread

import pytest

from alerts.services import breakers
from tests.triage.explainers.fake_llm import error, fake_llm, good
from tests.triage.explainers.test_openai_chat import REQUEST
from triage import state
from triage.explainers import breaker, openai_chat
from triage.explainers.base import ExplanationError
from triage.explainers.breaker import Breaker
from triage.explainers.openai_chat import OpenAIChatExplainer

KEY = ("http://127.0.0.1:1/v1", "tiny")
QUOTA = error(429, "You exceeded your current quota", code="insufficient_quota")


@pytest.fixture(autouse=True)
def nothing_known(request):
    openai_chat._HABITS.clear()
    state.change_note(breaker.note_name(KEY), lambda _: "")


def ask(base_url, shared):
    try:
        OpenAIChatExplainer(base_url=base_url, api_key="k", model="tiny", timeout=5.0, breakers=shared).explain(REQUEST)
    except ExplanationError as failed:
        return failed.reason, failed.code
    finally:
        openai_chat._HABITS.clear()
    return "", ""


def opened(seconds, why="insufficient_quota"):
    return Breaker(1, time.time() + seconds, 0.0, why)


def test_an_empty_account_opens_the_breaker_for_every_worker():
    replies = [QUOTA]
    with fake_llm(lambda _: replies.pop() if replies else good()) as fake:
        first, second = breakers.Shared(), breakers.Shared()
        assert ask(fake.base_url, first) == ("budget", "insufficient_quota")
        assert ask(fake.base_url, second) == ("breaker", "")
        assert ask(fake.base_url, first) == ("breaker", "")
        assert len(fake.requests) == 1
        assert breakers.close(base_url=fake.base_url, model="tiny") is True
        assert breakers.close(base_url=fake.base_url, model="tiny") is False
        assert ask(fake.base_url, second) == ("", "")
        assert len(fake.requests) == 2


def test_another_process_knows_too():
    child = os.fork()
    if child == 0:
        try:
            breakers.Shared().change(KEY, lambda _: opened(60, "from the child"))
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    wait, why = breaker.enter(breakers.Shared(), KEY, time.time())
    assert why == "from the child"
    assert 50 < wait <= 60


def test_failures_of_different_workers_add_up():
    workers = [breakers.Shared() for _ in range(breaker.FAILURES)]
    for worker in workers:
        assert breaker.enter(worker, KEY, 1000.0) == (0.0, "")
        worker.change(KEY, lambda known: breaker.after(known, 1000.0, reason="timeout"))
    assert breaker.enter(breakers.Shared(), KEY, 1001.0) == (59.0, "timeout")


def test_after_an_opening_one_worker_of_many_tries():
    breakers.Shared().change(KEY, lambda _: Breaker(5, 1000.0, 0.0, "timeout"))
    start, waits = Barrier(6), []

    def work():
        start.wait(10)
        waits.append(breaker.enter(breakers.Shared(), KEY, 1001.0)[0])

    threads = [Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(waits) == [0.0] + [breaker.TRIAL_SECONDS] * 5


def test_changes_at_once_are_all_kept():
    start = Barrier(4)

    def work():
        start.wait(10)
        for _ in range(25):
            breakers.Shared().change(KEY, lambda known: Breaker(known.failures + 1, 1.0))

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert breaker.loads(state.note(breaker.note_name(KEY))).failures == 100


def test_without_the_shared_notes_each_process_goes_by_itself(monkeypatch):
    monkeypatch.setattr(state, "change_note", lambda *_: None)
    first, second = breakers.Shared(), breakers.Shared()
    now = time.time()
    first.change(KEY, lambda _: opened(60))
    assert breaker.enter(first, KEY, now)[0] > 0
    assert breaker.enter(second, KEY, now) == (0.0, "")


def test_notes_that_cannot_be_reached_are_none(settings, tmp_path):
    settings.DATA_DIR = tmp_path / "gone"
    state._redis.cache_clear()
    if settings.REDIS_URL:
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
    try:
        assert state.change_note("a", lambda _: "b") is None
        assert state.note("a") == ""
    finally:
        state._redis.cache_clear()


def test_a_note_is_replaced_whole_and_an_empty_one_is_none():
    assert state.change_note("t", lambda _: "a long text") == ""
    assert state.change_note("t", lambda old: old[2:6]) == "a long text"
    assert state.note("t") == "long"
    assert state.change_note("t", lambda _: "") == "long"
    assert state.note("t") == ""
