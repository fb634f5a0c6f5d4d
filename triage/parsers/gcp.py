"""Google Cloud log entries: audit, VPC flow, firewall, DNS and load balancer logs, and any other entry.

Handed: a ``LogEntry``, as a sink or the API delivers it. Hands on: principal, caller, method, resource and status in
ECS terms; the rest under ``gcp.``. Formats: Cloud Logging reference, "LogEntry" and "AuditLog"; VPC documentation,
"VPC Flow Logs record format", "Firewall Rules Logging".
"""

from typing import Any

from triage.contracts import Fields
from triage.parsers.layouts import DocumentParser, Layout, Rows, summarise
from triage.parsers.web_access import read_target

_LEVELS = {
    "DEFAULT": "",
    "DEBUG": "debug",
    "INFO": "info",
    "NOTICE": "notice",
    "WARNING": "warning",
    "ERROR": "error",
    "CRITICAL": "critical",
    "ALERT": "critical",
    "EMERGENCY": "critical",
}
_TRANSPORTS = {"1": "icmp", "6": "tcp", "17": "udp", "47": "gre", "50": "esp", "58": "ipv6-icmp", "132": "sctp"}
_P, _J, _H, _L = "protoPayload.", "jsonPayload.", "httpRequest.", "resource.labels."

_ROWS: Rows = (
    ("event.action", (_P + "methodName",)),
    ("event.provider", (_P + "serviceName",)),
    ("event.id", ("insertId",)),
    (
        "user.name",
        (
            _P + "authenticationInfo.principalEmail",
            _P + "authenticationInfo.principalSubject",
            _P + "metadata.event.parameter.user",
        ),
    ),
    ("user.id", (_P + "authenticationInfo.serviceAccountKeyName",)),
    (
        "source.ip",
        (
            _P + "requestMetadata.callerIp",
            _J + "connection.src_ip",
            _H + "remoteIp",
            _J + "sourceIP",
            _J + "remoteIp",
        ),
    ),
    ("source.port", (_J + "connection.src_port",)),
    ("destination.ip", (_J + "connection.dest_ip", _H + "serverIp")),
    ("destination.port", (_J + "connection.dest_port",)),
    ("user_agent.original", (_P + "requestMetadata.callerSuppliedUserAgent", _H + "userAgent")),
    ("host.name", (_J + "instance.vm_name", "labels.compute.googleapis.com/resource_name", _J + "vmInstanceName")),
    ("error.code", (_P + "status.code",)),
    ("error.message", (_P + "status.message",)),
    ("cloud.project.id", (_L + "project_id", _J + "src_instance.project_id", _J + "instance.project_id")),
    ("cloud.region", (_L + "region", _J + "instance.region")),
    ("cloud.availability_zone", (_L + "zone",)),
    ("cloud.instance.id", (_L + "instance_id",)),
    ("gcp.resource_name", (_P + "resourceName",)),
    ("http.request.method", (_H + "requestMethod",)),
    ("url.original", (_H + "requestUrl",)),
    ("http.response.status_code", (_H + "status",)),
    ("http.request.referrer", (_H + "referer",)),
    ("dns.question.name", (_J + "queryName",)),
    ("dns.question.type", (_J + "queryType",)),
    ("dns.response_code", (_J + "responseCode",)),
    ("rule.name", (_J + "rule_details.reference", _J + "enforcedSecurityPolicy.name")),
    ("source.bytes", (_J + "bytes_sent",)),
    ("source.packets", (_J + "packets_sent",)),
    ("orchestrator.namespace", (_L + "namespace_name",)),
    ("orchestrator.cluster.name", (_L + "cluster_name",)),
    ("trace.id", ("trace",)),
    ("log.level", ("severity",)),
)


