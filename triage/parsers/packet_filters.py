"""Packet filters: netfilter (iptables, nftables, ufw, firewalld, Shorewall, UniFi, Proxmox), RouterOS, BSD pf.

Handed: a message without its syslog header, or a bare line. Hands on: both ends, transport, interfaces, hardware
addresses, rule and verdict. ``event.action`` is ``allowed`` or ``denied`` (dropped, rejected and blocked alike; the
filter's own word stays in ``rule.name``) and is absent when neither rule nor prefix says what became of the packet.
Formats: the kernel's ``nf_log_syslog``, pfSense's "Raw Filter Log Format", RouterOS's "Log" manual.
"""

import re

from triage.contracts import Fields
from triage.parsers import addresses, times

MAX_READ = 2_000
ALLOWED = frozenset({"accept", "accepted", "allow", "allowed", "pass", "passed", "permit", "permitted"})
DENIED = frozenset(
    {"drop", "dropped", "deny", "denied", "block", "blocked", "reject", "rejected", "discard", "discarded"}
)
_LETTER = {"A": "allowed", "D": "denied", "R": "denied"}
_KERNEL_APPS = frozenset({"", "kernel", "ulogd", "iptables", "nftables", "ufw", "shorewall", "pve-firewall"})
_FILTER_APPS = frozenset({"filterlog", "pf"})

_HEAD = re.compile(r"(?:[\w.-]{1,255} )?(?:kernel:? ?)?(?:\[ {0,8}\d{1,9}\.\d{1,9}\] ?)?")
_PACKET = re.compile(
    r"(?:DESCR=\"(?P<descr>[^\"]{0,256})\" )?IN=(?P<ingress>\S{0,32})(?: OUT=(?P<egress>\S{0,32}))?"
    r"(?: (?:[A-Z]{3,8}=\S{0,64})){0,6}? SRC=(?P<source>[0-9A-Fa-f:.]{2,45}) DST=(?P<destination>[0-9A-Fa-f:.]{2,45})"
    r"(?= |\Z)"
)
_PAIR = re.compile(r" (PROTO|SPT|DPT|LEN|MAC|MACSRC|MACDST|PHYSIN|PHYSOUT)=(\S{1,64})")
_UNIFI = re.compile(
    r"\[(?P<set>[\w.:-]{1,96}?)-(?:(?P<verdict>[ADR])-(?P<id>\d{1,10})|(?P<id2>\d{1,10}|default)-(?P<verdict2>[ADR]))\]"
)
_PROXMOX = re.compile(
    r"(?P<vm>\d{1,9}) \d (?P<chain>[\w-]{1,64}) (?P<time>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}) "
)
_SHOREWALL = re.compile(r"Shorewall\d?:(?P<chain>[\w-]{1,64}):")
_WORD = re.compile(r"[a-z]{4,9}")
#: Protocols that netfilter names otherwise than ECS does; the numbers are those it knows no name for.
_TRANSPORTS = {"icmpv6": "ipv6-icmp", "1": "icmp", "2": "igmp", "6": "tcp", "17": "udp", "47": "gre", "58": "ipv6-icmp"}


def looks(app: str, text: str) -> bool:
    """Return whether a message is one of these."""
    if app in _KERNEL_APPS or text.startswith(("IN=", "DESCR=")):
        if text.find(" SRC=", 0, MAX_READ) >= 0 and text.find(" DST=", 0, MAX_READ) >= 0:
            return True
    elif app in _FILTER_APPS:
        return True
    if "in:" in text and ", proto " in text[:400]:
        return True
    return app == "" and ",match," in text[:160]


def read(text: str, fields: Fields) -> str | None:
    """Fill the fields of a message; return its own time text, ``None`` when it is not one of these."""
    text = text[:MAX_READ]
    if " SRC=" in text:
        return _read_netfilter(text, fields)
    if ", proto " in text:
        return _read_routeros(text, fields)
    return _read_pf(text, fields)


def verdict(words: str) -> str:
    """Return what a rule's name or prefix says became of the packet: the last word of either kind counts.

    >>> verdict("[UFW LIMIT BLOCK] "), verdict("IPTABLES-ACCEPT: "), verdict("[UFW AUDIT] ")
    ('denied', 'allowed', '')
    """
    for word in reversed(_WORD.findall(words.lower())):
        if word in DENIED:
            return "denied"
        if word in ALLOWED:
            return "allowed"
    return ""


def transport(text: str) -> str:
    """Return a protocol's ECS name."""
    low = text.lower()
    return _TRANSPORTS.get(low, low)


def hardware(text: str) -> str:
    """Return a hardware address as ECS writes it."""
    return text.replace(":", "-").upper()


