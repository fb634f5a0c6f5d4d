"""Model versions in a running deployment: promoted and rolled back without a restart, replayed across one."""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.deployment import Deployment

pytestmark = [pytest.mark.process, pytest.mark.second, pytest.mark.timeout(300)]

USUAL = [
    f"Nov 22 10:00:{number % 60:02d} srv-{number % 5} sshd[{400 + number}]: Accepted publickey for user{number % 7} "
    f"from 10.0.0.{number % 20} port {40_000 + number} ssh2"
    for number in range(600)
]
ODD = "Nov 22 10:09:59 srv-1 sshd[999]: Failed password for invalid user xX-oracle-Xx from 203.0.113.77 port 6 ssh2"
#: What is promised, and for how long events are sent beyond it.
PROMISED_SECONDS, MORE_SECONDS = 5.0, 3.0
CHAMPION = "ModelVersion.objects.filter(status='champion').values_list('version', flat=True).first()"


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)


def learned(winnow: Deployment) -> str:
    """Send history, wait for the first model and until everything is scored; return its version."""
    assert winnow.post([{"event": line} for line in USUAL]) == 200
    winnow.manage("drain", "--timeout", "60")
    wait_for(lambda: winnow.query(CHAMPION) is not None)
    wait_for(lambda: winnow.query("Event.objects.filter(score=None).count()") == 0)
    return str(winnow.query(CHAMPION))


def trained(winnow: Deployment) -> str:
    """Train a candidate; return its version."""
    version, _, words = winnow.manage("train").splitlines()[-1].partition(": ")
    assert words.startswith("candidate. In shadow beside ")
    return version


class Sender(threading.Thread):
    """Sends a few events many times a second until it is told to stop."""

    def __init__(self, winnow: Deployment) -> None:
        super().__init__(daemon=True)
        self.winnow, self.ended, self.statuses = winnow, threading.Event(), Counter[int]()

    def run(self) -> None:
        while not self.ended.is_set():
            place = 5 * self.statuses.total() % len(USUAL)
            try:
                self.statuses[self.winnow.post([{"event": line} for line in USUAL[place : place + 5]])] += 1
            except OSError:
                self.statuses[0] += 1
            time.sleep(0.05)


#: When a batch was received, when it was processed, and which version scored it.
Scored = tuple[float, float, str]


def seconds_until_all(rows: list[Scored], version: str, since: float, until: float) -> float:
    """Return how long after a change the last batch was scored by another version; check what came in late."""
    rows = [row for row in rows if since < row[1] < until]
    late = [scored_by for received, _, scored_by in rows if received > since + PROMISED_SECONDS]
    assert len(late) >= 10
    assert set(late) == {version}
    return max((processed - since for _, processed, scored_by in rows if scored_by != version), default=0.0)


def test_a_promotion_and_a_rollback_reach_every_worker_within_five_seconds(deploy: Callable[..., Deployment]) -> None:
    winnow = deploy("--pipeline-workers", "2", LEARN_MIN_EVENTS="500")
    first = learned(winnow)
    second = trained(winnow)
    children = set(winnow.children())
    sender = Sender(winnow)
    sender.start()
    for command, version in ((("promote", second), second), (("rollback",), first)):
        time.sleep(MORE_SECONDS)
        assert winnow.manage(*command) == f"champion {version}\n"
        time.sleep(PROMISED_SECONDS + MORE_SECONDS)
    sender.ended.set()
    sender.join(30)
    assert set(sender.statuses) == {200}
    assert set(winnow.children()) == children
    winnow.manage("drain", "--timeout", "90")

    rows = winnow.query(
        "[(row.received_at.timestamp(), row.processed_at.timestamp(), row.model_version.version) for row in"
        " RawBatch.objects.select_related('model_version').defer('body')]"
    )
    promoted, back = (
        winnow.query(f"ModelVersion.objects.get(version='{version}').promoted_at.timestamp()")
        for version in (second, first)
    )
    taken = {
        "promote": seconds_until_all(rows, second, promoted, back),
        "rollback": seconds_until_all(rows, first, back, time.time()),
    }
    print(f"seconds until every event was scored by the version asked for: {taken}")
    listed = {row["version"]: row for row in json.loads(winnow.manage("models", "--json"))}
    assert (listed[first]["status"], listed[second]["status"]) == ("champion", "rejected")
    assert listed[first]["shadow"] is None
    assert (listed[second]["shadow"]["events"] > 0, listed[second]["shadow"]["champion"]) == (True, first)
    changes = "AuditEntry.objects.filter(action__endswith='_model').order_by('id')"
    actions = winnow.query(f"list({changes}.values_list('action', flat=True))")
    assert actions == ["promote_model", "promote_model", "rollback_model"]


