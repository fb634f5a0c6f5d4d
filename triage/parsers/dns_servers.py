"""Name servers and address servers: BIND, dnsmasq (Pi-hole), unbound, PowerDNS; DHCP of dnsmasq and ISC dhcpd.

Handed: a message without its syslog header, or a bare line. Hands on: the client, the question, and what became of
it: ``event.action`` is ``dns_query``, ``dns_answer``, ``dns_forward``, ``zone_transfer``, ``dns_update`` or, when the
server says it refused, ``denied`` (with outcome failure); a DHCP message's own name in small letters. Formats: BIND 9
Administrator Reference Manual, and the messages dnsmasq, unbound, pdns and dhcpd write with query logging on.
"""

import re

from triage.contracts import Fields
from triage.parsers import addresses
from triage.parsers.packet_filters import hardware

MAX_READ = 2_000
_DHCP_APPS = frozenset({"dnsmasq-dhcp", "dhcpd", "dhcpd6"})
_DNSMASQ_APPS = frozenset({"dnsmasq", "pihole-FTL", "pihole"})
_APPS = frozenset({"named", "unbound", "pdns", "pdns_server", "pdns_recursor"}) | _DHCP_APPS | _DNSMASQ_APPS
_ADDRESS = r"[0-9A-Fa-f:.]{2,45}(?:%\w{1,16})?"
_BIND = re.compile(
    r"(?:(?P<time>\d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d\.\d{1,6}) )?(?:(?P<channel>[a-z-]{2,24}): )?"
    r"(?:(?P<level>info|notice|warning|error|critical|debug \d{1,2}): )?"
    rf"client (?:@0x[0-9a-f]{{1,16}} )?(?P<client>{_ADDRESS})#(?P<port>\d{{1,5}})"
    r"(?:/key (?P<key>[^\s:]{1,255}))?(?: \([^()\s]{1,1024}\))?: "
    r"(?:view [^\s:]{1,128}: )?(?P<said>.{1,1200})",
    re.DOTALL,
)
_ASKED = re.compile(
    r"query: (?P<name>\S{1,1024}) (?P<class>IN|CH|HS|ANY|NONE|CLASS\d{1,5}) (?P<type>[A-Z][A-Z\d-]{0,15})"
    rf"(?: \S{{1,16}})?(?: \((?P<server>{_ADDRESS})\))?"
)
_REFUSED = re.compile(
    r"(?P<kind>query|zone transfer|update|update forwarding|notify|recursion)(?: \([\w -]{1,64}\))? "
    r"'(?P<name>[^'/\s]{1,1024})(?:/(?P<first>[A-Z][\w-]{0,15})(?:/(?P<second>[A-Z][\w-]{0,15}))?)?' "
    r"(?:denied|refused)"
)
_FAILED = re.compile(
    r"query failed \((?P<code>[\w ]{2,32})\) for (?P<name>[^\s/]{1,1024})/(?P<class>\w{1,16})/(?P<type>[\w-]{1,16}) at "
)
_TRANSFER = re.compile(r"transfer of '(?P<name>[^'/\s]{1,1024})/\w{1,16}': (?P<type>[AI]XFR)(?:-style IXFR)? started")
_UPDATE = re.compile(r"(?:signer \"[^\"]{1,255}\" )?(?:updating zone|update) '(?P<name>[^'/\s]{1,1024})/\w{1,16}'")
_RPZ = re.compile(
    r"rpz (?P<trigger>[\w-]{2,16}) (?P<policy>[\w-]{2,24}) rewrite "
    r"(?P<name>[^\s/]{1,1024})(?:/(?P<type>[A-Z]\w{0,15}))?"
)
_DNSMASQ = re.compile(
    rf"(?:\d{{1,12}} (?P<peer>{_ADDRESS})/(?P<port>\d{{1,5}}) )?"
    r"(?:query\[(?P<type>[\w=-]{1,24})\] (?P<asked>\S{1,1024})"
    rf" from (?P<client>{_ADDRESS})|(?P<verb>reply|cached(?:-stale)?|config|forwarded|gravity blocked|regex blocked"
    r"|exactly denied|exactly blacklisted|regex denied|regex blacklisted|blacklisted|special domain|/\S{1,200}) "
    r"(?P<name>\S{1,1024}) (?P<word>is|to) (?P<answer>.{1,256}))"
)
_UNBOUND = re.compile(
    r"(?:\[(?P<time>\d{10})\] unbound)?\[\d{1,9}:[0-9a-f]{1,4}\] (?P<level>info|query|reply|warning|notice|error): "
    rf"(?P<client>{_ADDRESS})(?:@(?P<port>\d{{1,5}}))? (?P<name>\S{{1,1024}}) (?P<type>[A-Z][A-Z\d]{{0,15}}) "
    r"(?:IN|CH|HS)(?: (?P<code>[A-Z]{5,16}) [\d.]{1,24} [01] \d{1,9})?"
)
_POWER = re.compile(
    rf"Remote (?P<client>{_ADDRESS})(?:<-\S{{1,64}})? wants '(?P<name>[^'|]{{1,1024}})\|(?P<type>[A-Z\d]{{1,16}})'"
)
_RECURSOR = re.compile(
    r"(?:\d{1,4} )?(?:\[[^\]]{1,24}\] )?question(?: for|:) '?(?P<name>[^'|\s]{1,1024})\|(?P<type>[A-Z\d]{1,16})'? from "
    r"(?P<client>[0-9A-Fa-f:.]{2,45}?)(?::(?P<port>\d{1,5}))?(?=\s|\Z)"
)
_BARE = re.compile(
    r"\d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d\.\d{1,6} [a-z-]{0,24}:? ?[a-z\d ]{0,12}:? ?client |client (?:@0x[0-9a-f]"
    r"{1,16} )?[0-9A-Fa-f:.]{2,45}#\d|\[\d{10}\] unbound\[|query\[[\w=]{1,24}\] \S{1,255} from |DHCP[A-Z]{3,9}[ (]"
)


