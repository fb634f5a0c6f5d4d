"""Real shippers against a real Winnow: nothing is lost by a client that tries again, whatever it was told."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployment import Deployment
from tests.shippers import delivery
from tests.shippers.clients_table import CLIENTS, Client, Job
from tests.shippers.delivery import RECORDS, Delivery, Winnow

pytestmark = [pytest.mark.second, pytest.mark.timeout(600)]

#: What the tests ask of each client; the whole table is printed by ``python -m tests.shippers.delivery``.
ASKED = ("none", "busy", "rate", "cut")
#: Clients that give their records an identity which the protocol carries: not even a cut doubles them.
WITH_IDENTITY = frozenset({"PyPI opensearch"})
#: Shippers that wait long enough between tries for a process to come back.
PATIENT = ("syslog-ng http() to HEC", "syslog-ng elasticsearch-http()", "PyPI splunk-handler")
NAMES = [client.name for client in CLIENTS]


def by_name(name: str) -> Client:
    return next(client for client in CLIENTS if client.name == name)


@pytest.fixture(scope="session")
def winnow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Winnow, Deployment]]:
    with delivery.running_winnow(tmp_path_factory.mktemp("shippers")) as running:
        yield running


@pytest.fixture(scope="session")
def deliveries(winnow: tuple[Winnow, Deployment]) -> dict[tuple[str, str], Delivery]:
    """Every installed client with every fault, a few at a time."""
    installed = [client for client in CLIENTS if not client.missing()]
    return delivery.deliver_all(winnow[0], [(client, fault) for client in installed for fault in ASKED])


@pytest.fixture
def outcome(request: pytest.FixtureRequest, name: str, fault: str) -> Delivery:
    missing = by_name(name).missing()
    if missing:
        pytest.skip(f"{name}: {missing}")
    found: dict[tuple[str, str], Delivery] = request.getfixturevalue("deliveries")
    return found[name, fault]


@pytest.mark.parametrize("fault", ["none"])
@pytest.mark.parametrize("name", NAMES)
def test_every_record_arrives_once(outcome: Delivery) -> None:
    assert (outcome.stored, outcome.copies) == (RECORDS, RECORDS), outcome


@pytest.mark.parametrize("fault", ["busy", "rate"])
@pytest.mark.parametrize("name", [client.name for client in CLIENTS if client.retries])
def test_a_client_that_is_told_to_come_back_loses_and_doubles_nothing(outcome: Delivery) -> None:
    assert (outcome.stored, outcome.copies) == (RECORDS, RECORDS), outcome
    assert [status for *_, status in outcome.told if status in (429, 503)]


@pytest.mark.parametrize("fault", ["cut"])
@pytest.mark.parametrize("name", [client.name for client in CLIENTS if client.retries])
def test_a_reply_that_is_lost_loses_no_record(name: str, outcome: Delivery) -> None:
    assert outcome.stored == RECORDS, outcome
    assert [status for *_, status in outcome.told if status == 0]
    if name in WITH_IDENTITY:
        assert outcome.copies == RECORDS, outcome


@pytest.mark.parametrize("name", PATIENT)
def test_a_web_process_killed_in_mid_stream_loses_nothing(
    name: str, winnow: tuple[Winnow, Deployment], tmp_path: Path
) -> None:
    client, (running, deployment) = by_name(name), winnow
    if client.missing():
        pytest.skip(f"{name}: {client.missing()}")
    job = Job(running.port, running.intake, f"kill{time.time_ns() % 10**9}x", 3_000, tmp_path)
    web = next(pid for pid, role in deployment.children().items() if role == "web")
    with (tmp_path / "output").open("wb") as output:
        process = subprocess.Popen(client.command(job), stdout=output, stderr=output, cwd=tmp_path)
    killer = threading.Timer(0.7 if client.daemon else 0.3, os.kill, (web, signal.SIGKILL))
    killer.start()
    deadline = time.monotonic() + 60
    while (found := len(running.stored(job.marker, job.count))) < job.count and time.monotonic() < deadline:
        time.sleep(1)
    process.terminate()
    process.wait(20)
    killer.join()
    assert found == job.count, (tmp_path / "output").read_text()
    assert web not in deployment.children()
