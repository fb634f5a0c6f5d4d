"""Auth0 tenant logs, as log streams and the Management API deliver them.

Handed: ``{"log_id", "data": {..}}`` or the inner object alone. Hands on: user, client, action and outcome in ECS
terms; the rest under ``auth0.``. Format: Auth0 documentation, "Log Event Type Codes": a code that begins with ``f``
is a failure, one that begins with ``s`` a success, and others are named one by one.
"""

from typing import Any

from triage.contracts import Fields
from triage.parsers.layouts import DocumentParser, Layout, summarise

#: Code -> (category, action, outcome), where the code's first letter does not say it all.
_CODES: dict[str, tuple[str, str, str]] = {
    "s": ("authentication", "login", "success"),
    "f": ("authentication", "login", "failure"),
    "fp": ("authentication", "login-wrong-password", "failure"),
    "fu": ("authentication", "login-unknown-user", "failure"),
    "fc": ("authentication", "connector-login", "failure"),
    "fco": ("authentication", "login-origin-not-allowed", "failure"),
    "fcoa": ("authentication", "cross-origin-authentication", "failure"),
    "scoa": ("authentication", "cross-origin-authentication", "success"),
    "fsa": ("authentication", "silent-authentication", "failure"),
    "ssa": ("authentication", "silent-authentication", "success"),
    "slo": ("session", "logout", "success"),
    "flo": ("session", "logout", "failure"),
    "ss": ("iam", "signup", "success"),
    "fs": ("iam", "signup", "failure"),
    "scp": ("iam", "change-password", "success"),
    "fcp": ("iam", "change-password", "failure"),
    "scpr": ("iam", "change-password-request", "success"),
    "fcpr": ("iam", "change-password-request", "failure"),
    "sce": ("iam", "change-email", "success"),
    "fce": ("iam", "change-email", "failure"),
    "scu": ("iam", "change-username", "success"),
    "fcu": ("iam", "change-username", "failure"),
    "scpn": ("iam", "change-phone-number", "success"),
    "fcpn": ("iam", "change-phone-number", "failure"),
    "sv": ("iam", "verify-email", "success"),
    "fv": ("iam", "verify-email", "failure"),
    "svr": ("iam", "verify-email-request", "success"),
    "fvr": ("iam", "verify-email-request", "failure"),
    "sui": ("iam", "import-users", "success"),
    "fui": ("iam", "import-users", "failure"),
    "sdu": ("iam", "delete-user", "success"),
    "fdu": ("iam", "delete-user", "failure"),
    "du": ("iam", "delete-user", "success"),
    "si": ("iam", "accept-invitation", "success"),
    "fi": ("iam", "accept-invitation", "failure"),
    "cls": ("authentication", "send-code-or-link", "success"),
    "cs": ("authentication", "send-code", "success"),
    "w": ("authentication", "warning-during-login", ""),
    "pwd_leak": ("authentication", "breached-password", "failure"),
    "signup_pwd_leak": ("iam", "breached-password-at-signup", "failure"),
    "limit_wc": ("authentication", "blocked-account", "failure"),
    "limit_sul": ("authentication", "blocked-account-many-logins", "failure"),
    "limit_mu": ("authentication", "blocked-address", "failure"),
    "ublkdu": ("iam", "unblock-user", "success"),
    "api_limit": ("api", "rate-limit", "failure"),
    "limit_delegation": ("api", "rate-limit-delegation", "failure"),
    "sapi": ("api", "management-api-call", "success"),
    "fapi": ("api", "management-api-call", "failure"),
    "mgmt_api_read": ("api", "management-api-read", "success"),
    "admin_update_launch": ("configuration", "auth0-update-launched", ""),
    "sys_os_update_start": ("configuration", "os-update-start", ""),
    "sys_os_update_end": ("configuration", "os-update-end", ""),
    "seacft": ("authentication", "exchange-authorization-code", "success"),
    "feacft": ("authentication", "exchange-authorization-code", "failure"),
    "seccft": ("authentication", "exchange-client-credentials", "success"),
    "feccft": ("authentication", "exchange-client-credentials", "failure"),
    "sede": ("authentication", "exchange-device-code", "success"),
    "fede": ("authentication", "exchange-device-code", "failure"),
    "sens": ("authentication", "exchange-native-social", "success"),
    "fens": ("authentication", "exchange-native-social", "failure"),
    "seoobft": ("authentication", "exchange-out-of-band", "success"),
    "feoobft": ("authentication", "exchange-out-of-band", "failure"),
    "seotpft": ("authentication", "exchange-one-time-password", "success"),
    "feotpft": ("authentication", "exchange-one-time-password", "failure"),
    "sepft": ("authentication", "exchange-password", "success"),
    "fepft": ("authentication", "exchange-password", "failure"),
    "sercft": ("authentication", "exchange-recovery-code", "success"),
    "fercft": ("authentication", "exchange-recovery-code", "failure"),
    "sertft": ("authentication", "exchange-refresh-token", "success"),
    "fertft": ("authentication", "exchange-refresh-token", "failure"),
    "ferrt": ("authentication", "rotated-refresh-token-reused", "failure"),
    "srrt": ("authentication", "revoke-refresh-token", "success"),
    "gd_auth_succeed": ("authentication", "second-factor", "success"),
    "gd_auth_failed": ("authentication", "second-factor", "failure"),
    "gd_auth_rejected": ("authentication", "second-factor-rejected", "failure"),
    "gd_otp_rate_limit_exceed": ("authentication", "second-factor-rate-limit", "failure"),
    "gd_recovery_succeed": ("authentication", "second-factor-recovery", "success"),
    "gd_recovery_failed": ("authentication", "second-factor-recovery", "failure"),
    "gd_enrollment_complete": ("iam", "second-factor-enrolled", "success"),
    "gd_unenroll": ("iam", "second-factor-removed", "success"),
    "gd_update_device_account": ("iam", "second-factor-changed", "success"),
    "depnote": ("api", "deprecation-notice", ""),
    "resource_cleanup": ("configuration", "resource-cleanup", "success"),
}


