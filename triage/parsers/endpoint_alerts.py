"""Alerts of endpoint detection products: SentinelOne's custom detections and CrowdStrike's event stream.

Handed: one alert as their APIs and connectors deliver it. Hands on: the rule, and the host, user, process and
connection it is about, in ECS terms; the rest under ``sentinel_one.alert.`` or ``crowdstrike.``. Formats: SentinelOne
API, "Cloud Detection Alerts"; CrowdStrike documentation, "Event Streams".
"""

from typing import Any

from triage.contracts import Fields
from triage.parsers.layouts import DocumentParser, Layout, Rows, outcome_of, put, summarise

_S, _T, _P, _A = "sourceProcessInfo.", "targetProcessInfo.", "sourceParentProcessInfo.", "alertInfo."
_SENTINEL_ROWS: Rows = (
    ("rule.name", ("ruleInfo.name",)),
    ("rule.id", ("ruleInfo.id",)),
    ("rule.description", ("ruleInfo.description",)),
    ("event.id", (_A + "alertId",)),
    ("event.action", (_A + "eventType",)),
    ("host.name", ("agentDetectionInfo.name", "agentRealtimeInfo.name")),
    ("host.id", ("agentRealtimeInfo.id",)),
    ("host.ip", (_A + "srcMachineIp",)),
    ("host.os.name", ("agentDetectionInfo.osName",)),
    ("user.name", (_A + "loginsUserName", _S + "user")),
    ("user.domain", (_A + "loginAccountDomain",)),
    ("source.ip", (_A + "srcIp",)),
    ("source.port", (_A + "srcPort",)),
    ("destination.ip", (_A + "dstIp",)),
    ("destination.port", (_A + "dstPort",)),
    ("dns.question.name", (_A + "dnsRequest",)),
    ("process.name", (_S + "name",)),
    ("process.pid", (_S + "pid",)),
    ("process.command_line", (_S + "commandline",)),
    ("process.executable", (_S + "filePath",)),
    ("process.hash.sha256", (_S + "fileHashSha256",)),
    ("process.hash.sha1", (_S + "fileHashSha1",)),
    ("process.hash.md5", (_S + "fileHashMd5",)),
    ("process.parent.name", (_P + "name",)),
    ("process.parent.pid", (_P + "pid",)),
    ("process.parent.command_line", (_P + "commandline",)),
    ("process.parent.executable", (_P + "filePath",)),
    ("file.path", (_T + "tgtFilePath",)),
    ("container.id", ("containerInfo.id",)),
    ("container.name", ("containerInfo.name",)),
    ("container.image.name", ("containerInfo.image",)),
    ("orchestrator.namespace", ("kubernetesInfo.namespace",)),
    ("orchestrator.cluster.name", ("kubernetesInfo.cluster",)),
)
_LEVELS = {
    "informational": "info",
    "low": "notice",
    "medium": "warning",
    "high": "error",
    "critical": "critical",
}
_ALERT = (("event.kind", "alert"), ("event.category", "intrusion_detection"))


class SentinelOne(DocumentParser):
    """Cloud detection alerts."""

    name = "sentinel_one"
    layout = Layout(
        prefix="sentinel_one.alert.",
        times=(_A + "createdAt", _A + "reportedAt", _A + "updatedAt"),
        constant=(*_ALERT, ("event.module", "sentinel_one"), ("event.dataset", "sentinel_one.alert")),
        rows=_SENTINEL_ROWS,
    )

    def recognises(self, content: dict[str, Any]) -> int:
        if not isinstance(content.get("alertInfo"), dict):
            return 0
        return 95 if "agentDetectionInfo" in content or "sourceProcessInfo" in content else 0

    def settle(self, content: dict[str, Any], fields: Fields) -> str:
        rule = content.get("ruleInfo")
        _add_level(rule.get("severity") if isinstance(rule, dict) else None, fields)
        logged_in = content["alertInfo"].get("loginIsSuccessful")
        if logged_in in (True, "true", "false", False) and logged_in is not None:
            fields["event.outcome"] = "success" if logged_in in (True, "true") else "failure"
        return summarise(fields, "process.command_line")


class CrowdStrike(DocumentParser):
    """Event stream: detections and audit events."""

    name = "crowdstrike"
    layout = Layout(
        prefix="crowdstrike.",
        times=("metadata.eventCreationTime", "event.ProcessStartTime", "event.UTCTimestamp"),
        constant=(("event.module", "crowdstrike"), ("event.dataset", "crowdstrike.falcon")),
        rows=(
            ("event.action", ("event.OperationName", "metadata.eventType")),
            ("event.id", ("event.DetectId", "event.CompositeId", "event.IncidentID")),
            ("event.provider", ("event.ServiceName",)),
            ("rule.name", ("event.DetectName", "event.Name", "event.RuleName")),
            ("rule.description", ("event.DetectDescription", "event.Description")),
            ("host.name", ("event.ComputerName", "event.Hostname", "event.HostnameField", "event.HostName")),
            ("host.id", ("event.SensorId", "event.AgentId")),
            ("host.ip", ("event.LocalIP", "event.LocalIPv4")),
            ("user.name", ("event.UserName", "event.UserId", "event.SourceAccountName")),
            ("user.domain", ("event.MachineDomain", "event.LogonDomain")),
            ("source.ip", ("event.UserIp", "event.SourceEndpointIpAddress", "event.LocalAddress", "event.EndpointIp")),
            ("source.port", ("event.LocalPort",)),
            ("destination.ip", ("event.RemoteAddress", "event.TargetEndpointIpAddress")),
            ("destination.port", ("event.RemotePort",)),
            ("process.name", ("event.FileName",)),
            ("process.pid", ("event.LocalProcessId",)),
            ("process.command_line", ("event.CommandLine",)),
            ("process.executable", ("event.FilePath",)),
            ("process.hash.sha256", ("event.SHA256String",)),
            ("process.hash.md5", ("event.MD5String",)),
            ("process.parent.name", ("event.ParentImageFileName",)),
            ("process.parent.command_line", ("event.ParentCommandLine",)),
            ("threat.tactic.name", ("event.Tactic",)),
            ("threat.technique.name", ("event.Technique",)),
        ),
    )

    def recognises(self, content: dict[str, Any]) -> int:
        about = content.get("metadata")
        if not isinstance(about, dict) or not isinstance(content.get("event"), dict):
            return 0
        return 95 if "eventType" in about and not {"customerIDString", "eventCreationTime"}.isdisjoint(about) else 0

    def settle(self, content: dict[str, Any], fields: Fields) -> str:
        event, kind = content["event"], str(content["metadata"].get("eventType"))
        if "Detection" in kind or "Incident" in kind or "rule.name" in fields:
            fields.update(_ALERT)
        else:
            fields["event.category"] = "authentication" if "Auth" in kind else "configuration"
        _add_level(event.get("SeverityName"), fields)
        said = outcome_of(event.get("Success"))
        if said:
            fields["event.outcome"] = said
        if "host.name" not in fields:
            put(fields, "host.name", event.get("SourceEndpointHostName"))
        return summarise(fields, "process.command_line")


def _add_level(severity: Any, fields: Fields) -> None:
    level = _LEVELS.get(severity.lower()) if type(severity) is str else None
    if level:
        fields["log.level"] = level
