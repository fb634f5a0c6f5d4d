"""Google Workspace audit activities (Reports API).

Handed: an object of kind ``admin#reports#activity``. Hands on: actor, address and what was done in ECS terms; the
events' parameters by name under ``google_workspace.``. Format: Google Workspace Admin SDK, Reports API, "Activities".
An activity of several events is one event here: the first names it, all are kept.
"""

from typing import Any

from triage.contracts import Fields
from triage.parsers.layouts import DocumentParser, Layout, named_values, put, summarise

_VALUES = ("value", "boolValue", "intValue", "multiValue", "multiIntValue")
_CATEGORIES = {
    "login": "authentication",
    "saml": "authentication",
    "token": "iam",
    "admin": "iam",
    "user_accounts": "iam",
    "groups": "iam",
    "groups_enterprise": "iam",
    "drive": "file",
    "access_transparency": "api",
    "rules": "intrusion_detection",
    "alert": "intrusion_detection",
}
#: A parameter of an event -> what it says in ECS terms.
_PARAMETERS = (
    ("user.target.name", "USER_EMAIL"),
    ("user.target.name", "target_user"),
    ("group.name", "GROUP_EMAIL"),
    ("file.name", "doc_title"),
    ("rule.name", "rule_name"),
    ("error.code", "saml_status_code"),
)


class GoogleWorkspace(DocumentParser):
    """Reports API activities."""

    name = "google_workspace"
    layout = Layout(
        prefix="google_workspace.",
        times=("id.time",),
        constant=(("event.module", "google_workspace"), ("cloud.provider", "gcp")),
        rows=(
            ("event.id", ("id.uniqueQualifier",)),
            ("event.provider", ("id.applicationName",)),
            ("user.name", ("actor.email", "actor.key")),
            ("user.id", ("actor.profileId",)),
            ("source.ip", ("ipAddress",)),
            ("organization.id", ("id.customerId",)),
            ("event.action", ("events.name",)),
        ),
        bulky=frozenset({"events"}),
    )

    def recognises(self, content: dict[str, Any]) -> int:
        if content.get("kind") not in ("admin#reports#activity", "audit#activity"):
            known = content.get("id")
            if not isinstance(known, dict) or "applicationName" not in known or "events" not in content:
                return 0
        return 95 if isinstance(content.get("events"), list) else 0

    def opened(self, content: dict[str, Any]) -> dict[str, Any]:
        """Without the long way a parameter is written; :meth:`settle` adds them by name."""
        events = [event for event in content["events"] if isinstance(event, dict)]
        plain = [{key: value for key, value in event.items() if key != "parameters"} for event in events]
        return {**content, "events": plain, "parameters": [event.get("parameters") for event in events]}

    def settle(self, content: dict[str, Any], fields: Fields) -> str:
        application = str(fields.get("event.provider", ""))
        fields["event.dataset"] = f"google_workspace.{application}" if application else "google_workspace"
        fields["event.category"] = _CATEGORIES.get(application, "configuration")
        _drop_written_out(fields)
        for parameters in content["parameters"][:8]:
            for name, value in named_values(parameters, "name", _VALUES).items():
                fields.setdefault(f"google_workspace.{application or 'event'}.{name}", value)
                for known, parameter in _PARAMETERS:
                    if parameter == name and known not in fields:
                        put(fields, known, value)
        _add_outcome(fields)
        return summarise(fields, "user.target.name", "file.name")


def _drop_written_out(fields: Fields) -> None:
    for name in [name for name in fields if name.startswith("google_workspace.parameters")]:
        del fields[name]


def _add_outcome(fields: Fields) -> None:
    action = str(fields.get("event.action", ""))
    if action in ("login_failure", "login_challenge_failure", "account_disabled_password_leak"):
        fields["event.outcome"] = "failure"
    elif action in ("login_success", "logout"):
        fields["event.outcome"] = "success"
