"""Fortinet devices: FortiGate's (FortiOS) traffic, event, security and anomaly logs as ``key=value`` pairs.

Handed: a message without its syslog header, or a bare line. Hands on: both ends with what they were translated to,
account, rule or signature, what was done and, where the line says so, how it ended; every other pair stays below
``fortinet.``. A line is one of these by its number (``logid``) beside its ``type``, wherever in it they stand.

As with other firewalls, a connection or a threat that the device let pass or stopped is an ``event.outcome`` of
success: it did what it was told; ``event.action`` says which of the two. ``eventtime`` counts from 1970 in UTC, in
seconds, milli- or nanoseconds by the release; without it date and clock count, with the zone when one is written.
Format: Fortinet, FortiOS Log Message Reference 5.6 to 7.6.
"""

import re

from triage.contracts import Fields
from triage.parsers import addresses, phrases, vendor_pairs
from triage.parsers.heads import LEVELS
from triage.parsers.key_values import pairs
from triage.parsers.layouts import as_number
from triage.parsers.times import doubts
from triage.parsers.web_access import read_target

MAX_LOOK = 1_500
_PAIRS_BEGIN = re.compile(
    r"(?:(?P<relayed>\d{4}-\d\d-\d\dT[\d:.]{8,18}(?:Z|[+-]\d\d:\d\d)) )?(?:(?P<host>[\w.-]{1,255}) )?"
    r"[A-Za-z_]{2,32}=[\w\"]"
)
_NUMBER = re.compile(r"[\s,]log_?id=\"?\d{8,10}(?=[\"\s,]|\Z)")
_TYPE = re.compile(
    r"[\s,]type=\"?(?:traffic|event|utm|anomaly|virus|webfilter|ips|emailfilter|app-ctrl|dlp|voip|dns|waf|ssl|ssh|cifs"
    r"|file-filter|icap|gtp|attack|statistics|virtual-patch|casb)(?=[\"\s,]|\Z)"
)

TABLE = vendor_pairs.Table(
    "fortinet.",
    {
        "observer.serial_number": "devid device_id",
        "observer.name": "devname",
        "observer.ingress.interface.name": "srcintf src_int srcint",
        "observer.egress.interface.name": "dstintf dst_int outintf dstint",
        "event.code": "logid log_id",
        "event.action": "action",
        "event.outcome": "status result",
        "event.reason": "reason",
        "error.message": "error",
        "source.ip": "srcip src remip saddr",
        "source.port": "srcport src_port remport",
        "source.domain": "srcname src_host",
        "source.mac": "srcmac stamac mac mastersrcmac",
        "source.nat.ip": "transip",
        "source.nat.port": "transport",
        "source.bytes": "sentbyte sent",
        "source.packets": "sentpkt sent_pkt",
        "source.geo.country_name": "srccountry src_country",
        "source.user.name": "unauthuser",
        "destination.ip": "dstip dst locip daddr",
        "destination.port": "dstport dst_port locport",
        "destination.domain": "dstname dst_host",
        "destination.mac": "dstmac masterdstmac",
        "destination.nat.ip": "tranip",
        "destination.nat.port": "tranport",
        "destination.bytes": "rcvdbyte rcvd",
        "destination.packets": "rcvdpkt rcvd_pkt",
        "destination.geo.country_name": "dstcountry dst_country",
        "destination.user.name": "dstuser duser",
        "user.name": "user",
        "user.group.name": "group",
        "network.transport": "proto",
        "network.application": "app",
        "rule.uuid": "poluuid",
        "url.original": "url",
        "http.request.method": "httpmethod",
        "http.request.referrer": "referralurl",
        "user_agent.original": "agent useragent",
        "file.name": "filename file",
        "file.hash": "filehash analyticscksum checksum",
        "file.size": "filesize",
        "dns.question.name": "qname",
        "dns.question.type": "qtype",
        "dns.question.class": "qclass",
        "email.from.address": "from sender",
        "email.to.address": "to recipient",
        "email.subject": "subject",
        "tls.client.server_name": "sni",
    },
)
#: What was found, best first: the key of its name and of its number. The two of one row belong together.
_RULES = (("attack", "attackid"), ("virus", "virusid"), ("policyname", "policyid"))
_CATEGORIES = {
    "traffic": "network",
    "anomaly": "intrusion_detection",
    "attack": "intrusion_detection",
    "ips": "intrusion_detection",
    "virus": "malware",
    "webfilter": "web",
    "waf": "web",
    "emailfilter": "email",
    "dlp": "file",
    "file-filter": "file",
    "vpn": "network",
    "user": "authentication",
}
_SECURITY = frozenset({"utm", "anomaly", "attack", "ips", "virus"})
#: Words for what the device did with a connection or with what it found in one.
_VERDICTS = frozenset(
    {
        "accept", "allow", "allowed", "bypass", "block", "blocked", "clear_session", "client-rst", "close", "deny",
        "denied", "detected", "drop", "dropped", "exempt", "ip-conn", "monitored", "pass", "passthrough", "permit",
        "quarantine", "redirect", "reset", "reset_client", "reset_server", "server-rst", "start", "timeout",
    }
)  # fmt: skip
_LOGIN = re.compile(r"(?:\A|[-_ ])(?:log(?:in|out|on|off)|auth\w{0,16})(?:\Z|[-_ ])", re.IGNORECASE)
_FAILED = re.compile(r"(?:\A|[-_ ])fail(?:ed|ure)?\Z", re.IGNORECASE)
#: Where an administrator sits: ``https(192.0.2.1)``, ``ssh(2001:db8::1)``.
_SEAT = re.compile(r"[\w-]{1,32}\(([0-9A-Fa-f:.]{2,45})\)\Z")
_OFFSET = re.compile(r"[+-]\d{4}\Z")


