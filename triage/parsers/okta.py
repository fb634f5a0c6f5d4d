"""Okta System Log events.

Handed: an object with ``eventType`` and ``published``. Hands on: actor, client, outcome and target in ECS terms; the
rest under ``okta.``. Format: Okta developer reference, "System Log API", LogEvent object.
"""

from typing import Any

from triage.contracts import Fields
from triage.parsers.layouts import DocumentParser, Layout, outcome_of, summarise

_SESSION = ("user.session.", "user.authentication.", "user.mfa.", "policy.evaluate_sign_on")
_IAM = ("user.lifecycle.", "user.account.", "group.", "application.user_membership.", "system.api_token.")
_LEVELS = {"DEBUG": "debug", "INFO": "info", "WARN": "warning", "ERROR": "error"}


class Okta(DocumentParser):
    """System Log."""

    name = "okta"
    layout = Layout(
        prefix="okta.",
        times=("published",),
        constant=(("event.module", "okta"), ("event.dataset", "okta.system"), ("event.provider", "okta")),
        rows=(
            ("event.action", ("eventType",)),
            ("event.id", ("uuid",)),
            ("event.reason", ("outcome.reason",)),
            ("user.id", ("actor.id",)),
            ("user.name", ("actor.alternateId", "actor.displayName")),
            ("user.full_name", ("actor.displayName",)),
            ("source.ip", ("client.ipAddress", "request.ipChain.ip")),
            ("user_agent.original", ("client.userAgent.rawUserAgent",)),
            ("source.geo.country_name", ("client.geographicalContext.country",)),
            ("source.geo.city_name", ("client.geographicalContext.city",)),
            ("source.as.number", ("securityContext.asNumber",)),
            ("source.as.organization.name", ("securityContext.asOrg",)),
            ("url.path", ("debugContext.debugData.requestUri",)),
            ("transaction.id", ("transaction.id",)),
        ),
        bulky=frozenset({"target", "debugContext"}),
    )

    def recognises(self, content: dict[str, Any]) -> int:
        if type(content.get("eventType")) is not str or "published" not in content:
            return 0
        return 95 if isinstance(content.get("actor"), dict) or "displayMessage" in content else 0

    def settle(self, content: dict[str, Any], fields: Fields) -> str:
        action = str(fields.get("event.action", ""))
        if action.startswith(_SESSION):
            fields["event.category"] = "authentication"
        else:
            fields["event.category"] = "iam" if action.startswith(_IAM) else "configuration"
        outcome = content.get("outcome")
        said = outcome_of(outcome.get("result")) if isinstance(outcome, dict) else ""
        if said:
            fields["event.outcome"] = said
        level = _LEVELS.get(str(content.get("severity")))
        if level:
            fields["log.level"] = level
        _add_target(content.get("target"), fields)
        told = content.get("displayMessage")
        line = summarise(fields, "user.target.name", "event.reason")
        return f"{told[:512]}: {line}" if type(told) is str and told else line


def _add_target(targets: Any, fields: Fields) -> None:
    """Name the user a change was made to."""
    for target in targets if isinstance(targets, list) else ():
        if isinstance(target, dict) and target.get("type") in ("User", "AppUser"):
            name = target.get("alternateId") or target.get("displayName")
            if type(name) is str and name not in ("", "unknown", fields.get("user.name")):
                fields["user.target.name"] = name
                return
