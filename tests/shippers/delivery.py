"""What becomes of records that a real client sends through a relay that fails.

Handed: a running Winnow, a client and a fault. Hands on: how many of its records are stored, and how often.
Runnable, to print the whole table: ``python -m tests.shippers.delivery``.
"""

import contextlib
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from tests.deployment import Deployment, environment_for
from tests.shippers.clients_table import CLIENTS, Client, Job
from tests.shippers.fault_relay import Plan, fault_relay
from triage.intake import errors
from triage.intake.errors import Refusal
from triage.intake.http import Reply
from triage.intake.routes import endpoint_for

RECORDS = 25
#: A client that is still running after this is stopped.
CLIENT_SECONDS = 40
#: How long after a client's end its last records may take to be stored.
STORED_SECONDS = 6
AT_ONCE = 6
_MARKERS = count(1)
_WORD = re.compile(r"[a-z0-9]+-\d+")
#: Where each client delivers, as the intake knows it.
PATHS = {
    "/services/collector": "/services/collector/event",
    "_bulk": "/elastic/_bulk",
    "/v1/logs": "/v1/logs",
    "/loki/": "/loki/api/v1/push",
}
#: A fault: nothing, Winnow's own refusals, and what only a gateway in between would say.
OWN = {"busy": errors.BUSY, "rate": errors.RATE, "413": errors.TOO_LARGE, "401": errors.UNKNOWN_SENDER}
FOREIGN = {"400": 400, "429": 429, "500": 500, "503": 503}
FAULTS = ("none", *OWN, *FOREIGN, "cut")


@dataclass(frozen=True)
class Delivery:
    """The outcome: ``stored`` distinct records, ``copies`` rows in all, and what the client was told."""

    stored: int
    copies: int
    told: tuple[tuple[str, str, int], ...]
    output: str

    @property
    def word(self) -> str:
        """Return the outcome in a word."""
        if self.stored == RECORDS:
            return "delivered" if self.copies == RECORDS else "delivered, some twice"
        return "lost" if self.stored == 0 else f"{RECORDS - self.stored} of {RECORDS} lost"


@dataclass(frozen=True)
class Winnow:
    """A running Winnow and its tokens."""

    port: int
    intake: str
    api: str

    def stored(self, marker: str, records: int = RECORDS) -> Counter[str]:
        """Return the stored records of a marker and how often each is there."""
        wanted = {f"{marker}-{number}" for number in range(records)}
        found: Counter[str] = Counter()
        before = None
        while True:
            page = self._page(marker, before)
            for event in page["events"]:
                found.update(wanted & set(_WORD.findall(event["message"])))
            before = page["next"]
            if before is None:
                return found

    def _page(self, marker: str, before: int | None) -> dict[str, Any]:
        query = {"contains": f"{marker}-", "limit": 1000} | ({"before": before} if before else {})
        url = f"http://127.0.0.1:{self.port}/api/v1/events?{urllib.parse.urlencode(query)}"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {self.api}"})
        with urllib.request.urlopen(request, timeout=30) as reply:
            page: dict[str, Any] = json.load(reply)
        return page


def plan_for(client: Client, fault: str) -> Plan:
    """Return what the relay is to do: the first two deliveries fail."""
    if fault == "none":
        return Plan()
    if fault == "cut":
        return Plan(path=client.path, cut=True, times=1)
    endpoint = endpoint_for(PATHS[client.path])
    assert endpoint is not None
    if fault in OWN:
        return Plan(path=client.path, reply=endpoint.refused(Refusal(OWN[fault], retry_after=1)), times=2)
    return Plan(path=client.path, reply=Reply(FOREIGN[fault], b'{"error":"from a gateway"}'), times=2)


def deliver(winnow: Winnow, client: Client, fault: str) -> Delivery:
    """Run a client once and return what became of its records."""
    marker = f"ship{next(_MARKERS)}x{time.time_ns() % 10**6}"
    with tempfile.TemporaryDirectory() as folder, fault_relay(winnow.port) as relay:
        relay.plan = plan_for(client, fault)
        job = Job(relay.server_port, winnow.intake, marker, RECORDS, Path(folder))
        output = _run(client, job, lambda: len(winnow.stored(marker)) == RECORDS)
        found = _settled(winnow, marker)
        return Delivery(len(found), sum(found.values()), tuple(relay.plan.seen), output)


def _run(client: Client, job: Job, is_done: Callable[[], bool]) -> str:
    """Run a client to its end, or until its records are there; return what it printed."""
    with (job.directory / "output").open("wb") as output:
        process = subprocess.Popen(client.command(job), stdout=output, stderr=output, cwd=job.directory)
        deadline = time.monotonic() + (CLIENT_SECONDS if not client.daemon else 15)
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.3)
            if client.daemon and is_done():
                break
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        process.kill()
        process.wait(5)
    return (job.directory / "output").read_text(errors="replace")[-2000:]


def _settled(winnow: Winnow, marker: str) -> Counter[str]:
    """Wait until all records are there, or long enough to know that they will not be."""
    deadline = time.monotonic() + STORED_SECONDS
    while len(winnow.stored(marker)) < RECORDS and time.monotonic() < deadline:
        time.sleep(0.5)
    time.sleep(1.0)  # a second copy would still be on its way
    return winnow.stored(marker)


@contextlib.contextmanager
def running_winnow(directory: Path) -> Iterator[tuple[Winnow, Deployment]]:
    """Run an embedded Winnow that learns nothing, so that the machine is the clients'."""
    embedded = {"DATABASE_URL": "", "REDIS_URL": "", "LEARN_MIN_EVENTS": "1000000"}
    deployment = Deployment(environment_for(directory, {}, **embedded), ())
    try:
        deployment.manage("shell", "-c", "from triage.models import User; User.objects.create_user('reader')")
        api = deployment.manage("create_token", "reader").split()[-1]
        yield Winnow(deployment.port, deployment.token, api), deployment
    finally:
        deployment.close()


def deliver_all(winnow: Winnow, wanted: list[tuple[Client, str]]) -> dict[tuple[str, str], Delivery]:
    """Run many clients, a few at a time; they wait more than they work."""
    gate = threading.Semaphore(AT_ONCE)

    def one(pair: tuple[Client, str]) -> Delivery:
        with gate:
            return deliver(winnow, *pair)

    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        outcomes = list(pool.map(one, wanted))
    return {(client.name, fault): outcome for (client, fault), outcome in zip(wanted, outcomes, strict=True)}


def main() -> None:
    """Print the table of every installed client and every fault."""
    installed = [client for client in CLIENTS if not client.missing()]
    with tempfile.TemporaryDirectory() as folder, running_winnow(Path(folder)) as (winnow, _):
        found = deliver_all(winnow, [(client, fault) for client in installed for fault in FAULTS])
    print("| client | " + " | ".join(FAULTS) + " |")
    print("|---" * (len(FAULTS) + 1) + "|")
    for client in installed:
        print(f"| {client.name} | " + " | ".join(found[client.name, fault].word for fault in FAULTS) + " |")
    for client in CLIENTS:
        if client.missing():
            print(f"not here: {client.name}: {client.missing()}")
    if "-v" in sys.argv:
        for key, outcome in found.items():
            print(key, outcome)


if __name__ == "__main__":
    main()