def looks(app: str, text: str) -> bool:
    """Return whether a message is one of these."""
    begin = text[:MAX_LOOK]
    return ("logid=" in begin or "log_id=" in begin) and _NUMBER.search(begin) is not None and _is_typed(begin)


def _is_typed(begin: str) -> bool:
    return _TYPE.search(begin) is not None and _PAIRS_BEGIN.match(begin) is not None


def read(text: str, fields: Fields) -> str | None:
    """Fill the fields of a message; return its own time text, ``None`` when it is not one of these."""
    begin = _PAIRS_BEGIN.match(text)
    if begin is None or not looks("", text):
        return None
    found = pairs(text)
    fields["observer.vendor"] = "Fortinet"
    if begin["host"]:
        fields.setdefault("host.name", begin["host"])
    stamp = _take_time(found)
    if begin["relayed"] and doubts(stamp):
        stamp = begin["relayed"]
    kind, part = found.get("type", ""), found.get("subtype", "")
    _take_level(found, fields)
    _add_category(kind, part, found, fields)
    _prepare(kind, found, fields)
    vendor_pairs.move(found, TABLE, fields)
    _settle(kind, fields)
    return stamp


def _take_time(found: dict[str, str]) -> str:
    """Remove and return the time: the count, else date, clock and zone."""
    counted = found.get("eventtime", "")
    date, clock, zone = found.pop("date", ""), found.pop("time", ""), found.pop("tz", "")
    if counted.isascii() and counted.isdigit() and 10 <= len(counted) <= 19:
        del found["eventtime"]
        return counted
    return f"{date} {clock}{zone if _OFFSET.match(zone) else ''}" if date and clock else ""


def _take_level(found: dict[str, str], fields: Fields) -> None:
    """The line's own level replaces that of a header."""
    for key in ("level", "pri"):
        value = found.get(key, "").lower()
        if value in ("emergency", "alert") or value in LEVELS:
            fields["log.level"] = LEVELS.get(value, value) if value not in ("emergency", "alert") else value
            del found[key]
            return


