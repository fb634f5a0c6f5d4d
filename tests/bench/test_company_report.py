"""The simulator's way to Winnow and back: exact delivery under pressure, exact counts in the report."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from bench.company.answer_key import look_up, report_lines, write_key
from bench.company.cli import main
from bench.company.client import BATCH, ClientError, Connection, Feeder, Reader, retry_after
from bench.company.message import HEC, NDJSON, Message
from bench.company.stories.base import Story
from bench.company.stream import Stream

Reply = tuple[int, dict[str, str], bytes]
READY = {"ready": True, "checks": {"champion": {"ok": True, "state": "serving", "version": 1}}}


@dataclass
class FakeWinnow:
    """A loopback server: keeps what it accepts, answers the read API from lists."""

    url: str = ""
    accepted: list[Any] = field(default_factory=list)
    authorizations: set[str] = field(default_factory=set)
    refusals: list[Reply] = field(default_factory=list)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    flagged: list[dict[str, Any]] = field(default_factory=list)
    readiness: list[Any] = field(default_factory=list)
    page: int = 2
    paths: list[str] = field(default_factory=list)
    reached: threading.Event = field(default_factory=threading.Event)

    def post(self, path: str, authorization: str, body: bytes) -> Reply:
        self.reached.set()
        if self.refusals:
            return self.refusals.pop(0)
        self.authorizations.add(authorization)
        lines = body.decode().split("\n")
        self.accepted += [(path, json.loads(line)) for line in lines]
        return 200, {}, b'{"text":"Success","code":0}'

    def get(self, target: str) -> Reply:
        self.paths.append(target)
        path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
        if path == "/readyz":
            return 200, {}, json.dumps(self.readiness.pop(0) if self.readiness else READY).encode()
        if path == "/api/v1/stats":
            return 200, {}, b'{"pending": 0}'
        if path == "/api/v1/alerts":
            return self._page("alerts", self.alerts, int(query.get("cursor", ["0"])[0]))
        if path == "/api/v1/events":
            return self._page("events", self.flagged, int(query.get("before", ["0"])[0]))
        number = int(path.rsplit("/", 1)[1])
        return 200, {}, json.dumps(next(alert for alert in self.alerts if alert["id"] == number)).encode()

    def _page(self, name: str, rows: list[dict[str, Any]], start: int) -> Reply:
        shown = rows[start : start + self.page]
        following = start + self.page if start + self.page < len(rows) else None
        return 200, {}, json.dumps({name: shown, "next": following}).encode()


def handler(fake: FakeWinnow) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(fake.post(self.path, self.headers["Authorization"], body))

        def do_GET(self) -> None:
            self.answer(fake.get(self.path))

        def answer(self, reply: Reply) -> None:
            status, headers, body = reply
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


@pytest.fixture
def fake() -> Iterator[FakeWinnow]:
    winnow = FakeWinnow()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(winnow))
    server.daemon_threads = True
    winnow.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield winnow
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def connect(fake: FakeWinnow) -> Iterator[Callable[..., Connection]]:
    opened: list[Connection] = []

    def connection(**options: Any) -> Connection:
        opened.append(Connection(fake.url, **options))
        return opened[-1]

    yield connection
    for one in opened:
        one.close()


def messages(count: int) -> list[Message]:
    routes = (HEC, NDJSON)
    return [Message(float(n), "h", "sample-x", "t", {"n": n}, routes[n % 2]) for n in range(count)]


def numbers(fake: FakeWinnow) -> list[int]:
    return sorted(record["event"]["n"] if "event" in record else record["n"] for _, record in fake.accepted)


def test_every_record_arrives_once_by_its_own_route(fake: FakeWinnow, connect: Callable[..., Connection]) -> None:
    feeder = Feeder(connect(), "secret")
    feeder.send(messages(3 * BATCH))
    assert numbers(fake) == list(range(3 * BATCH))
    assert feeder.sent == 3 * BATCH
    assert fake.authorizations == {"Splunk secret", "Bearer secret"}
    hec = [record for path, record in fake.accepted if path == "/services/collector/event"]
    ndjson = [record for path, record in fake.accepted if path == "/api/v1/ingest"]
    assert len(hec) == len(ndjson) == 3 * BATCH // 2
    assert hec[0] == {"time": 0.0, "host": "h", "source": "sample-x", "sourcetype": "t", "event": {"n": 0}}


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_answer_is_waited_out_and_sent_again_once(
    fake: FakeWinnow, connect: Callable[..., Connection], status: int
) -> None:
    slept: list[float] = []
    fake.refusals = [(status, {"Retry-After": "3"}, b""), (status, {}, b"")]
    feeder = Feeder(connect(sleep=slept.append), "secret")
    feeder.send(messages(50))
    assert slept == [3.0, 1.0]
    assert numbers(fake) == list(range(50))
    assert feeder.sent == 50


def test_a_refusal_ends_the_feed_and_counts_nothing(fake: FakeWinnow, connect: Callable[..., Connection]) -> None:
    fake.refusals = [(403, {}, b'{"text":"Invalid token","code":4}')]
    feeder = Feeder(connect(), "wrong")
    with pytest.raises(ClientError, match=r"answered 403: .*Invalid token"):
        feeder.send(messages(2))
    assert feeder.sent == 0
    assert fake.accepted == []


def test_waiting_stays_within_bounds() -> None:
    assert [retry_after(header) for header in ("2", None, "x", "-5", "9999")] == [2.0, 1.0, 1.0, 0.0, 30.0]


def story(number: int) -> Story:
    text = f"<38>Mar  1 10:00:00 h sshd[1]: from 192.0.2.{number} port 22"
    message = Message(1.0, "h", "sample-linux", "syslog", text)
    return Story(f"kind{number}", f"Title {number}", "T1110", (f"192.0.2.{number}",), (message,))


def alert(number: int, **more: Any) -> dict[str, Any]:
    seen = "1970-01-01T00:01:40Z"
    shown = {"id": number, "title": "unusual", "entity": "host:h", "first_seen_at": seen, "last_seen_at": seen}
    return shown | {"events": [], "event_count": len(more.get("events", ()))} | more


def event(number: int, message: str, **more: Any) -> dict[str, Any]:
    return {"id": number, "message": message, "entity": "host:h", "timestamp": "1970-01-01T00:01:40Z"} | more


def test_stories_are_counted_exactly(fake: FakeWinnow, connect: Callable[..., Connection]) -> None:
    fake.flagged = [
        event(11, "from 192.0.2.1 port 22"),
        event(12, "-", fields={"source.ip": "192.0.2.2"}),
        event(13, "from 192.0.2.44 port 22"),
        event(14, "from 192.0.2.5 port 22"),
    ]
    fake.alerts = [
        alert(1, events=[{"id": 11, "message": None}]),  # by the id of a flagged event
        alert(2, source_ip="192.0.2.2"),  # by its own field
        alert(3, events=[{"id": 99, "message": "port 22 from 192.0.2.3"}]),  # by its event's text
        alert(4, explanation={"answer": "like 192.0.2.4"}, history=[{"note": "192.0.2.4"}]),  # only hearsay
        alert(5, events=[{"id": 13, "message": "from 192.0.2.44 port 22"}]),  # another address
    ]
    report = look_up(Reader(connect(), "api"), [story(n) for n in range(1, 6)], since=100.0)
    assert [found.story.kind for found in report.surfaced] == ["kind1", "kind2", "kind3"]
    assert [found.story.kind for found in report.missed] == ["kind4", "kind5"]
    assert [sorted(found.events) for found in report.findings] == [[11], [12], [], [], [14]]
    assert (report.matched_alerts, report.open_alerts) == (3, 5)
    lines = report_lines(report)
    assert lines[0] == "3 of 5 hidden intrusions surfaced in the queue"
    assert lines[-2] == "missed: Title 4, Title 5"
    assert lines[-1] == "3 of 5 open alerts of this run belong to one of them"
    assert "/api/v1/events?flagged=1&limit=500&since=99.000" in fake.paths
    assert "/api/v1/alerts?status=open&limit=200" in fake.paths


def test_an_alert_that_shows_only_some_events_is_matched_by_entity_and_time(
    fake: FakeWinnow, connect: Callable[..., Connection]
) -> None:
    fake.flagged = [event(11, "from 192.0.2.1 port 22"), event(12, "from 192.0.2.2 port 22", entity="user:u")]
    fake.flagged += [event(13, "from 192.0.2.3 port 22", timestamp="1970-01-01T00:05:00Z")]
    fake.alerts = [alert(1, event_count=12, events=[{"id": 90, "message": "other"}])]
    report = look_up(Reader(connect(), "api"), [story(n) for n in (1, 2, 3)], since=100.0)
    assert [sorted(found.alerts) for found in report.findings] == [[1], [], []]


def test_an_alert_of_an_earlier_run_does_not_count(fake: FakeWinnow, connect: Callable[..., Connection]) -> None:
    fake.alerts = [
        alert(1, source_ip="192.0.2.1", last_seen_at="1970-01-01T00:01:38.999000Z"),
        alert(2, source_ip="192.0.2.2", last_seen_at="1970-01-01T00:01:39Z"),
    ]
    report = look_up(Reader(connect(), "api"), [story(1), story(2)], since=100.0)
    assert [sorted(found.alerts) for found in report.findings] == [[], [2]]
    assert (report.matched_alerts, report.open_alerts) == (1, 1)


def test_an_empty_queue_surfaces_nothing(connect: Callable[..., Connection]) -> None:
    report = look_up(Reader(connect(), "api"), [story(1)], since=0.0)
    assert report.surfaced == []
    assert report_lines(report)[0] == "0 of 1 hidden intrusions surfaced in the queue"


@pytest.mark.parametrize(
    ("document", "learning"),
    [
        (READY, False),
        ({"checks": {"champion": {"ok": True, "state": "learning", "version": None}}}, True),
        ({"checks": {"champion": "learning, 3,214 of 5,000 events"}}, True),
        ({"checks": [{"name": "champion", "value": "learning"}]}, True),
        ({"checks": [{"name": "champion", "value": "version 3"}]}, False),
    ],
)
def test_readiness_is_read_in_any_of_its_shapes(
    fake: FakeWinnow, connect: Callable[..., Connection], document: Any, learning: bool
) -> None:
    fake.readiness = [document]
    assert Reader(connect(), "api").learning() is learning


def test_the_key_holds_the_stories_and_is_private(tmp_path: Path) -> None:
    stories = Stream(7).afternoon(start=1_790_000_000.0, seconds=65, per_second=1).stories
    path = tmp_path / "deep" / "key.json"
    write_key(path, seed=7, stories=stories)
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["seed"] == 7
    assert [entry["kind"] for entry in document["stories"]] == [story.kind for story in stories]
    assert [len(entry["events"]) for entry in document["stories"]] == [len(story.messages) for story in stories]
    assert all(any(event["decisive"] for event in entry["events"]) for entry in document["stories"])
    assert path.stat().st_mode & 0o077 == 0


def test_a_whole_run_sends_what_it_says_and_keeps_the_key_to_itself(
    fake: FakeWinnow, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    key = tmp_path / "key.json"
    options = ["--url", fake.url, "--token", "T", "--api-token", "A", "--key", str(key), "--once"]
    status = main([*options, "--history", "500", "--rate", "0", "--duration", "60"])
    printed = capsys.readouterr().out.splitlines()
    assert status == 0
    assert all(line.startswith("sample feed: ") for line in printed)
    assert "sample feed: 0 of 12 hidden intrusions surfaced in the queue" in printed
    hidden = sum(len(entry["events"]) for entry in json.loads(key.read_text(encoding="utf-8"))["stories"])
    assert len(fake.accepted) == 500 + 60 * 12 + hidden
    assert "key.json" not in json.dumps(fake.accepted)


def test_an_unknown_address_is_refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert main(["--url", "ftp://127.0.0.1", "--token", "T", "--api-token", "A"]) == 1
    assert capsys.readouterr().out == "sample feed: stopped: not an http address: ftp://127.0.0.1\n"


@pytest.mark.process
def test_sigterm_ends_a_waiting_feed(fake: FakeWinnow) -> None:
    command = [sys.executable, "-m", "bench.company", "--url", fake.url, "--token", "T", "--api-token", "A"]
    root = Path(__file__).resolve().parents[2]
    fake.readiness = [{"checks": {"champion": "learning"}}] * 100_000
    with subprocess.Popen(
        [*command, "--history", "10"], cwd=root, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": ""}
    ) as process:
        assert fake.reached.wait(30)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    assert all(line.startswith("sample feed: ") for line in output.splitlines())
