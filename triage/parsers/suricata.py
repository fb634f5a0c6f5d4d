"""Suricata's EVE JSON: alerts, flows and protocol transactions.

Handed: an object with ``event_type`` and a flow or an address. Hands on: both ends, protocol facts and the
rule in ECS terms; the rest under ``suricata.``. Format: Suricata user guide, "EVE JSON Format".
"""

from typing import Any

from triage.contracts import Fields, ParsedEvent, Record
from triage.parsers import times
from triage.parsers.finish import ends, finish, flatten
from triage.parsers.web_access import add_status, read_target

_NAMES = {
    "event_type": "event.action",
    "src_ip": "source.ip",
    "src_port": "source.port",
    "dest_ip": "destination.ip",
    "dest_port": "destination.port",
    "proto": "network.transport",
    "app_proto": "network.protocol",
    "community_id": "network.community_id",
    "host": "observer.name",
    "in_iface": "observer.ingress.interface.name",
    "vlan": "network.vlan.id",
    "flow.bytes_toserver": "source.bytes",
    "flow.bytes_toclient": "destination.bytes",
    "flow.pkts_toserver": "source.packets",
    "flow.pkts_toclient": "destination.packets",
    "alert.signature": "rule.name",
    "http.hostname": "url.domain",
    "http.http_user_agent": "user_agent.original",
    "http.http_method": "http.request.method",
    "http.http_refer": "http.request.referrer",
    "http.length": "http.response.body.bytes",
    "dns.rrname": "dns.question.name",
    "dns.rrtype": "dns.question.type",
    "dns.rcode": "dns.response_code",
    "dns.query.rrname": "dns.question.name",
    "dns.query.rrtype": "dns.question.type",
    "dns.queries.rrname": "dns.question.name",
    "dns.queries.rrtype": "dns.question.type",
    "dns.answers.rdata": "dns.answers.data",
    "tls.sni": "tls.client.server_name",
    "tls.version": "tls.version",
    "tls.subject": "tls.server.subject",
    "tls.issuerdn": "tls.server.issuer",
    "tls.ja3.hash": "tls.client.ja3",
    "tls.ja3s.hash": "tls.server.ja3s",
    "fileinfo.filename": "file.path",
    "fileinfo.size": "file.size",
    "fileinfo.md5": "file.hash.md5",
    "fileinfo.sha1": "file.hash.sha1",
    "fileinfo.sha256": "file.hash.sha256",
    "smb.filename": "file.path",
    "ftp.command": "ftp.command",
    "krb5.cname": "user.name",
    "krb5.realm": "user.domain",
    "anomaly.event": "rule.name",
}
_CATEGORY = {
    "alert": "intrusion_detection",
    "anomaly": "intrusion_detection",
    "http": "web",
    "fileinfo": "file",
    "krb5": "authentication",
}
#: Suricata's alert severity (1 is worst), in log levels.
_LEVELS = {1: "critical", 2: "error", 3: "warning", 4: "info"}


def _summary(fields: Fields) -> str:
    get = fields.get
    both = ends(fields)
    told = [
        get("rule.name"),
        get("http.request.method"),
        get("url.domain"),
        get("url.original"),
        get("dns.question.type"),
        get("dns.question.name"),
        get("tls.client.server_name"),
        get("file.path"),
    ]
    words = " ".join(str(value[0] if isinstance(value, list) else value)[:512] for value in told if value)
    return f"{get('event.action', 'event')} {get('network.transport', '')} {both} {words}".rstrip()


def _settle(fields: Fields, http: Any) -> None:
    """Values that need more than a new name."""
    action = fields.get("event.action")
    fields["event.category"] = _CATEGORY.get(str(action), "network")
    transport = fields.get("network.transport")
    if isinstance(transport, str):
        fields["network.transport"] = transport.lower()
    for name in ("dns.question.name", "dns.question.type"):
        asked = fields.get(name)
        if type(asked) is list and len(asked) == 1:
            fields[name] = asked[0]
    signature_id = fields.pop("suricata.alert.signature_id", None)
    if signature_id is not None:
        fields["rule.id"] = str(signature_id)
    level = (
        _LEVELS.get(fields.get("suricata.alert.severity") or 0)
        if type(fields.get("suricata.alert.severity")) is int
        else None
    )
    if level:
        fields["log.level"] = level
    if isinstance(http, dict):
        target, status = http.get("url"), http.get("status")
        if isinstance(target, str):
            fields.pop("suricata.http.url", None)
            read_target(target, fields)
        if type(status) is int:
            fields.pop("suricata.http.status", None)
            add_status(status, fields)


class Suricata:
    """EVE events."""

    name = "suricata"
    takes = dict

    def claim(self, record: Record) -> int:
        content = record.content
        if not isinstance(content, dict) or "event_type" not in content:
            return 0
        return 95 if "flow_id" in content or ("src_ip" in content and "timestamp" in content) else 0

    def parse(self, record: Record, received_at: float) -> ParsedEvent | None:
        content = record.content
        if not isinstance(content, dict) or self.claim(record) == 0:
            return None
        flat: Fields = {}
        flatten(content, flat)
        stamp = flat.pop("timestamp", None)
        fields: Fields = {"event.module": "suricata", "event.dataset": "suricata.eve"}
        for name, value in flat.items():
            fields[_NAMES.get(name) or "suricata." + name] = value
        _settle(fields, content.get("http"))
        when = times.from_any(stamp)
        message = _summary(fields)
        return finish(self.name, record, received_at, fields, message=message, when=when, stamp=stamp)