def looks(app: str, text: str) -> bool:
    """Return whether a message is one of these."""
    return app in _APPS or (app == "" and _BARE.match(text) is not None)


def read(text: str, fields: Fields) -> str | None:
    """Fill the fields of a message; return its own time text, ``None`` when it is not one of these."""
    text = text[:MAX_READ]
    if text.startswith("DHCP"):
        return _read_dhcp(text, fields)
    bind = _BIND.match(text) if "client " in text[:96] else None
    if bind is not None:
        return _read_bind(bind, fields)
    dnsmasq = _DNSMASQ.match(text)
    if dnsmasq is not None:
        return _read_dnsmasq(dnsmasq, fields)
    asked = _UNBOUND.match(text) or _POWER.match(text) or _RECURSOR.match(text)
    if asked is None:
        return None
    found = asked.groupdict()
    _begin(found["client"], found.get("port"), fields)
    _ask(found["name"], found["type"], "dns_query", fields)
    if found.get("code"):
        fields["dns.response_code"] = found["code"]
        fields["event.action"] = "dns_answer"
    return found.get("time") or ""


def _begin(client: str, port: str | None, fields: Fields) -> None:
    fields["event.category"] = "network"
    addresses.put(fields, "source", client, port)


def _ask(name: str, kind: str, action: str, fields: Fields) -> None:
    """Add a question; a name is written without the dot of the root."""
    fields["dns.question.name"] = name if name == "." else name.removesuffix(".")
    if kind:
        fields["dns.question.type"] = kind.replace("type=", "TYPE")  # dnsmasq's notation of a type without a name
    fields["event.action"] = action


def _read_bind(line: re.Match[str], fields: Fields) -> str:
    said = line["said"]
    _begin(line["client"], line["port"], fields)
    if line["level"]:
        fields["log.level"] = line["level"].partition(" ")[0]
    if line["channel"]:
        fields["log.logger"] = line["channel"]
    _read_request(said, fields)
    return line["time"] or ""


def _read_request(said: str, fields: Fields) -> None:
    asked = _ASKED.match(said)
    if asked is not None:
        _ask(asked["name"], asked["type"], "dns_query", fields)
        if asked["class"] != "IN":
            fields["dns.question.class"] = asked["class"]
        if asked["server"]:
            addresses.put(fields, "destination", asked["server"], None)
        return
    refused = _REFUSED.match(said)
    if refused is not None:
        # 'name/type/class' for a query and a transfer, 'zone/class' for an update
        _ask(refused["name"], refused["first"] if refused["second"] else "", "denied", fields)
        fields["event.outcome"] = "failure"
        return
    failed = _FAILED.match(said)
    if failed is not None:
        _ask(failed["name"], failed["type"], "dns_query", fields)
        fields["dns.response_code"] = failed["code"]
        fields["event.outcome"] = "failure"
        return
    _read_change(said, fields)