def test_an_alert_scores_the_same_after_a_retrain_an_upgrade_of_the_schema_and_a_restart(
    deploy: Callable[..., Deployment],
) -> None:
    winnow = deploy(LEARN_MIN_EVENTS="500")
    first = learned(winnow)
    time.sleep(1.5)  # a worker may serve for a second before it asks the ledger again
    assert winnow.post([{"event": ODD}]) == 200
    winnow.manage("drain", "--timeout", "60")
    event = "Event.objects.get(source_ip='203.0.113.77')"
    wait_for(lambda: winnow.query(f"AlertEvent.objects.filter(event_id={event}.pk).count()") == 1)
    alert, score = winnow.query(
        f"list(AlertEvent.objects.filter(event_id={event}.pk).values_list('alert_id', 'score'))[0]"
    )
    assert winnow.stop() == 0

    winnow.manage("migrate", "triage", "0005", "--verbosity", "0")  # the schema before drift, shadow and policies
    tables = "len(__import__('django.db').db.connection.introspection.table_names())"
    before = winnow.query(tables)
    winnow.manage("migrate", "--verbosity", "0")
    assert winnow.query(tables) > before
    second = trained(winnow)
    assert winnow.manage("promote", second) == f"champion {second}\n"
    winnow.start()

    replayed = json.loads(winnow.manage("replay", str(alert), "--json"))
    assert (replayed["alert"], replayed["identical"]) == (alert, True)
    row = next(row for row in replayed["events"] if row["event_id"] == winnow.query(f"{event}.pk"))
    assert (row["version"], row["champion"]) == (first, second)
    assert row["old_score"] == row["new_score"] == score
    assert row["difference"] == row["champion_score"] - score
    assert row["code_changed"] == []
    assert winnow.post([{"event": USUAL[0]}]) == 200
    winnow.manage("drain", "--timeout", "60")
    newest = "RawBatch.objects.order_by('-id').values_list('model_version__version', flat=True).first()"
    assert winnow.query(newest) == second


def test_a_tampered_champion_does_not_stop_a_deployment_that_starts(deploy: Callable[..., Deployment]) -> None:
    winnow = deploy(LEARN_MIN_EVENTS="500")
    first = learned(winnow)
    second = trained(winnow)
    assert winnow.manage("promote", second) == f"champion {second}\n"
    assert winnow.stop() == 0
    artefact = winnow.log.parent / "models" / second / "pipeline.skops"
    body = artefact.read_bytes()
    artefact.write_bytes(body[:-1] + bytes([body[-1] ^ 1]))
    winnow.start()
    assert winnow.post([{"event": USUAL[0]}]) == 200
    winnow.manage("drain", "--timeout", "60")
    newest = "list(Event.objects.order_by('-id').values_list('model_version__version', 'score')[:1])[0]"
    version, score = winnow.query(newest)
    assert version == first
    assert score is not None
    link = http.client.HTTPConnection("127.0.0.1", winnow.port, timeout=10)
    link.request("GET", "/readyz")
    champion = json.loads(link.getresponse().read())["checks"]["champion"]
    link.close()
    assert (champion["ok"], champion["state"], champion["newest_events_scored_by"]) == (False, "refused", first)
    assert champion["problem"].startswith(f"champion {second} is refused: version {second} has been changed")
