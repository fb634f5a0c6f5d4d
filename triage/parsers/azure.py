"""Azure and Entra ID logs: sign-ins, audit, Activity log, resource logs, Defender's hunting tables.

Handed: one record of a diagnostic setting (also by Event Hub), of Microsoft Graph or the Activity log's API, or a row
of a Log Analytics table. Hands on: user, address, operation, result and resource in ECS terms; the rest under
``azure.``. Formats: Azure Monitor documentation ("resource log common schema", "Activity log event schema"), Microsoft
Graph reference (``signIn``, ``directoryAudit``), and the table references. Names are compared without case: the same
column begins with a capital in one shape and not in another.
"""

from typing import Any

from triage.contracts import Fields, ParsedEvent, Record
from triage.parsers.azure_rows import ROWS, TIMES
from triage.parsers.json_text import decode_object
from triage.parsers.kubernetes_audit import KubernetesAudit
from triage.parsers.layouts import DocumentParser, Layout, outcome_of, put, summarise

_TABLES = frozenset(
    {
        "SigninLogs",
        "AADNonInteractiveUserSignInLogs",
        "AADServicePrincipalSignInLogs",
        "AADManagedIdentitySignInLogs",
        "AuditLogs",
        "AzureActivity",
        "AzureDiagnostics",
        "StorageBlobLogs",
        "AADRiskyUsers",
        "AADUserRiskEvents",
        "ADFSSignInLogs",
    }
)
_ROW_KEYS = frozenset(
    {"UserPrincipalName", "InitiatedBy", "Caller", "CallerIpAddress", "CallerIPAddress", "ResultType"}
)
#: Columns that Log Analytics writes as JSON text.
_NESTED = frozenset(
    {
        "Status",
        "LocationDetails",
        "DeviceDetail",
        "InitiatedBy",
        "TargetResources",
        "Authorization",
        "Claims",
        "HTTPRequest",
        "Properties",
        "Identity",
        "properties",
        "identity",
        "authorization",
        "claims",
        "httpRequest",
    }
)
_LEVELS = {
    "1": "critical",
    "2": "error",
    "3": "warning",
    "4": "info",
    "informational": "info",
    "information": "info",
    "verbose": "debug",
}


class Azure(DocumentParser):
    """Platform, resource and identity logs."""

    name = "azure"
    layout = Layout(
        prefix="azure.",
        times=TIMES,
        constant=(("event.module", "azure"), ("cloud.provider", "azure")),
        rows=ROWS,
        folded=True,
        utc=True,
        bulky=frozenset({"TargetResources", "targetResources", "properties", "Properties"}),
    )

    def recognises(self, content: dict[str, Any]) -> int:
        if "operationName" in content or "OperationName" in content or "OperationNameValue" in content:
            if "TimeGenerated" in content:
                return 92 if _table(content) in _TABLES or not _ROW_KEYS.isdisjoint(content) else 0
            return 92 if _is_record(content) else 0
        if "TimeGenerated" in content and _table(content) in _TABLES:
            return 92
        if "resourceId" in content and "category" in content and isinstance(content.get("properties"), dict):
            return 90 if "time" in content or "timeStamp" in content else 0
        if "ActionType" in content and "DeviceName" in content:
            return 90 if "TimeGenerated" in content or "Timestamp" in content else 0
        if "createdDateTime" in content and "ipAddress" in content:
            return 90 if "appDisplayName" in content or "userPrincipalName" in content else 0
        return 90 if "activityDisplayName" in content and "initiatedBy" in content else 0

    def opened(self, content: dict[str, Any]) -> dict[str, Any]:
        """With the columns decoded that are JSON inside text; a hunting table's row as its stream writes it."""
        if "ActionType" in content and "DeviceName" in content and "properties" not in content:
            return {"category": f"AdvancedHunting-{_table(content)}", "properties": content}
        texts = {
            key: inner
            for key in _NESTED.intersection(content)
            if type(content[key]) is str and content[key][:1] == "{" and (inner := decode_object(content[key]))
        }
        return {**content, **texts} if texts else content

    def parse(self, record: Record, received_at: float) -> ParsedEvent | None:
        inner = _cluster_event(record.content)
        if inner is not None:
            event = KubernetesAudit().parse(Record(inner, record.envelope), received_at)
            if event is not None:
                event.fields.setdefault("cloud.provider", "azure")
                return event
        return super().parse(record, received_at)

    def settle(self, content: dict[str, Any], fields: Fields) -> str:
        category = str(fields.get("azure.category", fields.get("azure.Category", content.get("Type", "")))).lower()
        _add_names(fields)
        _add_category(category, content, fields)
        _add_outcome(fields)
        _add_level(fields)
        transport = fields.get("network.transport")
        if type(transport) is str:
            fields["network.transport"] = transport.lower()
        _add_target(content, fields)
        return summarise(fields, "user.target.name", "azure.resource.id", "event.reason")


