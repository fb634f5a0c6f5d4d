"""Every endpoint of the intake: how to send to it, and what its replies look like.

Handed: nothing. Hands on: :data:`ENDPOINTS`, each with bodies that it takes, a way to wrap any text or JSON value
into such a body, and a check of the form of its replies. What hostile tests and the fuzzer go through.
"""

import base64
import gzip
from collections.abc import Callable
from dataclasses import dataclass, field

import orjson
from google.rpc import status_pb2
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2

from tests import push_samples

AZURE = "/dataCollectionRules/dcr-0123456789abcdef/streams/Custom-Table_CL"
AT = str(push_samples.AT)
CHANNEL = "fe0ecfad-13d5-401b-847d-77833bd77131"


@dataclass(frozen=True)
class Answer:
    """A reply, however it came."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes

    @property
    def json(self):
        return orjson.loads(self.body)

    def header(self, name: bytes) -> bytes:
        return self.headers.get(name, b"")


def quoted(text: bytes) -> bytes:
    """Return a JSON string that holds the bytes as they are, but for quotes, backslashes and line ends."""
    text = text.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return b'"' + text.replace(b"\n", b"\\n").replace(b"\r", b"\\r") + b'"'


def is_json(answer: Answer) -> bool:
    return answer.header(b"content-type").startswith((b"application/json", b"application/vnd.elasticsearch+json"))


def hec_form(answer: Answer) -> None:
    assert is_json(answer), answer
    value = answer.json
    assert set(value) <= {"text", "code", "invalid-event-number", "ackId", "acks"}, value
    assert (answer.status == 200) == (value.get("code") in (0, 17) or "acks" in value), answer


def own_form(answer: Answer) -> None:
    if answer.status == 204:
        assert answer.body == b"", answer
        return
    assert is_json(answer), answer
    if answer.status == 200:
        assert list(answer.json) == ["accepted", "rejected", "errors"], answer
    else:
        assert set(answer.json) == {"error"}, answer
        assert set(answer.json["error"]) == {"code", "message"}, answer


def azure_form(answer: Answer) -> None:
    assert answer.status != 200, answer
    own_form(answer)


def firehose_form(answer: Answer) -> None:
    assert is_json(answer), answer
    assert set(answer.json) == {"requestId", "timestamp"} | ({"errorMessage"} if answer.status != 200 else set())


def elastic_form(answer: Answer) -> None:
    assert is_json(answer) or answer.body == b"", answer
    assert answer.header(b"x-elastic-product") == b"Elasticsearch", answer
    if answer.status >= 400 and answer.body and "error" in answer.json:
        error = answer.json["error"]
        assert isinstance(error, str) or {"type", "reason"} <= set(error), answer


def loki_form(answer: Answer) -> None:
    if answer.status == 204:
        assert answer.body == b"", answer
        return
    assert answer.header(b"content-type") == b"text/plain; charset=utf-8", answer
    assert 0 < len(answer.body) < 2_000, answer


def otlp_form(answer: Answer) -> None:
    kind = answer.header(b"content-type")
    if kind == b"application/x-protobuf":
        message = logs_service_pb2.ExportLogsServiceResponse() if answer.status == 200 else status_pb2.Status()
        message.ParseFromString(answer.body)
        assert answer.status == 200 or message.message, answer
    elif kind == b"application/json":
        assert set(answer.json) <= ({"partialSuccess"} if answer.status == 200 else {"code", "message"}), answer
    else:
        assert (answer.status, kind) in {(405, b"text/plain; charset=utf-8"), (415, b"text/plain; charset=utf-8")}


def no_text(text: bytes) -> bytes:
    """What the ack endpoint and the like make of any text: it stands where a number should."""
    return b'{"acks":[' + quoted(text) + b"]}"


def pushed(data: bytes) -> bytes:
    message = {"data": base64.b64encode(data).decode(), "messageId": "1", "attributes": {"a": "b"}}
    return orjson.dumps({"message": message, "subscription": "projects/p/subscriptions/s"})


def delivered(*data: bytes) -> bytes:
    records = [{"data": base64.b64encode(part).decode()} for part in data]
    return orjson.dumps({"timestamp": 1, "records": records})  # without a request id, by which repeats are known


def otlp_json_value(value: bytes) -> bytes:
    return (
        b'{"resourceLogs":[{"resource":{"attributes":[]},"scopeLogs":[{"scope":{},"logRecords":[{"timeUnixNano":"'
        + AT.encode()
        + b'","body":'
        + value
        + b"}]}]}]}"
    )


def loki_json_text(text: bytes) -> bytes:
    return b'{"streams":[{"stream":{"job":"x"},"values":[["' + AT.encode() + b'",' + quoted(text) + b"]]}]}"


def otlp_proto_text(text: bytes) -> bytes:
    """Return a request with one log whose body is any bytes, UTF-8 or not."""

    def field_of(number: int, value: bytes) -> bytes:
        length, out = len(value), b""
        while length >= 0x80:
            out += bytes([length & 0x7F | 0x80])
            length >>= 7
        return bytes([number << 3 | 2]) + out + bytes([length]) + value

    return field_of(1, field_of(2, field_of(2, field_of(5, field_of(1, text)))))


@dataclass(frozen=True)
class Endpoint:
    """One endpoint. ``text`` and ``value`` wrap any bytes as an event's text, any JSON as one of its values."""

    name: str
    path: str
    form: Callable[[Answer], None]
    bodies: tuple[bytes, ...]
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "POST"
    text: Callable[[bytes], bytes] = bytes
    value: Callable[[bytes], bytes] = bytes
    #: Statuses of a body that is taken.
    taken: tuple[int, ...] = (200,)
    with_ack: bool = False
    #: ``False``: a fixed answer, whatever the body.
    reads_body: bool = True