class Auth0(DocumentParser):
    """Tenant logs."""

    name = "auth0"
    layout = Layout(
        prefix="auth0.",
        times=("date",),
        constant=(("event.module", "auth0"), ("event.dataset", "auth0.logs"), ("event.provider", "auth0")),
        rows=(
            ("event.code", ("type",)),
            ("event.id", ("log_id", "_id")),
            ("user.name", ("user_name", "details.prompts.user_name")),
            ("user.id", ("user_id",)),
            ("source.ip", ("ip", "client_ip")),
            ("user_agent.original", ("user_agent",)),
            ("url.domain", ("hostname",)),
            ("error.message", ("details.error.message",)),
            ("error.code", ("details.error.payload.code", "details.error.type")),
            ("http.request.method", ("details.request.method",)),
            ("url.path", ("details.request.path",)),
            ("http.response.status_code", ("details.response.statusCode",)),
        ),
        bulky=frozenset({"details"}),
    )

    def recognises(self, content: dict[str, Any]) -> int:
        inner = content.get("data")
        if isinstance(inner, dict):
            return 95 if "log_id" in content and "type" in inner and "date" in inner else 0
        known = type(content.get("type")) is str and "date" in content and ("log_id" in content or "_id" in content)
        return (
            85 if known and not {"client_id", "client_name", "connection", "ip", "isMobile"}.isdisjoint(content) else 0
        )

    def opened(self, content: dict[str, Any]) -> dict[str, Any]:
        inner = content.get("data")
        return {"log_id": content.get("log_id"), **inner} if isinstance(inner, dict) else content

    def settle(self, content: dict[str, Any], fields: Fields) -> str:
        code = str(fields.get("event.code", ""))
        category, action, outcome = _CODES.get(code) or _by_letter(code)
        fields["event.category"] = category
        if action:
            fields["event.action"] = action
        if outcome:
            fields["event.outcome"] = outcome
        told = content.get("description")
        line = summarise(fields)
        return f"{told[:512]}: {line}" if type(told) is str and told else line


def _by_letter(code: str) -> tuple[str, str, str]:
    """A code of the future: its first letter says how it ended, and the code itself is the action."""
    if len(code) > 1 and code[0] in "sf" and code.islower() and code.isalpha() and len(code) < 9:
        return "authentication", code, "success" if code[0] == "s" else "failure"
    return "authentication", code, ""
