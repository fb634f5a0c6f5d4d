"""Findings of Amazon GuardDuty and AWS Security Hub.

Handed: a GuardDuty finding as EventBridge, S3 export or the API writes it (names begin with a capital there), or one
in the Security Finding Format. Hands on: the finding's type and title, who and which addresses it is about, in ECS
terms; the rest under ``aws.guardduty.`` or ``aws.securityhub.``. Formats: GuardDuty user guide, "finding details";
Security Hub user guide, "ASFF".
"""

from typing import Any

from triage.contracts import Fields
from triage.parsers.layouts import DocumentParser, Layout, Rows, put, summarise

_A = "service.action."
_REMOTE = (
    _A + "networkconnectionaction.remoteipdetails.ipaddressv4",
    _A + "awsapicallaction.remoteipdetails.ipaddressv4",
    _A + "portprobeaction.portprobedetails.remoteipdetails.ipaddressv4",
    _A + "kubernetesapicallaction.remoteipdetails.ipaddressv4",
    _A + "rdsloginattemptaction.remoteipdetails.ipaddressv4",
    _A + "kubernetesapicallaction.sourceips",
)
_INTERFACE = "resource.instancedetails.networkinterfaces."

_ROWS: Rows = (
    ("rule.name", ("title",)),
    ("event.code", ("type",)),
    ("event.id", ("id",)),
    ("event.action", (_A + "awsapicallaction.api", _A + "kubernetesapicallaction.verb", _A + "actiontype")),
    ("event.provider", (_A + "awsapicallaction.servicename", "service.servicename")),
    ("event.severity", ("severity",)),
    ("cloud.account.id", ("accountid",)),
    ("cloud.region", ("region",)),
    ("cloud.instance.id", ("resource.instancedetails.instanceid",)),
    (
        "user.name",
        (
            "resource.accesskeydetails.username",
            "resource.kubernetesdetails.kubernetesuserdetails.username",
            "resource.rdsdbuserdetails.user",
            "service.runtimedetails.process.user",
        ),
    ),
    ("user.id", ("resource.accesskeydetails.principalid",)),
    ("aws.guardduty.remote.ip", _REMOTE),
    ("aws.guardduty.remote.port", (_A + "networkconnectionaction.remoteportdetails.port",)),
    ("aws.guardduty.local.port", (_A + "networkconnectionaction.localportdetails.port",)),
    (
        "aws.guardduty.local.ip",
        (
            _A + "networkconnectionaction.localipdetails.ipaddressv4",
            _INTERFACE + "privateipaddress",
            _INTERFACE + "publicip",
        ),
    ),
    ("network.transport", (_A + "networkconnectionaction.protocol", _A + "dnsrequestaction.protocol")),
    ("dns.question.name", (_A + "dnsrequestaction.domain",)),
    ("url.path", (_A + "kubernetesapicallaction.requesturi",)),
    ("user_agent.original", (_A + "awsapicallaction.useragent", _A + "kubernetesapicallaction.useragent")),
    ("error.code", (_A + "awsapicallaction.errorcode",)),
    ("process.name", ("service.runtimedetails.process.name",)),
    ("process.pid", ("service.runtimedetails.process.pid",)),
    ("process.executable", ("service.runtimedetails.process.executablepath",)),
    ("process.hash.sha256", ("service.runtimedetails.process.executablesha256",)),
    ("process.parent.name", ("service.runtimedetails.process.lineage.name",)),
)


