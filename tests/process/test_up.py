"""``manage.py up`` as its operator sees it."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deployment import Deployment

pytestmark = pytest.mark.process

USUAL = [
    f"Nov 22 10:00:{number % 60:02d} srv-{number % 5} sshd[{400 + number}]: Accepted publickey for user{number % 7} "
    f"from 10.0.0.{number % 20} port {40_000 + number} ssh2"
    for number in range(600)
]
ODD = "Nov 22 10:09:59 srv-1 sshd[999]: Failed password for invalid user xX-oracle-Xx from 203.0.113.77 port 6 ssh2"


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)


@pytest.mark.second  # embedded, tests/process/test_plug_ins.py walks the same line
def test_an_event_walks_the_whole_line(deploy: Callable[..., Deployment]) -> None:
    winnow = deploy(LEARN_MIN_EVENTS="500")
    assert winnow.post([{"event": line} for line in USUAL]) == 200
    counts = json.loads(winnow.manage("drain", "--timeout", "60"))
    assert {name: counts[name] for name in ("accepted", "events", "quarantined")} == {
        "accepted": 600, "events": 600, "quarantined": 0,
    }  # fmt: skip
    wait_for(lambda: winnow.query("ModelVersion.objects.filter(status='champion').count()") == 1)
    winnow.manage("drain", "--timeout", "60")
    assert winnow.query("Event.objects.filter(score=None).count()") == 0

    time.sleep(1.5)  # a worker may serve for a second before it asks the ledger again
    assert winnow.post([{"event": ODD}]) == 200
    winnow.manage("drain", "--timeout", "60")
    odd = "Event.objects.filter(source_ip='203.0.113.77')"
    assert winnow.query(f"list({odd}.values_list('user_name', 'flagged', 'grouped'))") == [["xX-oracle-Xx", True, True]]
    alert = winnow.query(f"AlertEvent.objects.get(event_id={odd}.get().pk).alert_id")
    explained = f"list(Alert.objects.filter(pk={alert}).values_list('explanation_state', flat=True))"
    wait_for(lambda: winnow.query(explained) == ["done"])
    assert winnow.query(f"list(Explanation.objects.filter(alert={alert}).values_list('explainer', flat=True))") == [
        "evidence"
    ]
    replayed = json.loads(winnow.manage("replay", str(alert), "--json"))
    assert replayed["identical"] is True
    assert winnow.stop() == 0
    assert winnow.children() == {}


@pytest.mark.once
def test_stopping_in_mid_work_loses_nothing(deploy: Callable[..., Deployment]) -> None:
    winnow = deploy()
    sent = sum(len(USUAL) for _ in range(5) if winnow.post([{"event": line} for line in USUAL]) == 200)
    assert winnow.stop() == 0
    assert winnow.query("sum(RawBatch.objects.values_list('record_count', flat=True))") == sent == 3000


@pytest.mark.once
def test_it_runs_from_any_directory_and_says_that_its_port_is_taken(
    deploy: Callable[..., Deployment], tmp_path: Path
) -> None:
    winnow = deploy(directory=tmp_path)
    assert sorted(set(winnow.children().values())) == ["beat", "explain", "learn", "pipeline", "web"]
    assert winnow.post([{"event": "hello"}]) == 200
    assert json.loads(winnow.manage("drain", "--timeout", "60"))["events"] == 1

    command = [sys.executable, "manage.py", "up", "--port", str(winnow.port)]
    second = subprocess.run(command, env=winnow.environment, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 1
    assert f"cannot listen on 127.0.0.1:{winnow.port}: Address already in use." in second.stderr
