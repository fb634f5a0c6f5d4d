"""Bodies that OpenTelemetry exporters and Loki agents send, built with the official messages."""

import cramjam
import orjson
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2

from triage.receivers.loki_proto import MESSAGES

AT = 1_700_000_000_123_456_789


def text(value):
    return {"stringValue": value}


def pairs(values):
    return [{"key": key, "value": value if isinstance(value, dict) else text(value)} for key, value in values.items()]


def log(body="hello", **members):
    value = {"timeUnixNano": str(AT), "severityNumber": 9, "severityText": "INFO", **members}
    return value if body is None else {**value, "body": text(body) if isinstance(body, str) else body}


def request(*logs, resource=None, scope=None):
    scope_logs = {"scope": scope or {"name": "app"}, "logRecords": list(logs)}
    return {"resourceLogs": [{"resource": {"attributes": pairs(resource or {})}, "scopeLogs": [scope_logs]}]}


def otlp_json(*logs, **parts):
    return orjson.dumps(request(*logs, **parts))


def otlp_message(*logs, **parts):
    """Return the same request as a message; ``traceId`` and ``spanId`` are base64 here, as protobuf's JSON has it."""
    return json_format.ParseDict(request(*logs, **parts), logs_service_pb2.ExportLogsServiceRequest())


def otlp_proto(*logs, **parts):
    return otlp_message(*logs, **parts).SerializeToString()


def loki_json(*streams):
    """``streams`` are ``(labels, values)``."""
    return orjson.dumps({"streams": [{"stream": labels, "values": values} for labels, values in streams]})


def loki_proto(*streams):
    """``streams`` are ``(labels as text, [(nanoseconds, line, metadata)])``; not yet compressed."""
    push = MESSAGES["PushRequest"]()
    for labels, entries in streams:
        stream = push.streams.add(labels=labels if isinstance(labels, bytes) else labels.encode())
        for nanoseconds, line, metadata in entries:
            entry = stream.entries.add(line=line if isinstance(line, bytes) else line.encode())
            entry.timestamp.seconds, entry.timestamp.nanos = divmod(nanoseconds, 10**9)
            for name, value in metadata.items():
                entry.structured_metadata.add(name=name.encode(), value=value.encode())
    return push.SerializeToString()


def snappy(body):
    return bytes(cramjam.snappy.compress_raw(body))