class GuardDuty(DocumentParser):
    """GuardDuty findings."""

    name = "guardduty"
    layout = Layout(
        prefix="aws.guardduty.",
        times=(
            "service.eventLastSeen",
            "Service.EventLastSeen",
            "updatedAt",
            "UpdatedAt",
            "createdAt",
            "CreatedAt",
        ),
        constant=(
            ("event.module", "aws"),
            ("event.dataset", "aws.guardduty"),
            ("event.kind", "alert"),
            ("event.category", "intrusion_detection"),
            ("cloud.provider", "aws"),
        ),
        rows=_ROWS,
        folded=True,
    )

    def recognises(self, content: dict[str, Any]) -> int:
        for schema, resource, service in (
            ("schemaVersion", "resource", "service"),
            ("SchemaVersion", "Resource", "Service"),
        ):
            if schema in content and isinstance(content.get(resource), dict) and isinstance(content.get(service), dict):
                kind = content.get("type", content.get("Type"))
                return 95 if type(kind) is str and ":" in kind else 0
        return 0

    def settle(self, content: dict[str, Any], fields: Fields) -> str:
        service = content.get("service", content.get("Service"))
        action = _lower(_lower(service).get("action"))
        connection = _lower(action.get("networkconnectionaction"))
        outward = connection.get("connectiondirection") == "OUTBOUND" or "dnsrequestaction" in action
        near, far = ("source", "destination") if outward else ("destination", "source")
        for part in ("ip", "port"):
            for side, end in (("remote", far), ("local", near)):
                value = fields.pop(f"aws.guardduty.{side}.{part}", None)
                if value is not None:
                    put(fields, f"{end}.{part}", value)
        transport = fields.get("network.transport")
        if type(transport) is str:
            fields["network.transport"] = transport.lower()
        _add_level(content.get("severity", content.get("Severity")), fields)
        told = content.get("description", content.get("Description"))
        return told if type(told) is str and told else summarise(fields)


def _lower(value: Any) -> dict[str, Any]:
    """Return an object with its keys in lower case; anything else as an empty one."""
    return {key.lower(): inner for key, inner in value.items()} if isinstance(value, dict) else {}


def _add_level(severity: Any, fields: Fields) -> None:
    """GuardDuty's severity: 1-3.9 low, 4-6.9 medium, 7-8.9 high, 9-10 critical."""
    if isinstance(severity, int | float) and not isinstance(severity, bool):
        marks = ((9, "critical"), (7, "error"), (4, "warning"))
        fields["log.level"] = next((level for least, level in marks if severity >= least), "notice")


_HUB_LEVELS = {"INFORMATIONAL": "info", "LOW": "notice", "MEDIUM": "warning", "HIGH": "error", "CRITICAL": "critical"}


class SecurityHub(DocumentParser):
    """Findings in the AWS Security Finding Format."""

    name = "security_hub"
    layout = Layout(
        prefix="aws.securityhub.",
        times=("LastObservedAt", "UpdatedAt", "CreatedAt", "FirstObservedAt"),
        constant=(
            ("event.module", "aws"),
            ("event.dataset", "aws.securityhub_findings"),
            ("event.kind", "alert"),
            ("event.category", "intrusion_detection"),
            ("cloud.provider", "aws"),
        ),
        rows=(
            ("rule.name", ("Title",)),
            ("rule.id", ("GeneratorId",)),
            ("event.code", ("Types",)),
            ("event.id", ("Id",)),
            ("event.provider", ("ProductName", "ProductFields.aws/securityhub/ProductName", "ProductArn")),
            ("event.action", ("Action.ActionType",)),
            ("cloud.account.id", ("AwsAccountId",)),
            ("cloud.region", ("Region", "Resources.Region")),
            (
                "source.ip",
                (
                    "Network.SourceIpV4",
                    "Network.SourceIpV6",
                    "Action.NetworkConnectionAction.RemoteIpDetails.IpAddressV4",
                ),
            ),
            ("source.port", ("Network.SourcePort",)),
            ("destination.ip", ("Network.DestinationIpV4", "Network.DestinationIpV6")),
            ("destination.port", ("Network.DestinationPort",)),
            ("network.transport", ("Network.Protocol",)),
            ("process.name", ("Process.Name",)),
            ("process.pid", ("Process.Pid",)),
            ("process.executable", ("Process.Path",)),
            ("user.name", ("Resources.Details.AwsIamAccessKey.UserName", "Resources.Details.AwsIamUser.UserName")),
        ),
        bulky=frozenset({"Resources"}),
    )

    def recognises(self, content: dict[str, Any]) -> int:
        return 95 if "ProductArn" in content and "AwsAccountId" in content and "GeneratorId" in content else 0

    def settle(self, content: dict[str, Any], fields: Fields) -> str:
        severity = content.get("Severity")
        transport = fields.get("network.transport")
        if type(transport) is str:
            fields["network.transport"] = transport.lower()
        level = _HUB_LEVELS.get(str(severity.get("Label"))) if isinstance(severity, dict) else None
        if level:
            fields["log.level"] = level
        told = content.get("Description")
        return told if type(told) is str and told else summarise(fields)