def _table(content: dict[str, Any]) -> str:
    name = content.get("Type")
    return name if type(name) is str else ""


def _is_record(content: dict[str, Any]) -> bool:
    """A diagnostic setting's record, or the Activity log's own."""
    if "eventTimestamp" in content:
        return not {"caller", "claims", "resourceId", "resourceUri", "authorization"}.isdisjoint(content)
    keyed = not {"resourceId", "ResourceId", "resourceID", "tenantId", "TenantId"}.isdisjoint(content)
    return keyed and not {"category", "Category", "properties", "resultType", "identity"}.isdisjoint(content)


def _cluster_event(content: Any) -> dict[str, Any] | None:
    """Return the Kubernetes audit event that a cluster's diagnostic record carries as text."""
    if not isinstance(content, dict) or content.get("category") not in ("kube-audit", "kube-audit-admin"):
        return None
    properties = content.get("properties")
    line = properties.get("log") if isinstance(properties, dict) else None
    return decode_object(line) if isinstance(line, str) else None


def _add_names(fields: Fields) -> None:
    """``/subscriptions/<id>/resourceGroups/<group>/providers/..`` names the account; claims may name the caller."""
    resource = fields.get("azure.resource.id")
    if type(resource) is str:
        parts = resource.split("/", 5)
        if len(parts) > 2 and parts[1].lower() == "subscriptions":
            fields.setdefault("cloud.account.id", parts[2].lower())
        if len(parts) > 4 and parts[3].lower() == "resourcegroups":
            fields["azure.resource.group"] = parts[4]
    identity = fields.get("azure.identity")
    if "user.name" not in fields and type(identity) is str and identity:
        fields["user.name"] = identity


def _add_category(category: str, content: dict[str, Any], fields: Fields) -> None:
    if "signin" in category or "isInteractive" in content or "clientAppUsed" in content:
        fields["event.category"], fields["event.dataset"] = "authentication", "azure.signinlogs"
        fields.setdefault("event.action", "Sign-in activity")
        _move_location(fields)
    elif category in ("auditlogs", "usermanagement", "groupmanagement", "rolemanagement") or "initiatedBy" in content:
        fields["event.category"], fields["event.dataset"] = "iam", "azure.auditlogs"
    elif "eventTimestamp" in content or category in (
        "administrative",
        "policy",
        "serviceproxy",
        "azureactivity",
        "security",
    ):
        fields["event.category"], fields["event.dataset"] = "configuration", "azure.activitylogs"
    elif category.startswith(("azfw", "azurefirewall", "networksecuritygroup")):
        fields["event.category"], fields["event.dataset"] = "network", "azure.firewall"
        _settle_firewall(fields)
    elif category.startswith("applicationgateway"):
        fields["event.category"], fields["event.dataset"] = "web", "azure.application_gateway"
    elif category.startswith("advancedhunting-"):
        table = category.removeprefix("advancedhunting-").removeprefix("device").removesuffix("events")
        fields["event.category"], fields["event.dataset"] = _HUNTED.get(table, "host"), "m365_defender.event"
        _settle_hunted(table, fields)
    elif "alert" in category or "risk" in category:
        fields["event.category"], fields["event.dataset"] = "intrusion_detection", "azure.alerts"
        _move_location(fields)
    else:
        fields["event.category"], fields["event.dataset"] = "api", "azure.platformlogs"


