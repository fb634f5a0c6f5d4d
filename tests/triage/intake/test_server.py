"""The intake behind a real server on a real socket: what only the wire can show."""

import gzip
import http.client
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import orjson
import pytest

pytestmark = [pytest.mark.process, pytest.mark.once]

ROOT = Path(__file__).resolve().parents[3]
EVENT = "/services/collector/event"
SET_UP = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from triage.models import User
User.objects.create_user("alice")
call_command("create_source", "edge")
call_command("create_token", "alice")
"""


class Server:
    """uvicorn with an embedded database of its own."""

    def __init__(self, directory):
        self.directory = directory
        self.environment = {name: value for name, value in os.environ.items() if name not in OTHER_SERVERS} | {
            "WINNOW_DATA_DIR": str(directory),
            "WINNOW_MODELS_DIR": str(directory),
            "DJANGO_SETTINGS_MODULE": "triage.settings",
            "MAX_BODY_BYTES": str(8 * 2**20),
        }
        made = self.python("-c", SET_UP).communicate()[0].split()
        self.token, self.api_token = made[-2].decode(), made[-1].decode()
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        arguments = ("--port", str(self.port), "--no-access-log", "--log-level", "warning")
        self.process = self.python("-m", "uvicorn", "triage.asgi:application", *arguments)
        self.wait()

    def python(self, *arguments):
        return subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=self.environment, stdout=subprocess.PIPE)

    def wait(self):
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
            except ConnectionRefusedError:
                assert self.process.poll() is None, "the server did not start"
                assert time.monotonic() < deadline, "the server did not start in time"
                time.sleep(0.05)
            else:
                return

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.communicate(timeout=20)

    def request(self, method, path, body=b"", chunked=False, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, path, body=body, headers=headers, encode_chunked=chunked)
            response = connection.getresponse()
            return response.status, response.read(), dict(response.headers)

    def post(self, path, body=b"", **headers):
        headers.setdefault("authorization", f"Splunk {self.token}")
        return self.request("POST", path, body, **headers)

    def accepted(self):
        headers = {"authorization": f"Bearer {self.api_token}"}
        status, body, _ = self.request("GET", "/api/v1/stats", **headers)
        assert status == 200
        return orjson.loads(body)["accepted"]

    def raw_exchange(self, text):
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as wire:
            wire.sendall(text.encode())
            answer = b""
            while part := wire.recv(65536):
                answer += part
        return answer

    def peak_mib(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) // 1024


OTHER_SERVERS = {"DATABASE_URL", "DATABASE_URL_FILE", "REDIS_URL", "REDIS_URL_FILE"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = Server(tmp_path_factory.mktemp("server"))
    yield running
    running.stop()
    assert running.process.returncode == -signal.SIGTERM  # uvicorn ends in good order, then by the signal itself


@pytest.fixture
def nothing_stored(server):
    before = server.accepted()
    yield
    assert server.accepted() == before
    assert server.post(EVENT, b'{"event":"the next request is served"}')[:2] == (200, b'{"text":"Success","code":0}')


def test_a_chunked_upload_is_stored_whole(server):
    before = server.accepted()
    chunks = iter([b'{"event":"one"}{"eve', b'nt":"two"}', b'\n{"event":"three"}'])
    status, body, _ = server.post(EVENT, chunks, chunked=True, transfer_encoding="chunked")
    assert (status, body) == (200, b'{"text":"Success","code":0}')
    assert server.accepted() == before + 3


@pytest.mark.usefixtures("nothing_stored")
def test_10_gib_are_refused_before_a_byte_of_them_is_sent(server):
    answer = server.raw_exchange(
        f"POST {EVENT} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Splunk {server.token}\r\n"
        "Content-Length: 10737418240\r\n\r\n"
    )
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 ")
    assert body == b'{"text":"Request entity too large","code":413}'


@pytest.mark.usefixtures("nothing_stored")
def test_a_page_gets_no_large_body_either(server):
    answer = server.raw_exchange("POST /login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048577\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_expect_100_is_answered_only_after_the_token(server):
    head = f"POST {EVENT} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    answer = server.raw_exchange(head + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 401 ")


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize("path", [EVENT, "/services/collector/raw", "/api/v1/ingest", "/api/v1/ingest/syslog"])
def test_a_gzip_bomb_is_refused_in_bounded_memory(server, path):
    bomb = gzip.compress(bytes(2**28), 9) * 4
    status, _, headers = server.post(path, bomb, content_encoding="gzip")
    assert (status, headers["content-type"]) == (413, "application/json")
    assert server.peak_mib() < 400


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (gzip.compress(b'{"event":"x"}' * 100)[:-9], {"content_encoding": "gzip"}, 400, 6),
        (b'{"event":"x"}', {"content_encoding": "br"}, 415, 415),
        (b'{"event":"x"}{"event":', {}, 400, 6),
        (b'{"event":"x"}', {"authorization": "Splunk wrong"}, 403, 4),
        (b'{"event":"x"}', {"authorization": "wrong"}, 401, 3),
        (b'{"event":"' + b"x" * 9 * 2**20 + b'"}', {}, 413, 413),
        (b'{"event":"' + b"x" * 9 * 2**20 + b'"}', {"authorization": "Splunk wrong"}, 403, 4),
    ],
    ids=["cut gzip", "unknown encoding", "cut json", "wrong token", "no scheme", "too large", "large and wrong"],
)
def test_bad_requests_leave_nothing(server, body, headers, status, code):
    answer = server.post(EVENT, body, **headers)
    assert (answer[0], orjson.loads(answer[1])["code"]) == (status, code)


def test_an_idempotency_key_is_stored_once_from_many_connections(server):
    before, answers = server.accepted(), []
    headers = {"idempotency_key": "one-for-all"}
    senders = [
        threading.Thread(target=lambda: answers.append(server.post("/api/v1/ingest", b'{"a":1}', **headers)[:2]))
        for _ in range(16)
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert answers == [(200, b'{"accepted":1,"rejected":0,"errors":[]}')] * 16
    assert server.accepted() == before + 1


def test_pages_and_static_files_come_from_the_same_server(server):
    assert server.request("GET", "/healthz")[:2] == (200, b'{"status": "ok"}')
    status, body, headers = server.request("GET", "/static/css/tokens.css")
    assert (status, headers["content-type"]) == (200, 'text/css; charset="utf-8"')
    assert headers["cache-control"] == "max-age=300, public"
    assert b"{" in body
    assert server.request("GET", "/static/css/../../../triage/settings.py")[0] == 404


def test_what_was_acknowledged_survives_the_death_of_the_server(tmp_path):
    server = Server(tmp_path)
    for number in range(5):
        assert server.post(EVENT, b'{"event":"%d"}' % number)[0] == 200
    server.stop(signal.SIGKILL)
    with closing(sqlite3.connect(tmp_path / "winnow.sqlite3")) as database:
        assert database.execute("SELECT sum(record_count) FROM triage_rawbatch").fetchone() == (5,)
