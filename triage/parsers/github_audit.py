"""GitHub and GitLab audit events.

Handed: one event of an audit log stream, export or API. Hands on: actor, address, action and target in ECS terms; the
rest under ``github.`` or ``gitlab.``. Formats: GitHub documentation, "Audit log events for your organization"; GitLab
documentation, "Audit event schema" and ``audit_json.log``.
"""

from typing import Any

from triage.contracts import Fields
from triage.parsers.layouts import DocumentParser, Layout, outcome_of, put, summarise

_GITHUB_KEYS = frozenset(
    {"_document_id", "operation_type", "org", "org_id", "business", "actor_id", "repo", "actor_ip"}
)
_IAM = frozenset(
    {"org", "team", "org_credential_authorization", "role", "business", "enterprise", "public_key", "oauth_access"}
)
_GITLAB_KEYS = frozenset(
    {"target_type", "target_details", "event_type", "details", "meta.caller_id", "change", "entity_path"}
)


class GitHubAudit(DocumentParser):
    """GitHub organisation and enterprise audit log."""

    name = "github_audit"
    layout = Layout(
        prefix="github.",
        times=("@timestamp", "created_at", "timestamp"),
        constant=(("event.module", "github"), ("event.dataset", "github.audit"), ("event.provider", "github")),
        rows=(
            ("event.action", ("action",)),
            ("event.id", ("_document_id",)),
            ("user.name", ("actor", "user")),
            ("user.id", ("actor_id",)),
            ("user.email", ("external_identity_nameid",)),
            ("user.target.name", ("user",)),
            ("user.target.id", ("user_id",)),
            ("group.name", ("team",)),
            ("source.ip", ("actor_ip",)),
            ("source.geo.country_iso_code", ("actor_location.country_code",)),
            ("user_agent.original", ("user_agent",)),
            ("organization.name", ("org",)),
            ("url.original", ("url",)),
            ("http.request.method", ("request_method",)),
            ("http.response.status_code", ("status_code",)),
            ("error.message", ("error", "message")),
        ),
    )

    def recognises(self, content: dict[str, Any]) -> int:
        action = content.get("action")
        if type(action) is not str or "." not in action or not ("actor" in content or "user" in content):
            return 0
        if "@timestamp" not in content and "created_at" not in content:
            return 0
        return 92 if len(_GITHUB_KEYS.intersection(content)) > 1 else 0

    def settle(self, content: dict[str, Any], fields: Fields) -> str:
        subject, _, deed = str(content["action"]).partition(".")
        fields["event.category"] = "iam" if subject in _IAM else "configuration"
        if fields.get("user.target.name") == fields.get("user.name"):
            fields.pop("user.target.name", None)
        status = fields.get("http.response.status_code")
        if "failed" in deed or "denied" in deed or "rejected" in deed:
            fields["event.outcome"] = "failure"
        elif type(status) is int:
            fields["event.outcome"] = "success" if status < 400 else "failure"
        return summarise(fields, "organization.name", "github.repo", "user.target.name")


class GitLabAudit(DocumentParser):
    """GitLab audit events, streamed or from its log file."""

    name = "gitlab_audit"
    layout = Layout(
        prefix="gitlab.",
        times=("created_at", "time"),
        constant=(("event.module", "gitlab"), ("event.dataset", "gitlab.audit"), ("event.provider", "gitlab")),
        rows=(
            ("event.action", ("event_type", "details.event_name", "details.custom_message", "custom_message")),
            ("event.id", ("id",)),
            ("user.name", ("author_name", "details.author_name", "meta.user")),
            ("user.id", ("author_id",)),
            ("user.email", ("details.author_email",)),
            ("source.ip", ("ip_address", "details.ip_address", "meta.remote_ip")),
            ("error.message", ("exception.message",)),
            ("log.level", ("severity",)),
            ("trace.id", ("correlation_id",)),
        ),
    )

    def recognises(self, content: dict[str, Any]) -> int:
        if "author_id" not in content or "entity_type" not in content:
            return 0
        return 92 if not _GITLAB_KEYS.isdisjoint(content) else 0

    def settle(self, content: dict[str, Any], fields: Fields) -> str:
        fields["event.category"] = "configuration"
        details = content.get("details")
        if not isinstance(details, dict):
            details = {}
        if "event.action" not in fields:
            _add_change({**content, **details}, fields)
        action = str(fields.get("event.action", "")).lower()
        if "login" in action or "authenticat" in action or "with" in details:
            fields["event.category"] = "authentication"
            if "failed" in action or details.get("failed_login"):
                fields["event.outcome"] = "failure"
        level = fields.get("log.level")
        if type(level) is str:
            fields["log.level"] = level.lower()
        outcome = outcome_of(details.get("result"))
        if outcome:
            fields["event.outcome"] = outcome
        return summarise(fields, "gitlab.target_type", "gitlab.target_details", "gitlab.entity_path")


def _add_change(told: dict[str, Any], fields: Fields) -> None:
    """The older schema says what was done by the name of a key: ``add``, ``change`` or ``remove``."""
    for verb in ("add", "change", "remove", "with", "failed_login"):
        if type(told.get(verb)) is str:
            put(fields, "event.action", {"with": "login", "failed_login": verb}.get(verb, f"{verb} {told[verb]}"))
            return
