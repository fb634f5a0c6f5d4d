"""Wazuh (and OSSEC) alerts in JSON.

Handed: an object with ``rule``, ``manager`` and ``agent``. Hands on: the rule, the agent's host, and user, addresses
and process of what it saw, in ECS terms; the rest under ``wazuh.``. Format: Wazuh documentation, ``alerts.json``.
"""

from typing import Any

from triage.contracts import Fields
from triage.parsers.layouts import DocumentParser, Layout, as_number, outcome_of, put, summarise
from triage.parsers.web_access import add_status

_TRANSPORTS = frozenset({"tcp", "udp", "icmp", "ipv6-icmp", "gre", "esp", "sctp"})


class Wazuh(DocumentParser):
    """Alerts of a Wazuh manager."""

    name = "wazuh"
    layout = Layout(
        prefix="wazuh.",
        times=("timestamp", "@timestamp"),
        constant=(("event.module", "wazuh"), ("event.dataset", "wazuh.alerts"), ("event.kind", "alert")),
        rows=(
            ("rule.name", ("rule.description",)),
            ("rule.id", ("rule.id",)),
            ("event.id", ("id",)),
            ("host.name", ("predecoder.hostname", "data.win.system.computer", "agent.name")),
            ("host.ip", ("agent.ip",)),
            ("agent.name", ("agent.name",)),
            ("agent.id", ("agent.id",)),
            ("observer.name", ("manager.name",)),
            ("event.provider", ("decoder.name",)),
            ("event.code", ("data.win.system.eventID",)),
            ("event.action", ("data.action", "syscheck.event", "data.aws.eventName")),
            (
                "user.name",
                (
                    "data.dstuser",
                    "data.srcuser",
                    "data.win.eventdata.targetUserName",
                    "data.win.eventdata.user",
                    "data.user",
                    "data.aws.userIdentity.userName",
                    "data.office365.UserId",
                    "syscheck.audit.user.name",
                    "data.audit.auid",
                ),
            ),
            ("user.effective.name", ("data.srcuser",)),
            ("source.ip", ("data.srcip", "data.win.eventdata.ipAddress", "data.src_ip", "data.aws.sourceIPAddress")),
            ("source.port", ("data.srcport", "data.win.eventdata.ipPort", "data.src_port")),
            ("destination.ip", ("data.dstip", "data.dest_ip")),
            ("destination.port", ("data.dstport", "data.dest_port")),
            (
                "process.name",
                ("predecoder.program_name", "data.audit.command", "syscheck.audit.process.name"),
            ),
            (
                "process.executable",
                ("data.win.eventdata.image", "data.win.eventdata.newProcessName", "data.audit.exe"),
            ),
            ("process.command_line", ("data.win.eventdata.commandLine", "data.command")),
            ("url.original", ("data.url",)),
            ("file.path", ("syscheck.path", "data.file")),
            ("file.hash.md5", ("syscheck.md5_after",)),
            ("file.hash.sha1", ("syscheck.sha1_after",)),
            ("file.hash.sha256", ("syscheck.sha256_after",)),
            ("threat.technique.id", ("rule.mitre.id",)),
            ("threat.technique.name", ("rule.mitre.technique",)),
            ("log.file.path", ("location",)),
        ),
        bulky=frozenset({"data", "syscheck"}),
    )

    def recognises(self, content: dict[str, Any]) -> int:
        rule = content.get("rule")
        if not isinstance(rule, dict) or "level" not in rule:
            return 0
        return 95 if isinstance(content.get("agent"), dict) or isinstance(content.get("manager"), dict) else 0

    def settle(self, content: dict[str, Any], fields: Fields) -> str:
        if "event.category" not in fields:
            _add_category(content["rule"], fields)
        _read_protocol(fields)
        if fields.get("user.effective.name") == fields.get("user.name"):
            fields.pop("user.effective.name", None)
        _split_process(fields)
        line = fields.pop("wazuh.full_log", None)
        if type(line) is str and line:
            fields["event.original"] = line
        told = fields.get("rule.name")
        return f"{told}: {line}" if type(told) is str and type(line) is str else summarise(fields)


def _add_category(rule: dict[str, Any], fields: Fields) -> None:
    """Rule groups are Wazuh's own classes; two of them say how a login ended."""
    groups = rule.get("groups")
    known = {group for group in groups if isinstance(group, str)} if isinstance(groups, list) else set()
    if known & {"authentication_failed", "authentication_failures", "invalid_login", "win_authentication_failed"}:
        fields["event.category"], fields["event.outcome"] = "authentication", "failure"
    elif "authentication_success" in known:
        fields["event.category"], fields["event.outcome"] = "authentication", "success"
    elif "syscheck" in known:
        fields["event.category"] = "file"
    elif known & {"ids", "suricata", "firewall"}:
        fields["event.category"] = "network"
    elif known & {"web", "accesslog"}:
        fields["event.category"] = "web"
    outcome = outcome_of(fields.get("event.action"))
    if outcome and "event.outcome" not in fields:
        fields["event.outcome"] = outcome


def _split_process(fields: Fields) -> None:
    """A path names the executable, and its last part the process."""
    name = fields.get("process.name")
    if type(name) is str and "/" in name:
        fields.setdefault("process.executable", fields.pop("process.name"))
    image = fields.get("process.executable")
    if type(image) is str and "process.name" not in fields:
        put(fields, "process.name", image.replace("\\", "/").rpartition("/")[2])


def _read_protocol(fields: Fields) -> None:
    """Web decoders write a request's method as ``protocol`` and its status as ``id``; firewalls the transport."""
    protocol = fields.get("wazuh.data.protocol", fields.get("wazuh.data.proto"))
    if "url.original" in fields:
        if type(protocol) is str and protocol.isupper():
            put(fields, "http.request.method", protocol)
        status = as_number(fields.get("wazuh.data.id"))
        if status is not None and 100 <= status < 600:
            add_status(status, fields)
    elif type(protocol) is str and protocol.lower() in _TRANSPORTS:
        fields["network.transport"] = protocol.lower()
