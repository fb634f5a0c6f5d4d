"""Microsoft 365 unified audit records.

Handed: a record of the Management Activity API, or one that carries it as ``AuditData`` (portal and PowerShell
exports, as text) or ``auditData`` (Graph), or a row of Log Analytics' ``OfficeActivity``. Hands on: user, address,
operation, object and result in ECS terms; the rest under ``o365.audit.``. Format: "Office 365 Management Activity API
schema".
"""

from typing import Any

from triage.contracts import Fields
from triage.parsers.json_text import decode_object
from triage.parsers.layouts import DocumentParser, Layout, named_values, outcome_of, put, summarise

_SIGN_IN = frozenset({"UserLoggedIn", "UserLoginFailed", "UserLoggedOff", "MailboxLogin", "TeamsSessionStarted"})
_IAM = (
    "Add member",
    "Remove member",
    "Add user",
    "Delete user",
    "Update user",
    "Reset user",
    "Change user",
    "Add group",
)
_WORKLOADS = {
    "exchange": "email",
    "sharepoint": "file",
    "onedrive": "file",
    "threatintelligence": "intrusion_detection",
    "securitycompliancecenter": "intrusion_detection",
}
_RESULTS = {"partiallysucceeded": "success", "true": "success", "false": "failure"}


class Microsoft365(DocumentParser):
    """Unified audit log."""

    name = "microsoft365"
    layout = Layout(
        prefix="o365.audit.",
        times=("CreationTime", "createdDateTime", "CreationDate", "TimeGenerated"),
        constant=(("event.module", "o365"), ("event.dataset", "o365.audit")),
        rows=(
            ("event.action", ("operation", "operations")),
            ("event.id", ("id",)),
            ("event.provider", ("workload", "officeworkload", "service")),
            ("event.code", ("recordtype", "auditlogrecordtype")),
            ("organization.id", ("organizationid",)),
            ("user.name", ("userid", "userprincipalname", "userids", "mailboxownerupn")),
            ("user.id", ("userkey",)),
            ("source.ip", ("clientip", "clientipaddress", "actoripaddress", "client_ipaddress", "senderip")),
            ("user_agent.original", ("useragent", "clientinfostring")),
            ("url.original", ("objecturl", "siteurl")),
            ("file.name", ("sourcefilename",)),
            ("file.extension", ("sourcefileextension",)),
            ("file.directory", ("sourcerelativeurl",)),
            ("error.message", ("logonerror", "resultstatusdetail")),
            ("error.code", ("errornumber",)),
            ("email.subject", ("subject",)),
            ("email.from.address", ("p1sender", "p2sender")),
            ("email.to.address", ("recipients",)),
            ("rule.name", ("policydetails.policyname", "alertname", "name")),
            ("host.name", ("devicename", "clientdevicename")),
            ("process.name", ("processname", "clientprocessname")),
        ),
        bulky=frozenset({"Parameters", "ModifiedProperties", "ExtendedProperties", "Target", "AffectedItems"}),
        folded=True,
        utc=True,
    )

    def recognises(self, content: dict[str, Any]) -> int:
        if "Operation" in content and not {"Workload", "OfficeWorkload"}.isdisjoint(content):
            return 95 if not {"RecordType", "UserId", "CreationTime", "UserType"}.isdisjoint(content) else 0
        if "AuditData" in content and not {"Operations", "Operation", "RecordType"}.isdisjoint(content):
            return 95
        return 95 if isinstance(content.get("auditData"), dict) and "operation" in content else 0

    def opened(self, content: dict[str, Any]) -> dict[str, Any]:
        inner = content.get("AuditData", content.get("auditData"))
        if isinstance(inner, str):
            inner = decode_object(inner)
        if not isinstance(inner, dict):
            return content
        outer = {key: value for key, value in content.items() if key not in ("AuditData", "auditData")}
        # The record inside is the event; the wrapping only repeats parts of it in other words.
        return {**outer, **inner} if "Operation" not in inner else inner

    def settle(self, content: dict[str, Any], fields: Fields) -> str:
        action = str(fields.get("event.action", ""))
        workload = str(fields.get("event.provider", "")).lower()
        if action in _SIGN_IN:
            fields["event.category"] = "authentication"
        elif action.startswith(_IAM):
            fields["event.category"] = "iam"
        else:
            fields["event.category"] = _WORKLOADS.get(workload, "configuration")
        _add_properties(content, fields)
        _add_outcome(content, fields)
        target = fields.get("o365.audit.ObjectId", fields.get("o365.audit.objectId"))
        line = summarise(fields, "email.subject", "file.name")
        return f"{line} {target[:512]}" if type(target) is str and target else line


def _add_properties(content: dict[str, Any], fields: Fields) -> None:
    """Lists of named values become fields of their names."""
    for key in ("ExtendedProperties", "Parameters", "DeviceProperties"):
        pairs = named_values(content.get(key), "Name", ("Value", "NewValue"))
        if not pairs:
            continue
        for part in ("Name", "Value"):
            fields.pop(f"o365.audit.{key}.{part}", None)
        for name, value in pairs.items():
            fields.setdefault(f"o365.audit.{key}.{name}", value)
        agent = pairs.get("UserAgent")
        if agent is not None and "user_agent.original" not in fields:
            put(fields, "user_agent.original", agent)


def _add_outcome(content: dict[str, Any], fields: Fields) -> None:
    action = fields.get("event.action")
    result = content.get("ResultStatus", content.get("resultStatus"))
    said = outcome_of(result) or (_RESULTS.get(result.lower(), "") if type(result) is str else "")
    if action == "UserLoginFailed" or fields.get("error.message"):
        said = "failure"  # a refused sign-in is written with ResultStatus "Success": the request was served
    elif action == "UserLoggedIn" and not said:
        said = "success"
    if said:
        fields["event.outcome"] = said