_HUNTED = {
    "process": "process",
    "network": "network",
    "file": "file",
    "registry": "registry",
    "logon": "authentication",
    "imageload": "library",
    "email": "email",
    "identitylogon": "authentication",
}


def _move_location(fields: Fields) -> None:
    """Of a sign-in or a risk, the location is the country where the user is, not a region of the cloud."""
    country = fields.pop("cloud.region", None)
    if type(country) is str:
        fields.setdefault("source.geo.country_iso_code", country.upper())


def _settle_firewall(fields: Fields) -> None:
    said = outcome_of(fields.get("event.action"))
    if said:
        fields["event.outcome"] = said


#: In the process table the subject is the new process, and the initiating one its parent.
_STARTED = (("FileName", "process.name"), ("ProcessId", "process.pid"), ("ProcessCommandLine", "process.command_line"))


def _settle_hunted(table: str, fields: Fields) -> None:
    """Defender's tables use the same column for different things."""
    if table == "process":
        for column, name in _STARTED:
            initiating = fields.pop(name, None)
            if initiating is not None:
                fields[name.replace("process.", "process.parent.")] = initiating
            started = fields.pop("azure.properties." + column, None)
            if started is not None:
                put(fields, name, started)
    elif table == "logon" and "destination.ip" in fields:
        for part in ("ip", "port"):
            there = fields.pop("destination." + part, None)
            if there is not None:
                fields["source." + part] = there
    else:
        name = fields.pop("azure.properties.FileName", None)
        if name is not None:
            put(fields, "file.name", name)


def _add_outcome(fields: Fields) -> None:
    """A sign-in's code 0 is a success; elsewhere a word, an HTTP status or the action says it."""
    result = fields.pop("event.result", None)
    if fields["event.category"] == "authentication":
        _read_code(fields, result)
    said = outcome_of(result)
    if said:
        fields.setdefault("event.outcome", said)
    elif type(result) is str and not _is_code(result):
        fields["azure.result_type"] = result
    status = fields.get("http.response.status_code")
    if type(status) is int:
        fields.setdefault("event.outcome", "success" if status < 400 else "failure")
    if fields.get("error.code") == "0":
        del fields["error.code"]
        fields.pop("error.message", None)


def _is_code(value: Any) -> bool:
    return type(value) is str and value.lstrip("-").isdigit() and len(value) < 12


def _read_code(fields: Fields, result: Any) -> None:
    """The code of a sign-in, wherever it stands; Defender's logon table has words instead."""
    code = fields.get("error.code")
    if not _is_code(code) and _is_code(result):
        code = fields["error.code"] = result
    if _is_code(code):
        fields["event.outcome"] = "success" if code == "0" else "failure"
    action = str(fields.get("event.action")).lower()
    if action in ("logonfailed", "logonsuccess"):
        fields["event.outcome"] = "failure" if action == "logonfailed" else "success"


def _add_level(fields: Fields) -> None:
    level = fields.get("log.level")
    if type(level) is str:
        fields["log.level"] = _LEVELS.get(level.lower(), level.lower())


def _add_target(content: dict[str, Any], fields: Fields) -> None:
    """Name what an audit event was done to."""
    properties = content.get("properties")
    for holder in (content, properties if isinstance(properties, dict) else {}):
        targets = holder.get("targetResources", holder.get("TargetResources"))
        if not isinstance(targets, list) or not targets or not isinstance(targets[0], dict):
            continue
        kind = targets[0].get("type")
        name = targets[0].get("userPrincipalName") or targets[0].get("displayName")
        if kind == "User":
            put(fields, "user.target.name", name)
        elif kind == "Group":
            put(fields, "group.name", name)
        return