def _add_category(kind: str, part: str, found: dict[str, str], fields: Fields) -> None:
    category = _CATEGORIES.get(part if kind in ("utm", "event") else kind, "network" if kind == "utm" else "")
    words = f"{found.get('action', '')} {found.get('logdesc', '')}"
    if kind == "event" and _LOGIN.search(words) is not None:
        category = "authentication"
    elif kind == "event" and ("cfgpath" in found or "cfgattr" in found):
        category = "configuration"
    if category:
        fields["event.category"] = category
    if kind in _SECURITY and part != "dns":
        fields["event.kind"] = "alert" if "attack" in found or "virus" in found else "event"


def _prepare(kind: str, found: dict[str, str], fields: Fields) -> None:
    """Read what a table cannot say, and take it out of the pairs."""
    _add_rule(found, fields)
    _add_names(kind, found, fields)
    number = found.get("proto", "")
    if number.isascii() and number.isdigit() and len(number) < 4:
        fields["network.iana_number"] = number
    seconds = as_number(found.get("duration", ""))
    if seconds is not None and seconds < 10**9:
        fields["event.duration"] = seconds * 1_000_000_000
        del found["duration"]
    for address, port in (("transip", "transport"), ("tranip", "tranport")):
        if found.get(address, "") in ("0.0.0.0", "::"):  # noqa: S104 - what stands for "not translated"
            del found[address]
            found.pop(port, None)
    if found.get("action", "") == "" and kind == "traffic" and "status" in found:
        found["action"] = found.pop("status")
    for end in ("srccountry", "dstcountry"):
        if found.get(end, "") == "Reserved":
            del found[end]
    service = found.get("service", "")
    if service and "/" not in service and " " not in service and service != "other":
        vendor_pairs.put(fields, "network.protocol", found.pop("service"))


def _add_rule(found: dict[str, str], fields: Fields) -> None:
    for name, number in _RULES:
        if found.get(name) or found.get(number):
            for key, field in ((name, "rule.name"), (number, "rule.id")):
                if key in found and vendor_pairs.put(fields, field, found[key]):
                    del found[key]
            return


def _add_names(kind: str, found: dict[str, str], fields: Fields) -> None:
    """Whose name and address a line gives depends on what it is about."""
    name = found.pop("hostname", "")
    if name:  # of a lease or of a station it is the client's, else of the server that was asked for
        asked = kind != "event"
        name = name.partition(":")[0] if asked and name.count(":") == 1 else name
        vendor_pairs.put(fields, "url.domain" if asked else "source.domain", name)
    address = found.pop("ip", "")
    if address and ("mac" in found or "stamac" in found):
        vendor_pairs.put(fields, "source.ip", address)
    elif address:
        fields["fortinet.ip"] = address
    answers = found.pop("ipaddr", "")
    resolved = [addresses.canonical(answer.strip()) for answer in answers.split(",")[:64]]
    if answers and all(resolved):
        fields["dns.resolved_ip"] = resolved
    elif answers:
        fields["fortinet.ipaddr"] = answers
    if found.get("method"):
        fields["fortinet.method"] = found.pop("method")
    seat = _SEAT.match(found.get("ui", ""))
    if seat is not None and "srcip" not in found:
        vendor_pairs.put(fields, "source.ip", seat[1])


def _settle(kind: str, fields: Fields) -> None:
    """Fill what follows from the fields."""
    vendor_pairs.account(fields, "source.user.name")
    if "observer.name" in fields:
        fields.setdefault("host.name", fields["observer.name"])
    if "network.application" in fields:
        fields["network.application"] = str(fields["network.application"]).lower()
    target = fields.get("url.original")
    if type(target) is str:
        asked = fields.get("url.domain")
        read_target(target, fields)
        if asked:
            fields["url.domain"] = asked
    action = str(fields.get("event.action", ""))
    if "event.outcome" in fields:
        return
    if kind == "event":
        if _FAILED.search(action) is not None:
            fields["event.outcome"] = "failure"
        said: Fields = {}
        phrases.read(f"{fields.get('fortinet.logdesc', '')} ; {fields.get('fortinet.msg', '')}", said)
        if "event.outcome" in said and fields.get("event.category") == "authentication":
            fields.setdefault("event.outcome", said["event.outcome"])
    elif action.lower() in _VERDICTS:
        fields["event.outcome"] = "success"
