"""A whole Winnow for fault tests: real processes, a language model's endpoint that may misbehave, and its pages.

After a fault :meth:`Estate.outcome` says what became of every record, every flagged event and every explanation.
"""

import contextlib
import http.client
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from tests.deployment import Deployment, environment_for
from tests.faults.backing import Backing, backing
from tests.faults.load import Load, number_of
from tests.triage.explainers.fake_llm import FakeLLM, Reply, fake_llm, good

ASK = """{
  "messages": list(Event.objects.values_list("message", flat=True)),
  "flagged": Event.objects.filter(flagged=True).count(),
  "unscored": Event.objects.filter(score=None).count(),
  "orphans": Event.objects.filter(flagged=True).exclude(pk__in=AlertEvent.objects.values("event_id")).count(),
  "fingerprints": list(Alert.objects.filter(status="open").values_list("fingerprint", flat=True)),
  "pending": Alert.objects.filter(explanation_state__in=["pending", "running"]).count(),
  "unexplained": Alert.objects.filter(explanations=None).count(),
  "quarantined": RawBatch.objects.filter(status="quarantined").count(),
}"""


@dataclass(slots=True)
class Outcome:
    """What became of everything. All but the first four and ``doubtful`` have to be 0."""

    sent: int
    acknowledged: int
    stored: int
    flagged: int
    lost: int = 0
    doubled: int = 0
    foreign: int = 0
    quarantined: int = 0
    flagged_without_alert: int = 0
    alerts_twice: int = 0
    unexplained: int = 0
    pending: int = 0
    doubtful: int = 0
    refused: int = 0

    def faults(self) -> dict[str, int]:
        """Return what is not as it has to be."""
        good_ones = {"sent", "acknowledged", "stored", "flagged", "doubtful", "refused"}
        return {one.name: n for one in fields(self) if one.name not in good_ones and (n := getattr(self, one.name))}


class Estate:
    """The deployment under test."""

    def __init__(self, winnow: Deployment, llm: FakeLLM, servers: Backing | None, directory: Path) -> None:
        self.winnow, self.llm, self.servers, self.directory = winnow, llm, servers, directory
        self.behaviour: Callable[[dict[str, Any]], Reply] = lambda _: good()
        self.history: list[Load] = []
        self._cookie = self._log_in()

    def _log_in(self) -> str:
        code = (
            "from django.test import Client; from triage.models import User; client = Client();"
            "client.force_login(User.objects.get_or_create(username='watcher', role='viewer')[0]);"
            "print(client.cookies['sessionid'].value)"
        )
        return self.winnow.manage("shell", "--no-imports", "-c", code).split()[-1]

    def learn(self) -> None:
        """Send what is usual until a model serves."""
        load = self.load(odd_every=0)
        load.send_now(16)
        self.wait_for(lambda: self.winnow.query("ModelVersion.objects.filter(status='champion').count()") == 1, 90)
        self.drain()
        time.sleep(1.5)  # a worker may serve for a second before it asks the ledger again

    def load(self, **how: int) -> Load:
        """Return a load whose records count for every later outcome; not started."""
        self.history.append(Load(self.winnow, **how))
        return self.history[-1]

    @staticmethod
    def wait_for(condition: Callable[[], bool], seconds: float) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.3)

    def drain(self, seconds: int = 90) -> None:
        """Wait until everything accepted is stored and grouped."""
        self.winnow.manage("drain", "--timeout", str(seconds))

    def workers(self, role: str) -> list[int]:
        """Return the processes of a role."""
        return [pid for pid, what in self.winnow.children().items() if what == role]

    def signal(self, role: str, number: signal.Signals) -> int:
        """Send a signal to every process of a role; return how many there were."""
        pids = self.workers(role)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return len(pids)

    def page_is_red(self) -> bool:
        """Return whether what the queue page asks for every few seconds says that something stands still, or fails."""
        answer = self._pulse()
        return answer is None or b'class="standstill"' in answer

    def page_fails(self) -> bool:
        """Return whether the page cannot be shown at all."""
        return self._pulse() is None

    def _pulse(self) -> bytes | None:
        link = http.client.HTTPConnection("127.0.0.1", self.winnow.port, timeout=20)
        try:
            link.request("GET", "/queue/pulse/", headers={"Cookie": f"sessionid={self._cookie}", "HX-Request": "true"})
            answer = link.getresponse()
            return answer.read() if answer.status < 500 else None
        except (OSError, http.client.HTTPException):
            return None
        finally:
            link.close()

    def red_within(self, seconds: float) -> float | None:
        """Return after how many seconds the page turned red; None when it did not."""
        start = time.monotonic()
        while time.monotonic() - start < seconds:
            if self.page_is_red():
                return time.monotonic() - start
            time.sleep(0.5)
        return None

    def outcome(self, *, patience: float = 60.0) -> Outcome:
        """Wait until everything is done and return what became of it."""
        self.drain()
        found = self.winnow.query(ASK)
        deadline = time.monotonic() + patience
        while (found["pending"] or found["unexplained"] or found["orphans"]) and time.monotonic() < deadline:
            time.sleep(1.0)
            found = self.winnow.query(ASK)
        return self._judge(found)

    def _judge(self, found: dict[str, Any]) -> Outcome:
        stored = Counter(n for text in found["messages"] if (n := number_of(text)) is not None)
        acknowledged = set().union(*(load.acknowledged for load in self.history))
        doubtful = set().union(*(load.doubtful for load in self.history))
        refused = sum(load.refused for load in self.history)
        return Outcome(
            sent=len(acknowledged) + len(doubtful) + refused,
            acknowledged=len(acknowledged),
            stored=len(found["messages"]),
            flagged=found["flagged"],
            lost=len(acknowledged - stored.keys()),
            doubled=sum(n - 1 for n in stored.values()),
            foreign=len(stored.keys() - acknowledged - doubtful),
            quarantined=found["quarantined"],
            flagged_without_alert=found["orphans"],
            alerts_twice=sum(n - 1 for n in Counter(found["fingerprints"]).values()),
            unexplained=found["unexplained"],
            pending=found["pending"],
            doubtful=len(doubtful),
            refused=refused,
        )