JSON = {"content-type": "application/json"}
NDJSON = {"content-type": "application/x-ndjson"}
PROTOBUF = {"content-type": "application/x-protobuf"}
_HEC = (b'{"event":"one","time":1426279439.5,"host":"h","fields":{"a":"b"}}{"event":{"a":1}}\n{"event":[1]}',)
_LINES = (b"<34>Oct 11 22:14:15 web01 su: 'su root' failed\nplain text\n{\"a\":1}\n",)
_OTLP = push_samples.log("hello", attributes=push_samples.pairs({"user.name": "eve"}))
_LOKI = ({"job": "x"}, [[AT, "line", {"a": "b"}], [AT, "other"]])
_LOKI_PROTO = ('{job="x"}', [(push_samples.AT, "line", {"a": "b"}), (push_samples.AT, "other", {})])


def hec_text(text: bytes) -> bytes:
    return b'{"event":' + quoted(text) + b"}"


def hec_value(value: bytes) -> bytes:
    return b'{"event":{"value":' + value + b'},"time":' + value + b',"host":' + value + b"}"


def object_value(value: bytes) -> bytes:
    return b'{"value":' + value + b"}"


def _bulk(prefix: str, action: bytes, index: str = "") -> Endpoint:
    return Endpoint(
        prefix, f"/elastic{index}/_bulk", elastic_form, (action + b'\n{"message":"one"}\n' + action + b'\n{"a":1}\n',),
        NDJSON,
        text=lambda text: action + b'\n{"message":' + quoted(text) + b"}\n",
        value=lambda value: action + b'\n{"value":' + value + b"}\n",
    )  # fmt: skip


def _document(name: str, path: str, method: str = "POST") -> Endpoint:
    return Endpoint(
        name, path, elastic_form, (b'{"message":"one"}',), JSON, method, taken=(200, 201, 409),
        text=lambda text: b'{"message":' + quoted(text) + b"}", value=object_value,
    )  # fmt: skip


def _fixed(name: str, path: str, form: Callable[[Answer], None], method: str = "GET") -> Endpoint:
    return Endpoint(name, path, form, (b"",), method=method, taken=(200, 404), reads_body=False)