def _read_netfilter(text: str, fields: Fields) -> str | None:
    packet = _PACKET.search(text)
    if packet is None:
        return None
    before = text[: packet.start()]
    if '"' in before or "=" in before:  # a packet quoted in somebody's words
        return None
    if not before and fields.get("process.name", "kernel") not in _KERNEL_APPS:
        before = str(fields.pop("process.name"))  # a prefix with a colon behind it had passed for a program
    stamp = _read_prefix(before, packet["descr"] or "", fields)
    inner = text.find(" [SRC=", packet.end())  # the packet that an ICMP error answers
    pairs: dict[str, str] = {}
    for key, value in _PAIR.findall(text[packet.start() : inner if inner > 0 else MAX_READ]):
        pairs.setdefault(key, value)
    fields["event.category"] = "network"
    addresses.put(fields, "source", packet["source"], _number(pairs.get("SPT", "")))
    addresses.put(fields, "destination", packet["destination"], _number(pairs.get("DPT", "")))
    if "PROTO" in pairs:
        fields["network.transport"] = transport(pairs["PROTO"])
    if "LEN" in pairs and pairs["LEN"].isascii() and pairs["LEN"].isdigit():
        fields["network.bytes"] = int(pairs["LEN"][:9])
    _add_interfaces(packet["ingress"], packet["egress"] or "", fields)
    _add_hardware(pairs, fields)
    return stamp


def _number(text: str) -> str | None:
    return text if text.isascii() and text.isdigit() and len(text) < 6 else None


def _add_interfaces(ingress: str, egress: str, fields: Fields) -> None:
    """A packet with one interface only was the machine's own, as receiver or sender."""
    if ingress:
        fields["observer.ingress.interface.name"] = ingress
    if egress:
        fields["observer.egress.interface.name"] = egress
    if bool(ingress) != bool(egress):
        fields["network.direction"] = "ingress" if ingress else "egress"


def _add_hardware(pairs: dict[str, str], fields: Fields) -> None:
    """``MAC=`` is the link header: six octets of receiver, six of sender, two of type."""
    header = pairs.get("MAC", "")
    if len(header) == 41:
        fields["destination.mac"] = hardware(header[:17])
        fields["source.mac"] = hardware(header[18:35])
    for name, key in (("source.mac", "MACSRC"), ("destination.mac", "MACDST")):
        if len(pairs.get(key, "")) == 17:
            fields[name] = hardware(pairs[key])


def _read_prefix(before: str, descr: str, fields: Fields) -> str:
    """Read rule and verdict before the packet; return the line's own time, if it has one."""
    stamp, start = "", 0
    proxmox = _PROXMOX.match(before)
    if proxmox is not None:
        stamp, start = proxmox["time"], proxmox.end()
        fields["rule.ruleset"] = proxmox["chain"]
    elif before[:1].isdigit():
        _, stamp, start = times.head(before, 0.0)
    head = _HEAD.match(before, start) if stamp and proxmox is None else None
    prefix = before[head.end() if head is not None else start :]
    if head is None:
        prefix = re.sub(r"\A(?:kernel:? ?)?(?:\[ {0,8}\d{1,9}\.\d{1,9}\] ?)?", "", prefix)
    elif head[0].partition(" ")[0] not in ("", "kernel:", "kernel") and "[" not in head[0][:1]:
        fields.setdefault("host.name", head[0].partition(" ")[0])
    _read_rule(prefix, descr, fields)
    return stamp


def _read_rule(prefix: str, descr: str, fields: Fields) -> None:
    said = verdict(prefix)
    unifi = _UNIFI.search(prefix)
    shorewall = _SHOREWALL.match(prefix)
    name = prefix.strip(" :[]")
    if unifi is not None:
        said = _LETTER[unifi["verdict"] or unifi["verdict2"]]
        fields["rule.ruleset"] = unifi["set"]
        fields["rule.id"] = unifi["id"] or unifi["id2"]
    elif shorewall is not None:
        fields["rule.ruleset"] = shorewall["chain"]
    if descr or name:
        fields["rule.name"] = descr or name
    if said:
        fields["event.action"] = said