def _read_change(said: str, fields: Fields) -> None:
    """Transfers and updates that were let through, and what a policy zone rewrote."""
    transfer = _TRANSFER.match(said)
    if transfer is not None:
        _ask(transfer["name"], transfer["type"], "zone_transfer", fields)
        return
    rewritten = _RPZ.match(said)
    if rewritten is not None:
        _ask(rewritten["name"], rewritten["type"] or "", "denied", fields)
        fields["rule.name"] = f"rpz {rewritten['trigger']} {rewritten['policy']}"
        if rewritten["policy"] in ("PASSTHRU", "DISABLED", "TCP-ONLY"):
            fields["event.action"] = "allowed"
        return
    update = _UPDATE.match(said)
    if update is not None:
        _ask(update["name"], "", "dns_update", fields)
        if " failed" in said or "denied" in said:
            fields["event.outcome"] = "failure"
    elif "denied" in said or "refused" in said or said.startswith("rate limit drop"):
        fields["event.action"] = "denied"
        fields["event.outcome"] = "failure"


def _read_dnsmasq(line: re.Match[str], fields: Fields) -> str:
    if line["asked"]:
        _begin(line["client"], line["port"], fields)
        _ask(line["asked"], line["type"], "dns_query", fields)
        return ""
    fields["event.category"] = "network"
    if line["peer"]:
        addresses.put(fields, "source", line["peer"], line["port"])
    verb, answer = line["verb"], line["answer"]
    action = "denied" if "block" in verb or "denied" in verb or "blacklisted" in verb else "dns_answer"
    _ask(line["name"], "", action if line["word"] == "is" else "dns_forward", fields)
    if line["word"] == "to":
        addresses.put(fields, "destination", answer.partition("#")[0], None)
    elif answer.startswith(("NXDOMAIN", "SERVFAIL", "REFUSED")):
        fields["dns.response_code"] = answer.partition(" ")[0].partition("-")[0]
    elif addresses.canonical(answer):
        fields["dns.resolved_ip"] = [addresses.canonical(answer)]
    return ""


_MAC = r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}"
_DHCP = re.compile(
    r"(?P<kind>DHCP(?:DISCOVER|OFFER|REQUEST|ACK|NAK|DECLINE|RELEASE|INFORM|EXPIRE))"
    r"(?:\((?P<interface>[\w.:-]{1,32})\))?"
    rf"(?: (?:on|for|of|from|to))?(?: (?P<address>(?:\d{{1,3}}\.){{3}}\d{{1,3}}))?"
    rf"(?: \((?P<server>(?:\d{{1,3}}\.){{3}}\d{{1,3}})\))?(?: (?:from|to))?(?: (?P<mac>{_MAC}))?"
    r"(?: \((?P<host>[^()]{1,255})\)| (?!via )(?P<plain>[\w.-]{1,255}))?(?: via (?P<via>[\w.-]{1,64}))?"
)


def _read_dhcp(text: str, fields: Fields) -> str | None:
    """The address is the client's, given or asked for; the interface is the one the server heard it on."""
    said = _DHCP.match(text)
    if said is None:
        return None
    fields["event.category"] = "network"
    fields["event.action"] = said["kind"].lower()
    if said["address"]:
        addresses.put(fields, "source", said["address"], None)
    if said["mac"]:
        fields["source.mac"] = hardware(said["mac"])
    if said["server"]:
        addresses.put(fields, "destination", said["server"], None)
    host = said["host"] or (said["plain"] if said["interface"] else "")
    if host:
        fields["source.domain"] = host
    _add_interface(said["interface"] or said["via"] or "", fields)
    return ""


def _add_interface(name: str, fields: Fields) -> None:
    """A relay's address may stand where the interface would."""
    if name and not addresses.canonical(name):
        fields["observer.ingress.interface.name"] = name