ENDPOINTS: tuple[Endpoint, ...] = (
    *(
        Endpoint(f"hec {path or '/'}", f"/services/collector{path}", hec_form, _HEC, text=hec_text, value=hec_value)
        for path in ("", "/event", "/event/1.0")
    ),
    Endpoint(
        "hec with ack", f"/services/collector/event?channel={CHANNEL}", hec_form, _HEC,
        text=hec_text, value=hec_value, with_ack=True,
    ),
    *(
        Endpoint(f"hec {path}", f"/services/collector{path}?host=h", hec_form, _LINES, value=object_value)
        for path in ("/raw", "/raw/1.0")
    ),
    Endpoint(
        "hec ack", f"/services/collector/ack?channel={CHANNEL}", hec_form, (b'{"acks":[0,1,2]}',), with_ack=True,
        text=no_text, value=lambda value: b'{"acks":[' + value + b"]}",
    ),
    _fixed("hec health", "/services/collector/health", hec_form),
    _fixed("hec health 1.0", "/services/collector/health/1.0", hec_form),
    _fixed("hec nowhere", "/services/collector/nowhere", hec_form, "POST"),
    Endpoint("ingest ndjson", "/api/v1/ingest", own_form, (b'{"a":1}\n{"b":"two"}\n',), NDJSON, value=object_value,
             text=lambda text: b'{"message":' + quoted(text) + b"}\n"),
    Endpoint("ingest json", "/api/v1/ingest?source=s", own_form, (b'[{"a":1},"two",{"b":[3]}]',), JSON,
             text=lambda text: b"[" + quoted(text) + b"]", value=lambda value: b"[" + value + b"]"),
    Endpoint("ingest text", "/api/v1/ingest", own_form, _LINES, {"content-type": "text/plain"}, value=object_value),
    Endpoint("ingest untyped", "/api/v1/ingest", own_form, (b'{"a":1}{"b":2}', b"[1]"), value=object_value),
    Endpoint("syslog", "/api/v1/ingest/syslog", own_form, _LINES, value=object_value),
    _fixed("ingest nowhere", "/api/v1/ingest/nowhere", own_form, "POST"),
    Endpoint("firehose", "/api/v1/ingest/firehose", firehose_form,
             (delivered(b"one\ntwo", gzip.compress(b'{"a":1}{"b":2}', mtime=0), b'{"a":1}'),), JSON, text=delivered,
             value=lambda value: delivered(object_value(value))),
    Endpoint("pubsub", "/api/v1/ingest/pubsub", own_form, (pushed(b'{"a":1}'),), JSON, text=pushed,
             value=lambda value: b'{"message":{"messageId":"7","attributes":{"a":' + value + b'}},"subscription":"s"}',
             taken=(204,)),
    Endpoint("pubsub bare", "/api/v1/ingest/pubsub", own_form, (b"one message",), {"x-goog-pubsub-message-id": "9"},
             value=object_value, taken=(204,)),
    _bulk("bulk", b'{"create":{"_index":"logs"}}'),
    _bulk("bulk with ids", b'{"index":{"_id":"7","_type":"_doc"}}', "/logs"),
    _document("document", "/elastic/logs/_doc"),
    _document("document by id", "/elastic/logs/_doc/one", "PUT"),
    _document("document created", "/elastic/logs/_create/two", "PUT"),
    _fixed("elastic root", "/elastic", elastic_form),
    _fixed("elastic license", "/elastic/_license", elastic_form),
    _fixed("elastic template", "/elastic/_index_template/x", elastic_form, "PUT"),
    _fixed("elastic search", "/elastic/logs/_search", elastic_form),
    Endpoint("otlp json", "/v1/logs", otlp_form, (push_samples.otlp_json(_OTLP, resource={"host.name": "h"}),), JSON,
             text=lambda text: otlp_json_value(b'{"stringValue":' + quoted(text) + b"}"),
             value=lambda value: otlp_json_value(b'{"kvlistValue":{"values":[{"key":"k","value":' + value + b"}]}}")),
    Endpoint("otlp protobuf", "/v1/logs", otlp_form, (push_samples.otlp_proto(_OTLP, resource={"host.name": "h"}),),
             PROTOBUF, text=otlp_proto_text, value=otlp_proto_text),
    _fixed("otlp nowhere", "/v1/traces", otlp_form, "POST"),
    Endpoint("loki json", "/loki/api/v1/push", loki_form, (push_samples.loki_json(_LOKI),), JSON, text=loki_json_text,
             value=lambda value: b'{"streams":[{"stream":{"job":' + value + b'},"values":[["1","a",{"k":' + value
             + b"}]]}]}", taken=(204,)),
    Endpoint("loki protobuf", "/loki/api/v1/push", loki_form,
             (push_samples.snappy(push_samples.loki_proto(_LOKI_PROTO)),), PROTOBUF, taken=(204,),
             text=lambda text: push_samples.snappy(push_samples.loki_proto(('{a="b"}', [(1, text, {})]))),
             value=lambda value: push_samples.snappy(push_samples.loki_proto((value, [(1, "line", {})])))),
    _fixed("loki ready", "/ready", loki_form),
    _fixed("loki nowhere", "/loki/api/v1/query", loki_form),
    Endpoint("azure", AZURE + "?api-version=2023-01-01", azure_form, (b'[{"TimeGenerated":"2026-01-01","a":1}]',),
             JSON, taken=(204,), text=lambda text: b'[{"RawData":' + quoted(text) + b"}]",
             value=lambda value: b'[{"TimeGenerated":' + value + b',"value":' + value + b"}]"),
    _fixed("azure nowhere", "/dataCollectionRules/dcr", azure_form, "POST"),
)  # fmt: skip
READING = tuple(endpoint for endpoint in ENDPOINTS if endpoint.reads_body)
BY_NAME = {endpoint.name: endpoint for endpoint in ENDPOINTS}
