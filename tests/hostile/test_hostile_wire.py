"""Hostile connections against a running deployment: what only sockets and a second process can show."""

import gzip
import http.client
import json
import re
import socket
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.deployment import Deployment, environment_for, own_database
from triage.management import connection

# Sockets and bodies are met before any database is.
pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.once]

EVENT = "/services/collector/event"
GOOD = b'{"event":"good"}'
SUCCESS = b'{"text":"Success","code":0}'
#: The web process may not take more, whatever comes (MiB): the bodies that may arrive, and the two worked on.
CAP_MIB = 1_000


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with own_database() as database:
        directory = tmp_path_factory.mktemp("hostile")
        deployment = Deployment(environment_for(directory, database), ("--pipeline-workers", "1"))
        deployment.query("User.objects.create_user('alice').pk")
        deployment.api_token = deployment.manage("create_token", "alice").split()[-1]
        yield deployment
        deployment.close()


def web_pid(running):
    return next(pid for pid, role in running.children().items() if role == "web")


def memory_mib(running, name):
    status = Path(f"/proc/{web_pid(running)}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith(name)).split()[1]) // 1024


def connect(running):
    return socket.create_connection(("127.0.0.1", running.port), timeout=60)


def head(running, *lines, method="POST", path=EVENT, version="1.1"):
    fixed = (f"{method} {path} HTTP/{version}", "Host: localhost", f"Authorization: Splunk {running.token}")
    return "\r\n".join((*fixed, *lines, "", "")).encode("latin-1")


def good(running, *lines):
    return head(running, f"Content-Length: {len(GOOD)}", *lines) + GOOD


def exchange(running, *parts, half_close=False):
    """Send the parts and return all that comes back until the server closes."""
    with closing(connect(running)) as wire:
        try:
            for part in parts:
                wire.sendall(part)
            if half_close:
                wire.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before all of it was sent; the answer may still be there
        return received(wire)


def received(wire):
    answer = b""
    try:
        while part := wire.recv(65536):
            answer += part
    except ConnectionResetError:
        pass
    return answer


def statuses(answer):
    """Return the statuses of the replies in an answer."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


def stored(running):
    with closing(http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)) as link:
        link.request("GET", "/api/v1/stats", headers={"Authorization": f"Bearer {running.api_token}"})
        return json.loads(link.getresponse().read())["accepted"]


def is_served(running):
    answer = exchange(running, good(running, "Connection: close"))
    return statuses(answer) == [200] and answer.endswith(SUCCESS)


@pytest.fixture
def nothing_stored(running):
    before = stored(running)
    yield
    assert stored(running) == before
    assert is_served(running)
    assert running.token not in running.log.read_text()


CLOSE = "Connection: close"
CHUNKED = "Transfer-Encoding: chunked"


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize(
    ("lines", "body"),
    [
        (("Content-Length: 16", CHUNKED), b"0\r\n\r\n" + GOOD),
        ((CHUNKED, "Content-Length: 16"), b"10\r\n" + GOOD + b"\r\n0\r\n\r\n"),
        (("Content-Length: 16", "Content-Length: 5"), GOOD),
        (("Content-Length: 16, 16",), GOOD),
        (("Content-Length: +16",), GOOD),
        (("Content-Length: 0x10",), GOOD),
        (("Content-Length: -1",), GOOD),
        (("Content-Length: 99999999999999999999999",), GOOD),
        (("Transfer-Encoding: xchunked",), b"10\r\n" + GOOD + b"\r\n0\r\n\r\n"),
        (("Transfer-Encoding: chunked, identity",), b"10\r\n" + GOOD + b"\r\n0\r\n\r\n"),
        (("Transfer-Encoding : chunked",), b"10\r\n" + GOOD + b"\r\n0\r\n\r\n"),
        ((CHUNKED,), b"zz\r\n" + GOOD + b"\r\n0\r\n\r\n"),
        ((CHUNKED,), b"-10\r\n" + GOOD + b"\r\n0\r\n\r\n"),
        ((CHUNKED,), b"0x10\r\n" + GOOD + b"\r\n0\r\n\r\n"),
        ((CHUNKED,), b"ffffffffffffffffff\r\n" + GOOD),
        ((CHUNKED,), b"f\r\n" + GOOD + b"\r\n0\r\n\r\n"),
        ((CHUNKED,), b"10\n" + GOOD + b"\n0\n\n"),
        (("Content-Length: 16", "X: a\r\n\tb\x00c"), GOOD),
        (("Content-Length: 16", "X\x00Y: a"), GOOD),
        (("Content-Length: 16", "X: a\nContent-Length: 5"), GOOD),
        (("Content-Length: 16", "no colon"), GOOD),
        ((" Content-Length: 16",), GOOD),
    ],
    ids=lambda value: repr(value)[:40],
)  # fmt: skip
def test_shapes_that_two_servers_read_differently_are_refused(running, lines, body):
    answer = exchange(running, head(running, *lines, CLOSE) + body, b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
    assert statuses(answer) == [400], answer[:500]


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize(
    "start",
    [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"\x00" * 100, b"GET\r\n\r\n",
     b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"G@T / HTTP/1.1\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
     b"GET \xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n", b"SSH-2.0-x\r\n"],
    ids=repr,
)  # fmt: skip
def test_what_is_no_http(running, start):
    assert statuses(exchange(running, start)) == [400]


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize(
    "lines",
    [
        ("X: " + "a" * 200_000,),
        tuple(f"X-{number}: a" for number in range(10_000)),
        tuple(f"X: {'a' * 6_000}" for _ in range(60)),
        ("Cookie: " + "a=b;" * 30_000,),
    ],
    ids=["one long header", "10,000 headers", "360 kB of headers", "cookies"],
)
def test_a_flood_of_headers(running, lines):
    assert statuses(exchange(running, good(running, *lines))) == [431]


@pytest.mark.usefixtures("nothing_stored")
def test_floods_around_a_body(running):
    ways = [
        [head(running, CHUNKED, CLOSE), b"10\r\n" + GOOD + b"\r\n0\r\n", b"X: " + b"a" * 1_000_000],
        [head(running, CHUNKED, CLOSE), b"10\r\n" + GOOD + b"\r\n0\r\n", b"X: a\r\n" * 100_000, b"\r\n"],
        [head(running, CHUNKED, CLOSE), b"1;" + b"x" * 1_000_000 + b"\r\n"],
        [b"GET /" + b"a" * 1_000_000],
        [head(running)[:-2] + b"X: " + b"a" * 1_000_000],
    ]
    for parts in ways:
        assert statuses(exchange(running, *parts)) in ([], [400], [431])


@pytest.mark.usefixtures("nothing_stored")
def test_bodies_that_are_shorter_than_declared(running):
    assert exchange(running, head(running, "Content-Length: 100") + GOOD, half_close=True) == b""
    assert exchange(running, head(running, CHUNKED) + b"10\r\n" + GOOD + b"\r\n", half_close=True) == b""


def test_what_is_longer_than_declared_is_another_request(running):
    before = stored(running)
    answer = exchange(running, good(running) + b"rest of a body\r\n\r\n")
    assert statuses(answer) == [200, 400] or statuses(answer) == [200], answer
    assert stored(running) == before + 1


def test_a_half_closed_sender_still_gets_its_answer(running):
    before = stored(running)
    assert exchange(running, good(running), half_close=True).endswith(SUCCESS)
    assert stored(running) == before + 1


def test_pipelined_requests_are_answered_in_order(running):
    before = stored(running)
    bad = head(running, "Content-Length: 1") + b"{"
    answer = exchange(running, good(running) * 50 + bad + good(running, CLOSE))
    assert statuses(answer) == [200] * 50 + [400, 200]
    assert stored(running) == before + 51


def test_a_bad_request_behind_a_good_one_does_not_answer_for_it(running):
    before = stored(running)
    answer = exchange(running, good(running) + b"\x00\x00 not http\r\n\r\n")
    assert statuses(answer) == [200]
    assert stored(running) == before + 1


@pytest.mark.parametrize(
    ("start", "lines"),
    [
        ({"version": "1.0"}, ()),
        ({"path": "http://elsewhere.example" + EVENT}, (CLOSE,)),
        ({}, ("Expect: 100-continue", CLOSE)),
        ({}, ("X: a\r\n b", CLOSE)),
        ({}, ("Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA", "Connection: close")),
    ],
    ids=["HTTP/1.0", "absolute form", "expect", "obs-fold", "upgrade without its option"],
)
def test_old_and_odd_but_legal_requests(running, start, lines):
    answer = exchange(running, head(running, f"Content-Length: {len(GOOD)}", *lines, **start) + GOOD)
    assert statuses(answer)[-1] in (200, 400), answer
    assert answer.endswith(SUCCESS) or b"400" in answer[:16]
    assert is_served(running)


def test_a_thousand_idle_connections(running):
    before = memory_mib(running, "VmRSS")
    with ExitStack() as stack:
        for _ in range(1_000):
            stack.enter_context(closing(connect(running)))
        begun = time.monotonic()
        assert all(is_served(running) for _ in range(20))
        assert memory_mib(running, "VmRSS") - before < 100
        waiting = [stack.enter_context(closing(connect(running))) for _ in range(10)]
        for wire in waiting:
            wire.sendall(head(running)[:-20])
        for wire in waiting:  # each is ended by the server
            assert received(wire) == b""
        assert time.monotonic() - begun < connection.HEAD_SECONDS + 20
    assert is_served(running)


def test_slow_senders_do_not_hold_up_others(running):
    """Slow heads and slow bodies, with and without a token, on the intake and on a page, while 200 are served."""
    starts = [
        b"POST ", head(running)[:-30], head(running, "Content-Length: 1000") + b"{",
        head(running, CHUNKED) + b"5\r\n{",
        b"POST /login/ HTTP/1.1\r\nHost: localhost\r\nCookie: csrftoken=" + b"a" * 32
        + b"\r\nContent-Length: 1000\r\n\r\na=",
    ]  # fmt: skip
    with ExitStack() as stack:
        slow = [(stack.enter_context(closing(connect(running))), start) for start in starts * 20]
        for wire, start in slow:
            wire.sendall(start)
        for _ in range(200):
            assert is_served(running)
        page = exchange(running, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert statuses(page) == [200]
        login = b"POST /login/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 3\r\n\r\na=b"
        assert statuses(exchange(running, login)) == [403]


def flood(running, count, request):
    """Send the same request over many connections at once; return the statuses."""
    found, lock = [], threading.Lock()

    def send():
        try:
            answer = statuses(exchange(running, *request))
        except OSError as error:
            answer = [repr(error)]
        with lock:
            found.append(answer)

    senders = [threading.Thread(target=send) for _ in range(count)]
    for sender in senders:
        sender.start()
    served = [is_served(running) for _ in range(10)]
    for sender in senders:
        sender.join()
    return found, served


def test_parallel_bombs_in_bounded_memory(running):
    before = stored(running)
    bomb = gzip.compress(bytes(2**28), 9)
    request = head(running, "Content-Encoding: gzip", f"Content-Length: {len(bomb)}", CLOSE) + bomb
    found, served = flood(running, 32, [request])
    assert all(answer in ([413], [503]) for answer in found), found
    assert [413] in found
    assert all(served)
    assert stored(running) == before + len(served)
    assert memory_mib(running, "VmHWM") < CAP_MIB


def test_large_bodies_that_are_much_larger_as_values(running):
    names = b",".join(b'"%x":1' % number for number in range(4_000_000))
    ways = [b"[" + b"[]," * 15_000_000 + b"[]]", b"[" + b"1e3," * 12_000_000 + b"1]", b"{" + names + b"}"]
    for value in ways:
        body = b'{"event":' + value + b"}"
        found, served = flood(running, 4, [head(running, f"Content-Length: {len(body)}", CLOSE), body])
        assert all(answer in ([200], [413], [503]) for answer in found), found
        assert all(served)
    assert memory_mib(running, "VmHWM") < CAP_MIB


def test_a_page_gets_no_endless_body(running):
    start = f"POST /login/ HTTP/1.1\r\nHost: localhost\r\n{CHUNKED}\r\n\r\n".encode()
    answer = exchange(running, start, (b"10000\r\n" + b"a" * 65536 + b"\r\n") * 40)
    assert statuses(answer) in ([413], [])
    assert is_served(running)


def test_64_parallel_bodies_of_60_megabytes(running):
    body = b'{"event":"' + b"x" * 60_000_000 + b'","a":"'
    request = [head(running, f"Content-Length: {len(body)}", CLOSE), body]
    found, served = flood(running, 64, request)
    assert all(answer in ([400], [503], []) for answer in found), found
    assert [400] in found
    assert all(served)
    assert memory_mib(running, "VmHWM") < CAP_MIB
