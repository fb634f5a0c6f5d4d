"""What cloud, identity and container formats need beside a golden pair: order, nesting, caps, and each other."""

from typing import Any

import orjson
import pytest

from triage import parsers, receivers
from triage.contracts import ParsedEvent, Record

RECEIVED_AT = 1_767_225_600.0
AUDIT: dict[str, Any] = {
    "kind": "Event",
    "apiVersion": "audit.k8s.io/v1",
    "auditID": "a-1",
    "stage": "ResponseComplete",
    "requestURI": "/api/v1/secrets",
    "verb": "list",
    "requestReceivedTimestamp": "2025-12-27T11:02:49Z",
}
TRAIL: dict[str, Any] = {
    "eventVersion": "1.08",
    "eventTime": "2025-12-27T11:02:49Z",
    "eventSource": "s3.amazonaws.com",
    "eventName": "GetObject",
    "sourceIPAddress": "203.0.113.9",
    "userIdentity": {"type": "IAMUser", "userName": "alice"},
}


def parse(*contents: str | dict[str, Any]) -> list[ParsedEvent]:
    return parsers.parse([Record(content) for content in contents], RECEIVED_AT)


@pytest.mark.parametrize(
    ("body", "parser", "count"),
    [
        ({"Records": [TRAIL, TRAIL]}, "cloudtrail", 2),
        (
            {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": [AUDIT] * 3},
            "kubernetes_audit",
            3,
        ),
        (
            {"records": [{"time": "2025-12-27T11:02:49Z", "resourceId": "/x", "operationName": "o", "category": "c"}]},
            "azure",
            1,
        ),
    ],
)
def test_a_delivery_of_many_is_one_event_each(body: dict[str, Any], parser: str, count: int) -> None:
    records = receivers.get("json").records(orjson.dumps(body), {})
    events = parsers.parse(records, RECEIVED_AT)
    assert [event.parser for event in events] == [parser] * count


def test_what_a_caller_sends_cannot_crowd_out_who_called() -> None:
    flood = {f"k{number}": "v" for number in range(5000)}
    content = {
        "requestObject": flood,
        "responseObject": flood,
        **AUDIT,
        "user": {"username": "mallory"},
        "sourceIPs": ["203.0.113.9"],
        "responseStatus": {"code": 403},
    }
    (event,) = parse(content)
    assert event.parser == "kubernetes_audit"
    assert event.fields["user.name"] == "mallory"
    assert event.fields["source.ip"] == "203.0.113.9"
    assert event.fields["event.outcome"] == "failure"
    assert len(event.fields) <= 256


def test_a_cluster_s_audit_event_inside_an_azure_record_is_read_as_what_it_is() -> None:
    line = orjson.dumps({**AUDIT, "user": {"username": "alice"}}).decode()
    content = {
        "category": "kube-audit",
        "operationName": "Microsoft.ContainerService/managedClusters/diagnosticLogs/Read",
        "resourceId": "/subscriptions/s",
        "time": "2025-12-27T11:02:50Z",
        "properties": {"log": line, "stream": "stdout"},
    }
    (event,) = parse(content)
    assert event.parser in ("azure", "kubernetes_audit")
    assert (event.fields["event.action"], event.fields["user.name"]) == ("list", "alice")
    assert event.fields["cloud.provider"] == "azure"
    (broken,) = parse({**content, "properties": {"log": "{cut"}})
    assert broken.parser == "azure"
    assert broken.fields["azure.properties.log"] == "{cut"


def test_lines_of_a_log_subscription_are_read_as_what_they_are() -> None:
    body = {
        "messageType": "DATA_MESSAGE",
        "owner": "111122223333",
        "logGroup": "vpc-flows",
        "logStream": "eni-1",
        "subscriptionFilters": ["all"],
        "logEvents": [
            {
                "id": "3",
                "timestamp": 1766833300000,
                "message": "2 111122223333 eni-1 10.0.0.5 203.0.113.9 40000 443 6 2 42 1766833369 1766833399 ACCEPT OK",
            },
            {"id": "4", "timestamp": 1766833300000, "message": orjson.dumps(TRAIL).decode()},
            {"id": "5", "timestamp": 1766833300000, "message": "plain words"},
        ],
    }
    records = receivers.get("hec_event").records(orjson.dumps({"event": body}), {})
    flow, trail, plain = parsers.parse(records, RECEIVED_AT)
    assert (flow.parser, trail.parser) == ("aws_lines", "cloudtrail")
    assert (flow.timestamp, trail.timestamp, plain.timestamp) == (1766833369.0, 1766833369.0, 1766833300.0)
    assert plain.message == "plain words"
    for event in (flow, trail, plain):
        assert event.fields["aws.cloudwatch.log_group"] == "vpc-flows"
        assert event.fields["aws.cloudwatch.log_stream"] == "eni-1"
    assert plain.fields["cloud.account.id"] == "111122223333"


HEADER = "version vpc-id account-id srcaddr dstaddr action flow-direction srcport dstport protocol start log-status"
FLOW = "5 vpc-1 111122223333 203.0.113.9 10.0.0.5 REJECT ingress 50000 22 6 1766833369 OK"


def test_a_flow_log_s_header_names_the_columns_after_it() -> None:
    header, flow = parse(HEADER, FLOW)
    assert (header.parser, flow.parser) == ("aws_lines", "aws_lines")
    assert flow.fields["source.ip"] == "203.0.113.9"
    assert flow.fields["destination.ip"] == "10.0.0.5"
    assert flow.fields["destination.port"] == 22
    assert flow.fields["event.outcome"] == "failure"
    assert flow.fields["network.direction"] == "ingress"
    assert flow.timestamp == 1766833369.0


def test_a_header_does_not_outlive_its_batch_nor_claim_other_lines() -> None:
    (alone,) = parse(FLOW)
    assert alone.parser != "aws_lines"
    _, other = parse(HEADER, "5 words that are no flow at all but are as many as twelve")
    assert other.parser != "aws_lines"


@pytest.mark.parametrize("key", ["message", "Message", "raw"])
def test_a_known_record_as_text_is_found_whatever_is_beside_it(key: str) -> None:
    content = {key: orjson.dumps(TRAIL).decode(), "aws.firehose.arn": "arn:x", "custom": {"n": 1}}
    (event,) = parse(content)
    assert event.parser == "cloudtrail"
    assert event.fields["user.name"] == "alice"
    assert event.fields["aws.firehose.arn"] == "arn:x"
    assert event.fields["custom.n"] == 1


def test_an_unknown_document_as_text_is_no_reason_to_unwrap() -> None:
    inner = '{"colour": "green", "number": 7, "another": "word"}'
    (event,) = parse({"message": inner, "custom": 1})
    assert event.parser == "ecs_json"
    assert event.message == inner
    assert event.fields == {"custom": 1}


@pytest.mark.parametrize("key", ["json", "detail", "data", "payload", "_source"])
def test_a_known_record_inside_a_wrapping_is_found(key: str) -> None:
    (event,) = parse({key: TRAIL, "@timestamp": "2025-12-28T00:00:00Z", "tags": ["a"]})
    assert event.parser == "cloudtrail"
    assert event.timestamp == 1766833369.0
    assert event.fields["tags"] == ["a"]


def test_an_object_beside_facts_of_its_own_is_not_unwrapped() -> None:
    (event,) = parse({"json": TRAIL, "user": "alice"})
    assert event.parser == "ecs_json"
    assert event.fields["user.name"] == "alice"
    assert event.fields["event.action"] == "GetObject"
    assert "event.module" not in event.fields


@pytest.mark.parametrize(
    ("content", "parser"),
    [
        ({"class_uid": "many", "metadata": {}}, "ecs_json"),
        ({"logName": "x", "message": "y", "other": 1}, "ecs_json"),
        ({"operationName": "x", "category": "y", "other": 1}, "ecs_json"),
        ({"eventType": "x", "published": "now", "other": 1}, "ecs_json"),
        ({"kind": "Event", "apiVersion": "v1", "metadata": {}, "reason": "Pulled"}, "ecs_json"),
        ({"Operation": "x", "other": 1}, "ecs_json"),
        ({"rule": "x", "priority": 1, "other": 1}, "ecs_json"),
        ({"rule": {"level": 1}, "other": 1}, "ecs_json"),
        ({"type": "request", "request": {"path": "/"}, "other": 1}, "ecs_json"),
        ({"event": "user.login", "code": "X1", "time": 1, "uid": 2}, "ecs_json"),
        ({"action": "a.b", "actor": "x", "other": 1}, "ecs_json"),
        ({"kind": "admin#reports#activity", "other": 1}, "ecs_json"),
        ({"schemaVersion": "2", "resource": {}, "service": {}, "type": "no colon"}, "ecs_json"),
    ],
)
def test_a_document_that_only_resembles_a_vendor_s_is_not_claimed(content: dict[str, Any], parser: str) -> None:
    (event,) = parse(content)
    assert event.parser == parser
