"""The load under which faults happen: numbered records; what is sent again is sent under new numbers."""

import datetime as dt
import http.client
import itertools
import json
import re
import threading
import time

from tests.deployment import Deployment

BATCH = 50
#: Every so many records one is nothing like the others.
ODD_EVERY = 100
BEGIN = dt.datetime(2026, 11, 21, 2, tzinfo=dt.UTC)
PORTS = 60_000
NUMBER = re.compile(r" from \d+\.(\d+)\.\d+\.\d+ port (\d+) ")


def moment(number: int) -> str:
    """Return when it happened: ten records a second, so that their rate is never what is unusual."""
    return (BEGIN + dt.timedelta(seconds=number // 10)).strftime("%b %d %H:%M:%S")


def usual(number: int) -> str:
    """Return the line of a record; the second part of its address and its port are its number."""
    who, whence, port = f"user{number % 7}", f"10.{number // PORTS}.0.{number % 20}", number % PORTS + 1
    return f"{moment(number)} srv-{number % 5} sshd[400]: Accepted publickey for {who} from {whence} port {port} ssh2"


def odd(number: int) -> str:
    """Return a line that should be flagged."""
    who, whence, port = f"xX-oracle{number}-Xx", f"203.{number // PORTS}.113.{number % 250}", number % PORTS + 1
    return f"{moment(number)} srv-1 sshd[999]: Failed password for invalid user {who} from {whence} port {port} ssh2"


def number_of(text: str) -> int | None:
    """Return the number of a stored record, None for what is none of ours.

    >>> number_of(usual(123_456)), number_of(odd(7)), number_of("hello")
    (123456, 7, None)
    """
    match = NUMBER.search(text)
    return int(match[1]) * PORTS + int(match[2]) - 1 if match else None


class Load(threading.Thread):
    """Sends batches at a steady pace; what is not acknowledged is sent again as other records.

    ``acknowledged`` are the numbers that have to be stored exactly once, ``doubtful`` those of requests that got no
    answer: they may be stored, once. Other numbers must not be there.
    """

    numbers = itertools.count(1)

    def __init__(self, winnow: Deployment, *, pause: float = 0.05, odd_every: int = ODD_EVERY) -> None:
        super().__init__(daemon=True)
        self.winnow, self.pause, self.odd_every = winnow, pause, odd_every
        self.acknowledged: set[int] = set()
        self.doubtful: set[int] = set()
        self.refused = 0
        self._over = threading.Event()

    def run(self) -> None:
        """Send until told to end."""
        while not self._over.is_set():
            self.send()
            time.sleep(self.pause)

    def end(self) -> None:
        """Let the request under way end, and no other begin."""
        self._over.set()
        self.join(60)

    def send_now(self, batches: int) -> None:
        """Send some batches that have to be accepted."""
        for _ in range(batches):
            assert self.send(), "not accepted"

    def send(self) -> bool:
        """Send one batch; return whether it was accepted."""
        before = len(self.acknowledged)
        self._send()
        return len(self.acknowledged) == before + BATCH

    def _send(self) -> None:
        numbers = [next(self.numbers) for _ in range(BATCH)]
        lines = [odd(n) if self.odd_every and n % self.odd_every == 0 else usual(n) for n in numbers]
        body = "\n".join(json.dumps({"event": line}) for line in lines)
        link = http.client.HTTPConnection("127.0.0.1", self.winnow.port, timeout=15)
        try:
            link.request("POST", "/services/collector/event", body, {"Authorization": f"Splunk {self.winnow.token}"})
            status = link.getresponse().status
        except (OSError, http.client.HTTPException):
            self.doubtful.update(numbers)
            return
        finally:
            link.close()
        if status == 200:
            self.acknowledged.update(numbers)
        else:
            self.refused += BATCH
