"""Acknowledgements outlive the web process that gave them, killed in the middle of its senders."""

import contextlib
import http.client
import json
import os
import signal
import threading
import time
import uuid

import pytest

pytestmark = [pytest.mark.process, pytest.mark.once, pytest.mark.timeout(180)]

EVENTS_EACH = 60


class Sender(threading.Thread):
    """Sends one event after the other on a channel of its own and tries again until each has its number."""

    def __init__(self, port, token):
        super().__init__()
        self.port, self.token = port, token
        self.channel, self.numbers, self.failures = str(uuid.uuid4()), [], 0

    def post(self, path, value):
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(link):
            headers = {"Authorization": f"Splunk {self.token}", "X-Splunk-Request-Channel": self.channel}
            link.request("POST", f"/services/collector/{path}", json.dumps(value), headers)
            answer = link.getresponse()
            return answer.status, json.loads(answer.read())

    def run(self):
        for number in range(EVENTS_EACH):
            while not self.send({"event": f"{self.channel} {number}"}):
                self.failures += 1
                time.sleep(0.05)

    def send(self, event):
        try:
            status, answer = self.post("event", event)
        except (OSError, http.client.HTTPException):
            return False
        if status == 200:
            self.numbers.append(answer["ackId"])
        return status == 200


def test_every_number_is_true_after_the_web_process_was_killed(deploy):
    winnow = deploy()
    token = winnow.manage("create_source", "acknowledged", "--ack").split()[-1]
    senders = [Sender(winnow.port, token) for _ in range(4)]
    for sender in senders:
        sender.start()
    while min(len(sender.numbers) for sender in senders) < EVENTS_EACH // 4:
        time.sleep(0.01)
    (web,) = (pid for pid, role in winnow.children().items() if role == "web")
    os.kill(web, signal.SIGKILL)
    for sender in senders:
        sender.join()
    assert sum(sender.failures for sender in senders) > 0
    for sender in senders:
        assert len(set(sender.numbers)) == len(sender.numbers) == EVENTS_EACH
        status, answer = sender.post("ack", {"acks": sender.numbers})
        assert (status, answer) == (200, {"acks": {str(number): True for number in sender.numbers}})
        status, answer = sender.post("ack", {"acks": sender.numbers})
        assert (status, set(answer["acks"].values())) == (200, {False})
    counts = json.loads(winnow.manage("drain", "--timeout", "60").splitlines()[-1])
    assert counts["events"] == counts["accepted"] >= 4 * EVENTS_EACH
    assert counts["quarantined"] == 0