_END = r"\[?(?:(?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f:]{2,45})\]?(?::\d{1,5})?"
_ROUTEROS = re.compile(
    r"(?:(?P<topics>[a-z]{2,16}(?:,!?[a-z]{2,16}){1,5}):? )?(?:(?P<prefix>[^\":]{1,64}?):? )??"
    r"(?:(?P<chain>[\w-]{1,32}): )?in:(?P<ingress>\([^()]{1,32}\)|[^\s,]{1,64}) "
    r"out:(?P<egress>\([^()]{1,32}\)|[^\s,]{1,64}),? (?P<between>(?:[\w-]{1,24}[: ][\w:,.()-]{1,64},? ){0,5}?)"
    rf"proto (?P<proto>[\w-]{{1,16}})(?: \([^()]{{0,64}}\))?, (?P<source>{_END})->(?P<destination>{_END})"
    r"(?:, .{0,256}?\blen (?P<length>\d{1,9}))?"
)
_OWN_END = re.compile(r"\[?([0-9A-Fa-f:.]{2,45}?)\]?(?::(\d{1,5}))?\Z")
_SRC_MAC = re.compile(r"src-mac ([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5})")


def _read_routeros(text: str, fields: Fields) -> str | None:
    """``firewall,info drop-in input: in:ether1 out:(unknown 0), src-mac .., proto TCP (SYN), a:p->b:p, len 40``."""
    stamp, start = "", 0
    if text[:1].isdigit():
        _, stamp, start = times.head(text, 0.0)
    host = ""
    flow = _ROUTEROS.match(text, start)
    if flow is None or (stamp and not flow["topics"]):
        host, blank, _ = text[start : start + 256].partition(" ")
        flow = _ROUTEROS.match(text, start + len(host) + 1) if blank else None
    if flow is None:
        return None
    if host:
        fields.setdefault("host.name", host)
    fields["event.category"] = "network"
    for side in ("source", "destination"):
        end = _OWN_END.match(flow[side])
        if end is not None:
            addresses.put(fields, side, end[1], end[2])
    fields["network.transport"] = transport(flow["proto"])
    if flow["length"]:
        fields["network.bytes"] = int(flow["length"])
    names = [flow[key] if flow[key][0] != "(" else "" for key in ("ingress", "egress")]
    _add_interfaces(names[0], names[1], fields)
    mac = _SRC_MAC.search(flow["between"])
    if mac is not None:
        fields["source.mac"] = hardware(mac[1])
    _add_routeros_rule(flow, fields)
    return stamp


def _add_routeros_rule(flow: re.Match[str], fields: Fields) -> None:
    """The chain may already have been taken for a program's name, as it has a colon behind it."""
    chain = flow["chain"] or ""
    if not chain and flow.start("ingress") == len("in:") and "process.name" in fields:
        chain = str(fields.pop("process.name"))
    if chain:
        fields["rule.ruleset"] = chain
    prefix = flow["prefix"] or ""
    if prefix:
        fields["rule.name"] = prefix
        said = verdict(prefix)
        if said:
            fields["event.action"] = said


_PF_HEAD = re.compile(r"(?:filterlog(?:\[\d{1,9}\])?: )?(?=\d{1,9},)")


def _read_pf(text: str, fields: Fields) -> str | None:
    """Read pf's CSV: rule, sub-rule, anchor, tracker, interface, reason, action, direction, IP version, its header."""
    head = _PF_HEAD.match(text)
    cells = text[head.end() :].split(",", 32) if head is not None else []
    if len(cells) < 17 or cells[7] not in ("in", "out") or cells[8] not in ("4", "6"):
        return None
    first = 18 if cells[8] == "4" else 15  # where the source's address stands
    if len(cells) < first + 2 or not addresses.canonical(cells[first]):
        return None
    proto = cells[16] if cells[8] == "4" else _v6_name(cells[12], cells[13])
    fields["event.category"] = "network"
    fields["network.type"] = "ipv" + cells[8]
    if proto:
        fields["network.transport"] = transport(proto)
    ports = cells[first + 2 : first + 4] if proto.lower() in ("tcp", "udp", "sctp") else []
    ports = ports if len(ports) == 2 else ["", ""]
    addresses.put(fields, "source", cells[first], _number(ports[0]))
    addresses.put(fields, "destination", cells[first + 1], _number(ports[1]))
    length = cells[first - 1]
    if length.isascii() and length.isdigit():
        fields["network.bytes"] = int(length[:9])
    _add_pf_rule(cells, fields)
    return ""


def _v6_name(one: str, other: str) -> str:
    """The protocol's name and its number, in either order."""
    return other if one.isdigit() else one


def _add_pf_rule(cells: list[str], fields: Fields) -> None:
    side = "ingress" if cells[7] == "in" else "egress"
    fields["network.direction"] = side
    if cells[4]:
        fields[f"observer.{side}.interface.name"] = cells[4]
    rule = cells[3] if cells[3] not in ("", "0") else cells[0]  # the tracker outlives a reload, the number does not
    if rule:
        fields["rule.id"] = rule
    said = verdict(cells[6])
    if said:
        fields["event.action"] = said