class GoogleCloud(DocumentParser):
    """Log entries."""

    name = "gcp"
    layout = Layout(
        prefix="gcp.",
        times=("timestamp", "receiveTimestamp"),
        constant=(("event.module", "gcp"), ("cloud.provider", "gcp")),
        rows=_ROWS,
        bulky=frozenset({"protoPayload", "jsonPayload"}),
    )

    def recognises(self, content: dict[str, Any]) -> int:
        if type(content.get("logName")) is not str:
            return 0
        payload = not {"protoPayload", "jsonPayload", "textPayload", "httpRequest"}.isdisjoint(content)
        return 95 if payload and ("insertId" in content or isinstance(content.get("resource"), dict)) else 0

    def opened(self, content: dict[str, Any]) -> dict[str, Any]:
        """With what the caller sent and got placed last, so that it crowds nothing out."""
        payload = content.get("protoPayload")
        if not isinstance(payload, dict) or _SENT.isdisjoint(payload):
            return content
        first = {key: value for key, value in payload.items() if key not in _SENT}
        return {**content, "protoPayload": first | {key: payload[key] for key in payload if key in _SENT}}

    def settle(self, content: dict[str, Any], fields: Fields) -> str:
        level = _LEVELS.get(str(fields.pop("log.level", "")), "")
        if level:
            fields["log.level"] = level
        log = str(content["logName"]).rpartition("/")[2].replace("%2F", "/")
        fields["event.dataset"] = "gcp." + _DATASETS.get(log, "audit" if "cloudaudit" in log else "log")
        if isinstance(content.get("protoPayload"), dict):
            _settle_audit(content["protoPayload"], fields)
        else:
            _settle_other(content, fields)
        target = fields.get("url.original")
        if type(target) is str:
            read_target(target, fields)
        for key in ("textPayload", "jsonPayload"):
            told = content.get(key)
            told = told.get("message") if isinstance(told, dict) else told
            if type(told) is str and told:
                return told
        return summarise(fields, "gcp.resource_name", "gcp.jsonPayload.disposition")


#: Parts of an audit entry that the caller fills.
_SENT = frozenset({"request", "response", "metadata", "serviceData"})
_DATASETS = {
    "compute.googleapis.com/vpc_flows": "vpcflow",
    "networkmanagement.googleapis.com/vpc_flows": "vpcflow",
    "compute.googleapis.com/firewall": "firewall",
    "dns.googleapis.com/dns_queries": "dns",
    "requests": "loadbalancing_logs",
}


def _settle_audit(payload: dict[str, Any], fields: Fields) -> None:
    method = str(fields.get("event.action", ""))
    service = fields.get("event.provider")
    if service == "login.googleapis.com":
        fields["event.category"] = "authentication"
    else:
        iam = service in ("iam.googleapis.com", "cloudidentity.googleapis.com") or "setiampolicy" in method.lower()
        fields["event.category"] = "iam" if iam else "api"
    status = payload.get("status")
    code = status.get("code") if isinstance(status, dict) else None
    decisions = payload.get("authorizationInfo")
    refused = isinstance(decisions, list) and any(
        isinstance(decision, dict) and decision.get("granted") is False for decision in decisions[:64]
    )
    fields["event.outcome"] = "failure" if code or refused or "loginFailure" in method else "success"
    if fields.get("error.code") == "0":
        del fields["error.code"]


def _settle_other(content: dict[str, Any], fields: Fields) -> None:
    payload = content.get("jsonPayload")
    if not isinstance(payload, dict):
        payload = {}
    connection = payload.get("connection")
    if isinstance(connection, dict):
        fields["event.category"] = "network"
        transport = _TRANSPORTS.get(str(connection.get("protocol")))
        if transport:
            fields["network.transport"] = transport
        disposition = payload.get("disposition")
        if type(disposition) is str:
            fields["event.action"] = disposition.lower()
            fields["event.outcome"] = "failure" if disposition.upper() == "DENIED" else "success"
    elif "dns.question.name" in fields:
        fields["event.category"] = "network"
    elif isinstance(content.get("httpRequest"), dict):
        fields["event.category"] = "web"
        status = fields.get("http.response.status_code")
        if type(status) is int:
            fields["event.outcome"] = "success" if status < 400 else "failure"
