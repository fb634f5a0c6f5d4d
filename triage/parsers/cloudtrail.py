"""AWS CloudTrail records, plain or inside an EventBridge event or an answer of its API.

Handed: an object with ``eventSource`` and ``eventName``. Hands on: caller, call, region, account and outcome in
ECS terms; the rest under ``aws.cloudtrail.``. Format: AWS CloudTrail user guide, "Record contents".
"""

from typing import Any

from triage.contracts import Fields, ParsedEvent, Record
from triage.parsers import times
from triage.parsers.finish import finish, flatten
from triage.parsers.json_text import decode_object
from triage.parsers.linux_auth import put_address

_PLAIN: tuple[tuple[str, str, type], ...] = (
    ("eventName", "event.action", str),
    ("eventSource", "event.provider", str),
    ("eventID", "event.id", str),
    ("awsRegion", "cloud.region", str),
    ("userAgent", "user_agent.original", str),
    ("errorCode", "error.code", str),
    ("errorMessage", "error.message", str),
    ("eventType", "aws.cloudtrail.event_type", str),
    ("eventCategory", "aws.cloudtrail.event_category", str),
    ("requestID", "aws.cloudtrail.request_id", str),
    ("apiVersion", "aws.cloudtrail.api_version", str),
    ("vpcEndpointId", "aws.cloudtrail.vpc_endpoint_id", str),
    ("readOnly", "aws.cloudtrail.read_only", bool),
    ("managementEvent", "aws.cloudtrail.management_event", bool),
)
_NESTED = (
    ("requestParameters", "aws.cloudtrail.request_parameters."),
    ("responseElements", "aws.cloudtrail.response_elements."),
    ("additionalEventData", "aws.cloudtrail.additional_event_data."),
    ("serviceEventDetails", "aws.cloudtrail.service_event_details."),
    ("tlsDetails", "aws.cloudtrail.tls_details."),
)
_SIGN_IN = frozenset({"ConsoleLogin", "SwitchRole", "CheckMfa", "GetSigninToken", "PasswordRecoveryRequested"})


def _category(source: Any, action: Any) -> str:
    if action in _SIGN_IN or source in ("signin.amazonaws.com", "sts.amazonaws.com"):
        return "authentication"
    return "iam" if source in ("iam.amazonaws.com", "sso-directory.amazonaws.com") else "api"


def _add_identity(identity: dict[str, Any], fields: Fields) -> None:
    """Name the caller: the user, else the role's session issuer, else the service that called."""
    get = identity.get
    for key, name in (
        ("type", "aws.cloudtrail.user_identity.type"),
        ("arn", "aws.cloudtrail.user_identity.arn"),
        ("principalId", "user.id"),
        ("accessKeyId", "aws.cloudtrail.user_identity.access_key_id"),
        ("invokedBy", "aws.cloudtrail.user_identity.invoked_by"),
        ("accountId", "aws.cloudtrail.user_identity.account_id"),
    ):
        value = get(key)
        if type(value) is str and value:
            fields[name] = value
    context = get("sessionContext")
    user = get("userName")
    if isinstance(context, dict):
        issuer = context.get("sessionIssuer")
        if isinstance(issuer, dict):
            user = user or issuer.get("userName")
            flatten(issuer, fields, "aws.cloudtrail.user_identity.session_issuer.")
        attributes = context.get("attributes")
        if isinstance(attributes, dict) and isinstance(attributes.get("mfaAuthenticated"), str):
            fields["aws.cloudtrail.user_identity.mfa_authenticated"] = attributes["mfaAuthenticated"] == "true"
    if not user:
        user = "root" if get("type") == "Root" else _from_arn(get("arn")) or get("invokedBy")
    if type(user) is str and user:
        fields["user.name"] = user


def _from_arn(arn: Any) -> str:
    """``arn:aws:sts::111122223333:assumed-role/Role/session`` -> ``Role``."""
    parts = arn.split("/") if isinstance(arn, str) else []
    return parts[1] if len(parts) > 1 else ""


def _outcome(content: dict[str, Any]) -> str:
    answer = content.get("responseElements")
    if content.get("errorCode") or content.get("errorMessage"):
        return "failure"
    if isinstance(answer, dict) and any(
        answer.get(key) == "Failure" for key in ("ConsoleLogin", "CheckMfa", "SwitchRole")
    ):
        return "failure"
    return "success"


def _summary(fields: Fields) -> str:
    get = fields.get
    error = get("error.code")
    where = get("source.ip") or get("source.domain") or "-"
    line = f"{get('event.action', '-')} {get('user.name', '-')} from {where} ({get('cloud.region', '-')})"
    line = f"{line} {get('event.provider', '')}"
    return f"{line} {error}" if error else line


def _is_record(content: Any) -> bool:
    return (
        isinstance(content, dict)
        and isinstance(content.get("eventName"), str)
        and isinstance(content.get("eventSource"), str)
        and ("userIdentity" in content or "eventVersion" in content)
    )


def _inner(content: dict[str, Any]) -> dict[str, Any] | None:
    """Return the record inside an EventBridge event, or inside an entry of the LookupEvents API."""
    if "detail-type" in content:
        inner = content.get("detail")
    elif type(content.get("CloudTrailEvent")) is str:
        inner = decode_object(content["CloudTrailEvent"])
    else:
        return None
    return inner if _is_record(inner) else None


class CloudTrail:
    """CloudTrail records."""

    name = "cloudtrail"
    takes = dict

    def claim(self, record: Record) -> int:
        content = record.content
        if _is_record(content):
            return 95
        return 90 if isinstance(content, dict) and _inner(content) is not None else 0

    def parse(self, record: Record, received_at: float) -> ParsedEvent | None:
        outer = record.content
        if not isinstance(outer, dict):
            return None
        content = outer if _is_record(outer) else _inner(outer)
        if content is None:
            return None
        fields: Fields = {"event.module": "aws", "event.dataset": "aws.cloudtrail", "cloud.provider": "aws"}
        _read(content, fields)
        stamp = content.get("eventTime")
        when = times.from_any(stamp)
        message = _summary(fields)
        return finish(self.name, record, received_at, fields, message=message, when=when, stamp=stamp)


def _read(content: dict[str, Any], fields: Fields) -> None:
    get = content.get
    for key, name, kind in _PLAIN:
        value = get(key)
        if type(value) is kind and value != "":
            fields[name] = value
    fields["event.category"] = _category(get("eventSource"), get("eventName"))
    fields["event.outcome"] = _outcome(content)
    identity = get("userIdentity")
    if isinstance(identity, dict):
        _add_identity(identity, fields)
    account = get("recipientAccountId") or fields.get("aws.cloudtrail.user_identity.account_id")
    if type(account) is str:
        fields["cloud.account.id"] = account
    address = get("sourceIPAddress")
    if type(address) is str:
        put_address(fields, address)
    for key, prefix in _NESTED:
        value = get(key)
        if type(value) is dict:
            flatten(value, fields, prefix)
    _add_resources(get("resources"), fields)
    target = fields.get("aws.cloudtrail.request_parameters.userName")
    if type(target) is str and fields["event.category"] == "iam":
        fields["user.target.name"] = target


def _add_resources(resources: Any, fields: Fields) -> None:
    if isinstance(resources, list) and resources:
        flatten({"resources": resources}, fields, "aws.cloudtrail.")
