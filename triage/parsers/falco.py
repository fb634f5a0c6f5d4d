"""Falco alerts in JSON.

Handed: an object with ``rule``, ``priority`` and ``output``. Hands on: the rule, and the process, user, container and
connection it was about, in ECS terms; the rest under ``falco.``. Format: Falco documentation, "Falco Alerts" and
"Supported Fields for Conditions and Outputs".
"""

from typing import Any

from triage.contracts import Fields
from triage.parsers.layouts import DocumentParser, Layout, summarise

_LEVELS = {
    "emergency": "critical",
    "alert": "critical",
    "critical": "critical",
    "error": "error",
    "warning": "warning",
    "notice": "notice",
    "informational": "info",
    "info": "info",
    "debug": "debug",
}


class Falco(DocumentParser):
    """Alerts of the Falco engine."""

    name = "falco"
    layout = Layout(
        prefix="falco.",
        times=("time", "output_fields.evt.time.iso8601", "output_fields.evt.time"),
        constant=(
            ("event.module", "falco"),
            ("event.dataset", "falco.alerts"),
            ("event.kind", "alert"),
            ("event.category", "intrusion_detection"),
        ),
        rows=(
            ("rule.name", ("rule",)),
            ("event.provider", ("source",)),
            ("event.id", ("uuid",)),
            ("host.name", ("hostname", "output_fields.evt.hostname")),
            ("event.action", ("output_fields.evt.type", "output_fields.ka.verb", "output_fields.ct.name")),
            ("user.name", ("output_fields.user.name", "output_fields.ka.user.name", "output_fields.ct.user")),
            ("user.id", ("output_fields.user.uid",)),
            ("process.name", ("output_fields.proc.name",)),
            ("process.pid", ("output_fields.proc.pid", "output_fields.proc.vpid")),
            ("process.command_line", ("output_fields.proc.cmdline",)),
            ("process.executable", ("output_fields.proc.exepath",)),
            ("process.parent.name", ("output_fields.proc.pname",)),
            ("process.parent.pid", ("output_fields.proc.ppid",)),
            ("process.parent.command_line", ("output_fields.proc.pcmdline",)),
            ("source.ip", ("output_fields.fd.cip", "output_fields.ct.srcip", "output_fields.ka.sourceips")),
            ("source.port", ("output_fields.fd.cport",)),
            ("destination.ip", ("output_fields.fd.sip",)),
            ("destination.port", ("output_fields.fd.sport",)),
            ("network.transport", ("output_fields.fd.l4proto",)),
            ("container.id", ("output_fields.container.id",)),
            ("container.name", ("output_fields.container.name",)),
            ("container.image.name", ("output_fields.container.image.repository", "output_fields.container.image")),
            ("container.image.tag", ("output_fields.container.image.tag",)),
            ("orchestrator.namespace", ("output_fields.k8s.ns.name",)),
            ("orchestrator.resource.name", ("output_fields.k8s.pod.name",)),
        ),
    )

    def recognises(self, content: dict[str, Any]) -> int:
        known = type(content.get("rule")) is str and "priority" in content and type(content.get("output")) is str
        return 95 if known and ("output_fields" in content or "time" in content) else 0

    def settle(self, content: dict[str, Any], fields: Fields) -> str:
        level = _LEVELS.get(str(content.get("priority")).lower())
        if level:
            fields["log.level"] = level
        path = fields.get("falco.output_fields.fd.name")
        if type(path) is str and path.startswith("/"):
            fields["file.path"] = path
        if fields.get("container.id") == "host":
            del fields["container.id"]
        told = fields.pop("falco.output", None)
        return told if type(told) is str and told else summarise(fields)
