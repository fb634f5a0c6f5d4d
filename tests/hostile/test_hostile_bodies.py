"""Bodies made to break the intake: each gets the protocol's own answer, and nothing of it is left half."""

import base64
import gzip

import pytest

from tests.hostile import bodies
from tests.hostile.conftest import LIMIT
from tests.hostile.endpoints import BY_NAME, ENDPOINTS, READING
from tests.hostile.harness import Sending
from triage.intake import routes

pytestmark = [pytest.mark.slow, pytest.mark.second]
MEDIA_TYPES = (
    "application/json", "application/x-protobuf", "application/x-www-form-urlencoded", "text/html", "a" * 5_000,
    "multipart/form-data; boundary=x", "\xff\xfe", "application/json; charset=utf-16",
    "application/json,text/plain",
)  # fmt: skip
EACH = pytest.mark.parametrize("endpoint", READING, ids=lambda endpoint: endpoint.name)


def is_served(harness, endpoint):
    """The next good request is served and becomes events."""
    answer = harness.send(endpoint, endpoint.bodies[0])
    assert answer.status in endpoint.taken
    assert harness.drain() >= (0 if endpoint.name == "hec ack" else 1)


def test_every_path_of_the_intake_is_attacked():
    covered = {endpoint.path.partition("?")[0] for endpoint in ENDPOINTS}
    assert set(routes.PATHS) <= covered
    assert all(any(path.startswith(prefix) for path in covered - set(routes.PATHS)) for prefix in routes.PREFIXES)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_a_good_request_is_served(harness, endpoint):
    for body in endpoint.bodies:
        assert harness.send(endpoint, body).status in endpoint.taken
    harness.drain()


@EACH
def test_hostile_bodies(harness, endpoint):
    for name, body in bodies.cases(endpoint):
        harness.send(endpoint, body, name)
    harness.drain()
    is_served(harness, endpoint)


@EACH
def test_hostile_bodies_sent_together(harness, endpoint):
    """Small bodies are stored joined: each must mean the same as alone."""
    cases = bodies.cases(endpoint) + bodies.cuts(endpoint)
    sendings = [Sending(endpoint, body, {}, name) for name, body in cases]
    for start in range(0, len(sendings), 100):
        harness.send_all(sendings[start : start + 100])
    harness.drain()
    is_served(harness, endpoint)


@EACH
def test_bombs_are_refused(harness, endpoint):
    for name, body, encoding in bodies.bombs(LIMIT):
        answer = harness.send(endpoint, body, name, content_encoding=encoding)
        if (endpoint.name, encoding) == ("loki protobuf", "snappy"):
            assert answer.status in (400, 413), (name, answer)  # it is read as the protocol's own block
        else:
            assert answer.status == 413, (name, answer)
    assert harness.stored() == 0
    is_served(harness, endpoint)


@pytest.mark.parametrize(("endpoint", "name", "body"), bodies.nested_bombs(LIMIT))
def test_bombs_inside_a_format_are_refused(harness, endpoint, name, body):
    assert harness.send(BY_NAME[endpoint], body, name).status == 413
    packed = gzip.compress(body, mtime=0)
    assert harness.send(BY_NAME[endpoint], packed, name, content_encoding="gzip").status == 413
    assert harness.stored() == 0
    is_served(harness, BY_NAME[endpoint])


@EACH
def test_damaged_and_unknown_encodings_are_refused(harness, endpoint):
    for name, body, encoding in bodies.damaged():
        answer = harness.send(endpoint, body, name, content_encoding=encoding)
        is_block = endpoint.name == "loki protobuf" and "snappy" in encoding
        is_nothing = endpoint.name == "otlp protobuf" and not body  # which is a request without logs
        assert 400 <= answer.status < 500 or is_block or is_nothing, (name, answer)
    assert harness.stored() == 0
    is_served(harness, endpoint)


@EACH
def test_a_wrong_content_type(harness, endpoint):
    for content_type in MEDIA_TYPES:
        for number, body in enumerate((*endpoint.bodies, b"", b"{}", b"\xff\x00")):
            harness.send(endpoint, body, str(number), content_type=content_type)
    harness.drain()


@EACH
def test_odd_headers(harness, endpoint):
    odd = {
        "idempotency-key": "\x01\xff" * 3_000, "x-splunk-request-channel": "\xe9" * 500, "accept": "*" * 9_000,
        "x-amz-firehose-request-id": "\xff\x00" * 300, "x-amz-firehose-common-attributes": '{"commonAttributes":' * 900,
        "x-goog-pubsub-subscription-name": "\xff" * 3_000, "content-length": "9" * 30, "traceparent": "\x00",
    }  # fmt: skip
    for name, value in odd.items():
        harness.send(endpoint, endpoint.bodies[0], name, **{name: value})
    harness.drain()


def credentials(token):
    basic = base64.b64encode(f"x:{token}".encode()).decode()
    return [
        {"authorization": token},
        {"authorization": f"Splunk{token}"},
        {"authorization": f"Digest {token}"},
        {"authorization": f"Basic {basic[:-3]}"},
        {"authorization": f"Splunk {token}x"},
        {"authorization": f"Bearer {token} {token}"},
        {"authorization": f"ApiKey {token[:-1]}"},
        {"authorization": "", "x-api-key": f"{token}\xff"},
        {"authorization": "", "x-amz-firehose-access-key": token + "\x00"},
        {"authorization": "Splunk " + token * 2_000},
    ]


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_a_token_is_never_echoed_or_logged(harness, endpoint, caplog):
    caplog.set_level("DEBUG")
    token = harness.ack_token if endpoint.with_ack else harness.token
    for headers in credentials(token):
        answer = harness.send(endpoint, b"\xff{" + token.encode(), **headers)
        assert answer.status in (400, 401, 403, 404) or not endpoint.reads_body
    assert harness.stored() == 0
    broken = (b"{", b'{"event":', b"\xff", b"[" * 2_000)
    for body in broken:
        harness.send(endpoint, body)
    harness.drain()
    assert token not in caplog.text