@contextlib.contextmanager
def estate(directory: Path, *, on_servers: bool, **variables: str) -> Iterator[Estate]:
    """Run a Winnow that has learned; ``on_servers`` with a PostgreSQL and a Redis of its own, else embedded."""
    data = directory / "data"
    data.mkdir(exist_ok=True)
    behave: list[Estate] = []
    with contextlib.ExitStack() as stack:
        llm = stack.enter_context(fake_llm(lambda asked: behave[0].behaviour(asked) if behave else good()))
        servers = stack.enter_context(backing(directory)) if on_servers else None
        database = servers.variables if servers else {"DATABASE_URL": "", "REDIS_URL": ""}
        told = {
            "LLM_BASE_URL": llm.base_url, "LLM_MODEL": "tiny-1", "LLM_PRICE_INPUT_USD": "0",
            "LLM_PRICE_OUTPUT_USD": "0", "LLM_TIMEOUT_SECONDS": "2", "LLM_SHARE_HOURS": "0", "LEARN_MIN_EVENTS": "600",
        }  # fmt: skip
        environment = environment_for(data, {}, **(told | variables)) | database
        winnow = Deployment(environment, ("--pipeline-workers", "2"))
        stack.callback(winnow.close)
        made = Estate(winnow, llm, servers, data)
        behave.append(made)
        made.learn()
        yield made


@contextlib.contextmanager
def under_load(one: Estate) -> Iterator[Load]:
    """Send records for as long as the block lasts, and at least some before and after the fault."""
    load = one.load()
    load.send_now(2)
    load.start()
    try:
        yield load
    finally:
        load.end()
    one.wait_for(load.send, 60)


def every(seconds: float, work: Callable[[], object], *, times: int) -> None:
    """Do something some times, with a pause before each."""
    for _ in range(times):
        time.sleep(seconds)
        work()


def in_background(work: Callable[[], object]) -> threading.Thread:
    """Run something beside the test."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread
